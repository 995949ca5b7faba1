import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { loggedProofs } from '#coordinator/answers.ts'
import { generateIdentityKey, messageId } from '#crypto/signature.ts'
import { revoke } from '#member-node/researchers.ts'
import type { Answer } from '#researcher/answer.ts'
import { fetchRelease, publicConnection } from '#researcher/published.ts'
import { keptContent, publish, type Released } from '#researcher/release.ts'
import { type Expected, type Step, stepNames, verifyRelease } from '#researcher/verification.ts'
import { summary } from '#researcher/verified.ts'
import type { CharterBundle } from '#specs/api.ts'
import { type QueryId, type Release, type RoundId, release } from '#specs/messages.ts'
import { fileOf, type PublishedRelease, publishedRelease, type ReleaseContent, readFileOf } from '#specs/release.ts'
import { contentHash, entryOf, messagesIn } from '#specs/rules/release.ts'
import { claims, sign } from '#specs/signed.ts'
import { effort, seed } from './effort.ts'
import { enrolResearcher, Federation } from './federation.ts'
import { entriesIn, historyOf, shownOf } from './forked-log.ts'
import { problemOf, request, URL_OF_COORDINATOR } from './requests.ts'
import { restartResearcher, Switchboard } from './restart.ts'
import { pose, proposeAndSign } from './steps.ts'

/** Answers that recipients publish, and what everybody finds who verifies them. */

const MEMBERS = ['BR', 'JP', 'KR', 'VN']
const QUESTION = `dataset: declarations
where: { flow: import }
by: [hs2, transport]
measures: [{ sum: value }]
purpose: imports by chapter
need: { atLeast: 3 }
closes: 1h
`
const ROWS = [
  { hs2: '01', transport: 'sea', 'sum(value)': '7.50' },
  { hs2: '85', transport: 'air', 'sum(value)': '300.00' },
]

const switchboard = new Switchboard()
let federation: Federation
let answer: Answer
/** Another one, to the same question. */
let other: Answer
let released: Released
let file: PublishedRelease

beforeAll(async () => {
  federation = await Federation.create({
    members: MEMBERS,
    custodians: ['BR', 'JP', 'KR'],
    network: switchboard.network,
  })
  switchboard.federation = federation
  const csv = 'flow,period,hs6,transport,value\nimport,2020-01,010121,sea,2.5\nimport,2020-01,850110,air,100\n'
  for (const id of MEMBERS) federation.load(id, csv)
  federation.node('VN').rules = { ...federation.node('VN').rules, smallestCohort: 4 }
  answer = await federation.ask(QUESTION)
  other = await federation.ask(QUESTION)
  released = await publish(federation.researcher, answer.query as QueryId, 'Preliminary figures')
  file = readFileOf(publishedRelease, released.file)
})
afterAll(() => federation[Symbol.dispose]())
afterEach(() => {
  switchboard.at = () => undefined
  expect(federation.errors.splice(0)).toEqual([])
})

const direct = (url: string, init?: RequestInit) => Promise.resolve(federation.coordinator.app.request(url, init))
const asPublished = () => publicConnection({ url: URL_OF_COORDINATOR }, direct)

/** Where the verification of these bytes ends, and why. */
async function failing(bytes: Uint8Array, expected: Expected = {}) {
  let at = ''
  const failed = (step: string) => {
    at = step
  }
  const observer = { begun: () => undefined, done: () => undefined, failed }
  const error = await verifyRelease(bytes, expected, observer).then(
    () => undefined,
    (caught: unknown) => caught as { code: string; message: string },
  )
  return { at, code: error?.code, message: error?.message ?? 'it was verified' }
}

/** The recipient's own signature, on whatever it likes. */
async function signedByRecipient(content: ReleaseContent, change: Partial<Release> = {}, of = file): Promise<string> {
  const { payload } = claims(release, of.release) as { payload: Release }
  const { compact } = await sign(federation.researcher.key, release, {
    ...payload,
    content: contentHash(content),
    ...change,
  })
  return compact
}

/** A recipient that lies, and a coordinator that publishes it: nothing but the lie is wrong. */
async function lying(change: Partial<ReleaseContent>, said: Partial<Release> = {}, of = file): Promise<Uint8Array> {
  const content = { ...of.content, ...change }
  const compact = await signedByRecipient(content, said, of)
  const { context } = federation.coordinator
  const own = entryOf(compact)
  context.db.transaction(tx => context.log.append(tx, own.typ, own.message, 0))
  return fileOf({ release: compact, content, log: loggedProofs(context, messagesIn(content), [own]) })
}

describe('a release', () => {
  test('has the figures of the answer, and says who opened and who added up', async () => {
    expect(answer.rows).toEqual(ROWS)
    const { verified } = released
    expect(verified.answer).toMatchObject({ rows: ROWS, cohort: ['BR', 'JP', 'KR'], missing: [{ member: 'VN' }] })
    expect(summary(verified)).toMatch(
      /^3 of 3 custodians \(BR, JP, KR\) signed .* 3 members .*\. That it is the sum .* the word of the recipient, Ada; .* log of \d+ entries, root [0-9a-f]{64}\.$/,
    )
  })

  test('is verified step by step, from its file alone, and at the coordinator with its log of today', async () => {
    const steps: Step[] = []
    const observer = { begun: () => undefined, done: (one: Step) => void steps.push(one), failed: () => undefined }
    const bytes = await fetchRelease({ url: released.address }, direct)
    const { federation: named } = await verifyRelease(bytes, {}, observer)
    expect(named).toBe(federation.coordinator.context.key.fingerprint)
    expect(steps.map(one => one.step)).toEqual(stepNames.filter(one => one !== 'address' && one !== 'log today'))
    expect(steps.filter(one => !one.proved).map(one => one.step)).toEqual(['added up again'])
    steps.length = 0
    const id = messageId(file.release)
    await verifyRelease(bytes, { federation: named, id, coordinator: asPublished() }, observer)
    expect(steps.map(one => one.step)).toEqual(stepNames)
  })

  test('is listed, and served as it is for ever', async () => {
    const id = messageId(file.release)
    expect(await (await direct(`${URL_OF_COORDINATOR}/releases`)).json()).toEqual({
      releases: [{ id, release: file.release }],
    })
    const response = await direct(released.address)
    expect(response.headers.get('cache-control')).toContain('immutable')
    expect(Buffer.from(await response.arrayBuffer()).equals(released.file)).toBe(true)
  })

  test('tells nobody why a member did not answer, nor what custodians sealed', () => {
    const { refusals, openings } = { refusals: answer.missing, openings: file.content.openings }
    expect(refusals).toMatchObject([{ member: 'VN', reason: expect.stringContaining('4') }])
    expect(Object.keys(file.content)).not.toContain('refusals')
    expect(Object.keys(openings[0] as object)).toEqual(['opening', 'share'])
  })

  test('is of the federation that its reader means', async () => {
    const another = await generateIdentityKey()
    expect(await failing(released.file, { federation: another.fingerprint })).toMatchObject({
      at: 'charter',
      code: 'wrong-federation',
    })
  })

  test('of a sum that a custodian added up again says so, and with another seed does not hold', async () => {
    const { researcher } = federation
    Object.assign(federation, { researcher: { ...researcher, recountFrom: 0 } })
    const { query, round, evidence } = await federation.ask(QUESTION)
    Object.assign(federation, { researcher })
    const content = keptContent(researcher, query as QueryId)
    const recount = { recount: content.recount?.recount as string, seed: 'A'.repeat(43) }
    const said = { query: query as QueryId, round: round as RoundId, addedUpAgain: 'by-custodian' as const }
    const bent = await lying({ ...content, recount }, said)
    expect(await failing(bent)).toMatchObject({ at: 'added up again', message: expect.stringContaining('the seed') })
    const { release: compact } = readFileOf(publishedRelease, bent)
    const body = fileOf({ release: compact, content: { ...content, recount } })
    const path = `/rounds/${round}/release`
    const refused = request(federation.coordinator, researcher.key, path, { method: 'PUT', body })
    expect((await problemOf(refused)).code).toBe('bad-release')
    const { verified } = await publish(researcher, query as QueryId, null)
    expect(verified.recountedBy).toBe(evidence.recountedBy)
    expect(summary(verified)).toContain(`signed by ${evidence.recountedBy}, a custodian drawn by lot`)
  })
})

describe(`with seed ${seed}, a file in which something is changed`, () => {
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    how: fc.constantFrom('flip', 'next', 'next', 'delete', 'insert', 'truncate', 'repeat'),
    bit: fc.nat(7),
    byte: fc.constantFrom(0, 10, 32, 34, 44, 48, 65, 95, 123, 128, 255),
  })

  /** A letter or digit for another, so that what is read is of the same form. */
  function nextOf(byte: number): number {
    const letters = 'abcdef0123456789ghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
    const at = letters.indexOf(String.fromCharCode(byte))
    return at === -1 ? byte ^ 1 : letters.charCodeAt((at + 1) % letters.length)
  }

  function changed(bytes: Buffer, at: number, { how, bit, byte }: { how: string; bit: number; byte: number }): Buffer {
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
    if (how === 'truncate') return before
    if (how === 'delete') return Buffer.concat([before, after.subarray(1)])
    if (how === 'insert') return Buffer.concat([before, Buffer.of(byte), after])
    if (how === 'repeat') return Buffer.concat([before, after.subarray(0, 1), after])
    const byteThere = after[0] as number
    const another = how === 'next' ? nextOf(byteThere) : byteThere ^ (1 << bit)
    return Buffer.concat([before, Buffer.of(another), after.subarray(1)])
  }

  /** Where the value of each field begins and ends, so that small ones are met as often as the sum. */
  function regions(): [string, number, number][] {
    const text = Buffer.from(released.file).toString('latin1')
    const names = ['release', ...Object.keys(file.content), 'checkpoint', 'proofs', 'heads']
    const starts = names.map(name => [name, text.indexOf(`"${name}":`)] as const).toSorted((a, b) => a[1] - b[1])
    return starts.map(([name, start], i) => [name, start, starts[i + 1]?.[1] ?? text.length])
  }

  test('does not hold, wherever a byte is another one, one more or one less', async () => {
    const fields = regions()
    expect(fields.map(([name]) => name)).toEqual(expect.arrayContaining(['rows', 'ciphertext', 'proofs', 'charters']))
    expect(fields.every(([, start, end]) => start > 0 && end > start)).toBe(true)
    const bytes = Buffer.from(released.file)
    const cases = fc.record({ field: fc.constantFrom(...fields), change })
    await fc.assert(
      fc.asyncProperty(cases, async ({ field: [, start, end], change: one }) => {
        const bent = changed(bytes, start + Math.floor(one.at * (end - start)), one)
        fc.pre(!bent.equals(bytes))
        const { code, message } = await failing(bent)
        expect(['not-a-release', 'bad-release', 'upgrade-needed']).toContain(code)
        expect(message.length).toBeGreaterThan(20)
      }),
      { numRuns: effort(200, 20_000), seed },
    )
  }, 600_000)

  test('does not hold in another form that says the same', async () => {
    const text = Buffer.from(released.file).toString()
    const forms = [
      JSON.stringify(JSON.parse(text), null, 1),
      text.trimEnd(),
      `${text}\n`,
      `\uFEFF${text}`,
      text.replace('"content"', '"c\\u006fntent"'),
      text.replace('{"release"', '{"more":1,"release"'),
      fileOf({ log: file.log, content: file.content, release: file.release } as PublishedRelease),
    ]
    for (const form of forms) expect(await failing(Buffer.from(form))).toMatchObject({ code: 'not-a-release' })
  })

  test('does not hold with lists in another order, or with more proofs than are needed', async () => {
    const { proofs } = file.log
    const logs = [proofs.toReversed(), [...proofs, proofs[0]], [proofs[0], ...proofs], proofs.slice(1)]
    for (const one of logs) {
      const bent = { ...file, log: { ...file.log, proofs: one as typeof proofs } }
      expect(await failing(fileOf(bent))).toMatchObject({ at: 'log', code: 'bad-release' })
    }
    for (const list of ['manifests', 'agreements', 'openings', 'rows'] as const) {
      const bent = { ...file, content: { ...file.content, [list]: file.content[list].toReversed() } }
      expect(await failing(fileOf(bent))).toMatchObject({ at: 'release', code: 'bad-release' })
    }
  })
})

describe('a recipient that lies', () => {
  test('about a figure is found by everybody', async () => {
    const [first, ...rest] = file.content.rows as [(typeof ROWS)[0], ...typeof ROWS]
    const bent = await lying({ rows: [{ ...first, 'sum(value)': '7.51' }, ...rest] })
    expect(await failing(bent)).toMatchObject({ at: 'figures', code: 'bad-release' })
  })

  test('about the sum is found', async () => {
    const ciphertext = Buffer.from(file.content.ciphertext, 'base64url')
    ciphertext[100] = (ciphertext[100] as number) ^ 1
    expect(await failing(await lying({ ciphertext: ciphertext.toString('base64url') }))).toMatchObject({ at: 'sum' })
    expect(await failing(await lying({ ciphertext: '' }))).toMatchObject({ at: 'sum' })
  })

  test('about a share is found, and one of another round does not fit', async () => {
    const [first, ...rest] = file.content.openings as [(typeof file.content.openings)[0]]
    const share = Buffer.from(first.share, 'base64url')
    share[7] = (share[7] as number) ^ 1
    const bent = await lying({ openings: [{ ...first, share: share.toString('base64url') }, ...rest] })
    expect(await failing(bent)).toMatchObject({ at: 'shares', message: expect.stringContaining('something else') })
    const { openings } = keptContent(federation.researcher, other.query as QueryId)
    const mixed = await lying({ openings: [openings[0] as (typeof openings)[0], ...rest] })
    expect(await failing(mixed)).toMatchObject({ at: 'shares' })
    expect(await failing(await lying({ openings: rest }))).toMatchObject({ at: 'key' })
  })

  test('with something twice, or with more than is needed, is refused', async () => {
    const { manifests, agreements, openings, charters } = file.content
    const twice = <T>(list: readonly T[]) => [...list, list[0] as T]
    expect(await failing(await lying({ manifests: twice(manifests) }))).toMatchObject({ at: 'contributions' })
    expect(await failing(await lying({ agreements: twice(agreements) }))).toMatchObject({ at: 'agreements' })
    expect(await failing(await lying({ openings: twice(openings) }))).toMatchObject({ at: 'shares' })
    const bent = charters.map(one => ({ ...one, consents: twice(one.consents) }))
    expect(await failing(await lying({ charters: bent }))).toMatchObject({ at: 'charter' })
    expect(await failing(await lying({ charters: twice(charters) }))).toMatchObject({ at: 'charter' })
  })

  test('about who added up again is refused', async () => {
    expect(await failing(await lying({}, { addedUpAgain: 'by-custodian' }))).toMatchObject({ at: 'release' })
  })

  test('or is somebody else, is refused', async () => {
    const stranger = await generateIdentityKey()
    const { payload } = claims(release, file.release) as { payload: Release }
    const { compact } = await sign(stranger, release, payload)
    expect(await failing(fileOf({ ...file, release: compact }))).toMatchObject({ at: 'release' })
  })
})

describe('the coordinator', () => {
  const put = (key: typeof federation.researcher.key, round: string, body: Uint8Array) =>
    request(federation.coordinator, key, `/rounds/${round}/release`, { method: 'PUT', body })
  const refusal = async (round: string, body: Uint8Array) =>
    (await problemOf(put(federation.researcher.key, round, body))).code
  const sent = (change: Partial<ReleaseContent> = {}, said: Partial<Release> = {}) => {
    const content = { ...file.content, ...change }
    return signedByRecipient(content, said).then(compact => fileOf({ release: compact, content }))
  }

  test('takes the same release again, and no other of the same answer', async () => {
    const before = entriesIn(federation.coordinator.context).length
    const same = fileOf({ release: file.release, content: file.content })
    expect((await put(federation.researcher.key, answer.round, same)).status).toBe(204)
    expect(entriesIn(federation.coordinator.context)).toHaveLength(before)
    expect(await refusal(answer.round, await sent({}, { note: 'other words' }))).toBe('differs-from-stored')
    await expect(publish(federation.researcher, answer.query as QueryId, null)).rejects.toMatchObject({
      code: 'differs-from-stored',
    })
  })

  test('has tables that take no other', async () => {
    await pose(federation, QUESTION)
    const { $client } = federation.coordinator.context.db
    for (const statement of [
      "UPDATE releases SET file = x'00'",
      'DELETE FROM releases',
      "INSERT OR REPLACE INTO releases SELECT round, 'other', compact, file, received_at FROM releases LIMIT 1",
      "INSERT INTO releases SELECT id, 'other', compact, x'00', 0 FROM rounds WHERE state <> 'opened' LIMIT 1",
    ]) {
      expect(() => $client.exec(statement), statement).toThrow(/is never changed|once its round is opened/)
    }
  })

  test('takes it of the recipient alone', async () => {
    const { coordinator, directory, clock, researcher } = federation
    const source = { identityKey: generateIdentityKey, randomness: researcher.randomness }
    const { id } = federation.node('JP')
    const eve = await enrolResearcher(coordinator, `${directory}/JP`, clock, id, direct, source, 'Eve')
    eve.db.$client.close()
    const body = fileOf({ release: file.release, content: file.content })
    expect((await problemOf(put(eve.key, answer.round, body))).code).toBe('not-allowed')
    expect((await problemOf(put(federation.node('BR').key, answer.round, body))).code).toBe('not-allowed')
  })

  test('takes none of a round that is not opened, or of what was not read', async () => {
    const { query, round } = await pose(federation, QUESTION)
    const body = await sent({}, { query, round })
    expect(await refusal(round, body)).toBe('not-found')
    expect(await refusal('0'.repeat(64), body)).toBe('not-found')
    expect(() => keptContent(federation.researcher, query)).toThrow(/no answer that was read/)
  })

  test('takes none with a share or a message of another round, or with what nobody signed', async () => {
    const { openings, agreements, manifests } = keptContent(federation.researcher, other.query as QueryId)
    const [first, ...rest] = file.content.openings as [(typeof file.content.openings)[0]]
    const share = (openings[0] as (typeof openings)[0]).share
    const fresh = { query: other.query as QueryId, round: other.round as RoundId }
    const changes: Partial<ReleaseContent>[] = [
      { openings },
      { openings: rest },
      { openings: [{ ...first, share }, ...rest] },
      { openings: [first, first, first] },
      { agreements },
      { manifests },
      { manifests: file.content.manifests.slice(1) },
      { ciphertext: Buffer.alloc(40_960).toString('base64url') },
      { recount: { recount: file.content.sum, seed: 'A'.repeat(43) } },
    ]
    for (const one of changes) {
      const said = one.recount ? { addedUpAgain: 'by-custodian' as const } : {}
      expect(await refusal(answer.round, await sent(one, said))).toBe('bad-release')
    }
    expect(await refusal(other.round, await sent({}, fresh))).toBe('bad-release')
    expect(await refusal(answer.round, Buffer.from('{}'))).toBe('not-a-release')
    expect(await refusal(answer.round, Buffer.concat([await sent(), Buffer.from('\n')]))).toBe('not-a-release')
    const later = { releasedAt: '2099-01-01T00:00:00.000Z' }
    expect(await refusal(answer.round, await sent({}, later))).toBe('clock-skew')
  })

  test('that serves another release under the address is found', async () => {
    const { address } = await publish(federation.researcher, other.query as QueryId, null)
    const id = address.slice(-64)
    expect(await failing(released.file, { id })).toMatchObject({ at: 'address', code: 'bad-release' })
    const switched = async () => new Response(new Uint8Array(released.file))
    const { researcher } = federation
    await expect(publish({ ...researcher, fetch: switched }, other.query as QueryId, null)).rejects.toMatchObject({
      code: 'bad-release',
    })
  })

  test('that shows another history today is found', async () => {
    const { context } = federation.coordinator
    const forked = historyOf(context, [...entriesIn(context).slice(1), ...entriesIn(context)])
    const shown = async (url: string) => {
      const path = url.slice(URL_OF_COORDINATOR.length)
      return (await shownOf(forked, path, new Response())) as Response
    }
    const coordinator = publicConnection({ url: URL_OF_COORDINATOR }, shown)
    expect(await failing(released.file, { coordinator })).toMatchObject({ at: 'log today', code: 'bad-release' })
  })
})

describe('a release under a later charter', () => {
  test('is verified through every charter before it, and with none of them left out, changed or unconfirmed', async () => {
    await proposeAndSign(federation)
    await federation.settle()
    const { query } = await federation.ask(QUESTION)
    const later = await publish(federation.researcher, query as QueryId, null)
    const read = readFileOf(publishedRelease, later.file)
    const [first, second, ...more] = read.content.charters as [CharterBundle, CharterBundle]
    expect(more).toEqual([])
    expect(await failing(later.file)).toMatchObject({ message: 'it was verified' })
    for (const charters of [
      [second],
      [second, first],
      [first, first],
      [first, { ...second, confirmations: [] }],
      [first, { ...second, consents: second.consents.slice(2) }],
      [first, { ...second, consents: first.consents }],
      [{ ...first, consents: [] }, second],
    ]) {
      expect(await failing(await lying({ charters }, {}, read))).toMatchObject({ at: 'charter' })
    }
    expect(await failing(await lying({ charters: [first] }, {}, read))).toMatchObject({ at: 'round' })
  })
})

describe('a researcher', () => {
  test('releases an answer once, wherever its process ends', async () => {
    const { query } = await federation.ask(QUESTION)
    const attempt = () => publish(federation.researcher, query as QueryId, 'once')
    for (const moment of ['before', 'after'] as const) {
      switchboard.at = (at, who, path) => {
        if (who === 'researcher' && at === moment && path.endsWith('/release')) throw new TypeError('cut')
      }
      await expect(attempt()).rejects.toThrow()
      federation.clock.advance(1000)
      restartResearcher(federation)
    }
    switchboard.at = () => undefined
    const { verified } = await attempt()
    const { compact } = federation.researcher.db.$client
      .prepare('SELECT compact FROM releases WHERE "query" = ?')
      .get(query) as { compact: string }
    expect(verified.release.compact).toBe(compact)
    const entries = entriesIn(federation.coordinator.context).filter(one => one.message === messageId(compact))
    expect(entries).toEqual([{ typ: 'inbond-release', message: messageId(compact) }])
  })

  test('cannot change what it released, or what it read', () => {
    const { $client } = federation.researcher.db
    for (const statement of [
      "UPDATE releases SET compact = ''",
      'DELETE FROM releases',
      'INSERT OR REPLACE INTO releases SELECT "query", id, \'\', 0 FROM releases LIMIT 1',
      "UPDATE readings SET content = ''",
    ]) {
      expect(() => $client.exec(statement)).toThrow(/is never changed/)
    }
  })

  test('cannot release an answer that an earlier version read', async () => {
    const { query } = answer
    federation.researcher.db.$client.prepare('DELETE FROM readings WHERE "query" = ?').run(query)
    await expect(publish(federation.researcher, query as QueryId, null)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('an earlier version'),
    })
  })

  test('that was revoked releases nothing more', async () => {
    await revoke(federation.node('BR'), federation.researcher.key.fingerprint, 'left the organisation')
    await expect(publish(federation.researcher, other.query as QueryId, null)).rejects.toMatchObject({
      code: 'researcher-revoked',
    })
  })
})

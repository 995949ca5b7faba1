import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { packShare } from '#crypto/packing.ts'
import { CELLS_PER_CHUNK, SHARE_PRIME } from '#crypto/parameters.ts'
import { SEALED_BYTES, seal } from '#crypto/sealing.ts'
import { messageId } from '#crypto/signature.ts'
import { verifyAnnouncement } from '#member-node/announcements.ts'
import { answer } from '#member-node/answer.ts'
import type { Compute } from '#member-node/computation.ts'
import { agree, forgetOldPrekeys, open, publishPrekeys } from '#member-node/custody.ts'
import { ciphertextFile } from '#member-node/node.ts'
import { perform } from '#member-node/work.ts'
import type { Fetch } from '#party/connection.ts'
import { resume } from '#researcher/client.ts'
import type { AnswerEvidence } from '#specs/api.ts'
import { shareFrame } from '#specs/bodies.ts'
import {
  agreement,
  type CohortId,
  charter,
  cohort,
  type ManifestId,
  type MemberId,
  manifest,
  opening,
  type QueryId,
  type RoundId,
  round,
  sum,
} from '#specs/messages.ts'
import { openingContext, shareContext } from '#specs/sealed-context.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { Federation, type TestNode } from './federation.ts'
import { documentOf, pose, roundRow, step, workOf } from './steps.ts'

const QUESTION = `dataset: declarations
where: { flow: import }
by: [transport]
measures: [{ sum: value }]
purpose: what custodians hold
need: { atLeast: 3 }
closes: 1h
`
const HOUR = 3_600_000
const DAY = 24 * HOUR
const EVERYBODY = ['BR', 'FR', 'JP', 'KR', 'VN']

let federation: Federation
/** Stands between a party and the coordinator while a test needs it to. */
let between: ((who: string, direct: Fetch) => Fetch) | undefined
/** What was posted, as it was sent. */
const posted: { who: string; path: string; body: string }[] = []

beforeAll(async () => {
  federation = await Federation.create({
    members: EVERYBODY,
    network: (who, direct) => (url, init) => {
      if (init?.method === 'POST') posted.push({ who, path: new URL(url).pathname, body: String(init.body) })
      return (between?.(who, direct) ?? direct)(url, init)
    },
  })
  for (const id of EVERYBODY) federation.load(id, 'flow,period,hs6,transport,value\nimport,2020-01,010121,sea,2\n')
})
afterAll(() => federation[Symbol.dispose]())

beforeEach(() => step(federation, 'prekeys'))
afterEach(async () => {
  between = undefined
  federation.clock.advance(3 * HOUR)
  await federation.coordinator.lifecycle.advance()
  posted.length = 0
})

const node = (id: string): TestNode => federation.node(id)
const coordinatorKey = () => federation.coordinator.context.key

interface Announced {
  readonly round: string
  readonly query: string
  readonly cohort: string
}

/** A round up to the moment at which custodians are asked to agree. */
async function closed(): Promise<{ id: RoundId; query: QueryId; announced: Announced }> {
  const { round: id, query } = await pose(federation, QUESTION)
  await step(federation, 'contribute')
  await federation.coordinator.lifecycle.advance()
  const row = roundRow(federation, id)
  expect(row.state).toBe('closed')
  return { id, query, announced: { round: row.compact, query: row.query, cohort: row.cohort } }
}

/** Another cohort of the same round, as good as the first, signed by the coordinator. */
async function otherCohort(of: Announced, without = 1) {
  const { payload } = claims(cohort, of.cohort)
  const fewer = { ...payload, manifests: payload.manifests.slice(0, payload.manifests.length - without) }
  return sign<typeof cohort.schema, CohortId>(coordinatorKey(), cohort, fewer)
}

async function agreementOf(id: string, to: RoundId, with_: CohortId, by = id): Promise<string> {
  const payload = { protocol: PROTOCOL, round: to, cohort: with_, custodian: id as MemberId } as const
  return (await sign(node(by).key, agreement, payload)).compact
}

function agreementsOf(id: RoundId): string[] {
  const { db } = federation.coordinator.context
  return db.$client.prepare('SELECT compact FROM agreements WHERE round = ?').pluck().all(id) as string[]
}

function cohortIdOf(id: RoundId): CohortId {
  const { db } = federation.coordinator.context
  return db.$client.prepare('SELECT cohort_id FROM rounds WHERE id = ?').pluck().get(id) as CohortId
}

function count(of: TestNode, sql: string, ...bound: unknown[]): number {
  return of.db.$client
    .prepare(sql)
    .pluck()
    .get(...bound) as number
}

const holdsShares = (of: TestNode, id: RoundId) => count(of, 'SELECT count(*) FROM shares WHERE round = ?', id)
const holdsPrekey = (of: TestNode, id: RoundId) =>
  count(
    of,
    'SELECT count(*) FROM prekeys JOIN seen_prekeys ON prekey = id WHERE seen_prekeys.round = ? AND private_key IS NOT NULL',
    id,
  )

const refusal = (code: string, reason: RegExp) => ({ code, message: expect.stringMatching(reason) })

describe('a custodian agrees once', () => {
  test('and refuses a second cohort of the round, whoever else agreed to it', async () => {
    const { id, announced } = await closed()
    await step(federation, 'agree', ['BR'])
    const other = await otherCohort(announced)
    await expect(agree(node('BR'), { ...announced, cohort: other.compact })).rejects.toMatchObject(
      refusal('bad-cohort', /another cohort/),
    )
    const agreements = await Promise.all(['FR', 'JP', 'KR', 'VN'].map(one => agreementOf(one, id, other.id)))
    await expect(open(node('BR'), { round: id, agreements })).rejects.toMatchObject(
      refusal('bad-cohort', /agreed to another cohort/),
    )
    expect(holdsShares(node('BR'), id)).toBe(5)
  })

  test('and sends the stored bytes when it is asked again', async () => {
    const { id, announced } = await closed()
    await agree(node('BR'), announced)
    await agree(node('BR'), announced)
    await step(federation, 'agree')
    const [item] = await workOf(node('BR'), 'open')
    await open(node('BR'), item as NonNullable<typeof item>)
    await open(node('BR'), { round: id, agreements: [] })
    for (const kind of ['agreements', 'openings']) {
      const sent = posted.filter(one => one.who === 'BR' && one.path === `/rounds/${id}/${kind}`)
      expect(sent).toHaveLength(2)
      expect(sent[1]).toEqual(sent[0])
    }
  })

  test('and only to a cohort that is large enough, of this round, with its own contribution', async () => {
    const { announced } = await closed()
    const { payload } = claims(cohort, announced.cohort)
    const forged = async (change: object) =>
      agree(node('KR'), {
        ...announced,
        cohort: (await sign(coordinatorKey(), cohort, { ...payload, ...change })).compact,
      })
    const swapped = payload.manifests.map(one =>
      one.member === 'KR' ? { ...one, manifest: '0'.repeat(64) as ManifestId } : one,
    )
    await expect(forged({ manifests: payload.manifests.slice(0, 2) })).rejects.toMatchObject(
      refusal('bad-cohort', /needs 3 members/),
    )
    await expect(forged({ manifests: swapped })).rejects.toMatchObject(refusal('bad-cohort', /did not make/))
    await expect(forged({ round: '0'.repeat(64) })).rejects.toMatchObject(refusal('bad-cohort', /another round/))
    const own = (await sign(node('FR').key, cohort, payload)).compact
    await expect(agree(node('KR'), { ...announced, cohort: own })).rejects.toMatchObject({ code: 'bad-signature' })
    await agree(node('KR'), announced)
  })
})

describe('a custodian opens', () => {
  test('only what enough custodians agreed to, each counted once', async () => {
    const { id } = await closed()
    await step(federation, 'agree', ['BR', 'FR', 'JP', 'KR'])
    const four = agreementsOf(id)
    const three = four.slice(0, 3)
    const attempts = [[], three, [...three, ...three], [...three, three[0] as string]]
    for (const agreements of attempts) {
      await expect(open(node('BR'), { round: id, agreements })).rejects.toMatchObject(
        refusal('bad-cohort', /custodians agreed to the cohort; 4 must/),
      )
    }
    const forged = await agreementOf('VN', id, cohortIdOf(id), 'FR')
    await expect(open(node('BR'), { round: id, agreements: [...three, forged] })).rejects.toMatchObject({
      code: 'bad-signature',
    })
    expect(holdsShares(node('BR'), id)).toBe(5)
    expect(count(node('BR'), 'SELECT count(*) FROM openings WHERE round = ?', id)).toBe(0)
    await open(node('BR'), { round: id, agreements: four })
  })

  test('only what it agreed to itself', async () => {
    const { id } = await closed()
    await step(federation, 'agree', ['BR', 'FR', 'JP', 'KR'])
    await expect(open(node('VN'), { round: id, agreements: agreementsOf(id) })).rejects.toMatchObject(
      refusal('bad-cohort', /did not agree/),
    )
    const unknown = '0'.repeat(64) as RoundId
    await expect(open(node('VN'), { round: unknown, agreements: [] })).rejects.toMatchObject({ code: 'not-found' })
  })

  test('or says that it cannot, also when the others have opened, and is not asked again', async () => {
    const { id } = await closed()
    await step(federation, 'agree', ['BR', 'FR', 'JP', 'VN'])
    await step(federation, 'open', ['BR', 'FR', 'JP', 'VN'])
    expect(roundRow(federation, id).state).toBe('opened')
    const lost = 'UPDATE prekeys SET private_key = NULL WHERE id IN (SELECT prekey FROM seen_prekeys WHERE round = ?)'
    node('KR').db.$client.prepare(lost).run(id)
    await step(federation, 'agree', ['KR'])
    const asked = await workOf(node('KR'), 'agree')
    expect(asked.filter(item => messageId(item.round) === id)).toEqual([])
  })

  test('and forgets shares and prekey with the same step', async () => {
    const { id } = await closed()
    await step(federation, 'agree')
    expect([holdsShares(node('BR'), id), holdsPrekey(node('BR'), id)]).toEqual([5, 1])
    await step(federation, 'open')
    for (const custodian of federation.nodes.values()) {
      expect([holdsShares(custodian, id), holdsPrekey(custodian, id)]).toEqual([0, 0])
    }
    expect(roundRow(federation, id).state).toBe('opened')
  })

  test('nothing of a void round, whose shares and prekey it forgets', async () => {
    const { id } = await closed()
    await step(federation, 'agree', ['BR', 'FR'])
    federation.clock.advance(HOUR)
    await federation.coordinator.lifecycle.advance()
    expect(roundRow(federation, id)).toMatchObject({
      state: 'void',
      reason: expect.stringMatching(/absent: JP, KR, VN/),
    })
    // JP never agreed; its prekey is as useless from now on.
    for (const custodian of ['BR', 'JP']) {
      const before = holdsPrekey(node(custodian), id)
      expect(before).toBe(1)
      await perform(node(custodian), { kind: 'void', round: id }, { done() {}, refused() {}, failed() {} })
      expect([holdsShares(node(custodian), id), holdsPrekey(node(custodian), id)]).toEqual([0, 0])
      expect(existsSync(ciphertextFile(node(custodian), id))).toBe(false)
    }
  })
})

describe('a prekey', () => {
  test('of a round is refused in another one, and nothing is computed for it', async () => {
    const first = await pose(federation, QUESTION)
    await step(federation, 'contribute', ['BR'])
    const second = await pose(federation, QUESTION)
    const reused = { ...documentOf(federation, second.round), prekeys: documentOf(federation, first.round).prekeys }
    const signed = await sign<typeof round.schema, RoundId>(coordinatorKey(), round, reused)
    const announced = { round: signed.compact, query: roundRow(federation, second.round).query }
    await expect(answer(node('BR'), announced)).rejects.toMatchObject(refusal('prekey-used', /used in another round/))
    expect(count(node('BR'), 'SELECT count(*) FROM rounds WHERE id = ?', signed.id)).toBe(0)
    expect(existsSync(ciphertextFile(node('BR'), signed.id))).toBe(false)
  })

  test('serves nobody when its query is announced a second time', async () => {
    const { round: id } = await pose(federation, QUESTION)
    await step(federation, 'contribute', ['BR'])
    const fresh = { ...documentOf(federation, id), opens: new Date(federation.clock.now() + 1).toISOString() }
    const later = (time: string) => new Date(Date.parse(time) + 1).toISOString()
    const again = await sign(coordinatorKey(), round, {
      ...fresh,
      closes: later(fresh.closes),
      ends: later(fresh.ends),
    })
    const announced = { round: again.compact, query: roundRow(federation, id).query }
    await expect(verifyAnnouncement(node('BR'), announced)).rejects.toMatchObject(
      refusal('bad-round', /announced in another round/),
    )
  })

  test('is forgotten when its time is over, though no share ever came', () => {
    const kr = node('KR')
    const kept = 'SELECT count(*) FROM prekeys WHERE private_key IS NOT NULL'
    expect(count(kr, kept)).toBeGreaterThan(0)
    const early = count(kr, kept)
    forgetOldPrekeys(kr)
    expect(count(kr, kept)).toBe(early)
    federation.clock.advance(31 * DAY)
    forgetOldPrekeys(kr)
    expect(count(kr, kept)).toBe(0)
  })

  test('is published again when the answer to its publication was lost, and is not made anew', async () => {
    await federation.settle()
    const made = () => count(node('JP'), 'SELECT count(*) FROM prekeys')
    const before = made()
    between = (_, direct) => async (url, init) => {
      await direct(url, init)
      throw new TypeError('connection reset')
    }
    await expect(publishPrekeys(node('JP'), 4)).rejects.toMatchObject({ code: 'coordinator-unreachable' })
    between = undefined
    await publishPrekeys(node('JP'), 4)
    expect(made()).toBe(before + 4)
    const [lost, sent] = posted.filter(one => one.who === 'JP' && one.path === '/prekeys').slice(-2)
    expect(sent?.body).toBe(lost?.body)
  })
})

describe('a second message of a round', () => {
  const tables: [string, 'node' | 'coordinator', string, string][] = [
    ['contributions', 'node', 'manifest_id', 'manifest'],
    ['agreements', 'node', 'cohort', 'compact'],
    ['openings', 'node', 'compact', 'sealed'],
    ['contributions', 'coordinator', 'manifest_id', 'ciphertext'],
    ['agreements', 'coordinator', 'cohort', 'compact'],
    ['openings', 'coordinator', 'compact', 'sealed'],
  ]
  let id: RoundId
  beforeAll(async () => {
    id = (await closed()).id
    await step(federation, 'agree')
    await step(federation, 'open')
  })

  test.each(tables)('in %s of the %s is impossible', (table, where, column, other) => {
    const { $client } = where === 'node' ? node('BR').db : federation.coordinator.context.db
    const rows = () => $client.prepare(`SELECT * FROM ${table} WHERE round = ?`).all(id)
    const before = rows()
    const names = Object.keys(before[0] as object)
    const changed = names.map(name => ([column, other].includes(name) ? "'something else'" : name)).join(', ')
    const select = `SELECT ${changed} FROM ${table} WHERE round = '${id}' LIMIT 1`
    const attempts: [string, RegExp][] = [
      [`INSERT INTO ${table} (${names}) ${select}`, /never changed/],
      [`INSERT OR REPLACE INTO ${table} (${names}) ${select}`, /never changed/],
      [`REPLACE INTO ${table} (${names}) ${select}`, /never changed/],
      [`UPDATE ${table} SET ${column} = 'something else' WHERE round = '${id}'`, /never changed/],
      [`UPDATE OR REPLACE ${table} SET ${column} = 'something else' WHERE round = '${id}'`, /never changed/],
      [`DELETE FROM ${table} WHERE round = '${id}'`, /never changed/],
    ]
    for (const [sql, reason] of attempts) {
      expect(() => $client.exec(sql), sql).toThrow(reason)
      expect(rows()).toEqual(before)
    }
  })

  test('is impossible for the log, for an ended round, and for a private key', () => {
    const own = federation.coordinator.context.db.$client
    expect(() => own.exec('DELETE FROM log')).toThrow(/log is never changed/)
    expect(() => own.exec("UPDATE log SET message = 'x'")).toThrow(/log is never changed/)
    expect(() => own.exec("REPLACE INTO log VALUES (1, 'x', 'x', 1)")).toThrow(/log is never changed/)
    expect(() => own.exec(`UPDATE rounds SET state = 'open' WHERE id = '${id}'`)).toThrow(/ends once/)
    expect(() => own.exec(`UPDATE rounds SET cohort_id = 'x' WHERE id = '${id}'`)).toThrow(/ends once|one cohort/)
    const held = node('BR').db.$client
    expect(() => held.exec(`UPDATE prekeys SET private_key = x'00' WHERE round = '${id}'`)).toThrow(/never put back/)
    expect(() => held.exec(`UPDATE prekeys SET round = 'x' WHERE round = '${id}'`)).toThrow(/serves one round/)
    expect(() => held.exec('DELETE FROM seen_prekeys')).toThrow(/never changed/)
  })
})

describe('a dealer', () => {
  /** Lets BR deal as `change` says, for the next round. */
  async function dealing(change: (honest: Compute) => Compute, work: () => Promise<void>): Promise<void> {
    const br = node('BR') as { -readonly [K in keyof TestNode]: TestNode[K] }
    const honest = br.compute
    br.compute = change(honest)
    await work().finally(() => {
      br.compute = honest
    })
  }

  test('whose share does not open for one custodian is not agreed to by it, and the others answer', async () => {
    const damage =
      (honest: Compute): Compute =>
      async task => {
        const result = await honest(task)
        const position = task.custodians.findIndex(one => one.id === 'KR')
        const sealed = Buffer.from(result.sealedShares)
        sealed.writeUInt8(sealed.readUInt8(position * SEALED_BYTES + 5000) ^ 1, position * SEALED_BYTES + 5000)
        return { ...result, sealedShares: sealed }
      }
    await dealing(damage, async () => {
      const { rows, evidence } = await federation.ask(QUESTION)
      expect(rows).toEqual([{ transport: 'sea', 'sum(value)': '10.00' }])
      expect(evidence).toMatchObject({ openedBy: ['BR', 'FR', 'JP', 'VN'], disagreeing: [] })
      expect(node('KR').journal.at(-1)).toMatchObject({ item: { kind: 'agree' }, refused: { code: 'bad-seal' } })
    })
  })

  test('that deals one custodian something else than the others spoils only that opening', async () => {
    const deceive =
      (honest: Compute): Compute =>
      async task => {
        const result = await honest(task)
        const position = task.custodians.findIndex(one => one.id === 'KR')
        const { id, prekey, sealingKey } = task.custodians[position] as (typeof task.custodians)[number]
        const { ciphertext } = result
        const context = shareContext({ round: task.round, dealer: task.dealer, custodian: id, prekey, ciphertext })
        const sealed = Buffer.from(result.sealedShares)
        const share = await seal('inbond/share/v1', sealingKey, context, packShare(randomShare()), randomBytes)
        sealed.set(share, position * SEALED_BYTES)
        return { ...result, sealedShares: sealed }
      }
    await dealing(deceive, async () => {
      const { rows, evidence } = await federation.ask(QUESTION)
      expect(rows).toEqual([{ transport: 'sea', 'sum(value)': '10.00' }])
      expect(evidence).toMatchObject({ openedBy: ['BR', 'FR', 'JP', 'VN'], disagreeing: ['KR'] })
    })
  })

  test("whose contribution is uploaded again under another's name is not agreed to", async () => {
    const { id, announced } = await closed()
    const { payload } = claims(cohort, announced.cohort)
    const rows = federation.coordinator.context.db.$client
      .prepare('SELECT member, manifest FROM contributions WHERE round = ? ORDER BY member')
      .all(id) as { member: string; manifest: string }[]
    const stolen = claims(manifest, rows[0]?.manifest as string).payload
    const copy = await sign<typeof manifest.schema, ManifestId>(node('JP').key, manifest, {
      ...stolen,
      member: 'JP' as MemberId,
    })
    const manifests = payload.manifests.map(one => (one.member === 'JP' ? { ...one, manifest: copy.id } : one))
    const forged = (await sign(coordinatorKey(), cohort, { ...payload, manifests })).compact
    between = (who, direct) => async (url, init) => {
      const response = await direct(url, init)
      if (who !== 'KR' || !url.endsWith('/shares')) return response
      const all = Buffer.from(await response.arrayBuffer())
      const sealed = new Map<string, Buffer>()
      const manifests = new Map<string, string>()
      for (let at = 0; at < all.length; ) {
        const length = all.readUInt32LE(at)
        const compact = all.subarray(at + 4, at + 4 + length).toString()
        const { member } = claims(manifest, compact).payload
        manifests.set(member, member === 'JP' ? copy.compact : compact)
        sealed.set(member, all.subarray(at + 4 + length, at + 4 + length + SEALED_BYTES))
        at += 4 + length + SEALED_BYTES
      }
      sealed.set('JP', sealed.get('BR') as Buffer)
      const frames = [...manifests].map(([member, compact]) => shareFrame(compact, sealed.get(member) as Buffer))
      return new Response(Buffer.concat(frames))
    }
    await expect(agree(node('KR'), { ...announced, cohort: forged })).rejects.toMatchObject({ code: 'bad-seal' })
    expect(count(node('KR'), 'SELECT count(*) FROM agreements WHERE round = ?', id)).toBe(0)
  })
})

function randomShare(): Int32Array {
  return Int32Array.from({ length: CELLS_PER_CHUNK }, () => randomBytes(4).readUInt32LE() % SHARE_PRIME)
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

describe('a custodian that lies about its sum', () => {
  test('is survived with four others, and listed as disagreeing', async () => {
    between = (who, direct) => async (url, init) => {
      if (who !== 'KR' || !url.endsWith('/openings')) return direct(url, init)
      const { payload } = claims(opening, JSON.parse(String(init?.body)).opening)
      const asked = federation.researcher.db.$client
        .prepare('SELECT compact FROM queries ORDER BY rowid DESC LIMIT 1')
        .pluck()
        .get() as string
      const { recipient } = JSON.parse(Buffer.from(asked.split('.')[1] as string, 'base64url').toString())
      const to = Buffer.from(recipient, 'base64url')
      const context = openingContext({ round: payload.round, cohort: payload.cohort, custodian: payload.custodian })
      const sealed = Buffer.from(await seal('inbond/opening/v1', to, context, packShare(randomShare()), randomBytes))
      const signed = await sign(node('KR').key, opening, { ...payload, sealed: sha256(sealed) })
      const body = JSON.stringify({ opening: signed.compact, sealed: sealed.toString('base64url') })
      return direct(url, { ...init, body })
    }
    const { rows, evidence } = await federation.ask(QUESTION)
    expect(rows).toEqual([{ transport: 'sea', 'sum(value)': '10.00' }])
    expect(evidence).toMatchObject({ openedBy: ['BR', 'FR', 'JP', 'VN'], disagreeing: ['KR'] })
  })
})

describe('a coordinator that cheats the recipient is refused:', () => {
  let query: QueryId
  let id: RoundId
  beforeAll(async () => {
    await step(federation, 'prekeys')
    const running = await pose(federation, QUESTION)
    query = running.query
    id = running.round
    federation.researcher.db.$client.prepare('UPDATE queries SET sent_at = 1 WHERE id = ?').run(query)
    await federation.settle()
    expect(roundRow(federation, id).state).toBe('opened')
  })

  const changed = (change: (evidence: AnswerEvidence) => Promise<AnswerEvidence> | AnswerEvidence) =>
    tampering('/answer', async response => Response.json(await change((await response.json()) as AnswerEvidence)))

  function tampering(suffix: string, change: (response: Response) => Promise<Response>) {
    return (who: string, direct: Fetch): Fetch =>
      async (url, init) => {
        const response = await direct(url, init)
        return who === 'researcher' && url.endsWith(suffix) ? change(response) : response
      }
  }

  async function bent(response: Response): Promise<Uint8Array> {
    const bytes = Buffer.from(await response.arrayBuffer())
    bytes[0] = (bytes[0] as number) ^ 1
    return bytes
  }

  const resigned = async (evidence: AnswerEvidence, change: object) => {
    const { payload } = claims(sum, evidence.sum)
    return (await sign(coordinatorKey(), sum, { ...payload, ...change })).compact
  }

  const cases: [string, string, RegExp, () => (who: string, direct: Fetch) => Fetch][] = [
    [
      'another sum',
      'bad-evidence',
      /not the one that the coordinator signed/,
      () => tampering('/sum', async response => new Response((await bent(response)) as never)),
    ],
    [
      'another sum that it signs',
      'bad-evidence',
      /not the sum of the contributions/,
      () => {
        let altered: Uint8Array
        return (who, direct) => async (url, init) => {
          const response = await direct(url, init)
          if (who !== 'researcher') return response
          if (url.endsWith('/sum')) return new Response(altered as never)
          if (!url.endsWith('/answer')) return response
          const evidence = (await response.json()) as AnswerEvidence
          altered = await bent(await sumOf(evidence))
          return Response.json({ ...evidence, sum: await resigned(evidence, { ciphertext: sha256(altered) }) })
        }
      },
    ],
    [
      'a sum of another cohort',
      'bad-evidence',
      /another cohort/,
      () => changed(async evidence => ({ ...evidence, sum: await resigned(evidence, { cohort: '0'.repeat(64) }) })),
    ],
    [
      "another member's contribution",
      'bad-evidence',
      /contribution of KR is not the one/,
      () => tampering('/contributions/KR', async response => new Response((await bent(response)) as never)),
    ],
    [
      'a sum that is too long',
      'bad-evidence',
      /longer than/,
      () => tampering('/sum', async response => new Response(Buffer.concat([await bent(response), Buffer.alloc(1)]))),
    ],
    [
      'a manifest left out',
      'bad-evidence',
      /one manifest of every member/,
      () => changed(evidence => ({ ...evidence, manifests: evidence.manifests.slice(1) })),
    ],
    [
      'a manifest twice',
      'bad-evidence',
      /one manifest of every member|same ciphertext/,
      () =>
        changed(evidence => ({
          ...evidence,
          manifests: [...evidence.manifests.slice(1), evidence.manifests[1] as string],
        })),
    ],
    [
      'a manifest that its member did not sign',
      'bad-signature',
      /expected key/,
      () =>
        changed(async evidence => {
          const first = evidence.manifests[0] as string
          const forged = await sign(coordinatorKey(), manifest, claims(manifest, first).payload)
          return { ...evidence, manifests: [forged.compact, ...evidence.manifests.slice(1)] }
        }),
    ],
    [
      'another manifest than the one in the cohort',
      'bad-cohort',
      /not the one in the cohort/,
      () =>
        changed(async evidence => {
          const { payload } = claims(manifest, evidence.manifests[0] as string)
          const other = await sign(node(payload.member).key, manifest, { ...payload, alone: true })
          return { ...evidence, manifests: [other.compact, ...evidence.manifests.slice(1)] }
        }),
    ],
    [
      'a member dropped from the cohort',
      'bad-cohort',
      /agreed to another cohort|not the one in the cohort/,
      () =>
        changed(async evidence => {
          const { payload } = claims(cohort, evidence.cohort)
          const fewer = { ...payload, manifests: payload.manifests.slice(1) }
          const manifests = evidence.manifests.slice(1)
          return { ...evidence, manifests, cohort: (await sign(coordinatorKey(), cohort, fewer)).compact }
        }),
    ],
    [
      'agreements of three',
      'bad-evidence',
      /3 custodians agreed .* 4 must/,
      () => changed(evidence => ({ ...evidence, agreements: evidence.agreements.slice(0, 3) })),
    ],
    [
      'an agreement four times',
      'bad-evidence',
      /1 custodians agreed/,
      () => changed(evidence => ({ ...evidence, agreements: Array(4).fill(evidence.agreements[0]) })),
    ],
    [
      'an opening twice',
      'bad-evidence',
      /opened twice/,
      () => changed(evidence => ({ ...evidence, openings: Array(4).fill(evidence.openings[0]) })),
    ],
    [
      'openings of two under swapped names',
      'bad-evidence',
      /is of something else/,
      () =>
        changed(evidence => {
          const [a, b, ...rest] = evidence.openings as [AnswerEvidence['openings'][0], AnswerEvidence['openings'][0]]
          return { ...evidence, openings: [{ ...a, sealed: b.sealed }, { ...b, sealed: a.sealed }, ...rest] }
        }),
    ],
    [
      'too few openings',
      'sum-not-accepted',
      /no 4 of the 3/,
      () => changed(evidence => ({ ...evidence, openings: evidence.openings.slice(0, 3) })),
    ],
    [
      'another question',
      'bad-evidence',
      /another query/,
      () =>
        changed(async evidence => ({
          ...evidence,
          query: roundRow(federation, (await pose(federation, QUESTION)).round).query,
        })),
    ],
    [
      'the round of another question',
      'bad-round',
      /another query/,
      () =>
        changed(async evidence => ({
          ...evidence,
          round: roundRow(federation, (await pose(federation, QUESTION)).round).compact,
        })),
    ],
    [
      'a charter that was not in force',
      'bad-charter',
      /was not seen in force/,
      () =>
        changed(async evidence => {
          const { payload } = claims(charter, evidence.charter.charter)
          const { compact } = await sign(coordinatorKey(), charter, { ...payload, threshold: payload.threshold + 1 })
          return { ...evidence, charter: { ...evidence.charter, charter: compact } }
        }),
    ],
  ]

  async function sumOf(evidence: AnswerEvidence): Promise<Response> {
    const { researcher } = federation
    const chunks: Uint8Array[] = []
    const direct = between
    between = undefined
    for await (const chunk of await researcher.connection.stream(
      `/rounds/${claims(sum, evidence.sum).payload.round}/sum`,
    ))
      chunks.push(chunk)
    between = direct
    return new Response(Buffer.concat(chunks))
  }

  test.each(cases)('%s', async (_, code, reason, cheat) => {
    between = cheat()
    await expect(resume(federation.researcher, query, () => undefined)).rejects.toMatchObject(refusal(code, reason))
  })

  test('and nothing is lost by it', async () => {
    const { rows } = await resume(federation.researcher, query, () => undefined)
    expect(rows).toEqual([{ transport: 'sea', 'sum(value)': '10.00' }])
  })
})

import { eq } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { assignSponsor, everyResearcher, revoke as stop } from '#coordinator/researchers.ts'
import { parties, sponsorships } from '#coordinator/schema.ts'
import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { learnRevocation, researchersOf, revoke, sponsor } from '#member-node/researchers.ts'
import { fetchCertificate } from '#researcher/certificate.ts'
import { prepare } from '#researcher/client.ts'
import { fetchCharter, type Researcher } from '#researcher/researcher.ts'
import { concernsOf, overview } from '#researcher/status.ts'
import { done, queryReceipt, queryStatus, revocationRequest } from '#specs/api.ts'
import {
  type Certificate,
  certificate,
  type MemberId,
  type PersonSponsorship,
  type QueryId,
  query,
  type Revocation,
  type RevocationId,
  revocation,
  sponsorship,
} from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { claims, PROTOCOL, type Signed, sign } from '#specs/signed.ts'
import { enrolResearcher, Federation, VOUCHING } from './federation.ts'
import { pose, roundRow, step } from './steps.ts'

/** Attack 8: a researcher is who a member says it is, for as long as the member says so; the coordinator alone can invent nobody. */

const QUESTION = `dataset: declarations
measures: [{ sum: value }]
purpose: who asks
need: { atLeast: 3 }
closes: 1h
`
const DAY_MS = 86_400_000
const MEMBERS = ['BR', 'JP', 'KR', 'VN'] as const

let federation: Federation

beforeEach(async () => {
  federation = await Federation.create({ members: MEMBERS, administration: 'BR' })
  for (const id of MEMBERS) federation.load(id, 'flow,period,hs6,value\nimport,2020-01,010121,1.25\n')
})
afterEach(() => federation[Symbol.dispose]())

const print = () => federation.researcher.key.fingerprint
const abort = new AbortController().signal

/** A second researcher, whom nobody vouches for yet. */
function another(): Promise<Researcher> {
  const direct = async (url: string, init?: RequestInit) => federation.coordinator.app.request(url, init)
  const source = { identityKey: generateIdentityKey, randomness: federation.researcher.randomness }
  const { coordinator, clock } = federation
  return enrolResearcher(coordinator, `${federation.directory}/VN`, clock, 'JP' as MemberId, direct, source, 'Grace')
}

describe('a sponsorship', () => {
  test('is asked for, given with the fingerprint that the researcher told, and shown', async () => {
    const grace = await another()
    const node = federation.node('JP')
    const charter = await fetchCharter(grace)
    await expect(fetchCertificate(grace, charter)).rejects.toMatchObject({ code: 'not-sponsored' })
    await expect(prepare(grace, parseQueryFile(QUESTION))).rejects.toMatchObject({
      code: 'not-sponsored',
      message: expect.stringContaining(`JP is asked to vouch for you; your fingerprint is ${grace.key.fingerprint}`),
    })
    expect(concernsOf(await overview(grace, abort), 0)[0]).toMatch(/^You cannot ask: JP is asked to vouch for you/)
    expect(await researchersOf(node)).toMatchObject([
      { name: 'Grace', fingerprint: grace.key.fingerprint, sponsorship: null },
    ])
    expect(await researchersOf(federation.node('KR'))).toEqual([])
    await sponsor(node, grace.key.fingerprint, { ...VOUCHING, role: null, purposes: ['research'], lasts: 90 * DAY_MS })
    const { payload } = claims(certificate, await fetchCertificate(grace, charter))
    expect(payload).toMatchObject({ name: 'Grace', sponsor: 'JP', role: null, purposes: ['research'] })
    expect(Date.parse(payload.notAfter)).toBe(federation.clock.now() + 90 * DAY_MS)
    expect(await overview(grace, abort)).toMatchObject({
      sponsor: 'JP',
      certificateEnds: payload.notAfter,
      obstacle: null,
    })
  })

  test('is renewed by the same path, without a new key, and the newest counts', async () => {
    const { researcher, clock } = federation
    clock.advance(360 * DAY_MS)
    expect(concernsOf(await overview(researcher, abort), clock.now())).toContainEqual(
      expect.stringMatching(/^Your certificate expires in 4 days; BR has to vouch for you again/),
    )
    clock.advance(6 * DAY_MS)
    await expect(prepare(researcher, parseQueryFile(QUESTION))).rejects.toMatchObject({
      code: 'not-sponsored',
      message: expect.stringMatching(/expired on \d{4}-\d\d-\d\d; BR has to vouch for you again/),
    })
    await sponsor(federation.node('BR'), print(), VOUCHING)
    await federation.settle()
    expect((await federation.ask(QUESTION)).cohort).toHaveLength(4)
  })

  test('is asked of another member when the secretariat says so', async () => {
    const grace = await another()
    const { context } = federation.coordinator
    assignSponsor(context, grace.key.fingerprint, 'KR' as MemberId)
    const strange = sponsor(federation.node('JP'), grace.key.fingerprint, VOUCHING)
    await expect(strange).rejects.toMatchObject({ code: 'not-found' })
    await sponsor(federation.node('KR'), grace.key.fingerprint, VOUCHING)
    expect(everyResearcher(context)).toMatchObject([
      { name: 'Ada', sponsor: 'BR' },
      { name: 'Grace', sponsor: 'KR' },
    ])
    expect(() => assignSponsor(context, grace.key.fingerprint, 'XX' as MemberId)).toThrow(
      expect.objectContaining({ code: 'not-on-roster' }),
    )
  })

  /** What a member sends that does not sign as its node would. */
  async function sent(change: Partial<PersonSponsorship>, by = 'BR'): Promise<unknown> {
    const { researcher, coordinator } = federation
    const node = federation.node(by)
    const signed = await sign(node.key, sponsorship, {
      protocol: PROTOCOL,
      federation: coordinator.context.key.fingerprint,
      of: 'researcher',
      name: 'Ada',
      publicKey: researcher.key.publicKey,
      administration: null,
      organisation: null,
      role: null,
      purposes: ['research'],
      sponsor: node.id,
      notAfter: new Date(federation.clock.now() + 30 * DAY_MS).toISOString(),
      ...change,
    })
    return node.connection.post('/sponsorships', { sponsorship: signed.compact }, done)
  }

  const wrong: [string, () => Promise<unknown>, string][] = [
    ['under another name', () => sent({ name: 'Eve' }), 'bad-certificate'],
    [
      'of a key that did not enrol',
      async () => sent({ publicKey: (await generateIdentityKey()).publicKey }),
      'not-found',
    ],
    ['of a member', () => sent({ publicKey: federation.node('JP').key.publicKey }), 'not-found'],
    ['of whom another member is asked', () => sent({}, 'JP'), 'not-allowed'],
    ['in the name of another member', () => sent({ sponsor: 'BR' as MemberId }, 'JP'), 'bad-certificate'],
    ['for two years', () => sent({ notAfter: '2032-01-15T12:00:00.000Z' }), 'bad-certificate'],
    ['that is over', () => sent({ notAfter: '2029-01-15T12:00:00.000Z' }), 'bad-certificate'],
    ["of another member's administration", () => sent({ administration: 'JP' as MemberId }), 'bad-certificate'],
    ['of another federation', () => sent({ federation: print() }), 'bad-certificate'],
  ]
  test('that is not what it should be is not taken', async () => {
    const before = federation.coordinator.context.db.select().from(sponsorships).all()
    for (const [what, attempt, code] of wrong) await expect(attempt(), what).rejects.toMatchObject({ code })
    expect(federation.coordinator.context.db.select().from(sponsorships).all()).toEqual(before)
  })
})

/** What a coordinator that cheats hands to a researcher's accomplice. */
async function asked(by: IdentityKey, certified: Signed<Certificate>): Promise<{ query: QueryId; compact: string }> {
  const honest = claims(query, await preparedBy(federation.researcher)).payload
  const signed = await sign<typeof query.schema, QueryId>(by, query, { ...honest, certificate: certified.compact })
  return { query: signed.id, compact: signed.compact }
}

async function preparedBy(researcher: Researcher): Promise<string> {
  const id = await prepare(researcher, parseQueryFile(QUESTION))
  return researcher.db.$client.prepare('SELECT compact FROM queries WHERE id = ?').pluck().get(id) as string
}

describe('a coordinator that cheats', () => {
  /** It records a query that it should not have taken, and announces its round. */
  async function smuggle({ query: id, compact }: { query: QueryId; compact: string }): Promise<string | null> {
    const { context, lifecycle } = federation.coordinator
    const add = context.db.$client.prepare('INSERT INTO queries VALUES (?, ?, ?, ?, 0, ?, NULL, NULL)')
    add.run(id, print(), id.slice(0, 22), compact, federation.clock.now() + DAY_MS)
    await lifecycle.advance()
    await step(federation, 'contribute')
    const contributed = context.db.$client.prepare('SELECT count(*) FROM contributions').pluck().get()
    expect(contributed).toBe(0)
    return context.db.$client.prepare('SELECT reason FROM refusals LIMIT 1').pluck().get() as string | null
  }

  async function certifiedWith(
    vouching: IdentityKey,
    change: Partial<PersonSponsorship> = {},
    key = federation.researcher.key,
  ) {
    const { context } = federation.coordinator
    const own = claims(certificate, (await currentCertificate()) as string).payload
    const { sponsorship: _, idToken, ...said } = own
    const asserted = { ...said, of: 'researcher' as const, publicKey: key.publicKey, ...change }
    const sponsored = await sign(vouching, sponsorship, asserted)
    const { of: __, ...certified } = asserted
    return sign(context.key, certificate, { ...certified, idToken, sponsorship: sponsored.compact })
  }

  async function currentCertificate() {
    const own = eq(parties.fingerprint, print())
    return federation.coordinator.context.db.select().from(parties).where(own).get()?.certificate
  }

  test('finds no member that answers a researcher whom it invented', async () => {
    const invented = await generateIdentityKey()
    const certified = await certifiedWith(federation.coordinator.context.key, { name: 'Nobody' }, invented)
    expect(await smuggle(await asked(invented, certified))).toMatch(
      /no inbond-sponsorship signed with the expected key/,
    )
  })

  test('nor one whose own administration it conceals', async () => {
    const own = claims(certificate, (await currentCertificate()) as string).payload
    const certified = await sign(federation.coordinator.context.key, certificate, { ...own, administration: null })
    expect(await smuggle(await asked(federation.researcher.key, certified))).toMatch(/another administration than/)
  })

  test('nor one whom a member that is not on the roster vouches for', async () => {
    const removed = await generateIdentityKey()
    const certified = await certifiedWith(removed, { sponsor: 'NO' as MemberId, administration: null })
    expect(await smuggle(await asked(federation.researcher.key, certified))).toMatch(/sponsor NO is not on the roster/)
  })

  test('nor one whose certificate is over', async () => {
    const compact = await preparedBy(federation.researcher)
    federation.clock.advance(366 * DAY_MS)
    await federation.settle()
    const { expires: _, ...rest } = claims(query, compact).payload
    const late = await sign<typeof query.schema, QueryId>(federation.researcher.key, query, {
      ...rest,
      expires: new Date(federation.clock.now() + DAY_MS).toISOString(),
    })
    const sent = federation.researcher.connection.post('/queries', { query: late.compact }, queryReceipt)
    await expect(sent).rejects.toMatchObject({ code: 'bad-certificate' })
    expect(await smuggle({ query: late.id, compact: late.compact })).toMatch(/certificate expired at/)
  })
})

describe('a revocation', () => {
  const refusal = { code: 'researcher-revoked', message: expect.stringMatching(/revoked by BR: left the organisation/) }
  const leave = () => revoke(federation.node('BR'), print(), 'left the organisation')

  test('before a question: the researcher is told, and the coordinator takes none', async () => {
    const compact = await preparedBy(federation.researcher)
    await leave()
    await expect(prepare(federation.researcher, parseQueryFile(QUESTION))).rejects.toMatchObject(refusal)
    const sent = federation.researcher.connection.post('/queries', { query: compact }, queryReceipt)
    await expect(sent).rejects.toMatchObject(refusal)
    await expect(sponsor(federation.node('BR'), print(), VOUCHING)).rejects.toMatchObject(refusal)
    expect(await researchersOf(federation.node('BR'))).toMatchObject([{ revocation: { by: 'BR' } }])
    expect(everyResearcher(federation.coordinator.context)).toMatchObject([
      { revoked: 'BR: left the organisation', sponsor: 'BR' },
    ])
  })

  test('while a query waits, or its round is not agreed to: it is void, with the reason', async () => {
    const { query: id, round } = await pose(federation, QUESTION)
    await step(federation, 'contribute')
    expect(roundRow(federation, round).state).toBe('closed')
    await leave()
    expect(roundRow(federation, round)).toMatchObject({ state: 'void', reason: expect.stringMatching(/revoked by BR/) })
    const status = await federation.researcher.connection.get(`/queries/${id}`, queryStatus)
    expect(status).toMatchObject({ state: 'void', reason: 'the researcher was revoked by BR: left the organisation' })
  })

  test('after enough custodians agreed comes too late for the round', async () => {
    const { round } = await pose(federation, QUESTION)
    for (const kind of ['contribute', 'agree'] as const) await step(federation, kind)
    await leave()
    await federation.settle()
    expect(roundRow(federation, round).state).toBe('opened')
  })

  test('by the coordinator stops anybody, and is final', async () => {
    await stop(federation.coordinator.context, print(), 'asked for too much')
    const stopped = { code: 'researcher-revoked', message: expect.stringMatching(/by the coordinator: asked for too/) }
    await expect(federation.ask(QUESTION)).rejects.toMatchObject(stopped)
    await expect(stop(federation.coordinator.context, 'x'.repeat(43), 'x')).rejects.toMatchObject({ code: 'not-found' })
  })

  test('by a member that is not the sponsor is not taken', async () => {
    const { connection, key, id } = federation.node('JP')
    const strange = await revocationBy(key, { by: id })
    await expect(connection.post('/revocations', { revocation: strange.compact }, done)).rejects.toMatchObject({
      code: 'not-allowed',
    })
    await expect(revoke(federation.node('JP'), print(), 'x')).rejects.toMatchObject({ code: 'not-found' })
    expect((await federation.ask(QUESTION)).cohort).toHaveLength(4)
  })

  test('sent again is the same one', async () => {
    await leave()
    await revoke(federation.node('BR'), print(), 'in other words')
    const stored = federation.coordinator.context.db.$client.prepare('SELECT count(*) FROM revocations').pluck().get()
    expect(stored).toBe(1)
  })

  const revocationBy = (key: IdentityKey, change: Partial<Extract<Revocation, { of: 'researcher' }>>) =>
    sign<typeof revocation.schema, RevocationId>(key, revocation, {
      protocol: PROTOCOL,
      federation: federation.coordinator.context.key.fingerprint,
      by: null,
      of: 'researcher',
      publicKey: federation.researcher.key.publicKey,
      reason: 'left the organisation',
      ...change,
    })

  describe('that a coordinator keeps to itself', () => {
    /** The sponsor's, as the nodes would find it in the log. */
    const known = async (ids: readonly string[]) => {
      const { compact } = await revocationBy(federation.node('BR').key, { by: 'BR' as MemberId })
      for (const id of ids) await learnRevocation(federation.node(id), compact)
    }

    test('stops members that know of it from contributing', async () => {
      const { round } = await pose(federation, QUESTION)
      await known(['JP', 'KR'])
      await step(federation, 'contribute')
      expect(roundRow(federation, round)).toMatchObject({
        state: 'void',
        reason: expect.stringMatching(/JP, KR refused/),
      })
      expect(federation.node('JP').journal.at(-1)).toMatchObject({ refused: refusal })
    })

    test('between round and agreement stops custodians that know of it from agreeing', async () => {
      const { round } = await pose(federation, QUESTION)
      await step(federation, 'contribute')
      await known(MEMBERS)
      await step(federation, 'agree')
      expect(roundRow(federation, round)).toMatchObject({ state: 'void', reason: expect.stringMatching(/declined/) })
      expect(federation.node('KR').db.$client.prepare('SELECT count(*) FROM agreements').pluck().get()).toBe(0)
    })

    test('is the work of its sponsor, of the coordinator, and of nobody else', async () => {
      const node = federation.node('KR')
      const strange = await revocationBy(federation.node('JP').key, { by: 'JP' as MemberId })
      await learnRevocation(node, strange.compact)
      const forged = await revocationBy(federation.node('JP').key, {})
      await expect(learnRevocation(node, forged.compact)).rejects.toMatchObject({ code: 'bad-certificate' })
      expect((await federation.ask(QUESTION)).cohort).toHaveLength(4)
    })

    test('cannot be forgotten by a node', async () => {
      await known(['KR'])
      await known(['KR'])
      const { $client } = federation.node('KR').db
      for (const sql of ['DELETE FROM revocations', "UPDATE revocations SET target = 'x'"]) {
        expect(() => $client.exec(sql)).toThrow(/a revocation is never changed/)
      }
    })
  })

  test('is there for whoever reads of it in the log', async () => {
    await leave()
    const { context } = federation.coordinator
    const id = context.db.$client.prepare("SELECT message FROM log WHERE typ = 'inbond-revocation'").pluck().get()
    const { connection } = federation.node('KR')
    const { revocation: compact } = await connection.get(`/revocations/${id}`, revocationRequest)
    await learnRevocation(federation.node('KR'), compact)
    await expect(connection.get(`/revocations/${'0'.repeat(64)}`, done)).rejects.toMatchObject({ code: 'not-found' })
  })
})

import { existsSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import { messageId } from '#crypto/signature.ts'
import { verifyAnnouncement } from '#member-node/announcements.ts'
import { answer } from '#member-node/answer.ts'
import type { Compute } from '#member-node/computation.ts'
import { agree, forgetOldPrekeys, open, publishPrekeys } from '#member-node/custody.ts'
import { ciphertextFile } from '#member-node/node.ts'
import { perform } from '#member-node/work.ts'
import type { Fetch } from '#party/connection.ts'
import {
  agreement,
  type CohortId,
  cohort,
  type ManifestId,
  type MemberId,
  type QueryId,
  type RoundId,
  round,
} from '#specs/messages.ts'
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
      await perform(
        node(custodian),
        { kind: 'void', round: id, cohort: true },
        { done() {}, refused() {}, failed() {} },
      )
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
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { generateIdentityKey, type IdentityKey, writeKeyFile } from '#crypto/signature.ts'
import { decision, recordDecision, type Waiting } from '#member-node/decisions.ts'
import { measureState } from '#member-node/metrics.ts'
import { mail, type Notice, tellAll, type Way, webhook } from '#member-node/notices.ts'
import { describeQuestion, outlook } from '#member-node/outlook.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { PolicyKeeper } from '#member-node/policy-in-force.ts'
import { type Desk, pendingQuestions, queuedQuestion, queuedQuestions } from '#member-node/queue.ts'
import * as memberSchema from '#member-node/schema.ts'
import { contributions, decisions, policies, queue, refusals } from '#member-node/schema.ts'
import { concernsOf, overview } from '#member-node/status.ts'
import { decide, openStewardKey } from '#member-node/stewards.ts'
import { perform, work } from '#member-node/work.ts'
import { openDatabase } from '#party/database.ts'
import { cancel, resume } from '#researcher/client.ts'
import type { WorkItem } from '#specs/api.ts'
import { manifest, type QueryId, type RoundId, refusal } from '#specs/messages.ts'
import type { Template } from '#specs/policy.ts'
import { claims, sign } from '#specs/signed.ts'
import { TestClock } from './clock.ts'
import { Federation, loadRecords, policyOf } from './federation.ts'
import { hashOf } from './federation-keys.ts'
import { restartNode } from './restart.ts'
import { pose, roundRow, workOf } from './steps.ts'

/** People who decide at a member: real nodes on real databases, with stewards who have keys of their own. */

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const MEMBERS = ['BR', 'JP', 'KR']
const QUESTION = `dataset: declarations
where: { flow: import }
by: [hs2]
measures: [{ sum: value }]
purpose: what stewards see
closes: 2h
`
const CSV =
  'flow,period,hs6,trader,value\nimport,2020-01,010121,A,1\nimport,2020-01,010121,B,2\nimport,2020-02,851712,A,4\n'

const TOTAL = QUESTION.replace('by: [hs2]', 'by: []')
/** One figure of some records. */
const totalOf = (where: string, purpose = 'one figure') =>
  TOTAL.replace('flow: import', where).replace('what stewards see', purpose)

let federation: Federation
let kim: IdentityKey
let lee: IdentityKey
let sato: IdentityKey

beforeAll(async () => {
  ;[kim, lee, sato] = (await Promise.all([1, 2, 3].map(generateIdentityKey))) as [IdentityKey, IdentityKey, IdentityKey]
})
afterAll(() => federation?.[Symbol.dispose]())
beforeEach(async () => {
  // Every question takes a prekey, and to make new ones takes longer than a new federation of three.
  if (federation === undefined || asked > MOST_ASKED) {
    federation?.[Symbol.dispose]()
    federation = await Federation.create({ members: MEMBERS })
    for (const id of MEMBERS) federation.load(id, CSV)
    asked = 0
  }
  kr().rules = byHand()
})

const MOST_ASKED = 26
let asked = 0

const kr = () => federation.node('KR')
const desk = (): Desk => kr()

function byHand(change: Partial<Policy> = {}): Policy {
  return {
    ...(presets.open as Policy),
    otherwise: 'one person',
    expires: '1h',
    stewards: [
      { name: 'Kim', key: kim.publicKey },
      { name: 'Lee', key: lee.publicKey },
    ],
    deputies: [{ name: 'Sato', key: sato.publicKey }],
    deputiesAfter: '30m',
    ...change,
  }
}

/** A question that KR has looked at. */
async function posed(yaml = QUESTION): Promise<{ query: QueryId; round: RoundId }> {
  const made = await announced(yaml)
  await look()
  return made
}

async function announced(yaml = QUESTION): Promise<{ query: QueryId; round: RoundId }> {
  asked++
  const made = await pose(federation, yaml)
  federation.researcher.db.$client.prepare('UPDATE queries SET sent_at = 1 WHERE id = ?').run(made.query)
  return made
}

/** Lets KR do what it is asked to contribute to, all of it at the same moment. */
async function look(): Promise<void> {
  const nobody = { done() {}, refused() {}, failed() {} }
  await federation.coordinator.lifecycle.advance()
  await Promise.all((await workOf(kr(), 'contribute')).map(item => perform(kr(), item, nobody)))
  await federation.coordinator.lifecycle.advance()
}

const approve = (question: string, steward = 'Kim', key = kim) =>
  decide(desk(), { question, steward, key, verdict: 'approve', reason: null })
const refuse = (question: string, reason: string, steward = 'Kim', key = kim) =>
  decide(desk(), { question, steward, key, verdict: 'refuse', reason })

const stateOf = async (id: RoundId) => (await queuedQuestion(desk(), id)).state
const manifestOf = (id: RoundId) =>
  kr().db.select().from(contributions).where(eq(contributions.round, id)).get()?.manifest
const isAnswered = (id: RoundId) => manifestOf(id) !== undefined
function refusedWith(id: RoundId): { code: string; reason: string; policy: string | null } | undefined {
  const stored = kr().db.select().from(refusals).where(eq(refusals.round, id)).get()
  return stored && claims(refusal, stored.compact).payload
}
const queueRow = (id: RoundId) => kr().db.select().from(queue).where(eq(queue.round, id)).get() as Waiting
const decisionsOn = (id: RoundId) => kr().db.select().from(decisions).where(eq(decisions.round, id)).all()

describe('a question that takes one person', () => {
  test('waits, is approved, and is answered; the consent names the policy', async () => {
    const { query, round } = await posed()
    expect([await stateOf(round), isAnswered(round)]).toEqual(['waits', false])
    expect(pendingQuestions(desk()).map(one => one.round)).toContain(round)
    expect(roundRow(federation, round).state).toBe('open')
    await approve(round.slice(0, 12))
    const answer = resume(federation.researcher, query, () => undefined)
    expect((await federation.settleUntilAnswered(answer)).cohort).toEqual(MEMBERS)
    expect(await stateOf(round)).toBe('answered')
    expect(claims(manifest, manifestOf(round) as string).payload.policy).toBe((await policyOf(kr())).hash)
    expect((await queuedQuestions(desk())).map(one => one.question)).not.toContain(round)
    expect(await queuedQuestions(desk(), true)).toContainEqual(
      expect.objectContaining({
        question: round,
        decisions: [expect.objectContaining({ steward: 'Kim', verdict: 'approve' })],
      }),
    )
  })

  test('is refused, and whoever asked reads the reason', async () => {
    const { query, round } = await posed()
    await refuse(round, 'Ask by year')
    await look()
    const answer = resume(federation.researcher, query, () => undefined)
    await expect(answer).rejects.toMatchObject({ code: 'round-void', message: expect.stringMatching(/KR refused/) })
    const { hash } = await policyOf(kr())
    expect(refusedWith(round)).toMatchObject({
      code: 'policy-refused',
      reason: 'refused by hand: Ask by year',
      policy: hash,
    })
    await expect(approve(round)).rejects.toMatchObject({ code: 'too-late', message: 'the question is refused' })
  })

  test('is not answered by an approval that somebody took back in time', async () => {
    const { round } = await posed()
    await approve(round)
    await refuse(round, 'On second thoughts, no')
    await look()
    expect([isAnswered(round), refusedWith(round)?.reason]).toEqual([false, 'refused by hand: On second thoughts, no'])
  })

  test('is not answered if it is refused while the answer is prepared', async () => {
    const { round } = await posed()
    await approve(round)
    const { compute } = kr()
    Object.assign(kr(), {
      compute: async (task: Parameters<typeof compute>[0]) => {
        const result = await compute(task)
        if (decisionsOn(round).length === 1) await refuse(round, 'Stop')
        return result
      },
    })
    await look()
    Object.assign(kr(), { compute })
    expect([isAnswered(round), refusedWith(round)?.reason]).toEqual([false, 'refused by hand: Stop'])
  })

  test('waits over restarts, and so does what was decided', async () => {
    const { round } = await posed()
    for (let times = 0; times < 2; times++) {
      restartNode(federation, 'KR')
      await look()
    }
    expect(await stateOf(round)).toBe('waits')
    await approve(round)
    restartNode(federation, 'KR')
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  test('is over when the researcher withdraws it', async () => {
    const { query, round } = await posed()
    await cancel(federation.researcher, query)
    await perform(kr(), { kind: 'void', round, cohort: false }, { done() {}, refused() {}, failed() {} })
    expect(await stateOf(round)).toBe('over')
    expect(pendingQuestions(desk()).map(one => one.round)).not.toContain(round)
    await expect(approve(round)).rejects.toMatchObject({ code: 'too-late' })
  })

  test('holds no other up', async () => {
    const { round } = await posed()
    const totals: Omit<Template, 'approval'> = {
      name: 'totals',
      dataset: 'declarations',
      by: [],
      where: 'all',
      measures: 'all',
      periods: 'month',
    }
    kr().rules = byHand({ templates: [{ ...totals, approval: 'automatic' }] })
    const other = await posed(TOTAL)
    expect([isAnswered(other.round), await stateOf(round)]).toEqual([true, 'waits'])
  })
})

describe('the time of a question', () => {
  test('is over at the millisecond, and then it is refused', async () => {
    const { round } = await posed()
    federation.clock.advance(HOUR - 1)
    await look()
    expect(await stateOf(round)).toBe('waits')
    federation.clock.advance(1)
    await expect(approve(round)).rejects.toMatchObject({ code: 'too-late' })
    await look()
    expect(refusedWith(round)?.reason).toBe('nobody decided in time')
  })

  test('is as long as the round leaves for an answer, if that is shorter', async () => {
    kr().rules = byHand({ expires: '7d' })
    const { round } = await posed()
    federation.clock.advance(2 * HOUR - MINUTE - 1)
    await look()
    expect(await stateOf(round)).toBe('waits')
    federation.clock.advance(1)
    await look()
    expect(refusedWith(round)?.reason).toBe('nobody decided in time')
    expect(roundRow(federation, round).state).toBe('void')
  })

  test('in which it was approved counts, whenever the node looks', async () => {
    const { round } = await posed()
    federation.clock.advance(HOUR - 1)
    await approve(round)
    federation.clock.advance(30 * MINUTE)
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  test('is a matter of the database: nothing is written down after it', async () => {
    const { round } = await posed()
    federation.clock.advance(HOUR)
    const late = { round, steward: 'Kim', verdict: 'approve', basis: queueRow(round).basis, reason: null } as const
    const at = new Date(federation.clock.now()).toISOString()
    await expect(recordDecision(kr().db, kim, { ...late, at })).rejects.toThrow(/time to decide is over/)
  })
})

describe('two people', () => {
  beforeEach(() => {
    kr().rules = byHand({ otherwise: 'two people' })
  })

  test('have to be two', async () => {
    const { round } = await posed()
    expect((await approve(round)).approvedBy).toEqual(['Kim'])
    await approve(round)
    await look()
    expect([await stateOf(round), isAnswered(round)]).toEqual(['waits', false])
    await expect(approve(round, 'Lee', kim)).rejects.toMatchObject({ code: 'not-allowed' })
    await approve(round, 'Lee', lee)
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  test('may decide at the same moment', async () => {
    const { round } = await posed()
    await Promise.all([approve(round), approve(round, 'Lee', lee), approve(round), approve(round, 'Lee', lee)])
    expect(decisionsOn(round)).toHaveLength(2)
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  test('of whom one came in time are too few, and it is said', async () => {
    const { round } = await posed()
    await approve(round)
    federation.clock.advance(HOUR)
    await look()
    expect(refusedWith(round)?.reason).toBe('1 of 2 people approved in time')
  })

  test('may be a steward and a deputy, once the deputy has its turn', async () => {
    const { round } = await posed()
    await approve(round)
    federation.clock.advance(30 * MINUTE - 1)
    await expect(approve(round, 'Sato', sato)).rejects.toMatchObject({ code: 'not-allowed' })
    federation.clock.advance(1)
    await approve(round, 'Sato', sato)
    await look()
    expect(isAnswered(round)).toBe(true)
  })
})

describe('who decides', () => {
  test('is known by a key, not by a name', async () => {
    const { round } = await posed()
    const pretenders = [
      ['Kim', lee],
      ['Kim', await generateIdentityKey()],
      ['Nobody', kim],
    ] as const
    for (const [name, key] of pretenders) {
      await expect(approve(round, name, key)).rejects.toMatchObject({ code: 'not-allowed' })
    }
    expect(decisionsOn(round)).toEqual([])
  })

  test('is looked up again when the node answers: what others wrote into the database decides nothing', async () => {
    const { round } = await posed()
    const at = new Date(federation.clock.now()).toISOString()
    const forged = {
      round,
      steward: 'Kim',
      verdict: 'approve',
      basis: queueRow(round).basis,
      reason: null,
      at,
    } as const
    await recordDecision(kr().db, await generateIdentityKey(), forged)
    const ofAnother = await sign(kim, decision, { ...forged, round: 'f'.repeat(64) as RoundId })
    const row = { ...forged, steward: 'Kim again', compact: ofAnother.compact, decidedAt: federation.clock.now() }
    kr().db.insert(decisions).values(row).run()
    // A deputy, before its turn.
    await recordDecision(kr().db, sato, { ...forged, steward: 'Sato' })
    await look()
    expect([decisionsOn(round).length, await stateOf(round), isAnswered(round)]).toEqual([3, 'waits', false])
  })

  test('has a key that is sealed', async () => {
    const plain = await writeKeyFile(kim, undefined)
    await expect(openStewardKey(plain, undefined)).rejects.toMatchObject({ code: 'bad-key-file' })
    const sealed = await writeKeyFile(kim, 'correct horse')
    await expect(openStewardKey(sealed, 'battery')).rejects.toMatchObject({ code: 'wrong-passphrase' })
    expect((await openStewardKey(sealed, 'correct horse')).publicKey).toBe(kim.publicKey)
  })

  test('is who the policy names when the node answers', async () => {
    const { round } = await posed()
    await approve(round)
    kr().rules = byHand({ stewards: [{ name: 'Lee', key: lee.publicKey }] })
    await look()
    expect([await stateOf(round), isAnswered(round)]).toEqual(['waits', false])
  })

  test('and what, stays as it was written down', async () => {
    const { round } = await posed()
    await approve(round)
    const rows = [
      ['decisions', `round = '${round}'`],
      ['policies', 'TRUE'],
    ] as const
    for (const [table, of] of rows) {
      const changes = ['UPDATE $ SET rowid = rowid', 'DELETE FROM $', `REPLACE INTO $ SELECT * FROM $ WHERE ${of}`]
      for (const sql of changes) {
        expect(() => kr().db.$client.exec(sql.replaceAll('$', table))).toThrow(/is never changed/)
      }
    }
  })

  test('decides nothing any more once the question is answered', async () => {
    const { round } = await posed()
    await approve(round)
    await look()
    const over = { code: 'too-late', message: 'the question is answered' }
    await expect(refuse(round, 'Too late')).rejects.toMatchObject(over)
    const at = new Date(federation.clock.now()).toISOString()
    const late = { round, steward: 'Lee', verdict: 'refuse', basis: queueRow(round).basis, reason: 'no', at } as const
    await expect(recordDecision(kr().db, lee, late)).rejects.toThrow(/was answered or refused/)
  })
})

describe('a policy that changes', () => {
  test('counts for questions that wait: one that allows them lets them go', async () => {
    const { round } = await posed()
    kr().rules = presets.open as Policy
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  test('counts for questions that wait: one that forbids them refuses them', async () => {
    const { round } = await posed()
    kr().rules = byHand({ mostDimensions: 0 })
    await look()
    expect(refusedWith(round)?.reason).toMatch(/may have 0 dimensions/)
  })

  test('takes new approvals, for they were given to another one', async () => {
    const { round } = await posed()
    await approve(round)
    kr().rules = byHand({ questionsADay: 700 })
    await look()
    expect([await stateOf(round), isAnswered(round)]).toEqual(['waits', false])
    await approve(round)
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  test('takes approvals of the one by which the node judged last', async () => {
    const { round } = await posed()
    kr().rules = byHand({ questionsADay: 701 })
    await expect(approve(round)).rejects.toMatchObject({
      code: 'not-allowed',
      message: expect.stringMatching(/by now/),
    })
    await look()
    expect((await approve(round)).approvedBy).toEqual(['Kim'])
  })

  test('gets the next version, with its hash, text and time', async () => {
    const texts = [byHand({ questionsADay: 1 }), byHand({ questionsADay: 2 })].map(one => JSON.stringify(one))
    const db = openDatabase(':memory:', memberSchema, join(import.meta.dirname, '../member-node/migrations'))
    for (const text of [texts[0], texts[0], texts[1], texts[0]]) {
      federation.clock.advance(MINUTE)
      await new PolicyKeeper(db, federation.clock, async () => text as string).inForce()
    }
    const written = db.select().from(policies).all()
    expect(written.map(one => [one.version, one.text])).toEqual([
      [1, texts[0]],
      [2, texts[1]],
      [3, texts[0]],
    ])
    expect(written.map(one => one.sha256)).toEqual([0, 1, 0].map(i => hashOf(texts[i] as string)))
    expect(written.map(one => one.since - federation.clock.now())).toEqual([-3 * MINUTE, -MINUTE, 0])
    db.$client.close()
  })

  test('and cannot be read leaves the one before in force, and says so once', async () => {
    let text = JSON.stringify(byHand())
    const keeper = new PolicyKeeper(kr().db, federation.clock, async () => text)
    const news: (string | undefined)[] = []
    keeper.onTrouble = trouble => void news.push(trouble?.message)
    const first = await keeper.inForce()
    text = 'otherwise: automatic\n'
    expect(await keeper.inForce()).toEqual(first)
    expect(await keeper.inForce()).toEqual(first)
    expect(keeper.trouble?.message).toMatch(/organisations: is missing/)
    // A process that starts now does the same.
    expect((await new PolicyKeeper(kr().db, federation.clock, async () => text).inForce()).hash).toBe(first.hash)
    text = JSON.stringify(byHand())
    expect(await keeper.inForce()).toEqual(first)
    expect(news).toEqual([expect.stringMatching(/is missing/), undefined])
  })

  test('and was never readable stops a node from the start', async () => {
    const db = openDatabase(':memory:', memberSchema, join(import.meta.dirname, '../member-node/migrations'))
    await expect(new PolicyKeeper(db, federation.clock, async () => 'x: 1').inForce()).rejects.toMatchObject({
      code: 'bad-policy',
    })
    db.$client.close()
  })
})

describe('a node that runs', () => {
  test('answers within seconds of the decision, and ends at once while another question waits', async () => {
    const [{ round }, other] = [await announced(), await announced()]
    const stopping = new AbortController()
    const done: string[] = []
    const observer = { done: (item: WorkItem) => void done.push(item.kind), refused() {}, failed() {} }
    const running = work(kr(), observer, stopping.signal)
    await happens(() => queueRow(round) !== undefined && queueRow(other.round) !== undefined)
    await approve(round)
    await happens(() => done.includes('contribute'))
    stopping.abort()
    await running
    expect([isAnswered(round), await stateOf(other.round)]).toEqual([true, 'waits'])
  })

  async function happens(what: () => boolean): Promise<void> {
    for (let turn = 0; !what() && turn < 200_000; turn++) {
      await new Promise(resolve => setImmediate(resolve))
      if (turn % 100 === 0) federation.clock.advance(100)
    }
    expect(what()).toBe(true)
  }
})

describe('what a steward sees', () => {
  test('is who asks for what, what it reveals, and how few records of its own there are', async () => {
    const { round } = await posed()
    const seen = await outlook(desk(), round.slice(0, 12))
    expect(seen).toMatchObject({
      researcher: 'Ada',
      purpose: 'what stewards see',
      purposeCode: 'research',
      dataset: 'declarations',
      measures: ['count(records)', 'sum(value)'],
      by: [{ dimension: 'hs2' }],
      where: ['flow import'],
      need: 'all',
      approvalsNeeded: 1,
      reasons: ['it fits no template: one person must approve'],
      ownCells: {
        cells: 2,
        below: 2,
        dominated: 1,
        smallest: [
          { codes: ['85'], records: 1, traders: 1, share: 100 },
          { codes: ['01'], records: 2, traders: 2, share: 67 },
        ],
      },
    })
    const said = describeQuestion(seen, federation.clock.now())
    for (const words of ['Ada', 'what stewards see', 'hs2', 'flow import', '1 record of 1 trader', '0 of 1']) {
      expect(said).toContain(words)
    }
  })

  test('is what was answered before that overlaps', async () => {
    federation.load('KR', CSV.replaceAll('import', 'transit'))
    kr().rules = presets.open as Policy
    await posed(totalOf('flow: transit', 'the first of two'))
    kr().rules = byHand()
    const { round } = await posed(totalOf('flow: transit, period: 2020-01'))
    const { overlaps } = await outlook(desk(), round)
    expect(overlaps).toMatchObject([
      { purpose: 'the first of two', researcher: 'Ada', groups: 1, records: 1, traders: 1 },
    ])
  })

  test('has no question that is not there', async () => {
    await expect(outlook(desk(), 'f'.repeat(64))).rejects.toMatchObject({ code: 'not-found' })
    await expect(outlook(desk(), '')).rejects.toMatchObject({ code: 'not-found' })
  })
})

const SINGLED_OUT = 'beside what this member answered before, it would single out a few records'
const OWN_CELLS = "this member's part of the answer does not satisfy its policy"

describe('the records of the node itself', () => {
  const own = (change: Partial<Policy['ownCells']>): Partial<Policy> => ({
    otherwise: 'automatic',
    ownCells: { records: 0, traders: 0, dominance: 100, otherwise: 'refused', ...change },
  })

  test.each([
    ['enough records and traders', own({ records: 1, traders: 1 }), undefined],
    ['too few records', own({ records: 2 }), OWN_CELLS],
    ['too few traders', own({ traders: 2 }), OWN_CELLS],
    ['a trader with too much', own({ dominance: 90 }), OWN_CELLS],
    ['too few records, which the policy leaves open', own({ records: 2, otherwise: 'automatic' }), undefined],
  ])('with %s', async (_, change, reason) => {
    kr().rules = byHand(change)
    const { round } = await posed()
    expect([isAnswered(round), refusedWith(round)?.reason]).toEqual([reason === undefined, reason])
  })

  test('need a person, where the policy says so, who is told what others are not', async () => {
    kr().rules = byHand(own({ records: 2, otherwise: 'one person' }))
    const { round } = await posed()
    expect(queueRow(round).reasons).toEqual(['1 of its cells have fewer than 2 records or 0 traders of this node'])
    await approve(round)
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  /** By a clock that is behind: after the last change, and before the round. */
  const loadBefore = (csv: string) => loadRecords(kr().directory, csv, new TestClock(0))

  test('that were loaded since the round opened are not looked at', async () => {
    kr().rules = byHand(own({ records: 2, otherwise: 'one person' }))
    federation.load('KR', CSV.replaceAll('import', 're-export'))
    const { round } = await posed(totalOf('flow: re-export', 'records that come later').replace('by: []', 'by: [hs2]'))
    const { ownCells } = await outlook(desk(), round)
    await approve(round)
    federation.load('KR', 'flow,period,hs6,trader,value\nre-export,2020-01,030110,C,1\n')
    expect((await outlook(desk(), round)).ownCells).toEqual(ownCells)
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  test('that changed since the approval need another one', async () => {
    kr().rules = byHand(own({ records: 2, otherwise: 'one person' }))
    federation.load('KR', CSV.replaceAll('import', 'export'))
    const { round } = await posed(totalOf('flow: export', 'records that change').replace('by: []', 'by: [hs2]'))
    await approve(round)
    loadBefore('flow,period,hs6,trader,value\nexport,2020-01,020110,C,1\n')
    await look()
    expect([await stateOf(round), isAnswered(round)]).toEqual(['waits', false])
    await approve(round)
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  test('are looked at once more in the moment in which they are counted', async () => {
    kr().rules = byHand(own({ records: 2 }))
    const { examine } = kr()
    let examined = 0
    // An import comes between the first look and the answer.
    Object.assign(kr(), {
      examine: async (task: Parameters<typeof examine>[0]) => {
        const found = await examine(task)
        if (examined++ === 0) loadBefore('flow,period,hs6,value\nre-import,2020-01,020110,1\n')
        return found
      },
    })
    federation.clock.advance(10)
    const { round } = await posed(totalOf('flow: re-import'))
    Object.assign(kr(), { examine })
    expect([examined, isAnswered(round), refusedWith(round)?.reason]).toEqual([2, false, OWN_CELLS])
  })
})

describe('two answers that differ in a filter', () => {
  const guarded = (change: Partial<Policy['overlap']> = {}): Policy => ({
    ...byHand({ otherwise: 'automatic' }),
    overlap: { records: 3, traders: 2, days: 30, otherwise: 'refused', ...change },
  })
  /** Every test has records of a year of its own: what was answered before did not count them. */
  let year = 2000
  beforeEach(() => {
    year++
    federation.load('KR', CSV.replaceAll('2020', String(year)))
    kr().rules = guarded()
  })
  const whole = () => totalOf(`flow: import, period: ${year}`)
  const part = () => totalOf(`flow: import, period: ${year}-01`)

  test('and single out a few records are not both given', async () => {
    expect(isAnswered((await posed(whole())).round)).toBe(true)
    const { round } = await posed(part())
    expect([isAnswered(round), refusedWith(round)?.reason]).toEqual([false, SINGLED_OUT])
  })

  test('are both given where nothing differs, where the policy leaves it open, and where it was long ago', async () => {
    await posed(whole())
    expect(isAnswered((await posed(whole())).round)).toBe(true)
    kr().rules = guarded({ otherwise: 'automatic' })
    expect(isAnswered((await posed(part())).round)).toBe(true)
    kr().rules = guarded({ days: 1 })
    federation.clock.advance(24 * HOUR)
    expect(isAnswered((await posed(part())).round)).toBe(true)
  })

  test('need a person where the policy says so', async () => {
    kr().rules = guarded({ otherwise: 'one person' })
    await posed(whole())
    const { round } = await posed(part())
    expect(queueRow(round).reasons.join()).toMatch(
      /beside the answer of round [0-9a-f]{12} it singles out 1 small groups, with 1 records or 1 traders in the smallest/,
    )
    await approve(round)
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  test('are not both given if they are asked at the same moment', async () => {
    const both = [await announced(whole()), await announced(part())]
    await look()
    expect(both.filter(({ round }) => isAnswered(round))).toHaveLength(1)
    expect(both.map(({ round }) => refusedWith(round)?.reason)).toContain(SINGLED_OUT)
  })

  test('of records that changed in between are two answers as well', async () => {
    await posed(whole())
    federation.load('KR', `flow,period,hs6,trader,value\nimport,${year}-01,010121,Z,1000\n`)
    expect(refusedWith((await posed(whole())).round)?.reason).toBe(SINGLED_OUT)
  })
})

test('questions that are answered side by side do not exceed a day', async () => {
  federation.clock.advance(25 * HOUR)
  kr().rules = byHand({ otherwise: 'automatic', questionsADay: 1 })
  const both = [await announced(), await announced()]
  await look()
  expect(both.filter(({ round }) => isAnswered(round))).toHaveLength(1)
  expect(both.map(({ round }) => refusedWith(round)?.reason)).toContain(
    '1 questions were answered in the last 24 hours',
  )
})

describe('stewards are told', () => {
  const SECRET = 'a secret of sixteen'
  const never = new AbortController().signal
  const failures: string[] = []
  const failed = (way: string, error: unknown) => void failures.push(`${way}: ${(error as Error).message}`)
  beforeEach(async () => {
    failures.length = 0
    // Whatever waits from before is over.
    federation.clock.advance(2 * HOUR)
    await look()
  })

  function recording(name: string): Way & { readonly told: Notice[] } {
    const told: Notice[] = []
    return { name, told, tell: async notice => void told.push(notice) }
  }

  test('once, each way, of every question that waits, and once more when deputies may decide', async () => {
    const { round } = await posed()
    const [one, other] = [recording('one'), recording('other')]
    for (let times = 0; times < 3; times++) await tellAll(desk(), [one, other], failed, never)
    const expires = new Date(federation.clock.now() + HOUR).toISOString()
    expect(one.told).toEqual([{ event: 'waits', member: 'KR', question: round, expires, approvalsNeeded: 1 }])
    expect(other.told).toEqual(one.told)
    federation.clock.advance(30 * MINUTE)
    restartNode(federation, 'KR')
    await tellAll(desk(), [one], failed, never)
    expect(one.told.map(notice => notice.event)).toEqual(['waits', 'deputies'])
    federation.clock.advance(30 * MINUTE)
    await look()
    await tellAll(desk(), [recording('third')], failed, never)
    expect(one.told).toHaveLength(2)
  })

  test('by a webhook that is signed, and says no word of the question', async () => {
    await posed()
    const sent: { url: string; init: RequestInit }[] = []
    const way = webhook('https://stewards.example/kr', SECRET, federation.clock, async (url, init = {}) => {
      sent.push({ url, init })
      return new Response(null, { status: 204 })
    })
    await tellAll(desk(), [way], failed, never)
    expect(sent).toHaveLength(1)
    const { url, init } = sent[0] as (typeof sent)[number]
    expect(url).toBe('https://stewards.example/kr')
    expect(String(init.body)).not.toMatch(/Ada|stewards see|hs2/)
    const { createHmac } = await import('node:crypto')
    const time = federation.clock.now()
    const code = createHmac('sha256', SECRET).update(`${time}.${init.body}`).digest('hex')
    expect(init.headers).toMatchObject({ 'inbond-signature': `t=${time},sha256=${code}` })
  })

  test('again, with pauses that grow, by a webhook that fails or redirects', async () => {
    kr().rules = byHand({ deputies: [] })
    await posed()
    const answers = [302, 500, 204]
    let asked = 0
    const way = webhook('https://stewards.example/', SECRET, federation.clock, async (_, init) => {
      expect(init?.redirect).toBe('manual')
      return new Response(null, {
        status: answers[asked++] as number,
        headers: { location: 'https://elsewhere.example/' },
      })
    })
    const times = [0, 9_999, 1, 19_999, 1, HOUR / 2]
    const after: number[] = []
    for (const wait of times) {
      federation.clock.advance(wait)
      await tellAll(desk(), [way], failed, never)
      after.push(asked)
    }
    expect(after).toEqual([1, 1, 2, 2, 3, 3])
    expect(failures.slice(0, 2)).toEqual([
      'webhook: the receiver of the webhook answered 302',
      'webhook: the receiver of the webhook answered 500',
    ])
  })

  test('by nothing that never answers: it is given up after ten seconds, and at once when the node stops', async () => {
    await posed()
    const way = webhook(
      'https://stewards.example/',
      SECRET,
      federation.clock,
      (_, init) =>
        new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))),
    )
    const telling = tellAll(desk(), [way], failed, never)
    await new Promise(resolve => setImmediate(resolve))
    federation.clock.advance(10_000)
    await telling
    expect(failures).toEqual(['webhook: the receiver of the webhook did not answer within ten seconds'])
    federation.clock.advance(MINUTE)
    const stopping = new AbortController()
    const again = tellAll(desk(), [way], failed, stopping.signal)
    await new Promise(resolve => setImmediate(resolve))
    stopping.abort()
    await again
    expect(failures).toHaveLength(1)
  })

  test('by mail, in words', async () => {
    const { round } = await posed()
    const sent: object[] = []
    await tellAll(
      desk(),
      [mail('kr@example.org', 'kim@example.org', { sendMail: async one => sent.push(one) })],
      failed,
      never,
    )
    expect(sent).toEqual([
      {
        from: 'kr@example.org',
        to: 'kim@example.org',
        subject: 'KR: a question waits for a steward',
        text: expect.stringContaining(`inbond member show DIR ${round.slice(0, 12)}`),
      },
    ])
  })
})

test('operators see what waits, and a policy that cannot be read', async () => {
  await posed()
  let text = JSON.stringify(kr().rules)
  const keeper = new PolicyKeeper(kr().db, federation.clock, async () => text)
  await keeper.inForce()
  const registry = new Registry()
  const warehouse = join(kr().directory, 'warehouse.sqlite')
  measureState(registry, kr(), warehouse, keeper)
  const metric = async (name: string) =>
    Number(new RegExp(`^${name} (.*)$`, 'm').exec(await registry.metrics())?.[1] ?? Number.NaN)
  const concerns = () =>
    concernsOf(overview(kr(), warehouse, 'policy.yaml', 1, new Error('away'), keeper), federation.clock.now()).join(
      '\n',
    )
  expect(await metric('inbond_questions_waiting')).toBe(pendingQuestions(desk()).length)
  expect(await metric('inbond_policy_version')).toBe(kr().db.select().from(policies).all().length)
  expect(await metric('inbond_policy_readable')).toBe(1)
  expect(concerns()).toMatch(/waits? for a steward: inbond member queue DIR/)
  expect(concerns()).not.toMatch(/policy/)
  text = 'nonsense'
  await keeper.inForce()
  expect(await metric('inbond_policy_readable')).toBe(0)
  expect(concerns()).toMatch(/The policy cannot be read, and the one before stays in force: the policy does not fit/)
})

test('no figure of the node is in what it wrote down of a question', async () => {
  federation.load('KR', 'flow,period,hs6,trader,value\nimport,2020-01,020110,secretive trader,777345677.23\n')
  kr().rules = byHand({ ownCells: { records: 3, traders: 3, dominance: 50, otherwise: 'one person' } })
  const { round } = await posed()
  await outlook(desk(), round)
  const bytes = ['node.sqlite', 'node.sqlite-wal'].map(file => readFileSync(join(kr().directory, file)))
  for (const secret of ['secretive trader', '777345677', '77734567723']) {
    expect(bytes.some(one => one.includes(secret))).toBe(false)
  }
})

import { beforeEach, describe, expect, test } from 'vitest'
import { generateIdentityKey, writeKeyFile } from '#crypto/signature.ts'
import { decision, recordDecision } from '#member-node/decisions.ts'
import { describeQuestion, outlook } from '#member-node/outlook.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { pendingQuestions, queuedQuestion, queuedQuestions } from '#member-node/queue.ts'
import { decisions } from '#member-node/schema.ts'
import { lineOf } from '#member-node/steward-commands.ts'
import { openStewardKey } from '#member-node/stewards.ts'
import { perform, work } from '#member-node/work.ts'
import { cancel, resume } from '#researcher/client.ts'
import type { WorkItem } from '#specs/api.ts'
import { manifest, type RoundId } from '#specs/messages.ts'
import type { Template } from '#specs/policy.ts'
import { claims, sign } from '#specs/signed.ts'
import { policyOf } from '../federation.ts'
import { restartNode } from '../restart.ts'
import { roundRow } from '../steps.ts'
import {
  announced,
  approve,
  byHand,
  decisionsOn,
  desk,
  federation,
  HOUR,
  isAnswered,
  kim,
  kr,
  lee,
  look,
  MEMBERS,
  MINUTE,
  manifestOf,
  openDesk,
  posed,
  queueRow,
  refuse,
  refusedWith,
  sato,
  stateOf,
  TOTAL,
} from './desk.ts'

/** How questions that take a person are decided. */

openDesk()

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

  test('may be named by the id of the query, which whoever asks has', async () => {
    const { query, round } = await posed()
    expect(await queuedQuestion(desk(), query.slice(0, 12))).toMatchObject({ question: round, query })
    await approve(query)
    expect(await stateOf(round)).toBe('approved')
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

describe('how a question ended', () => {
  const lineOn = async (id: RoundId) => lineOf(await queuedQuestion(desk(), id), federation.clock.now()).slice(1)
  const shown = async (id: RoundId) => describeQuestion(await outlook(desk(), id), federation.clock.now())

  test('says who let it be answered, whomever the policy names later', async () => {
    kr().rules = byHand({ otherwise: 'two people' })
    const { query, round } = await posed()
    expect(await shown(round)).toMatch(new RegExp(`^query +${query}.*\nstands +waits; .* \\(60 minutes left\\)$`, 'm'))
    await approve(round)
    await approve(round, 'Lee', lee)
    await look()
    kr().rules = byHand({ stewards: [{ name: 'Lee', key: lee.publicKey }] })
    expect(await lineOn(round)).toEqual(['answered', '2 of 2', 'what stewards see (Ada)', 'Kim: approve; Lee: approve'])
    expect(await shown(round)).toMatch(/^approvals +2 of 2 \(Kim, Lee\);/m)
  })

  test('says that nobody decided in time', async () => {
    const { round } = await posed()
    federation.clock.advance(HOUR)
    await look()
    expect(await lineOn(round)).toEqual(['refused', '0 of 1', 'what stewards see (Ada)', 'nobody decided in time'])
    expect(await shown(round)).toMatch(/^stands +refused, nobody decided in time; since .*Z, until .*Z$/m)
  })

  test('says why it was refused, and who had approved', async () => {
    kr().rules = byHand({ otherwise: 'two people' })
    const { round } = await posed()
    await approve(round, 'Lee', lee)
    await refuse(round, 'Ask by year')
    const decided = 'Lee: approve; Kim: refuse, Ask by year'
    expect(await lineOn(round)).toEqual(['refused', '1 of 2', 'what stewards see (Ada)', decided])
    await look()
    expect(await lineOn(round)).toEqual(['refused', '1 of 2', 'what stewards see (Ada)', decided])
    expect(await shown(round)).toMatch(/^stands +refused, refused by hand: Ask by year; since/m)
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
    const replacing = `REPLACE INTO decisions SELECT * FROM decisions WHERE round = '${round}'`
    for (const sql of ['UPDATE decisions SET rowid = rowid', 'DELETE FROM decisions', replacing]) {
      expect(() => kr().db.$client.exec(sql)).toThrow(/is never changed/)
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

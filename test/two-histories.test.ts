import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { loggedProofs } from '#coordinator/answers.ts'
import type { EventLog } from '#coordinator/event-log.ts'
import { type Checkpoint, verifyCheckpoint } from '#crypto/checkpoint.ts'
import { generateIdentityKey, messageId } from '#crypto/signature.ts'
import type { Answer } from '#researcher/answer.ts'
import { resume } from '#researcher/client.ts'
import { checkEvidence } from '#researcher/evidence.ts'
import { acceptHistory, followLog, lastCheckpoint } from '#researcher/history.ts'
import { fetchCharter } from '#researcher/researcher.ts'
import { type AnswerEvidence, answerEvidence } from '#specs/api.ts'
import type { LogEntry } from '#specs/log-tiles.ts'
import { type QueryId, query } from '#specs/messages.ts'
import { entriesOf, headed } from '#specs/rules/log.ts'
import { Federation } from './federation.ts'
import { entriesIn, historyOf, shownOf } from './forked-log.ts'

/** A coordinator that shows whoever asks another log than everybody else, or an older one. */

const QUESTION = `dataset: declarations
measures: [{ count: records }]
purpose: one history
`
const invented = (count: number): LogEntry[] =>
  Array.from({ length: count }, (_, i) => ({ typ: query.typ, message: (i + 1).toString(16).padStart(64, '0') }))

let federation: Federation
/** What the coordinator makes of its log for whoever asks. */
let change: ((entries: LogEntry[]) => LogEntry[]) | undefined
let shown: EventLog | undefined

beforeAll(async () => {
  federation = await Federation.create({
    members: ['BR', 'JP', 'KR'],
    network: (who, direct) => async (url, init) => {
      const answer = await direct(url, init)
      if (who !== 'researcher') return answer
      const { pathname } = new URL(url)
      if (pathname.endsWith('/answer')) shown = change && historyOf(context(), change(entriesIn(context())))
      return (shown && (await shownOf(shown, pathname, answer.clone()))) ?? answer
    },
  })
  federation.load('BR', 'flow,period,hs6,value\nimport,2020-01,010121,1.25\n')
})
afterAll(() => federation[Symbol.dispose]())
beforeEach(() => {
  change = undefined
  shown = undefined
  federation.researcher.db.$client.exec('DELETE FROM checkpoints')
})

const context = () => federation.coordinator.context
const remembered = () =>
  federation.researcher.db.$client.prepare('SELECT size, history FROM checkpoints ORDER BY rowid').raw().all() as [
    size: number,
    history: number,
  ][]

describe('an answer', () => {
  test('names the head of the log, which goes on from the one before', async () => {
    const first = await federation.ask(QUESTION)
    const second = await federation.ask(QUESTION)
    expect(second.evidence.log).toEqual(context().log.head())
    const sizes = [first, second].map(one => one.evidence.log?.size as number)
    expect(sizes[0]).toBeLessThan(sizes[1] as number)
    expect(remembered()).toEqual(sizes.map(size => [size, 1]))
    expect(lastCheckpoint(federation.researcher.db)).toMatchObject(second.evidence.log ?? {})
  })

  test.each([
    ['after one in a log with another entry', 1],
    ['in a log that is shorter than the one before', 1000],
  ])('%s is refused, and both heads are kept', async (_, more) => {
    change = entries => [...entries, ...invented(more)]
    const { log } = (await federation.ask(QUESTION)).evidence
    expect(log?.size).toBe(context().log.head().size + more)
    change = undefined
    await expect(federation.ask(QUESTION)).rejects.toMatchObject({ code: 'log-not-extended' })
    expect(remembered()).toEqual([
      [log?.size, 1],
      [context().log.head().size, 0],
    ])
    expect(lastCheckpoint(federation.researcher.db)).toMatchObject(log ?? {})
    // Whoever showed another history once goes on with it, or not at all.
    const { id } = storedQueries().at(-1) as { id: QueryId }
    change = entries => [
      ...entries.slice(0, (log?.size ?? 0) - more),
      ...invented(more),
      ...entries.slice((log?.size ?? 0) - more),
    ]
    await expect(resume(federation.researcher, id, () => undefined)).rejects.toMatchObject({ code: 'bad-evidence' })
  })

  test('whose documents name heads of another history is refused', async () => {
    change = ([first, second, ...others]) => [second as LogEntry, first as LogEntry, ...others]
    await expect(federation.ask(QUESTION)).rejects.toMatchObject({
      code: 'bad-evidence',
      message: 'the round names the head of another history',
    })
    expect(remembered()).toEqual([])
  })
})

const storedQueries = () => federation.researcher.db.$client.prepare('SELECT id FROM queries ORDER BY rowid').all()

async function evidenceOf({ round }: Answer): Promise<AnswerEvidence> {
  return federation.researcher.connection.get(`/rounds/${round}/answer`, answerEvidence)
}

async function check(evidence: AnswerEvidence): Promise<void> {
  await checkEvidence(evidence, evidence.query, await fetchCharter(federation.researcher))
}

describe('the evidence of an answer', () => {
  let evidence: AnswerEvidence
  beforeAll(async () => {
    change = undefined
    evidence = await evidenceOf(await federation.ask(QUESTION))
  })
  const refused = (log: AnswerEvidence['log']) =>
    expect(check({ ...evidence, log })).rejects.toMatchObject({ code: 'bad-evidence' })

  test('has every message of it in the log once', async () => {
    await check(evidence)
    const entries = entriesOf(evidence)
    // Charter, query, round, cohort and sum; of each member consent, manifest, agreement and opening.
    expect(entries).toHaveLength(5 + 4 * 3)
    expect(evidence.log.proofs.map(one => one.message).toSorted()).toEqual(entries.map(one => one.message).toSorted())
    const inLog = entriesIn(context()).map(one => JSON.stringify(one))
    for (const entry of entries) expect(inLog).toContain(JSON.stringify(entry))
  })

  test('without one of its proofs, or with one changed, is refused', async () => {
    const { log } = evidence
    for (const [i, proof] of log.proofs.entries()) {
      await refused({ ...log, proofs: log.proofs.toSpliced(i, 1) })
      for (const bent of [
        { ...proof, index: proof.index + 1 },
        { ...proof, hashes: proof.hashes.slice(1) },
        { ...proof, hashes: [...proof.hashes, '0'.repeat(64)] },
        { ...proof, hashes: proof.hashes.with(i % proof.hashes.length, '0'.repeat(64)) },
        { ...proof, message: '0'.repeat(64) },
      ]) {
        await refused({ ...log, proofs: log.proofs.with(i, bent) })
      }
    }
  })

  test('with another proof for the head that a document names is refused', async () => {
    const { log } = evidence
    for (const which of headed) {
      const proof = log.heads[which]
      for (const bent of [proof.slice(1), [...proof, '0'.repeat(64)], proof.map(() => '0'.repeat(64))]) {
        if (proof.length === 0 && bent.length === 0) continue
        await refused({ ...log, heads: { ...log.heads, [which]: bent } })
      }
    }
  })

  test('with a checkpoint of another coordinator, or none, is refused', async () => {
    const { log } = evidence
    const other = historyOf({ key: await generateIdentityKey() }, entriesIn(context()))
    for (const checkpoint of ['', other.checkpoint(), log.checkpoint.replace('\n', ' ')]) {
      await refused({ ...log, checkpoint })
    }
  })

  test('in which a message is another than the one in the log is refused', async () => {
    const opened = evidence.log.proofs.filter(one => one.message !== messageId(evidence.sum))
    const entries = entriesIn(context()).map(one =>
      one.message === messageId(evidence.sum) ? { typ: one.typ, message: '1'.repeat(64) } : one,
    )
    const log = loggedProofs({ log: historyOf(context(), entries) }, evidence)
    expect(log.proofs).toHaveLength(opened.length)
    await expect(check({ ...evidence, log })).rejects.toThrow('nothing shows that the inbond-sum is in the log')
    // The same id as another kind of message.
    const asOther = entriesIn(context()).map(one =>
      one.message === messageId(evidence.sum) ? { ...one, typ: query.typ } : one,
    )
    const bent = loggedProofs({ log: historyOf(context(), asOther) }, evidence)
    await expect(check({ ...evidence, log: bent })).rejects.toThrow('the inbond-sum is not in the log')
  })
})

test('a person goes on with the other history, once, and both heads stay', async () => {
  const { db } = federation.researcher
  const { log, key } = context()
  const [head, other] = await Promise.all(
    [log, historyOf(context(), entriesIn(context()).slice(0, -9))].map(one =>
      verifyCheckpoint(one.checkpoint(), key.publicKey),
    ),
  )
  expect(() => acceptHistory(db)).toThrow(expect.objectContaining({ code: 'not-found' }))
  await followLog(federation.researcher, head as Checkpoint, undefined)
  expect(() => acceptHistory(db)).toThrow(expect.objectContaining({ code: 'not-found' }))
  const shorter = followLog(federation.researcher, other as Checkpoint, lastCheckpoint(db))
  await expect(shorter).rejects.toMatchObject({ code: 'log-not-extended' })
  acceptHistory(db)
  expect(lastCheckpoint(db)).toMatchObject({ size: other?.size, root: other?.root })
  expect(remembered()).toEqual([
    [head?.size, 1],
    [other?.size, 2],
  ])
  expect(() => acceptHistory(db)).toThrow(expect.objectContaining({ code: 'not-found' }))
})

describe('two processes of a researcher', () => {
  let early: Checkpoint
  let late: Checkpoint
  beforeAll(async () => {
    const { log, key } = context()
    const before = historyOf(context(), entriesIn(context()).slice(0, -9))
    early = await verifyCheckpoint(before.checkpoint(), key.publicKey)
    late = await verifyCheckpoint(log.checkpoint(), key.publicKey)
  })

  test.each([
    ['the earlier', () => [early, late]],
    ['the later', () => [late, early]],
  ] as const)('may be shown %s head first, if both asked before', async (_, heads) => {
    for (const head of heads()) await followLog(federation.researcher, head, undefined)
    expect(lastCheckpoint(federation.researcher.db)).toMatchObject({ size: late.size, root: late.root })
    expect(remembered()).toHaveLength(2)
  })

  test('cannot be shown two histories at the same time', async () => {
    const { key } = context()
    const fork = historyOf(context(), [...entriesIn(context()).slice(0, early.size - 1), ...invented(2)])
    const other = await verifyCheckpoint(fork.checkpoint(), key.publicKey)
    const outcomes = await Promise.allSettled(
      [late, other].map(head => followLog(federation.researcher, head, undefined)),
    )
    expect(outcomes.map(one => one.status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(
      remembered()
        .map(([, history]) => history)
        .toSorted(),
    ).toEqual([0, 1])
  })
})

import { afterEach, beforeEach, expect, test } from 'vitest'
import { answer } from '#member-node/answer.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { isoTime } from '#party/clock.ts'
import type { Answer } from '#researcher/answer.ts'
import { manifest, type RoundId, round } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'
import { Federation } from './federation.ts'
import { documentOf, pose, roundRow } from './steps.ts'

/** Members change months that they answered for. */

const QUESTION = `dataset: declarations
where: { period: 2020-01 }
by: []
measures: [{ sum: value }]
purpose: what was revised
need: all
closes: 1h
`
const HEAD = 'flow,period,hs6,value\n'
const JANUARY = { from: '2020-01', to: '2020-01' }

const open: Policy = { ...(presets.open as Policy), alone: false }
const guarded: Policy = {
  ...open,
  ownCells: { ...open.ownCells, records: 0, traders: 0, dominance: 100, otherwise: 'refused' },
  overlap: { ...open.overlap, records: 3, traders: 0, days: 30, otherwise: 'refused' },
}

let federation: Federation
beforeEach(async () => {
  federation = await Federation.create({ members: ['BR', 'FR', 'JP', 'KR', 'VN', 'ZA'] })
  for (const node of federation.nodes.values()) {
    node.rules = open
    federation.load(node.id, `${HEAD}import,2020-01,010121,1\n`, JANUARY)
  }
})
afterEach(() => federation[Symbol.dispose]())

/** The coverage that KR signed for a round. */
function coverageOf(id: RoundId) {
  const { db } = federation.node('KR')
  const compact = db.$client.prepare('SELECT manifest FROM contributions WHERE round = ?').pluck().get(id) as string
  return claims(manifest, compact).payload.coverage
}

const record = (value: number) => `${HEAD}import,2020-01,010121,${value}\n`
const total = (answer: Answer) => answer.rows.map(row => row['sum(value)'])

test('a revision of a closed month shows in no answer until the month is closed again', async () => {
  const before = await federation.ask(QUESTION)
  federation.load('KR', record(5))
  expect(await federation.ask(QUESTION)).toMatchObject({ rows: before.rows, newer: [] })
  federation.node('KR').rules = { ...guarded, ownCells: { ...guarded.ownCells, records: 2 } }
  // Two records are there, and one is answered from.
  await expect(federation.ask(QUESTION)).rejects.toThrow(/KR refused/)
})

test('members that revised alone answer as before, beside everybody else, until three have revised', async () => {
  const first = await federation.ask(QUESTION)
  expect([total(first), first.newer]).toEqual([['6.00'], []])
  federation.load('KR', record(10), JANUARY)
  for (let again = 0; again < 2; again++) {
    const { asOf, cohort, rows, newer } = await federation.ask(QUESTION)
    expect({ asOf, members: cohort.length, rows, newer }).toEqual({
      asOf: first.asOf,
      members: 6,
      rows: first.rows,
      newer: ['KR'],
    })
  }
  federation.load('JP', record(100), JANUARY)
  federation.load('FR', record(1000), JANUARY)
  // That they have is said in the manifests of this one.
  expect(await federation.ask(QUESTION)).toMatchObject({ asOf: first.asOf, newer: ['FR', 'JP', 'KR'] })
  const revised = await federation.ask(QUESTION)
  expect([total(revised), revised.newer, revised.cohort.length]).toEqual([['1116.00'], [], 6])
  expect(revised.asOf).not.toBe(first.asOf)
  // And so it stays.
  expect(await federation.ask(QUESTION)).toMatchObject({ asOf: revised.asOf, rows: revised.rows })
})

test('a guard of what was answered before has nothing against the same versions', async () => {
  federation.node('KR').rules = guarded
  await federation.ask(QUESTION)
  federation.load('KR', record(10), JANUARY)
  expect((await federation.ask(QUESTION)).newer).toEqual(['KR'])
})

test('a month that was not closed is asked about as it stands', async () => {
  const open = QUESTION.replace('2020-01', '2020-02')
  for (const id of federation.nodes.keys()) federation.load(id, `${HEAD}import,2020-02,010121,1\n`)
  expect(total(await federation.ask(open))).toEqual(['6.00'])
  for (const id of federation.nodes.keys()) federation.load(id, `${HEAD}import,2020-02,010121,2\n`)
  expect(total(await federation.ask(open))).toEqual(['18.00'])
})

test('a round is answered from the data as of its instant, whatever was closed since, which is said', async () => {
  const asOf = isoTime(federation.clock.now())
  federation.clock.advance(1)
  // Three thousand records of the largest value are beyond what a member may contribute to a cell.
  federation.load('KR', HEAD + 'import,2020-01,851712,1000000000000\n'.repeat(3000), JANUARY)
  const { round: id } = await pose(federation, QUESTION)
  const asked = { ...documentOf(federation, id), asOf }
  const earlier = await sign<typeof round.schema, RoundId>(federation.coordinator.context.key, round, asked)
  const announced = { round: earlier.compact, query: roundRow(federation, id).query }
  // The coordinator knows of no such round.
  await expect(answer(federation.node('KR'), announced)).rejects.toMatchObject({ code: 'not-found' })
  const [january] = coverageOf(earlier.id)
  expect(january).toMatchObject({
    state: 'complete',
    latest: expect.toSatisfy(latest => latest > (january?.version ?? 0)),
  })
  const { round: next } = await pose(federation, QUESTION)
  const current = { round: roundRow(federation, next).compact, query: roundRow(federation, next).query }
  await expect(answer(federation.node('KR'), current)).rejects.toMatchObject({ code: 'cell-too-large' })
})

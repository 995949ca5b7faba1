import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeOffer } from '#member-node/offers.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { prepare } from '#researcher/client.ts'
import { lookAround } from '#researcher/explain.ts'
import { type Forecast, forecast } from '#researcher/forecast.ts'
import { storedQuery } from '#researcher/researcher.ts'
import { queryReceipt } from '#specs/api.ts'
import { cohort, type RoundId } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { claims } from '#specs/signed.ts'
import { effort, seed } from './effort.ts'
import { Federation } from './federation.ts'
import { documentOf, roundRow, step } from './steps.ts'

/**
 * What a researcher foretells is what the coordinator then announces, whatever became of the rounds before: members come late, revise,
 * are absent, keep their offers to themselves.
 */

const MEMBERS = ['BR', 'FR', 'JP', 'KR', 'VN']
const HOUR = 3_600_000

const some = (most: number) => fc.subarray(MEMBERS, { maxLength: most })
const month = fc.constantFrom('01', '02', '03')
const range = fc
  .tuple(month, month)
  .map(([one, other]) => (one < other ? [one, other] : [other, one]) as [string, string])
const turn = fc.record({
  /** Who has another version of these months, closed or not. */
  loading: fc.oneof({ weight: 2, arbitrary: some(2) }, { weight: 1, arbitrary: some(5) }),
  months: range,
  closed: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  /** Who says so before somebody is asked. */
  offering: fc.oneof({ weight: 4, arbitrary: fc.constant(MEMBERS) }, { weight: 1, arbitrary: fc.subarray(MEMBERS) }),
  about: range,
  by: fc.constantFrom('[]', '[period]'),
  need: fc.constantFrom('all', '{ atLeast: 3 }', '{ atLeast: 5 }'),
  absent: fc.oneof({ weight: 2, arbitrary: fc.constant<string[]>([]) }, { weight: 1, arbitrary: some(2) }),
})
type Turn = typeof turn extends fc.Arbitrary<infer T> ? T : never

const history = fc.record({
  /** Who has data of the first months from the beginning on. */
  first: fc.oneof(
    { weight: 3, arbitrary: fc.constant(MEMBERS) },
    { weight: 2, arbitrary: fc.subarray(MEMBERS, { minLength: 3 }) },
  ),
  alone: some(1),
  turns: fc.array(turn, { minLength: 3, maxLength: 5, size: 'max' }),
})

const usual: Turn = {
  loading: [],
  months: ['01', '01'],
  closed: true,
  offering: MEMBERS,
  about: ['01', '01'],
  by: '[]',
  need: 'all',
  absent: [],
}
/** A member revises what it answered for: alone, and then with others. */
const ALONE: typeof history extends fc.Arbitrary<infer T> ? T : never = {
  first: MEMBERS,
  alone: [],
  turns: [
    usual,
    { ...usual, loading: ['KR'] },
    { ...usual, about: ['01', '02'], need: '{ atLeast: 5 }' },
    { ...usual, about: ['01', '02'] },
    { ...usual, loading: ['JP', 'FR'] },
  ],
}

let federation: Federation
let year = 1990
beforeAll(async () => {
  federation = await Federation.create({ members: MEMBERS, custodians: ['BR', 'FR', 'JP'] })
})
afterAll(() => federation[Symbol.dispose]())

let loaded = 0
function load(id: string, [from, to]: readonly [string, string], isClosed: boolean): void {
  const csv = `flow,period,hs6,value\nimport,${year}-${from},010121,${++loaded}\nimport,${year}-${to},010121,1\n`
  federation.load(id, csv, isClosed ? { from: `${year}-${from}`, to: `${year}-${to}` } : undefined)
}

async function offer(ids: readonly string[]): Promise<void> {
  federation.clock.advance(600_000)
  for (const id of ids) await makeOffer(federation.node(id))
}

const fileOf = ({ about: [from, to], by, need, absent }: Turn) =>
  parseQueryFile(`dataset: declarations
where: { flow: import, period: { from: ${year}-${from}, to: ${year}-${to} } }
by: ${by}
measures: [{ sum: value }]
purpose: what is planned
need: ${absent.length > 0 ? '{ atLeast: 3 }' : need}
closes: 1h
`)

/** Asks, and says what the coordinator made of it. */
async function announced(turn: Turn): Promise<{ id: RoundId | undefined; said: object }> {
  const { researcher, coordinator } = federation
  const query = await prepare(researcher, fileOf(turn))
  await researcher.connection.post('/queries', { query: storedQuery(researcher, query).compact }, queryReceipt)
  const { $client } = coordinator.context.db
  const id = $client.prepare('SELECT id FROM rounds WHERE query = ?').pluck().get(query) as RoundId | undefined
  const voidReason = $client.prepare('SELECT void_reason FROM queries WHERE id = ?').pluck().get(query) as string | null
  if (id === undefined) return { id, said: { voidReason } }
  const { eligible, asOf, opens } = documentOf(federation, id)
  return { id, said: { eligible, asOf: asOf === opens ? null : asOf } }
}

const foretold = ({ round: { eligible, asOf, isAsBefore, voidReason } }: Forecast) =>
  voidReason === undefined ? { eligible, asOf: isAsBefore ? new Date(asOf).toISOString() : null } : { voidReason }

/** The cohort of a round that everybody who is there contributed to and that is over. */
async function close(id: RoundId, absent: readonly string[]) {
  const there = MEMBERS.filter(one => !absent.includes(one))
  await step(federation, 'contribute', there)
  if (roundRow(federation, id).state === 'open') {
    federation.clock.advance(HOUR)
    await federation.coordinator.lifecycle.advance()
  }
  await federation.coordinator.lifecycle.finish()
  const compact = roundRow(federation, id).cohort as string | null
  return compact === null ? [] : claims(cohort, compact).payload.manifests.map(one => one.member as string)
}

test(`what is foretold is announced, with seed ${seed}`, async () => {
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(history, async ({ first, alone, turns }) => {
      year++
      await step(federation, 'prekeys')
      for (const node of federation.nodes.values()) {
        node.rules = { ...(presets.open as Policy), alone: alone.includes(node.id) }
      }
      for (const id of first) load(id, ['01', '03'], true)
      await offer(MEMBERS)
      for (const one of turns) {
        for (const id of one.loading) load(id, one.months, one.closed)
        await offer(one.offering)
        const before = forecast(fileOf(one), await lookAround(federation.researcher))
        const { id, said } = await announced(one)
        expect(said).toEqual(foretold(before))
        seen.add(id === undefined ? 'none' : before.round.isAsBefore ? 'as before' : 'as it stands')
        if (before.round.eligible.length < MEMBERS.length) seen.add('fewer')
        if (id === undefined) continue
        const { eligible } = before.round
        const inCohort = await close(id, one.absent)
        const knowsAll = inCohort.length + eligible.filter(member => one.absent.includes(member)).length
        // What those said that are in no cohort, the coordinator alone has read.
        if (knowsAll < eligible.length) return
      }
    }),
    { numRuns: effort(2, 200), seed, examples: [[ALONE]] },
  )
  expect([...seen]).toEqual(expect.arrayContaining(['as before', 'as it stands', 'fewer', 'none']))
}, 120_000)

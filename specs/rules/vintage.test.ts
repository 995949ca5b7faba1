import { expect, test } from 'vitest'
import { type MemberId, memberId } from '../messages.ts'
import { parseQueryFile } from '../query.ts'
import { type EarlierRound, Knowledge, type OfferedData, planRound, type Said } from './vintage.ts'

const IDS = ['BR', 'FR', 'JP', 'KR', 'VN', 'ZA'].map(id => memberId.parse(id))
const [BR, FR, JP, KR] = IDS as [MemberId, MemberId, MemberId, MemberId]
const CHARTER = { members: IDS.map(id => ({ id })) as never, minimumCohort: 3 }
const HOUR = 3_600_000
const NOW = 100 * HOUR

const { question, need } = parseQueryFile(`dataset: declarations
where: { period: 2020-01 }
by: []
measures: [count: records]
purpose: what is planned
`)
const usual = { question, need, recipientAdministration: null }

const said = (member: MemberId, version = 1, latest = version): Said => ({
  member,
  coverage: [{ period: '2020-01', state: 'complete', version, latest }],
  alone: false,
})

const round = (hour: number, parts: readonly Said[], cohort: readonly MemberId[] | null = IDS): EarlierRound => ({
  round: `round ${hour}`,
  question,
  recipientAdministration: null,
  opens: hour * HOUR,
  asOf: hour * HOUR,
  said: parts,
  cohort,
})
const FIRST = round(
  1,
  IDS.map(id => said(id)),
)

const offers = (version: number, members: readonly MemberId[], issuedAt: number) =>
  new Map<MemberId, OfferedData>(
    members.map(id => {
      const months = [{ from: '2020-01', to: '2020-01', state: 'complete' as const, version }]
      return [id, { issuedAt, alone: false, coverage: [{ dataset: 'declarations', months }] }]
    }),
  )

const of = (dataset: string, offer: OfferedData): OfferedData => ({
  ...offer,
  coverage: offer.coverage.map(one => ({ ...one, dataset })),
})

const planned = (rounds: readonly EarlierRound[], offered = offers(0, [], 0), wanted = {}) => {
  const plan = planRound({ ...usual, ...wanted }, CHARTER, new Knowledge(rounds, offered), NOW)
  return { members: plan.eligible.length, hour: plan.asOf / HOUR, voidReason: plan.voidReason }
}

test('what nobody was asked about before is asked about as it stands', () => {
  expect(planned([])).toEqual({ members: 6, hour: 100, voidReason: undefined })
})

test('what a member offers anew alone is not asked about, and what a minimum cohort offers anew is', () => {
  expect(planned([FIRST], offers(2, [KR], 2 * HOUR))).toMatchObject({ members: 6, hour: 1 })
  expect(planned([FIRST], offers(2, [FR, JP], 2 * HOUR))).toMatchObject({ members: 6, hour: 1 })
  expect(planned([FIRST], offers(2, [FR, JP, KR], 2 * HOUR))).toMatchObject({ members: 6, hour: 100 })
})

test('an offer counts until its member says something newer', () => {
  const newer = {
    ...round(
      3,
      [FR, JP, KR].map(id => said(id, 1, 2)),
      null,
    ),
    asOf: FIRST.asOf,
  }
  expect(planned([FIRST, newer], offers(1, IDS, 2 * HOUR))).toMatchObject({ members: 6, hour: 100 })
  expect(planned([FIRST, newer], offers(1, IDS, 4 * HOUR))).toMatchObject({ members: 6, hour: 1 })
})

test('a month that few offer is asked of those that have nothing of it', () => {
  const none = new Map(
    [...offers(1, IDS, HOUR)].map(([id, one]) => [id, id === BR || id === FR ? one : { ...one, coverage: [] }]),
  )
  expect(planned([], none)).toMatchObject({ members: 4, hour: 100 })
})

test('who has not said what it has is expected to have what anybody has', () => {
  const three = { ...CHARTER, members: IDS.slice(0, 3).map(id => ({ id })) as never }
  const plan = (offered: ReadonlyMap<MemberId, OfferedData>) => planRound(usual, three, new Knowledge([], offered), NOW)
  expect(plan(offers(1, [BR, FR], HOUR))).toMatchObject({ eligible: [BR, FR, JP], voidReason: undefined })
  const elsewhere = new Map([...offers(1, [BR, FR], HOUR)].map(([id, one]) => [id, of('seizures', one)]))
  expect(plan(elsewhere).parts.map(one => one.coverage)).toEqual([[], [], []])
})

test('a cohort that was given up stands in nobody’s way', () => {
  const without = round(
    2,
    IDS.map(id => said(id)),
    IDS.slice(1),
  )
  const all = { need: { atLeast: 6 } }
  expect(planned([without], undefined, all).voidReason).toMatch(/^together with the answers.*BR/)
  expect(planned([{ ...without, cohort: null }], undefined, all).voidReason).toBeUndefined()
})

test('the recipient’s own administration does not make up a minimum cohort', () => {
  const three = { ...CHARTER, members: IDS.slice(0, 3).map(id => ({ id })) as never }
  const plan = (own: MemberId | null) =>
    planRound({ ...usual, recipientAdministration: own }, three, new Knowledge([], new Map()), NOW).voidReason
  expect(plan(null)).toBeUndefined()
  expect(plan(BR)).toMatch(/a cohort needs 3 members beside the recipient's own administration, and 2 could be asked$/)
})

test('in which order it is told of rounds makes no difference', () => {
  const rounds = [FIRST, round(2, [...FIRST.said.slice(1)], IDS.slice(1)), round(3, [said(KR, 2)], null)]
  const plans = [rounds, rounds.toReversed()].map(told =>
    planRound(usual, CHARTER, new Knowledge(told, offers(2, [JP], 2 * HOUR)), NOW),
  )
  expect(plans[1]).toEqual(plans[0])
})

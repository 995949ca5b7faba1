import type { MemberId } from '#specs/messages.ts'
import { periodsBetween } from '#specs/period.ts'
import { type Approval, type Judgement, judge } from '#specs/policy.ts'
import type { QueryFile, Question } from '#specs/query.ts'
import type { Exposure, Fit, Part } from '#specs/rules/pattern.ts'
import { describeApart, isAboutPast, type PlannedRound } from '#specs/rules/vintage.ts'
import { fitting, planned, type Remembered, remember, type Scene } from './expected-cohort.ts'
import { type MonthHeld, monthsAsked } from './months.ts'

/**
 * What would become of a question, found out before anybody is bothered: each member's policy is asked by the function that its node
 * uses (specs/policy.ts), and the answers before by the one that custodians use (specs/rules/pattern.ts). What only a node can know stays open: its own
 * records, and what its stewards decide.
 */

/** What a member would do. `left out` is nothing that it decides: beside the answers before it would stand apart. */
export type Stand = 'answers' | 'waits' | 'refuses' | 'left out' | 'unknown'

export interface MemberOutlook {
  readonly member: MemberId
  readonly stand: Stand
  /** In the words of its policy: why it refuses, waits for a person, or is left out. */
  readonly reasons: readonly string[]
  /** What it may take all the same, should its own records not be as its policy wants them. */
  readonly ownRecords: Approval
  /** Of the months asked about, one by one; null where it keeps that to itself. */
  readonly coverage: readonly MonthHeld[] | null
}

/** From the best to the worst: everybody needed answers; somebody has to decide first, or is silent; it cannot be. */
export const outcomes = ['answered', 'by hand', 'refused'] as const
export type Outcome = (typeof outcomes)[number]

export interface Forecast {
  readonly outcome: Outcome
  /** Why it is not simply answered. */
  readonly reasons: readonly string[]
  readonly members: readonly MemberOutlook[]
  /** The round that would be announced, or why none would be. */
  readonly round: Pick<PlannedRound, 'eligible' | 'asOf' | 'isAsBefore' | 'voidReason'>
  /** Members that must be in the answer. */
  readonly needed: number
  /** How many would be if nobody has to decide, and how many could be. */
  readonly sure: number
  readonly possible: number
  /** What the answer, with those that could be in it, would tell beside those before. */
  readonly exposures: readonly Exposure[]
}

/**
 * What would become of a question.
 * @throws InbondError `bad-query`, `unknown-dataset`, `too-many-slots`
 */
export function forecast(file: QueryFile, scene: Scene, remembered = remember(scene)): Forecast {
  const { question, need } = file
  const { minimumCohort } = scene.charter
  const { parts, exposures, ...round } = planned(file, scene, remembered)
  const decides = judging(scene, file, round.eligible.length, remembered)
  const members = parts.map(({ member }) => {
    const decided = round.eligible.includes(member) ? decides(member) : leftOut(member, exposures)
    return { member, ...decided, coverage: coverageOf(member, question, scene, remembered) }
  })
  const cohortOf = (stands: readonly Stand[]) =>
    fitting(
      question,
      parts.filter((_, i) => stands.includes((members[i] as MemberOutlook).stand)),
      scene,
      remembered,
    )
  const [sure, possible] = [cohortOf(['answers']), cohortOf(['answers', 'waits', 'unknown'])]
  const needed = need === 'all' ? Math.max(round.eligible.length, minimumCohort) : need.atLeast
  const isEnough = (cohort: readonly MemberId[]) => suffices(cohort, needed, scene)
  const foreseen = {
    outcome: isEnough(sure.members) ? 'answered' : isEnough(possible.members) ? 'by hand' : 'refused',
    members,
    round,
    needed,
    sure: sure.members.length,
    possible: possible.members.length,
    exposures: [...exposures, ...possible.exposures.filter(isAboutPast)],
  } as const
  return { ...foreseen, reasons: [...reasonsFor(foreseen, sure, scene)] }
}

type Decided = Pick<MemberOutlook, 'stand' | 'reasons' | 'ownRecords'>

/** What each member decides; many have the same policy, which is asked once. */
function judging(
  { charter, certificate, offers }: Scene,
  { question, need }: QueryFile,
  eligible: number,
  remembered: Remembered,
): (member: MemberId) => Decided {
  const { id, version } = question.dataset
  const isInCharter = charter.datasets.some(one => one.id === id && one.version === version)
  const judged = new Map<string, Judgement>()
  return member => {
    const offered = offers.get(member) ?? { unknown: `${member} has not said what it would answer` }
    if ('unknown' in offered) return { stand: 'unknown', reasons: [offered.unknown], ownRecords: 'automatic' }
    const { policy, ownRecords } = offered
    if (!isInCharter) {
      return { stand: 'refuses', reasons: [`the charter does not cover ${id}, version ${version}`], ownRecords }
    }
    const answeredToday = remembered.answeredToday.get(member) ?? 0
    const { minimumCohort } = charter
    const asked = { question, need, ...certificate, eligible, minimumCohort, answeredToday }
    const key = JSON.stringify([policy, answeredToday >= policy.questionsADay])
    const said = judged.get(key) ?? judge(policy, asked)
    judged.set(key, said)
    return { stand: standOf(said.approval), reasons: said.reasons, ownRecords }
  }
}

function standOf(approval: Approval): Stand {
  return approval === 'automatic' ? 'answers' : approval === 'refused' ? 'refuses' : 'waits'
}

function leftOut(member: MemberId, apart: readonly Exposure[]): Decided {
  const own = apart.find(one => one.members.includes(member)) ?? apart[0]
  const reason = own === undefined ? 'it would stand apart from the others' : describeApart(own)
  return { stand: 'left out', reasons: [reason], ownRecords: 'automatic' }
}

/** What a member says of each month that is asked about. */
function coverageOf(
  member: MemberId,
  question: Question,
  { offers }: Scene,
  { knowledge }: Remembered,
): MemberOutlook['coverage'] {
  const offered = offers.get(member)
  if (offered === undefined || 'unknown' in offered) return null
  const [part] = knowledge.expected([member], question.dataset.id)
  const asked = monthsAsked(question)
  const coverage = (part as Part).coverage
  if (asked === undefined) return coverage
  const known = new Map(coverage.map(one => [one.period, one]))
  return periodsBetween(asked).map(period => known.get(period) ?? { period, state: 'none', version: 0 })
}

/** The recipient's own administration does not count towards the minimum: it knows its own figures. */
function suffices(members: readonly MemberId[], needed: number, { charter, certificate }: Scene): boolean {
  const counted = members.filter(id => id !== certificate.administration)
  return members.length >= needed && counted.length >= charter.minimumCohort
}

function* reasonsFor(
  { outcome, members, needed, possible, exposures }: Omit<Forecast, 'reasons'>,
  sure: Fit,
  { charter, certificate }: Scene,
): Iterable<string> {
  if (outcome === 'answered') return
  const of = (stand: Stand) => members.filter(one => one.stand === stand).map(one => one.member)
  if (outcome === 'by hand') {
    yield `${needed} members are needed; ${sure.members.length} would be in the answer at once`
    const apart = of('answers').filter(member => !sure.members.includes(member))
    if (apart.length > 0) {
      const others = named([...of('waits'), ...of('unknown')])
      const past = [...new Set(sure.exposures.filter(isAboutPast).map(describeApart))]
      const because = past.length === 0 ? 'they are too few' : past.join('; ')
      yield `${named(apart)} would answer at once, but not in a cohort without ${others}: ${because}`
    }
    if (of('waits').length > 0) yield `stewards decide at ${named(of('waits'))}`
    if (of('unknown').length > 0) yield `nothing is known of ${named(of('unknown'))}`
    return
  }
  if (possible < needed) yield `${needed} members are needed, and ${possible} could be in the answer`
  else {
    const own = certificate.administration === null ? '' : ` beside ${certificate.administration}, the recipient's own`
    yield `a cohort needs ${charter.minimumCohort} members${own}; ${possible} could be in the answer`
  }
  if (of('refuses').length > 0) yield `${named(of('refuses'))} would refuse`
  for (const one of new Set(exposures.map(describeApart))) yield one
}

const MOST_NAMES = 12

/** Members, the first dozen of them by name. */
export function named(members: readonly MemberId[]): string {
  const shown = members.slice(0, MOST_NAMES).join(', ')
  return members.length > MOST_NAMES ? `${shown} and ${members.length - MOST_NAMES} more` : shown
}

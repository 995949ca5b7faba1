import type { Coverage, MemberId } from '../messages.ts'
import { monthIndex, monthOfIndex, monthsBetween } from '../period.ts'
import type { Question } from '../query.ts'
import { askedPeriod, regionsIntersect } from './region.ts'

/**
 * The pattern rule: what a cohort would give away together with the cohorts before it.
 *
 * What a member adds to a figure is made of its data month by month, each month in one version. Group these parts by the figures that
 * hold them: two parts that are in the same figures of every answer cannot be told apart by any combination of the answers,
 * because every linear combination has one coefficient for both. So a combination is about whole groups, and says as much
 * about few members as its smallest group does. Each group therefore needs the size of a minimum cohort.
 */

/** A cohort as the rule sees it: what was asked, for whom, and whose data in which version went into the figures. */
export interface AskedCohort {
  readonly round: string
  readonly question: Question
  readonly recipientAdministration: MemberId | null
  readonly parts: readonly Part[]
}

/** A cohort that others have to fit. */
export interface EarlierCohort extends AskedCohort {
  /**
   * Whether whoever judges agreed to it, so that its figures, told again, tell nothing new. One that is merely in the log counts as told,
   * but may be a coordinator's invention: to tell its figures may be the first time.
   */
  readonly isAgreed: boolean
}

/** From a member's manifest. */
export interface Part {
  readonly member: MemberId
  readonly coverage: readonly Pick<Coverage, 'period' | 'state' | 'version'>[]
  /** The member accepts to be told apart from the rest of the federation by its data version. */
  readonly alone: boolean
}

/** A group of fewer members than a minimum cohort that combinations of the answers would be about. */
export interface Exposure {
  readonly members: readonly MemberId[]
  /** First and last month of what would be exposed. */
  readonly months: { readonly from: string; readonly to: string }
  /** Rounds whose figures hold the group. */
  readonly within: readonly string[]
  /** Rounds of overlapping questions whose figures leave it out. */
  readonly without: readonly string[]
}

/** The parts that are in the same figures. */
interface Group {
  /** Places of the cohorts whose figures hold it, in order. */
  readonly cohorts: readonly number[]
  /** Of the parts that are in one figure more, by that figure. */
  readonly further: Map<string, Group>
  readonly members: Set<MemberId>
  consent: boolean
  first: number
  last: number
}

function newGroup(cohorts: readonly number[]): Group {
  return { cohorts, further: new Map(), members: new Set(), consent: true, first: Infinity, last: -Infinity }
}

/**
 * The groups that `next` would expose beside the cohorts before it; none, and it may be agreed to. A member without data for a month
 * is not in that month. Of a group, one administration of a recipient is not counted, for it knows its own figures.
 * @param before cohorts that were agreed to, or may have been; those that have nothing to do with `next` are passed over
 * @param minimum members of a minimum cohort
 */
export function exposures(next: AskedCohort, before: readonly EarlierCohort[], minimum: number): Exposure[] {
  const addsNothing = before.some(one => one.isAgreed && determines(one, next))
  const cohorts = addsNothing ? [next] : [next, ...connected(next, before)]
  const recipients = new Set(cohorts.flatMap(one => one.recipientAdministration ?? []))
  const isSmall = ({ members, consent }: Group) => {
    const known = [...members].some(member => recipients.has(member)) ? 1 : 0
    return !consent && members.size - known < minimum
  }
  return groupsOf(cohorts)
    .filter(isSmall)
    .map(group => ({
      members: [...group.members].sort(),
      months: { from: monthOfIndex(group.first), to: monthOfIndex(group.last) },
      within: cohorts.filter((_, i) => group.cohorts.includes(i)).map(one => one.round),
      without: cohorts.filter((_, i) => !group.cohorts.includes(i)).map(one => one.round),
    }))
}

/** Whether the same members, with the same versions, were asked about the same before, for nobody who knows less of them. */
function determines(earlier: AskedCohort, next: AskedCohort): boolean {
  const { recipientAdministration: reader } = next
  if (reader !== null && reader !== earlier.recipientAdministration) return false
  return regionOf(earlier.question) === regionOf(next.question) && dataOf(earlier) === dataOf(next)
}

function regionOf(question: Question): string {
  const where = question.where.map(one => JSON.stringify(one)).sort()
  return JSON.stringify([question.dataset, question.hsEdition, where, askedPeriod(question).grain])
}

function dataOf({ question, parts }: AskedCohort): string {
  const held = (part: Part) => heldMonths(question, part).map(({ month, version }) => `${month} ${version}`)
  return JSON.stringify(parts.map(part => [part.member, ...held(part).sort()]).sort())
}

/**
 * Cohorts of intersecting regions that share months with `next`, or with one that does: a figure over many months ties them together,
 * and what ties them may be untied by a cohort that has only some of them.
 */
function connected(next: AskedCohort, before: readonly AskedCohort[]): AskedCohort[] {
  const months = new Set(monthsOf(next))
  let apart = before
    .filter(one => regionsIntersect(one.question, next.question))
    .map(cohort => ({ cohort, own: monthsOf(cohort) }))
  const found: AskedCohort[] = []
  for (let more = true; more; ) {
    const joined = apart.filter(({ own }) => own.some(month => months.has(month)))
    apart = apart.filter(one => !joined.includes(one))
    for (const { cohort, own } of joined) {
      found.push(cohort)
      for (const month of own) months.add(month)
    }
    more = joined.length > 0
  }
  return found
}

function monthsOf(cohort: AskedCohort): number[] {
  return [...new Set(cohort.parts.flatMap(part => heldMonths(cohort.question, part).map(one => one.month)))]
}

/** The months of a question for which a member has data. */
function heldMonths(question: Question, part: Part): { month: number; version: number }[] {
  const { period } = askedPeriod(question)
  const range = period && monthsBetween(period)
  return part.coverage
    .filter(one => one.state !== 'none')
    .filter(one => range === undefined || (one.period >= range.from && one.period <= range.to))
    .map(one => ({ month: monthIndex(one.period), version: one.version }))
}

/** Groups the parts of all cohorts, cohort after cohort: whatever is in the same figures so far is in the same group. */
function groupsOf(cohorts: readonly AskedCohort[]): Group[] {
  const inNone = newGroup([])
  const groups: Group[] = []
  const held = new Map<string, { member: MemberId; month: number; consent: boolean; group: Group }>()
  for (const [i, cohort] of cohorts.entries()) {
    const { grain } = askedPeriod(cohort.question)
    for (const part of cohort.parts) {
      for (const { month, version } of heldMonths(cohort.question, part)) {
        const key = `${part.member} ${month} ${version}`
        const { consent, group } = held.get(key) ?? { consent: true, group: inNone }
        const figure = `${i} ${grain === 'month' ? month : grain === 'year' ? Math.floor(month / 12) : ''}`
        let further = group.further.get(figure)
        if (further === undefined) {
          further = newGroup([...group.cohorts, i])
          group.further.set(figure, further)
          groups.push(further)
        }
        held.set(key, { member: part.member, month, consent: consent && part.alone, group: further })
      }
    }
  }
  for (const { member, month, consent, group } of held.values()) {
    group.members.add(member)
    group.consent &&= consent
    group.first = Math.min(group.first, month)
    group.last = Math.max(group.last, month)
  }
  return groups.filter(one => one.members.size > 0)
}

/**
 * The most of `next`'s members that may be its cohort beside the cohorts before it, or as good as the most: small groups that it would
 * add are left out, and where others were left out alone, some are left out with them. May be empty.
 */
export function admissible(next: AskedCohort, before: readonly EarlierCohort[], minimum: number): AskedCohort {
  for (let candidate = next; ; ) {
    const [first] = exposures(candidate, before, minimum)
    if (first === undefined || candidate.parts.length === 0) return candidate
    const leaving = first.within.includes(next.round)
      ? first.members
      : companions(candidate, before, first).slice(-Math.max(1, minimum - first.members.length))
    const parts = candidate.parts.filter(one => leaving.length > 0 && !leaving.includes(one.member))
    candidate = { ...candidate, parts }
  }
}

/** Members that may be told about together. */
export interface Fit {
  readonly members: readonly MemberId[]
  /** What keeps the others out. */
  readonly exposures: readonly Exposure[]
}

/** @param wanted a cohort of everybody who could be in it */
export function fitting(wanted: AskedCohort, before: readonly EarlierCohort[], minimum: number): Fit {
  const exposed = exposures(wanted, before, minimum)
  const fit = exposed.length === 0 ? wanted : admissible(wanted, before, minimum)
  return { members: fit.parts.map(one => one.member), exposures: exposed }
}

/** Of cohorts that were asked again about the same, with the same data, the first: the others tell nobody apart from anybody else. */
export function withoutRepeats<C extends AskedCohort>(cohorts: readonly C[]): C[] {
  const different = new Map<string, C>()
  for (const one of cohorts) {
    const consents = one.parts.filter(part => part.alone).map(part => part.member)
    const key = JSON.stringify([regionOf(one.question), dataOf(one), consents.sort(), one.recipientAdministration])
    if (!different.has(key)) different.set(key, one)
  }
  return [...different.values()]
}

/** Members of the cohort that were in the same earlier figures as a group which it leaves out. */
function companions(next: AskedCohort, before: readonly AskedCohort[], { within, members }: Exposure): MemberId[] {
  const beside = before.filter(one => within.includes(one.round))
  return next.parts
    .map(one => one.member)
    .filter(member => !members.includes(member))
    .filter(member => beside.every(one => one.parts.some(part => part.member === member)))
}

/** An exposure for whoever asked: what the answers together would be about. */
export function describeExposure({ members, months }: Exposure): string {
  const when = months.from === months.to ? months.from : `${months.from} to ${months.to}`
  return `together with the answers to earlier questions, this one would tell ${members.join(', ')} apart from the others (${when})`
}

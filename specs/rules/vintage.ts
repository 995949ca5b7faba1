import type { Charter, Coverage, MemberId, Terms } from '../messages.ts'
import { monthsBetween, periodsBetween } from '../period.ts'
import type { Need, Question } from '../query.ts'
import {
  describeExposure,
  type EarlierCohort,
  type Exposure,
  type Fit,
  fitting,
  type Part,
  withoutRepeats,
} from './pattern.ts'
import { askedPeriod, regionsIntersect } from './region.ts'

/**
 * As of when a round asks, and whom: the coordinator announces what it finds here, and whoever wants to know beforehand finds the same
 * from the same knowledge.
 *
 * A member that revised a month alone would stand apart with its new version, but can answer as before. So months that everybody closed
 * are asked about as they were last, until enough members are known to have newer versions; other months are asked about as they stand,
 * unless earlier answers fit more members. It is a plan: what nobody said yet shows at the closing, and in the plans after.
 */

/** What a plan is for. */
export interface Wanted {
  readonly question: Question
  readonly need: Need
  readonly recipientAdministration: MemberId | null
}

export interface PlannedRound {
  readonly eligible: readonly MemberId[]
  /** Milliseconds since 1970: of an earlier round, or `now`. */
  readonly asOf: number
  readonly isAsBefore: boolean
  /** What each of the charter's members is expected to answer from. */
  readonly parts: readonly Part[]
  /** What keeps the others out. */
  readonly exposures: readonly Exposure[]
  /** Why there is no such round, where too few would be eligible. */
  readonly voidReason: string | undefined
}

/** From a member's manifest, with the version that it would answer from if no earlier moment were asked about. */
export interface Said extends Part {
  readonly coverage: readonly Pick<Coverage, 'period' | 'state' | 'version' | 'latest'>[]
}

/** A round that is not open any more, void or not. */
export interface EarlierRound {
  readonly round: string
  readonly question: Question
  readonly recipientAdministration: MemberId | null
  /** Milliseconds since 1970, as `asOf`. */
  readonly opens: number
  readonly asOf: number
  /** What members said in it, in the cohort or not, as far as that is known. */
  readonly said: readonly Said[]
  /** The cohort that later ones have to fit; null where there is none, or custodians gave it up for good. */
  readonly cohort: readonly MemberId[] | null
}

/** What a member offers to answer from, if it says so. */
export interface OfferedData extends Pick<Terms, 'alone' | 'coverage'> {
  /** Milliseconds since 1970. */
  readonly issuedAt: number
}

/** Of a month that a member was never asked about, some version that nobody has seen. */
const UNSEEN = -1
/** Earlier instants that are tried, the newest first. */
const MOST_VINTAGES = 5

/** What a plan is made from. */
export class Knowledge {
  /** Oldest first. They are taken for agreed to: who judges later may refuse what is planned here. */
  readonly cohorts: readonly EarlierCohort[]
  readonly #rounds: readonly EarlierRound[]
  readonly #offers: ReadonlyMap<MemberId, OfferedData>
  /** In some cohort. */
  readonly #months: readonly string[]
  readonly #expected = new Map<string, readonly Part[]>()

  /** @param offers those that hold */
  constructor(rounds: readonly EarlierRound[], offers: ReadonlyMap<MemberId, OfferedData>) {
    this.#rounds = rounds.toSorted((a, b) => a.opens - b.opens || (a.round < b.round ? -1 : 1))
    this.#offers = offers
    this.cohorts = withoutRepeats(this.#rounds.flatMap(one => cohortOf(one) ?? []))
    const coverages = this.cohorts.flatMap(one => one.parts).flatMap(one => one.coverage)
    this.#months = [...new Set(coverages.map(one => one.period))]
  }

  /** The instants of earlier rounds whose answers cover every month that is asked about, the newest first. */
  vintages(question: Question, now: number): number[] {
    const instants = this.#rounds
      .filter(one => one.cohort !== null && one.asOf <= now)
      .filter(one => regionsIntersect(one.question, question) && isWithin(question, one.question))
      .map(one => one.asOf)
    return [...new Set(instants)].sort((a, b) => b - a).slice(0, MOST_VINTAGES)
  }

  /**
   * What members are expected to answer from.
   * @param dataset its id
   * @param asOf of earlier rounds; left out, with the newest data that is known of
   */
  expected(roster: readonly MemberId[], dataset: string, asOf?: number): readonly Part[] {
    const key = JSON.stringify([roster, dataset, asOf])
    const known = this.#expected.get(key)
    if (known !== undefined) return known
    const rounds = this.#rounds.filter(one => one.question.dataset.id === dataset)
    const offered = asOf === undefined ? [...this.#offers.values()].map(one => monthsOffered(one, dataset)) : []
    const months = [...new Set([...this.#months, ...offered.flatMap(one => [...one.keys()])])]
    const parts = roster.map(member => this.#expectedPart(member, rounds, months, dataset, asOf))
    this.#expected.set(key, parts)
    return parts
  }

  /** @param known months of which a member has some version unless it says something else */
  #expectedPart(
    member: MemberId,
    rounds: readonly EarlierRound[],
    known: readonly string[],
    dataset: string,
    asOf: number | undefined,
  ): Part {
    let months = new Map<string, Month>(known.map(month => [month, unseen(month)]))
    let alone = false
    for (const told of this.#toldBy(member, rounds)) {
      alone = told.alone
      if ('issuedAt' in told) {
        if (asOf === undefined) months = monthsOffered(told, dataset)
      } else if (asOf === undefined || told.asOf === asOf) {
        for (const one of told.coverage) months.set(one.period, asOf === undefined ? newest(one) : one)
      }
    }
    return { member, coverage: [...months.values()], alone }
  }

  /** What a member said in rounds, and what it offers, in the order in which it did. */
  *#toldBy(member: MemberId, rounds: readonly EarlierRound[]): Iterable<(Said & { asOf: number }) | OfferedData> {
    let offered = this.#offers.get(member)
    for (const { opens, asOf, said } of rounds) {
      const own = said.find(one => one.member === member)
      if (own === undefined) continue
      if (offered !== undefined && offered.issuedAt < opens) {
        yield offered
        offered = undefined
      }
      yield { ...own, asOf }
    }
    if (offered !== undefined) yield offered
  }
}

type Month = Part['coverage'][number]

function unseen(period: string): Month {
  return { period, state: 'complete', version: UNSEEN }
}

function newest({ period, state, version, latest }: Said['coverage'][number]): Month {
  if (latest === version) return { period, state, version }
  return { period, state: 'complete', version: latest }
}

/** A month in no range is one without data. */
function monthsOffered({ coverage }: OfferedData, dataset: string): Map<string, Month> {
  const ranges = coverage.filter(one => one.dataset === dataset).flatMap(one => one.months)
  return new Map(
    ranges.flatMap(({ from, to, state, version }) =>
      periodsBetween({ from, to }).map(period => [period, { period, state, version }] as const),
    ),
  )
}

function cohortOf({ round, question, recipientAdministration, said, cohort }: EarlierRound): EarlierCohort | undefined {
  if (cohort === null) return undefined
  const parts = said.filter(one => cohort.includes(one.member)).toSorted((a, b) => (a.member < b.member ? -1 : 1))
  return { round, question, recipientAdministration, parts, isAgreed: true }
}

interface Candidate {
  /** Undefined for now. */
  readonly asOf: number | undefined
  readonly parts: readonly Part[]
  readonly members: readonly MemberId[]
  readonly exposures: readonly Exposure[]
}

/**
 * Whom a round would ask, and as of when.
 * @param now milliseconds since 1970: when the round opens
 */
export function planRound(
  wanted: Wanted,
  { members: roster, minimumCohort }: Pick<Charter, 'members' | 'minimumCohort'>,
  knowledge: Knowledge,
  now: number,
): PlannedRound {
  const { question } = wanted
  const ids = roster.map(one => one.id)
  const candidate = (asOf?: number): Candidate => {
    const parts = knowledge.expected(ids, question.dataset.id, asOf)
    return { asOf, parts, ...fittingNow(wanted, parts, knowledge, minimumCohort) }
  }
  const { asOf, parts, members, exposures } = bestOf(question, candidate, knowledge.vintages(question, now))
  return {
    eligible: members,
    asOf: asOf ?? now,
    isAsBefore: asOf !== undefined,
    parts,
    exposures,
    voidReason: tooFew(wanted, members, exposures, minimumCohort),
  }
}

/** Which of these may be the cohort of a round that there is not yet. */
export function fittingNow(
  { question, recipientAdministration }: Pick<Wanted, 'question' | 'recipientAdministration'>,
  parts: readonly Part[],
  { cohorts }: Knowledge,
  minimum: number,
): Fit {
  return fitting({ round: NEXT_ROUND, question, recipientAdministration, parts }, cohorts, minimum)
}

function tooFew(
  { need, recipientAdministration }: Wanted,
  eligible: readonly MemberId[],
  [exposure]: readonly Exposure[],
  minimum: number,
): string | undefined {
  const needed = need === 'all' ? minimum : need.atLeast
  const because = exposure === undefined ? 'too few members' : describeApart(exposure)
  if (eligible.length < needed) {
    return `${because}; ${needed} members are needed, and ${eligible.length} could be asked`
  }
  const counted = eligible.filter(id => id !== recipientAdministration).length
  if (counted >= minimum) return undefined
  return `${because}; a cohort needs ${minimum} members beside the recipient's own administration, and ${counted} could be asked`
}

/** Stands for the round that there is not yet, where exposures name rounds. */
const NEXT_ROUND = ''

/** Whether it takes answers before; otherwise too few members have any data. */
export function isAboutPast({ within, without }: Exposure): boolean {
  return [...within, ...without].some(one => one !== NEXT_ROUND)
}

/** What keeps members out of a round that there is not yet, in words. */
export function describeApart(exposed: Exposure): string {
  if (isAboutPast(exposed)) return describeExposure(exposed)
  const { from, to } = exposed.months
  return `too few members have data for ${from === to ? from : `${from} to ${to}`}: ${exposed.members.join(', ')}`
}

/** The one with the most members; of several, what is repeated is asked as it was, and everything else as it stands. */
function bestOf(question: Question, candidate: (asOf?: number) => Candidate, vintages: readonly number[]): Candidate {
  const current = candidate()
  const [last, ...others] = vintages.map(candidate)
  const inOrder =
    last === undefined
      ? [current]
      : isRepeated(question, last, current)
        ? [last, current, ...others]
        : [current, last, ...others]
  return inOrder.reduce((best, one) => (one.members.length > best.members.length ? one : best))
}

/** Whether a question is asked as of the last time once more: about months that all had closed, of which nobody is known to have newer data. */
function isRepeated(question: Question, last: Candidate, current: Candidate): boolean {
  const { period } = askedPeriod(question)
  if (period === undefined) return false
  const { from, to } = monthsBetween(period)
  const monthsOf = (plan: Candidate, member: MemberId) => {
    const coverage = plan.parts.find(part => part.member === member)?.coverage ?? []
    return new Map(coverage.filter(one => one.period >= from && one.period <= to).map(one => [one.period, one]))
  }
  const isSettled = (member: MemberId) => {
    const now = monthsOf(current, member)
    const then = [...monthsOf(last, member).values()]
    const isNewest = ({ period, version }: Month) => version !== UNSEEN && version === now.get(period)?.version
    return then.every(one => one.state === 'complete' && isNewest(one))
  }
  return last.parts.some(part => !part.alone) && last.members.every(isSettled)
}

function isWithin(question: Question, wider: Question): boolean {
  const [own, others] = [question, wider].map(one => askedPeriod(one).period).map(one => one && monthsBetween(one))
  if (others === undefined) return true
  return own !== undefined && own.from >= others.from && own.to <= others.to
}

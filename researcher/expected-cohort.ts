import type { Certificate, Charter, MemberId } from '#specs/messages.ts'
import { periodsBetween } from '#specs/period.ts'
import type { Question } from '#specs/query.ts'
import {
  type AskedCohort,
  admissible,
  describeExposure,
  type Exposure,
  exposures,
  type Part,
} from '#specs/rules/pattern.ts'
import { askedPeriod, regionsIntersect } from '#specs/rules/region.ts'
import type { PastAnswer } from './ledger.ts'
import { monthsAsked, overlap } from './months.ts'
import type { Offered } from './offers.ts'

/** Who would be in the cohort of a question beside those before it, by the rule of custodians and with the data that members offer. */

/** What is known when somebody wants to ask. */
export interface Scene {
  readonly charter: Pick<Charter, 'members' | 'custodians' | 'minimumCohort' | 'datasets'>
  /** Who asks. */
  readonly certificate: Pick<Certificate, 'organisation' | 'role' | 'administration' | 'purposes'>
  readonly offers: ReadonlyMap<MemberId, Offered>
  /** Oldest first. */
  readonly past: readonly PastAnswer[]
  /** From so many bytes on a custodian adds up the contributions in the researcher's place. */
  readonly recountFrom: number
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Members that may be told about together, and what the others would be told apart by. */
export interface Fit {
  readonly members: readonly MemberId[]
  readonly exposures: readonly Exposure[]
}

/** Past answers decide over regions and members, not over cells: the questions of one search share a judgement of them. */
export interface Remembered {
  /** Of answers that were given again, one: the others tell nobody apart from anybody else. */
  readonly before: readonly AskedCohort[]
  /** Each member with the data that it answered from last: a round may ask for these again. */
  readonly asBefore: ReadonlyMap<MemberId, Part>
  /** In how many cohorts of the last 24 hours a member is; it may have answered more. */
  readonly answeredToday: ReadonlyMap<MemberId, number>
  readonly fits: Map<string, Fit>
}

const DAY_MS = 86_400_000

export function remember({ charter, past, now }: Pick<Scene, 'charter' | 'past' | 'now'>): Remembered {
  const different = new Map(
    past.map(({ asked }) => [
      JSON.stringify([regionOf(asked.question), asked.recipientAdministration, asked.parts]),
      asked,
    ]),
  )
  const members = charter.members.map(one => one.id)
  const lately = past.filter(one => Date.parse(one.opens) > now - DAY_MS)
  const answeredToday = new Map<MemberId, number>()
  for (const { member } of lately.flatMap(one => one.asked.parts)) {
    answeredToday.set(member, (answeredToday.get(member) ?? 0) + 1)
  }
  const asBefore = partsAsBefore(members, past)
  return { before: [...different.values()], asBefore, answeredToday, fits: new Map() }
}

/** Of a month that a member was never asked about, some version that nobody has seen. */
const UNSEEN = -1

function partsAsBefore(members: readonly MemberId[], past: readonly PastAnswer[]): Map<MemberId, Part> {
  const parts = past.flatMap(one => one.asked.parts)
  const months = new Set(parts.flatMap(part => part.coverage.map(one => one.period)))
  const unseen = [...months].map(period => [period, { period, state: 'complete' as const, version: UNSEEN }] as const)
  const known = new Map(
    members.map(member => [member, { alone: false, months: new Map<string, Part['coverage'][number]>(unseen) }]),
  )
  for (const { member, coverage, alone } of parts) {
    const own = known.get(member)
    if (own === undefined) continue
    for (const one of coverage) own.months.set(one.period, one)
    own.alone = alone
  }
  return new Map(
    [...known].map(([member, own]) => [member, { member, coverage: [...own.months.values()], alone: own.alone }]),
  )
}

/** What of a question the pattern rule goes by. */
function regionOf(question: Question) {
  return [question.dataset, question.hsEdition, question.where, askedPeriod(question).grain]
}

/**
 * The members of these parts that may be a cohort, and what keeps the others out.
 * @param as which data the parts are: those of the answers before, or those that members offer now
 */
export function fitting(
  question: Question,
  parts: readonly Part[],
  as: 'before' | 'now',
  scene: Scene,
  remembered: Remembered,
): Fit {
  const key = JSON.stringify([as, regionOf(question), parts.map(one => one.member)])
  const known = remembered.fits.get(key)
  if (known !== undefined) return known
  const { administration } = scene.certificate
  const wanted: AskedCohort = { round: NEXT, question, recipientAdministration: administration, parts }
  const { before } = remembered
  const exposed = exposures(wanted, before, scene.charter.minimumCohort)
  const fit = exposed.length === 0 ? wanted : admissible(wanted, before, scene.charter.minimumCohort)
  const found = { members: fit.parts.map(one => one.member), exposures: exposed }
  remembered.fits.set(key, found)
  return found
}

/** Whether it takes answers before; otherwise too few members have any data. */
export function isAboutPast({ within, without }: Exposure): boolean {
  return [...within, ...without].some(one => one !== NEXT)
}

/** What keeps members out, in words. */
export function describeApart(exposed: Exposure): string {
  if (isAboutPast(exposed)) return describeExposure(exposed)
  const { from, to } = exposed.months
  return `too few members have data for ${from === to ? from : `${from} to ${to}`}: ${exposed.members.join(', ')}`
}

/** Stands for the round that there is not yet. */
const NEXT = ''

/** What a member would contribute: what it offers, or else what it had when it was asked last. */
export function expectedPart(member: MemberId, question: Question, { offers }: Scene, { asBefore }: Remembered): Part {
  const offered = offers.get(member)
  if (offered !== undefined && !('unknown' in offered)) {
    const ranges = offered.coverage.find(one => one.dataset === question.dataset.id)?.months ?? []
    const coverage = ranges.flatMap(({ from, to, state, version }) => {
      const within = overlap({ from, to }, monthsAsked(question))
      return within === undefined ? [] : periodsBetween(within).map(period => ({ period, state, version }))
    })
    return { member, coverage, alone: offered.alone }
  }
  return asBefore.get(member) ?? { member, coverage: [], alone: false }
}

/** Whether some answer before is about every month that is asked about, so that a round may ask as of then. */
export function isCovered(question: Question, { past }: Pick<Scene, 'past'>): boolean {
  const asked = monthsAsked(question)
  return past.some(({ asked: { question: other } }) => {
    const months = monthsAsked(other)
    const isWithin = months === undefined || (asked && asked.from >= months.from && asked.to <= months.to)
    return isWithin && regionsIntersect(other, question)
  })
}

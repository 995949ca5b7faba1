import { CHUNK_BYTES, chunksFor } from '#crypto/parameters.ts'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import type { Certificate, Charter, Coverage, MemberId } from '#specs/messages.ts'
import { monthIndex, monthOfIndex, monthsBetween, type Period, periodsBetween } from '#specs/period.ts'
import { type Approval, type Judgement, judge } from '#specs/policy.ts'
import { plan, type QueryFile, type Question } from '#specs/query.ts'
import {
  type AskedCohort,
  admissible,
  describeExposure,
  type Exposure,
  exposures,
  type Part,
} from '#specs/rules/pattern.ts'
import { askedPeriod, regionsIntersect } from '#specs/rules/region.ts'
import { ADD_UP_AGAIN_BELOW } from './evidence.ts'
import type { PastAnswer } from './ledger.ts'
import type { Offered } from './offers.ts'

/**
 * What would become of a question, found out before anybody is bothered: each member's policy is asked by the function that its node
 * uses (specs/policy.ts), and the answers before by the one that custodians use (specs/rules/pattern.ts). What only a node can know stays open: its own
 * records, and what its stewards decide.
 */

/** What is known when somebody wants to ask. */
export interface Scene {
  readonly charter: Pick<Charter, 'members' | 'custodians' | 'minimumCohort' | 'datasets'>
  /** Who asks. */
  readonly certificate: Pick<Certificate, 'organisation' | 'role' | 'administration'>
  readonly offers: ReadonlyMap<MemberId, Offered>
  /** Oldest first. */
  readonly past: readonly PastAnswer[]
  /** Milliseconds since 1970. */
  readonly now: number
}

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
  readonly coverage: readonly Pick<Coverage, 'period' | 'state' | 'version'>[] | null
}

/** From the best to the worst: everybody needed answers; somebody has to decide first, or is silent; it cannot be. */
export const outcomes = ['answered', 'by hand', 'refused'] as const
export type Outcome = (typeof outcomes)[number]

export interface Forecast {
  readonly outcome: Outcome
  /** Why it is not simply answered. */
  readonly reasons: readonly string[]
  readonly members: readonly MemberOutlook[]
  /** Members that must be in the answer. */
  readonly needed: number
  /** How many would be if nobody has to decide, and how many could be. */
  readonly sure: number
  readonly possible: number
  /** What the answer, with those that could be in it, would tell beside those before. */
  readonly exposures: readonly Exposure[]
}

interface Fit {
  readonly members: readonly MemberId[]
  readonly exposures: readonly Exposure[]
}

/** Past answers decide over regions and members, not over cells: the questions of one search share a judgement of them. */
export interface Remembered {
  /** Of answers that were given again, one: the others tell nobody apart from anybody else. */
  readonly before: readonly AskedCohort[]
  /** Each member with the data that it had when it was asked last: by these the coordinator decides whom to ask. */
  readonly asBefore: ReadonlyMap<MemberId, Part>
  readonly fits: Map<string, Fit>
}

export function remember({ charter, past }: Pick<Scene, 'charter' | 'past'>): Remembered {
  const different = new Map(
    past.map(({ asked }) => [
      JSON.stringify([regionOf(asked.question), asked.recipientAdministration, asked.parts]),
      asked,
    ]),
  )
  const asBefore = partsAsBefore(
    charter.members.map(one => one.id),
    past,
  )
  return { before: [...different.values()], asBefore, fits: new Map() }
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

const DAY_MS = 86_400_000

/**
 * What would become of a question.
 * @throws InbondError `bad-query`, `unknown-dataset`, `too-many-slots`
 */
export function forecast(file: QueryFile, scene: Scene, remembered = remember(scene)): Forecast {
  const { question, need } = file
  const { minimumCohort, members } = scene.charter
  const roster = fitting(question, [...remembered.asBefore.values()], 'asked', scene, remembered)
  const parts = members.map(one => expectedPart(one.id, question, scene, remembered))
  const eligible = parts.filter(one => roster.members.includes(one.member))
  const together = fitting(question, eligible, 'expected', scene, remembered)
  const needed = need === 'all' ? Math.max(eligible.length, minimumCohort) : need.atLeast
  const judged = new Map<string, Judgement>()
  const outlooks = members.map(({ id }, i): MemberOutlook => {
    const seen = { member: id, coverage: coverageOf(id, parts[i] as Part, question, scene) }
    const offered = scene.offers.get(id) ?? { unknown: `${id} has not said what it would answer` }
    const left = together.members.includes(id)
      ? undefined
      : exposureOf(id, [...together.exposures, ...roster.exposures])
    if (left !== undefined) return { ...seen, stand: 'left out', reasons: [left], ownRecords: 'automatic' }
    if ('unknown' in offered) return { ...seen, stand: 'unknown', reasons: [offered.unknown], ownRecords: 'automatic' }
    const answeredToday = answeredLately(id, scene)
    const isFull = answeredToday >= offered.policy.questionsADay
    const key = `${isFull} ${JSON.stringify(offered.policy)}`
    const asked = {
      question,
      need,
      ...scene.certificate,
      eligible: eligible.length,
      minimumCohort,
      answeredToday,
    }
    const said = judged.get(key) ?? judgeUnderCharter(scene, question, () => judge(offered.policy, asked))
    judged.set(key, said)
    return { ...seen, stand: standOf(said.approval), reasons: said.reasons, ownRecords: offered.ownRecords }
  })
  const cohortOf = (stands: readonly Stand[]) => {
    const counted = outlooks.filter(one => stands.includes(one.stand)).map(one => one.member)
    const contributed = parts.filter(one => counted.includes(one.member))
    return fitting(question, contributed, 'expected', scene, remembered)
  }
  const [sure, possible] = [cohortOf(['answers']), cohortOf(['answers', 'waits', 'unknown'])]
  const outcome = suffices(sure.members, needed, scene)
    ? 'answered'
    : suffices(possible.members, needed, scene)
      ? 'by hand'
      : 'refused'
  const counted = { needed, sure: sure.members.length, possible: possible.members.length }
  const exposed = [...together.exposures, ...[...roster.exposures, ...possible.exposures].filter(isAboutPast)]
  return {
    outcome,
    reasons: [...reasonsFor(outcome, outlooks, counted, exposed, scene)],
    members: outlooks,
    ...counted,
    exposures: exposed,
  }
}

function judgeUnderCharter({ charter }: Scene, { dataset }: Question, judged: () => Judgement): Judgement {
  if (charter.datasets.some(one => one.id === dataset.id && one.version === dataset.version)) return judged()
  const reason = `the charter does not cover ${dataset.id}, version ${dataset.version}`
  return { approval: 'refused', template: undefined, reasons: [reason] }
}

function standOf(approval: Approval): Stand {
  return approval === 'automatic' ? 'answers' : approval === 'refused' ? 'refuses' : 'waits'
}

/** The recipient's own administration does not count towards the minimum: it knows its own figures. */
function suffices(members: readonly MemberId[], needed: number, { charter, certificate }: Scene): boolean {
  const counted = members.filter(id => id !== certificate.administration)
  return members.length >= needed && counted.length >= charter.minimumCohort
}

function* reasonsFor(
  outcome: Outcome,
  members: readonly MemberOutlook[],
  { needed, sure, possible }: Pick<Forecast, 'needed' | 'sure' | 'possible'>,
  exposed: readonly Exposure[],
  { charter, certificate }: Scene,
): Iterable<string> {
  if (outcome === 'answered') return
  const of = (stand: Stand) => members.filter(one => one.stand === stand).map(one => one.member)
  if (outcome === 'by hand') {
    yield `${needed} members are needed; ${sure} would answer at once`
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
  for (const one of new Set(exposed.map(describeApart))) yield one
}

const MOST_NAMES = 12

/** Members, the first dozen of them by name. */
export function named(members: readonly MemberId[]): string {
  const shown = members.slice(0, MOST_NAMES).join(', ')
  return members.length > MOST_NAMES ? `${shown} and ${members.length - MOST_NAMES} more` : shown
}

function exposureOf(member: MemberId, exposed: readonly Exposure[]): string {
  const own = exposed.find(one => one.members.includes(member)) ?? exposed[0]
  return own === undefined ? 'it would stand apart from the others' : describeApart(own)
}

/** Rounds in the log of the last 24 hours in which a member is; it may have answered more. */
function answeredLately(member: MemberId, { past, now }: Scene): number {
  return past.filter(
    one => Date.parse(one.opens) > now - DAY_MS && one.asked.parts.some(part => part.member === member),
  ).length
}

/** @param as whose data the parts are: as the coordinator knows them when it asks, or as they are expected then */
function fitting(
  question: Question,
  parts: readonly Part[],
  as: 'asked' | 'expected',
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
function isAboutPast({ within, without }: Exposure): boolean {
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
function expectedPart(member: MemberId, question: Question, { offers }: Scene, { asBefore }: Remembered): Part {
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

/** The first and last month that a question is about, or undefined where it names none. */
export function monthsAsked(question: Question): Period | undefined {
  const { period } = askedPeriod(question)
  return period && monthsBetween(period)
}

function overlap(one: Period, other: Period | undefined): Period | undefined {
  if (other === undefined) return one
  const from = one.from > other.from ? one.from : other.from
  const to = one.to < other.to ? one.to : other.to
  return from <= to ? { from, to } : undefined
}

/** What a member says of each month that is asked about. */
function coverageOf(member: MemberId, part: Part, question: Question, { offers }: Scene): MemberOutlook['coverage'] {
  const offered = offers.get(member)
  if (offered === undefined || 'unknown' in offered) return null
  const asked = monthsAsked(question)
  if (asked === undefined) return part.coverage
  const known = new Map(part.coverage.map(one => [one.period, one]))
  return periodsBetween(asked).map(period => known.get(period) ?? { period, state: 'none', version: 0 })
}

/** Months that every one of these members has, the longest run of them within what is asked about; undefined where there is none. */
export function commonMonths(members: readonly MemberOutlook[]): Period | undefined {
  const covering = members.flatMap(one => (one.coverage === null ? [] : [monthsHeld(one.coverage)]))
  const [first, ...others] = covering
  return first && longestRun([...first].filter(month => others.every(one => one.has(month))))
}

function monthsHeld(coverage: NonNullable<MemberOutlook['coverage']>): Set<number> {
  return new Set(coverage.filter(one => one.state !== 'none').map(one => monthIndex(one.period)))
}

/** The longest run of months, of several the latest. @param months month indices */
export function longestRun(months: readonly number[]): Period | undefined {
  let best: readonly [number, number] | undefined
  let run: readonly [number, number] | undefined
  for (const month of months.toSorted((a, b) => a - b)) {
    run = run !== undefined && run[1] + 1 === month ? [run[0], month] : [month, month]
    if (best === undefined || run[1] - run[0] >= best[1] - best[0]) best = run
  }
  return best && { from: monthOfIndex(best[0]), to: monthOfIndex(best[1]) }
}

/** What an answer costs everybody, in bytes where nothing else is said; follows from the layout of cells and the charter alone. */
export interface Cost {
  readonly cells: number
  readonly slots: number
  /** Polynomials of 4,096 slots that each member encrypts. */
  readonly chunks: number
  /** What each member sends: its ciphertext and a sealed share for each custodian. */
  readonly memberSends: number
  /** What the researcher receives: the sum, the openings, and the contributions where it adds them up again. */
  readonly researcherReceives: number
  readonly addsUpAgain: boolean
  /** What each custodian receives, opens and adds up: a share of every member. */
  readonly custodianReceives: number
  readonly custodians: number
}

/** @param members how many could be in the answer @throws InbondError like `plan` */
export function costOf(question: Question, members: number, { charter }: Pick<Scene, 'charter'>): Cost {
  const { cells, slots } = plan(question)
  const chunks = chunksFor(slots)
  const ciphertext = chunks * CHUNK_BYTES
  const custodians = charter.custodians.length
  const addsUpAgain = ciphertext * members < ADD_UP_AGAIN_BELOW
  return {
    cells,
    slots,
    chunks,
    memberSends: ciphertext + custodians * SEALED_BYTES,
    researcherReceives: ciphertext + custodians * SEALED_BYTES + (addsUpAgain ? ciphertext * members : 0),
    addsUpAgain,
    custodianReceives: members * SEALED_BYTES,
    custodians,
  }
}

/** Past answers about some of the same records, newest first: those that this question would be compared with. */
export function overlapping(question: Question, { past }: Pick<Scene, 'past'>): PastAnswer[] {
  const asked = monthsAsked(question)
  const sharesMonths = (other: Question) => {
    const theirs = monthsAsked(other)
    return asked === undefined || theirs === undefined || overlap(asked, theirs) !== undefined
  }
  return past
    .filter(one => regionsIntersect(one.asked.question, question) && sharesMonths(one.asked.question))
    .toReversed()
}

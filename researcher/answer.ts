import type { LogHead } from '#crypto/log.ts'
import type { Conventions, Coverage, MemberId } from '#specs/messages.ts'
import { monthIndex } from '#specs/period.ts'
import { type Axis, axisLength, type Measure, measureName, type Plan, type Question } from '#specs/query.ts'
import type { CheckedEvidence } from './evidence.ts'

/** What a query gives: exact figures, and what they rest on. */
export interface Answer {
  readonly query: string
  readonly round: string
  readonly purpose: string
  /** ISO 8601: members answered from their data as it stood then; answers of the first release do not say. */
  readonly asOf?: string
  /** Members of the cohort that have newer data by now: the same question asked again is answered from them when enough have. */
  readonly newer?: readonly MemberId[]
  readonly cohort: readonly MemberId[]
  readonly missing: readonly { readonly member: MemberId; readonly reason: string }[]
  readonly coverage: Readonly<Record<string, CoverageRanges>>
  readonly units: Readonly<Record<string, string>>
  /** Every cell in which any record is present; counts are numbers, sums decimal strings in the measure's unit. */
  readonly rows: readonly Row[]
  readonly notes: readonly string[]
  readonly evidence: {
    readonly charter: string
    readonly cohort: string
    /** Custodians whose openings gave the key. */
    readonly openedBy: readonly MemberId[]
    /** Custodians whose openings do not fit the others; it accuses nobody. */
    readonly disagreeing: readonly MemberId[]
    /** Whether the signed contributions were added up again. */
    readonly addedUpAgain: boolean
    /** The custodian that did, where it was not the recipient itself. */
    readonly recountedBy: MemberId | null
    /** The head of the coordinator's log that has all of it; answers of the first release have none. */
    readonly log?: LogHead
  }
}

/** Verified documents, from which an answer is described. */
export interface Answered extends Pick<CheckedEvidence, 'round' | 'cohort' | 'manifests' | 'log'> {
  /** Whose openings there are. */
  readonly openings: readonly { readonly custodian: MemberId }[]
  /** Why an eligible member is missing. */
  readonly reasonOf: (member: MemberId) => string
}

/**
 * @param cells what was decrypted
 * @param fitting numbers of the custodians whose openings gave the key
 */
export function answerOf(
  answered: Answered,
  cells: BigInt64Array,
  fitting: readonly number[],
  added: Pick<Answer['evidence'], 'addedUpAgain' | 'recountedBy'>,
): Answer {
  const { round, cohort, manifests, openings, log } = answered
  const { question } = round.query.payload
  const terms = round.charter.payload
  const members = cohort.payload.manifests.map(one => one.member)
  const coverageOf = (id: string) => manifests.find(one => one.payload.member === id)?.payload.coverage ?? []
  const indexOf = (id: string) => round.custodians.find(one => one.id === id)?.index ?? 0
  const custodians = openings.map(one => one.custodian)
  return {
    query: round.query.id,
    round: round.id,
    purpose: question.purpose,
    asOf: round.round.asOf,
    newer: members.filter(id => coverageOf(id).some(one => one.latest > one.version)),
    cohort: members,
    missing: round.round.eligible
      .filter(id => !members.includes(id))
      .map(member => ({ member, reason: answered.reasonOf(member) })),
    coverage: Object.fromEntries(members.map(id => [id, coverageRanges(coverageOf(id))])),
    units: unitsOf(round.plan, question, terms.currency),
    rows: rowsOf(round.plan, question, cells),
    notes: terms.members.filter(one => members.includes(one.id)).flatMap(one => deviations(one.id, one.conventions)),
    evidence: {
      charter: round.charter.id,
      cohort: cohort.id,
      openedBy: custodians.filter(id => fitting.includes(indexOf(id))),
      disagreeing: custodians.filter(id => !fitting.includes(indexOf(id))),
      ...added,
      log: { size: log.size, root: log.root },
    },
  }
}

/** Where a member's figures are made otherwise than international merchandise trade statistics recommend. */
function deviations(member: string, made: Conventions): string[] {
  return [
    made.importValuation === 'CIF' ? [] : [`${member} values imports ${made.importValuation}`],
    made.exportValuation === 'FOB' ? [] : [`${member} values exports ${made.exportValuation}`],
    made.tradeSystem === 'general' ? [] : [`${member} counts by the ${made.tradeSystem} trade system`],
  ].flat()
}

export type Row = Readonly<Record<string, string | number>>
export type CoverageRanges = Readonly<Record<Coverage['state'], readonly string[]>>

/**
 * Cells to rows.
 * @param slots as many integers as the plan has slots, measure by measure
 */
export function rowsOf(plan: Plan, asked: Question, slots: BigInt64Array): Row[] {
  const rows: Row[] = []
  for (let cell = 0; cell < plan.cells; cell++) {
    if (slots[cell] === 0n) continue
    const row: Record<string, string | number> = codesOf(plan.axes, cell)
    plan.measures.forEach((measure, i) => {
      if (!asked.measures.some(one => measureName(one) === measureName(measure))) return
      const value = slots[i * plan.cells + cell] as bigint
      row[measureName(measure)] = 'sum' in measure ? decimal(value, decimalsOf(plan, measure)) : Number(value)
    })
    rows.push(row)
  }
  return rows
}

function codesOf(axes: readonly Axis[], cell: number): Record<string, string> {
  const codes: Record<string, string> = {}
  let rest = cell
  for (const axis of axes.toReversed()) {
    codes[axis.dimension] = [...axis.codes, 'other', 'unknown'][rest % axisLength(axis)] as string
    rest = Math.floor(rest / axisLength(axis))
  }
  return Object.fromEntries(axes.map(axis => [axis.dimension, codes[axis.dimension] as string]))
}

function decimalsOf(plan: Plan, measure: Measure): number {
  return 'sum' in measure ? (plan.dataset.measures[measure.sum]?.decimals ?? 0) : 0
}

/** An integer of 10^-decimals units as a decimal string: -5 with 2 decimals is -0.05. */
export function decimal(value: bigint, decimals: number): string {
  if (decimals === 0) return String(value)
  const digits = String(value < 0n ? -value : value).padStart(decimals + 1, '0')
  return `${value < 0n ? '-' : ''}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

/** The unit of each measure that was asked for. */
export function unitsOf(plan: Plan, asked: Question, currency: string): Record<string, string> {
  return Object.fromEntries(
    asked.measures.map(measure => {
      if ('count' in measure)
        return [measureName(measure), measure.count === 'records' ? plan.dataset.record : 'records']
      const unit = plan.dataset.measures[measure.sum]?.unit ?? ''
      return [measureName(measure), unit === 'currency' ? currency : unit]
    }),
  )
}

/** Months of one member, by state, with runs of months written as ranges. */
export function coverageRanges(coverage: readonly Coverage[]): CoverageRanges {
  const ranges: Record<Coverage['state'], string[]> = { complete: [], provisional: [], none: [] }
  let previous: Coverage | undefined
  for (const one of coverage.toSorted((a, b) => (a.period < b.period ? -1 : 1))) {
    const run = ranges[one.state]
    if (previous?.state === one.state && follows(previous.period, one.period)) {
      run.push(`${(run.pop() as string).split('..')[0]}..${one.period}`)
    } else run.push(one.period)
    previous = one
  }
  return ranges
}

function follows(month: string, next: string): boolean {
  return monthIndex(next) === monthIndex(month) + 1
}

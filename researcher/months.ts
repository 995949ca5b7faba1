import type { Coverage } from '#specs/messages.ts'
import { monthIndex, monthOfIndex, monthsBetween, type Period } from '#specs/period.ts'
import type { Question } from '#specs/query.ts'
import { askedPeriod } from '#specs/rules/region.ts'

/** Of one month: whether a member has data, and in which version. */
export type MonthHeld = Pick<Coverage, 'period' | 'state' | 'version'>

/** The first and last month that a question is about, or undefined where it names none. */
export function monthsAsked(question: Question): Period | undefined {
  const { period } = askedPeriod(question)
  return period && monthsBetween(period)
}

/** The months in both; undefined where there are none. */
export function overlap(one: Period, other: Period | undefined): Period | undefined {
  if (other === undefined) return one
  const from = one.from > other.from ? one.from : other.from
  const to = one.to < other.to ? one.to : other.to
  return from <= to ? { from, to } : undefined
}

/** Months that all have who say what they have, the longest run of them; undefined where there is none. */
export function commonMonths(coverages: readonly (readonly MonthHeld[] | null)[]): Period | undefined {
  const [first, ...others] = coverages.flatMap(one => (one === null ? [] : [monthsHeld(one)]))
  return first && longestRun([...first].filter(month => others.every(one => one.has(month))))
}

function monthsHeld(coverage: readonly MonthHeld[]): Set<number> {
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

/** A range of months (`2020-01`) or of years (`2020`), both ends included. */
export interface Period {
  readonly from: string
  readonly to: string
}

const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/
const YEAR = /^\d{4}$/
const MOST_MONTHS = 1200

/** Months or years, or undefined where the ends are neither, differ in kind, are out of order, or over a century apart. */
export function periodGrain({ from, to }: Period): 'month' | 'year' | undefined {
  const grain = [from, to].every(end => MONTH.test(end))
    ? 'month'
    : [from, to].every(end => YEAR.test(end))
      ? 'year'
      : undefined
  if (grain === undefined || from > to) return undefined
  const months = monthsBetween({ from, to })
  return monthIndex(months.to) - monthIndex(months.from) < MOST_MONTHS ? grain : undefined
}

/** The first and last month of a range of months or years. */
export function monthsBetween({ from, to }: Period): Period {
  return YEAR.test(from) ? { from: `${from}-01`, to: `${to}-12` } : { from, to }
}

/** `2020-03` to year × 12 + month - 1. */
export function monthIndex(month: string): number {
  return Number(month.slice(0, 4)) * 12 + Number(month.slice(5, 7)) - 1
}

export function monthOfIndex(index: number): string {
  return `${String(Math.floor(index / 12)).padStart(4, '0')}-${String((index % 12) + 1).padStart(2, '0')}`
}

/** Months in order, with runs of months written as ranges: `2020-01..2020-03, 2020-07`. */
export function describeMonths(months: readonly string[]): string {
  const ranges: { from: string; to: string }[] = []
  for (const month of months) {
    const last = ranges.at(-1)
    if (last !== undefined && monthIndex(month) === monthIndex(last.to) + 1) last.to = month
    else ranges.push({ from: month, to: month })
  }
  return ranges.map(({ from, to }) => (from === to ? from : `${from}..${to}`)).join(', ')
}

/** A month ends in the easternmost time zone this much before it ends in UTC. */
const EARLIEST_END_MS = 14 * 3_600_000

/** Months (`2020-03`) of a period that have not ended anywhere. @param now milliseconds since 1970 */
export function monthsNotEnded(period: Period, now: number): string[] {
  const { from, to } = monthsBetween(period)
  const current = new Date(now + EARLIEST_END_MS).toISOString().slice(0, 7)
  return periodsBetween({ from, to }).filter(month => month >= current)
}

/** Every month or year of a range, in order. */
export function periodsBetween(period: Period): string[] {
  if (periodGrain(period) === 'year') {
    const years = Number(period.to) - Number(period.from) + 1
    return Array.from({ length: years }, (_, i) => String(Number(period.from) + i).padStart(4, '0'))
  }
  const first = monthIndex(period.from)
  return Array.from({ length: monthIndex(period.to) - first + 1 }, (_, i) => monthOfIndex(first + i))
}

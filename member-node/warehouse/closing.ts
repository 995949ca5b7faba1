import { InbondError } from '#crypto/error.ts'
import { isoTime } from '#party/clock.ts'
import { describeMonths, monthsNotEnded, type Period } from '#specs/period.ts'

/** What keeps a mistyped month from being said to be complete. */

/** @param now milliseconds since 1970 @throws InbondError `not-ended` */
export function checkEnded(period: Period, now: number): void {
  const months = monthsNotEnded(period, now)
  if (months.length === 0) return
  const have = months.length === 1 ? 'has' : 'have'
  throw new InbondError(
    'not-ended',
    `${describeMonths(months)} ${have} not ended, and cannot be complete; the clock of this machine says ${isoTime(now)}`,
  )
}

/** Of months that are closed without records. */
export function completeWithNone(months: readonly string[]): string {
  return `No records of ${describeMonths(months)}: ${months.length === 1 ? 'it is' : 'they are'} complete with none`
}

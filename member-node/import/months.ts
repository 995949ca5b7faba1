import { InbondError } from '#crypto/error.ts'

/** Years outside of these are taken for typing errors. */
const FIRST_YEAR = 1900
const LAST_YEAR = 2199

/** 2020-03-01, 2020-03, 20200301, 202003; a time of day may follow. */
const ISO = /^(?<year>\d{4})-?(?<month>\d{2})(?:-?(?<day>\d{2})(?:[T ].*)?)?$/

/**
 * Reads a date as its month: year × 12 + month - 1. Without a format, dates are ISO 8601; a format is written with YYYY, MM
 * and DD, such as `DD/MM/YYYY` or `YYYY/MM`, and a time of day may follow. Undefined where there is no such date.
 * @throws InbondError `bad-mapping` if the format is none
 */
export function monthReader(format?: string): (text: string) => number | undefined {
  const pattern = format === undefined ? ISO : patternOf(format)
  return text => {
    const { year, month, day } = pattern.exec(text)?.groups ?? {}
    return year === undefined ? undefined : monthOf(Number(year), Number(month), day === undefined ? 1 : Number(day))
  }
}

function monthOf(year: number, month: number, day: number): number | undefined {
  if (year < FIRST_YEAR || year > LAST_YEAR || month < 1 || month > 12) return undefined
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate()
  return day >= 1 && day <= days ? year * 12 + month - 1 : undefined
}

function patternOf(format: string): RegExp {
  // Without separators only fixed widths tell day from month; with them, 1/3/2020 is common.
  const width = /^[YMD]+$/.test(format) ? '{2}' : '{1,2}'
  const parts: Record<string, string> = {
    YYYY: '(?<year>\\d{4})',
    MM: `(?<month>\\d${width})`,
    DD: `(?<day>\\d${width})`,
  }
  const isFormat = /^(YYYY|MM|DD)([-/. ]?(YYYY|MM|DD)){1,2}$/.test(format)
  const once = (part: string) => format.split(part).length === 2
  if (!isFormat || !once('YYYY') || !once('MM') || format.split('DD').length > 2) {
    throw new InbondError('bad-mapping', `"${format}" is not a date format such as DD/MM/YYYY, YYYY-MM or YYYYMMDD`)
  }
  const body = format.replaceAll('.', '\\.').replaceAll(/YYYY|MM|DD/g, part => parts[part] ?? part)
  return new RegExp(`^${body}(?:[T ].*)?$`)
}

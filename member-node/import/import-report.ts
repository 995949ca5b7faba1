import type { CodeCount } from './frequent-codes.ts'
import type { Counts, Quality } from './records.ts'
import type { Rejection } from './rejected.ts'

/** What an import did. Every record read was loaded, or replaced one with its key, or was rejected. */
export interface ImportReport extends Quality {
  readonly dataset: string
  /** Name of the file, without its folder. */
  readonly file: string
  /** Nothing was kept. */
  readonly dryRun: boolean
  readonly read: number
  readonly loaded: number
  readonly replaced: number
  readonly rejected: number
  /** Records of the replaced period that were deleted first. */
  readonly removed: number
  /** The first rejected records. */
  readonly rejections: readonly Rejection[]
  /** Path of the CSV file with all rejected records. */
  readonly rejectedFile?: string
  /** Months (`2020-03`) whose records changed. */
  readonly periods: readonly string[]
  /** Those of them that were closed and are not any more: answered from the closed version until they are closed again. */
  readonly reopened: readonly string[]
  /** Months that the import marked as complete, and that have no records. */
  readonly empty: readonly string[]
  readonly encoding: string
  readonly delimiter: string
  readonly decimal: '.' | ','
  readonly notices: readonly string[]
  readonly milliseconds: number
  readonly recordsPerSecond: number
}

const DELIMITER_NAMES: Readonly<Record<string, string>> = {
  ',': 'commas',
  ';': 'semicolons',
  '\t': 'tabs',
  '|': 'vertical bars',
}
const REJECTIONS_SHOWN = 5

/** The report in lines for people. */
export function describeReport(report: ImportReport): string[] {
  const { read, loaded, replaced, removed, rejected, periods } = report
  const number = (value: number) => value.toLocaleString('en')
  const done = [
    `${number(loaded)} loaded`,
    `${number(replaced)} replaced`,
    `${number(rejected)} rejected`,
    ...(removed > 0 ? [`${number(removed)} of the replaced period removed`] : []),
  ]
  const span = periods.length === 0 ? 'no period changed' : `${periods[0]} to ${periods.at(-1)}`
  const delimiter = DELIMITER_NAMES[report.delimiter] ?? `"${report.delimiter}"`
  return [
    `${report.file}: ${number(read)} records read, ${done.join(', ')}${report.dryRun ? ' (dry run: nothing was kept)' : ''}`,
    `${span}; ${report.encoding}, ${delimiter}, decimal ${report.decimal === '.' ? 'point' : 'comma'}; ` +
      `${number(report.recordsPerSecond)} records a second`,
    ...countsLine('rounded to the unit of the measure', report.rounded),
    ...countsLine('clipped to the bounds of the measure', report.clipped),
    ...countsLine('other (a code that the list does not have)', report.other, report.otherCodes),
    ...countsLine('unknown (missing or not a code)', report.unknown, report.unknownCodes),
    ...report.notices.map(notice => `note: ${notice}`),
    ...report.rejections.slice(0, REJECTIONS_SHOWN).map(({ line, reason }) => `line ${line} rejected: ${reason}`),
    ...(report.rejectedFile === undefined ? [] : [`all rejected records: ${report.rejectedFile}`]),
  ]

  function countsLine(what: string, counts: Counts, codes: Quality['otherCodes'] = {}): string[] {
    const parts = Object.entries(counts).map(([id, count]) => `${id} ${number(count)}${mostOften(codes[id])}`)
    return parts.length === 0 ? [] : [`${what}: ${parts.join(', ')}`]
  }

  function mostOften(codes: readonly CodeCount[] = []): string {
    const parts = codes.map(({ code, records }) => `${code === '' ? 'empty' : code}: ${number(records)}`)
    return parts.length === 0 ? '' : ` (${parts.join(', ')})`
  }
}

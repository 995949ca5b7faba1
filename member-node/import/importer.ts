import { basename } from 'node:path'
import { InbondError } from '#crypto/error.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { describeMonths, type Period, periodGrain } from '#specs/period.ts'
import { checkEnded, completeWithNone } from '../warehouse/closing.ts'
import type { Warehouse } from '../warehouse/warehouse.ts'
import type { Writer } from '../warehouse/writer.ts'
import { type Csv, openCsv } from './csv.ts'
import { columnIndex } from './header.ts'
import type { ImportReport } from './import-report.ts'
import type { Mapping } from './mapping.ts'
import { findNumberFormat } from './number-format.ts'
import { RecordReader } from './records.ts'
import { RejectedRows, type Rejection } from './rejected.ts'
import type { NumberFormat } from './rounding.ts'

export interface ImportRequest {
  readonly dataset: Dataset
  readonly mapping: Mapping
  /** Path of the CSV file. */
  readonly file: string
  /** A period whose records are deleted first. */
  readonly replace?: Period
  /** A period to mark as complete, months without records included. It has ended. */
  readonly complete?: Period
  /** Do everything, report it, keep nothing. */
  readonly dryRun?: boolean
  /** Folder for the file of rejected records. */
  readonly rejectedFolder: string
}

export interface ImportProgress {
  readonly records: number
  readonly bytes: number
  readonly totalBytes: number
}

export interface ImportEnvironment {
  readonly warehouse: Warehouse
  /** The charter's, by its ISO 4217 code: amounts are kept in it. */
  readonly currency: string
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Told about every 250 milliseconds. */
  readonly onProgress?: (progress: ImportProgress) => void
}

const PROGRESS_EVERY = 250
/** Records that are looked at to find out the decimal mark. */
const SAMPLE = 1000

/**
 * Imports a CSV file: open → find out the number format → map and check each record → warehouse. All of it is kept, or
 * nothing; the thread is occupied until it is done, and memory does not grow with the file.
 * @throws InbondError `file-not-readable`, `bad-file`, `bad-mapping`, `bad-option`, `not-ended`, `column-not-found`, `ambiguous-decimal`,
 * `currency-not-supported`, `already-imported`, `nothing-loaded`, `warehouse-busy`, `out-of-space`
 */
export function importFile(request: ImportRequest, environment: ImportEnvironment): ImportReport {
  const { warehouse, currency, clock, onProgress } = environment
  const { dataset, mapping, file, replace, complete, dryRun = false } = request
  for (const period of [replace, complete]) if (period) checkPeriod(period)
  const started = clock()
  if (complete) checkEnded(complete, started)
  const csv = openCsv(file, { ...mapping, wanted: columnsWanted(mapping) })
  const numbers = numberFormat(dataset, mapping, csv)
  const rejected = new RejectedRows(request.rejectedFolder, file, csv)
  const source = { file: basename(file), sha256: csv.sha256, mapping: mapping.hash, currency, importedAt: started }

  try {
    return warehouse.write(dataset, source, load, { dryRun })
  } finally {
    rejected.close()
  }

  function load(writer: Writer): ImportReport {
    const removed = replace ? writer.remove(replace) : 0
    if (mapping.key.length === 0) writer.refuseRepetition(csv.sha256)
    if (complete) writer.complete(complete)
    const reader = new RecordReader(dataset, mapping, csv.header, numbers, currency, code => writer.codeId(code))
    const added = { loaded: 0, replaced: 0, repeated: 0 }
    for (const record of csv.records(reporter(() => added.loaded + added.replaced + added.repeated + rejected.count))) {
      const row = record.problem ?? reader.read(record)
      if (typeof row === 'string') rejected.add(record, row)
      else added[writer.add(row)]++
    }
    const { loaded, repeated } = added
    const counts = { loaded, replaced: added.replaced + repeated, rejected: rejected.count, removed }
    const read = counts.loaded + counts.replaced + counts.rejected
    if (read > 0 && counts.rejected === read) {
      const { line, reason } = rejected.first[0] as Rejection
      throw new InbondError(
        'nothing-loaded',
        `all ${read} records were rejected, the first on line ${line}: ${reason}; all reasons are in ${rejected.path}`,
      )
    }
    const ended = clock()
    const { changed, reopened, empty } = writer.finish({ read, ...counts }, ended)
    const milliseconds = ended - started
    return {
      dataset: dataset.id,
      file: source.file,
      dryRun,
      read,
      ...counts,
      ...reader.quality,
      rejections: rejected.first,
      ...(rejected.path !== undefined && { rejectedFile: rejected.path }),
      periods: changed,
      reopened,
      empty,
      encoding: csv.encoding,
      delimiter: csv.delimiter,
      decimal: numbers.decimal,
      notices: [...csv.notices, ...notices(reader, repeated, reopened, empty)],
      milliseconds,
      recordsPerSecond: Math.round((read * 1000) / Math.max(1, milliseconds)),
    }
  }

  function reporter(records: () => number): (bytes: number) => void {
    let last = started
    return bytes => {
      const now = clock()
      if (!onProgress || now - last < PROGRESS_EVERY) return
      last = now
      onProgress({ records: records(), bytes, totalBytes: csv.bytes })
    }
  }

  function notices(
    reader: RecordReader,
    repeated: number,
    reopened: readonly string[],
    empty: readonly string[],
  ): string[] {
    const found: string[] = []
    if (reader.unmapped.length > 0) {
      found.push(`not in the map, so unknown in every record: ${reader.unmapped.join(', ')}`)
    }
    const hasAmounts = Object.entries(dataset.measures).some(
      ([id, m]) => m.unit === 'currency' && mapping.sources.has(id),
    )
    if (hasAmounts && !mapping.sources.has('currency')) {
      found.push(`the map names no currency; amounts were taken as ${currency}`)
    }
    if (repeated > 0) {
      found.push(
        `${repeated} records have a key that an earlier record of this file has, and replaced it; is the key unique?`,
      )
    }
    if (complete && rejected.count > 0) {
      found.push(`${complete.from} to ${complete.to} is marked complete without the ${rejected.count} rejected records`)
    }
    if (empty.length > 0) found.push(completeWithNone(empty))
    if (reopened.length > 0) {
      found.push(
        `${describeMonths(reopened)} changed after being closed; until closed again, questions are answered from the closed version`,
      )
    }
    return found
  }
}

function checkPeriod(period: Period): void {
  if (periodGrain(period) !== undefined) return
  throw new InbondError(
    'bad-option',
    `${period.from}..${period.to} is not a period such as 2020-03, 2020-01..2020-12 or 2020`,
  )
}

function columnsWanted({ key, sources }: Mapping): string[] {
  return [...key, ...[...sources.values()].flatMap(source => ('from' in source ? [source.from] : []))]
}

function numberFormat(dataset: Dataset, mapping: Mapping, csv: Csv): NumberFormat {
  if (mapping.decimal !== undefined) return { decimal: mapping.decimal, grouping: true }
  const columns = Object.keys(dataset.measures).flatMap(id => {
    const source = mapping.sources.get(id)
    return source && 'from' in source ? [columnIndex(csv.header, source.from)] : []
  })
  const cells: string[] = []
  let records = 0
  for (const record of csv.records()) {
    if (record.problem === undefined) cells.push(...columns.map(index => record.cells[index] as string))
    if (++records >= SAMPLE) break
  }
  return findNumberFormat(cells, csv.delimiter)
}

import type { Database } from 'better-sqlite3'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { columnsOf, hasHistory, hasTable, historyOf, periodOf, quoted, tableOf } from './tables.ts'
import type { LastImports } from './versions.ts'

/**
 * SQL of a table of all records that are in the versions of one of these answers, and perhaps of others: `isIn` says of which. A record is
 * in a version if an import up to the version's brought it, and none up to the version's removed it. Where every answer is about the
 * table of records as it stands, that table is read alone.
 */
export function recordsOf(db: Database, dataset: Dataset, ...answers: readonly LastImports[]): string {
  const table = quoted(tableOf(dataset))
  const columns = columnsOf(dataset).map(({ name }) => quoted(name))
  const current = `SELECT NULL AS removed, ${columns.join(', ')} FROM ${table}`
  if (answers.every(one => one.size === 0) || !hasHistory(db, dataset)) return `(${current})`
  return `(${current} UNION ALL SELECT removed, ${columns.join(', ')} FROM ${quoted(historyOf(dataset))})`
}

/** SQL that is true of the records of `recordsOf` that are in the versions of an answer. */
export function isIn(dataset: Dataset, answer: LastImports): string {
  if (answer.size === 0) return 'removed IS NULL'
  const months = [...answer].map(
    ([month, last]) => `WHEN ${month} THEN import <= ${last} AND (removed IS NULL OR removed > ${last})`,
  )
  return `CASE ${quoted(periodOf(dataset))} ${months.join(' ')} ELSE removed IS NULL END`
}

/** Months, by their index, without a record as the table of records stands. It looks at every record. */
export function monthsWithout(db: Database, dataset: Dataset, months: ReadonlySet<number>): Set<number> {
  if (months.size === 0 || !hasTable(db, dataset)) return new Set(months)
  const held = db
    .prepare(`SELECT DISTINCT ${quoted(periodOf(dataset))} FROM ${quoted(tableOf(dataset))}`)
    .pluck()
    .all()
  return months.difference(new Set(held as number[]))
}

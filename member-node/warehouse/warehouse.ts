import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import { InbondError } from '#crypto/error.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { monthIndex, monthOfIndex, monthsBetween, type Period } from '#specs/period.ts'
import type { Axis, Condition, Measure } from '#specs/query.ts'
import { region, vocabulary } from './conditions.ts'
import {
  type Difference,
  type Divergence,
  differences,
  type OwnCells,
  ownCells,
  type Thresholds,
} from './examination.ts'
import {
  createDatasetTable,
  createOwnTables,
  hasTable,
  isWarehouse,
  quoted,
  refuseNewer,
  requireVersion,
  tableOf,
} from './tables.ts'
import { positionsOn, Tally } from './tally.ts'
import { type FileImport, type PeriodState, raisePeriods, Writer } from './writer.ts'

/** What a member says of its data for a month. `none` is missing, never zero. */
export interface PeriodCoverage {
  /** `2020-03` */
  readonly period: string
  readonly state: PeriodState | 'none'
  /** Raised by every import or closing that changes the period; 0 where there is none. */
  readonly version: number
  /** ISO 8601. */
  readonly asOf: string | null
}

export interface DatasetStatus {
  readonly dataset: string
  readonly records: number
  readonly imports: number
  readonly first: string | null
  readonly last: string | null
}

/** A question as a node's warehouse answers it; `by` are the plan's axes. */
export interface Aggregation {
  readonly dataset: Dataset
  readonly where: readonly Condition[]
  readonly by: readonly Axis[]
  readonly measures: readonly Measure[]
}

/** Opens the file, or makes it. One that is not there yet reads as an empty one. @throws InbondError `newer-database` */
export function openWarehouse(path: string, { readonly = false }: { readonly?: boolean } = {}): Warehouse {
  if (!readonly) return new Warehouse(new Database(path))
  if (existsSync(path)) {
    const db = new Database(path, { readonly })
    if (isWarehouse(db)) return new Warehouse(db)
    db.close()
  }
  return new Warehouse(new Database(':memory:'))
}

/** Pages that an import may hold before it spills: an index over random keys would otherwise be written again and again. */
const IMPORT_CACHE_KIB = 256 * 1024
const USUAL_CACHE_KIB = 16 * 1024
/** What a large import leaves of its write-ahead log, in bytes. */
const LARGEST_IDLE_WAL = 1 << 26

/**
 * The administration's data, the only way to read or write it. A file of its own, so that a long import never holds up the
 * node's protocol. An import or an aggregation occupies the thread; a node runs them in a worker with its own `Warehouse`.
 */
export class Warehouse {
  readonly #db: Database.Database

  /** Use `openWarehouse`. */
  constructor(db: Database.Database) {
    this.#db = db
    db.pragma(`cache_size = -${USUAL_CACHE_KIB}`)
    refuseNewer(db)
    if (db.readonly) return
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma(`journal_size_limit = ${LARGEST_IDLE_WAL}`)
    // Deferred: with the tables there nothing is written, so a running import does not stand in the way.
    this.#inTransaction('DEFERRED', () => createOwnTables(db))
  }

  close(): void {
    this.#db.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** Everything that `work` reads is of one moment, whatever an import commits meanwhile. */
  snapshot<T>(work: () => T): T {
    return this.#db.inTransaction ? work() : this.#inTransaction('DEFERRED', work)
  }

  /**
   * Runs an import: all of it is kept, or nothing. The last step of `work` is `writer.finish`.
   * @throws InbondError `warehouse-busy`, `warehouse-outdated`, `currency-not-supported`, `out-of-space`, and what `work` throws
   */
  write<T>(dataset: Dataset, source: FileImport, work: (writer: Writer) => T, options: { dryRun?: boolean } = {}): T {
    this.#db.pragma(`cache_size = -${IMPORT_CACHE_KIB}`)
    try {
      const write = () => {
        createDatasetTable(this.#db, dataset)
        this.#refuseOtherCurrency(source.currency)
        return work(new Writer(this.#db, dataset, source))
      }
      return this.#inTransaction('IMMEDIATE', write, options.dryRun ? 'ROLLBACK' : 'COMMIT')
    } finally {
      this.#db.pragma(`cache_size = -${USUAL_CACHE_KIB}`)
      this.#db.pragma('shrink_memory')
      // Passive: it does not wait for whoever reads.
      this.#db.pragma('wal_checkpoint(PASSIVE)')
    }
  }

  #refuseOtherCurrency(currency: string): void {
    const kept = this.#db.prepare('SELECT currency FROM imports WHERE currency <> ? LIMIT 1').pluck().get(currency)
    if (kept === undefined) return
    throw new InbondError(
      'currency-not-supported',
      `the warehouse holds amounts in ${kept}, and the charter's are ${currency}`,
    )
  }

  /**
   * Closes (`complete`) or reopens (`provisional`) a period. Months without data can be closed: they are complete with no
   * records. Returns how many months changed.
   * @param now milliseconds since 1970
   */
  mark(dataset: Dataset, period: Period, state: PeriodState, now: number): number {
    return this.#inTransaction('IMMEDIATE', () => {
      const months = this.coverage(dataset, period.from, period.to)
        .filter(one => (one.state === 'complete') !== (state === 'complete'))
        .filter(one => one.state !== 'none' || state === 'complete')
        .map(one => monthIndex(one.period))
      raisePeriods(this.#db, dataset, months, now, state)
      return months.length
    })
  }

  /** Every month (or year) from `from` to `to`; an end that is left out is the first or last month of which anything is known. */
  coverage(dataset: Dataset, from?: string, to?: string): PeriodCoverage[] {
    const rows = this.#db
      .prepare('SELECT period AS month, state, version, asOf FROM periods WHERE dataset = ? ORDER BY period')
      .all(dataset.id) as { month: number; state: PeriodState; version: number; asOf: string }[]
    const known = new Map(rows.map(({ month, ...rest }) => [month, rest]))
    const first = from === undefined ? (rows[0]?.month ?? 0) : monthIndex(monthsBetween({ from, to: from }).from)
    const last = to === undefined ? (rows.at(-1)?.month ?? -1) : monthIndex(monthsBetween({ from: to, to }).to)
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => ({
      period: monthOfIndex(first + i),
      ...(known.get(first + i) ?? { state: 'none' as const, version: 0, asOf: null }),
    }))
  }

  /** How many records there are, from the counts of the imports: not every one is looked at. */
  records(): number {
    const sum = "SELECT coalesce(sum(counts ->> 'loaded') - sum(counts ->> 'removed'), 0) FROM imports"
    return isWarehouse(this.#db) ? (this.#db.prepare(sum).pluck().get() as number) : 0
  }

  status(dataset: Dataset): DatasetStatus {
    return this.snapshot(() => {
      const months = this.coverage(dataset)
      const one = (sql: string, ...bound: string[]) => this.#db.prepare(sql).pluck().get(bound) as number
      return {
        dataset: dataset.id,
        records: hasTable(this.#db, dataset) ? one(`SELECT count(*) FROM ${quoted(tableOf(dataset))}`) : 0,
        imports: one('SELECT count(*) FROM imports WHERE dataset = ?', dataset.id),
        first: months[0]?.period ?? null,
        last: months.at(-1)?.period ?? null,
      }
    })
  }

  /**
   * The slots of a question in the plan's order, counts and sums in smallest units: slot = measure × cells + cell. One pass over the records, added up outside of SQL,
   * because sorting them for a GROUP BY takes longer than reading them.
   * @throws InbondError `cell-too-large` beyond 64 bits, `warehouse-outdated`
   */
  aggregate({ dataset, where, by, measures }: Aggregation): BigInt64Array {
    return this.snapshot(() => {
      const positions = by.map(axis => positionsOn(axis, vocabulary(this.#db, dataset, axis.dimension)))
      const tally = new Tally(positions, measures)
      if (!hasTable(this.#db, dataset)) return tally.cells()
      requireVersion(this.#db, dataset)
      const columns = [...by.map(axis => axis.dimension), ...tally.columns].map(quoted)
      const { sql: filter, bound } = region(this.#db, dataset, where)
      this.#db.aggregate('tally', { varargs: true, start: null, step: (...record) => tally.add(record, 1) })
      this.#db
        .prepare(`SELECT tally(${columns.join(', ')}) FROM ${quoted(tableOf(dataset))} WHERE ${filter}`)
        .get(bound)
      return tally.cells()
    })
  }

  /**
   * The number of the last import into a dataset, or 0.
   * @param before milliseconds since 1970: of those that had begun by then
   */
  lastImport(dataset: Dataset, before?: number): number {
    if (!isWarehouse(this.#db)) return 0
    const until = before === undefined ? '9' : new Date(before).toISOString()
    const last = 'SELECT coalesce(max(id), 0) FROM imports WHERE dataset = ? AND importedAt <= ?'
    return this.#db.prepare(last).pluck().get(dataset.id, until) as number
  }

  /** What a question's cells hold of this warehouse's records and traders. @throws InbondError `warehouse-outdated` */
  ownCells(asked: Aggregation, least: Thresholds & { readonly dominance: number }): OwnCells {
    return this.snapshot(() => {
      if (!hasTable(this.#db, asked.dataset)) return { cells: 0, below: 0, dominated: 0, smallest: [] }
      requireVersion(this.#db, asked.dataset)
      return ownCells(this.#db, asked, least)
    })
  }

  /** What a question and an earlier one differ in here, or undefined. @throws InbondError `warehouse-outdated` */
  difference(asked: Aggregation, earlier: Divergence, least: Thresholds): Difference | undefined {
    return this.snapshot(() => {
      if (!hasTable(this.#db, asked.dataset)) return undefined
      requireVersion(this.#db, asked.dataset)
      return differences(this.#db, asked, earlier, least)
    })
  }

  #inTransaction<T>(kind: 'DEFERRED' | 'IMMEDIATE', work: () => T, end: 'COMMIT' | 'ROLLBACK' = 'COMMIT'): T {
    try {
      this.#db.exec(`BEGIN ${kind}`)
      const result = work()
      this.#db.exec(end)
      return result
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
      throw explained(error)
    }
  }
}

function explained(error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error
  if (error.code.startsWith('SQLITE_BUSY')) {
    return new InbondError('warehouse-busy', 'another import is writing to this warehouse', { cause: error })
  }
  if (error.code === 'SQLITE_FULL') return new InbondError('out-of-space', 'the disk is full', { cause: error })
  return error
}

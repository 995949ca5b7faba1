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
import { isIn, monthsWithout, recordsOf } from './records.ts'
import {
  createDatasetTables,
  createOwnTables,
  hasTable,
  isWarehouse,
  quoted,
  refuseNewer,
  requireVersion,
  showOwnTables,
  tableOf,
} from './tables.ts'
import { positionsOn, Tally } from './tally.ts'
import {
  addVersions,
  type Forgotten,
  forgetVersions,
  importsAt,
  nextInstant,
  type PeriodState,
  versionsAt,
} from './versions.ts'
import { type FileImport, Writer } from './writer.ts'

/** What a member says of its data for a month. `none` is missing, never zero. */
export interface PeriodCoverage {
  /** `2020-03` */
  readonly period: string
  readonly state: PeriodState | 'none'
  /** Raised by every import, closing or reopening that changes the period; 0 where there is none. */
  readonly version: number
  /** The version that is answered from when no earlier moment is asked about; `version` or a later one. */
  readonly latest: number
  /** ISO 8601: from when the version was the newest. */
  readonly asOf: string | null
}

export interface DatasetStatus {
  readonly dataset: string
  readonly records: number
  readonly imports: number
  readonly first: string | null
  readonly last: string | null
  /** Months (`2020-03`) that changed after they were closed: answered from the closed version until they are closed again. */
  readonly reopened: readonly string[]
  /** ISO 8601, of the last change of any month. */
  readonly asOf: string | null
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

/** What the data in a file cover now: a row a month, so that no thread of its own is needed. */
export function coverageIn(path: string, dataset: Dataset): PeriodCoverage[] {
  using warehouse = openWarehouse(path, { readonly: true })
  return warehouse.coverage(dataset)
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
    if (db.readonly) {
      showOwnTables(db)
      return
    }
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('secure_delete = ON')
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
        createDatasetTables(this.#db, dataset)
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
   * records. A month that is reopened is answered from its last complete version until it is closed again.
   * @param now milliseconds since 1970
   * @returns how many months changed, and which ones of the period (`2020-03`) have no records
   */
  mark(dataset: Dataset, period: Period, state: PeriodState, now: number): { changed: number; empty: string[] } {
    return this.#inTransaction('IMMEDIATE', () => {
      const known = versionsAt(this.#db, dataset)
      const { from, to } = monthsBetween(period)
      const marked = (month: number) => {
        const isComplete = known.get(month)?.newest.state === 'complete'
        return state === 'complete' ? !isComplete : isComplete
      }
      const months = monthsFrom(monthIndex(from), monthIndex(to))
      const changed = months.filter(marked)
      addVersions(this.#db, dataset, changed, { asOf: nextInstant(this.#db, now), state })
      const empty = [...monthsWithout(this.#db, dataset, new Set(months))].map(monthOfIndex)
      return { changed: changed.length, empty }
    })
  }

  /**
   * Forgets the versions that no question as of an instant, or of a later one, is answered from, with the records that were replaced or
   * deleted since; their bytes are overwritten. The same question as before is then answered from later versions.
   * @param before milliseconds since 1970
   */
  forget(dataset: Dataset, before: number): Forgotten {
    const forgotten = this.#inTransaction('IMMEDIATE', () => forgetVersions(this.#db, dataset, before))
    this.#db.pragma('wal_checkpoint(TRUNCATE)')
    return forgotten
  }

  /**
   * Every month (or year) from `from` to `to`, as a question is answered from it; an end that is left out is the first or last month of
   * which anything is known.
   * @param at milliseconds since 1970: as the warehouse stood then; left out, as it stands
   */
  coverage(dataset: Dataset, from?: string, to?: string, at?: number): PeriodCoverage[] {
    const known = versionsAt(this.#db, dataset, at)
    const indices = [...known.keys()]
    const first = from === undefined ? (indices[0] ?? 0) : monthIndex(monthsBetween({ from, to: from }).from)
    const last = to === undefined ? (indices.at(-1) ?? -1) : monthIndex(monthsBetween({ from: to, to }).to)
    return monthsFrom(first, last).map(month => {
      const { answered, latest } = known.get(month) ?? {}
      return {
        period: monthOfIndex(month),
        state: answered?.state ?? 'none',
        version: answered?.version ?? 0,
        latest: latest?.version ?? 0,
        asOf: answered?.asOf ?? null,
      }
    })
  }

  /** How many records there are, from the counts of the imports: not every one is looked at. */
  records(): number {
    const sum = "SELECT coalesce(sum(counts ->> 'loaded') - sum(counts ->> 'removed'), 0) FROM imports"
    return isWarehouse(this.#db) ? (this.#db.prepare(sum).pluck().get() as number) : 0
  }

  status(dataset: Dataset): DatasetStatus {
    return this.snapshot(() => {
      const known = [...versionsAt(this.#db, dataset)]
      const one = (sql: string, ...bound: string[]) => this.#db.prepare(sql).pluck().get(bound) as number
      const periods = known.map(([month]) => monthOfIndex(month))
      return {
        dataset: dataset.id,
        records: hasTable(this.#db, dataset) ? one(`SELECT count(*) FROM ${quoted(tableOf(dataset))}`) : 0,
        imports: one('SELECT count(*) FROM imports WHERE dataset = ?', dataset.id),
        first: periods[0] ?? null,
        last: periods.at(-1) ?? null,
        reopened: known.filter(([, { newest, latest }]) => newest !== latest).map(([month]) => monthOfIndex(month)),
        asOf: known.map(([, { newest }]) => newest.asOf).reduce((a, b) => (a > b ? a : b), '') || null,
      }
    })
  }

  /**
   * The slots of a question in the plan's order, counts and sums in smallest units: slot = measure × cells + cell. One pass over the
   * records, added up outside of SQL, because sorting them for a GROUP BY takes longer than reading them.
   * @param at milliseconds since 1970: of the versions that `coverage` says for then; left out, for now
   * @throws InbondError `cell-too-large` beyond 64 bits, `warehouse-outdated`
   */
  aggregate({ dataset, where, by, measures }: Aggregation, at?: number): BigInt64Array {
    return this.snapshot(() => {
      const positions = by.map(axis => positionsOn(axis, vocabulary(this.#db, dataset, axis.dimension)))
      const tally = new Tally(positions, measures)
      if (!hasTable(this.#db, dataset)) return tally.cells()
      requireVersion(this.#db, dataset)
      const columns = [...by.map(axis => axis.dimension), ...tally.columns].map(quoted)
      const { sql: filter, bound } = region(this.#db, dataset, where)
      const imports = importsAt(this.#db, dataset, where, at)
      const records = `${recordsOf(this.#db, dataset, imports)} WHERE ${filter} AND ${isIn(dataset, imports)}`
      this.#db.aggregate('tally', { varargs: true, start: null, step: (...record) => tally.add(record, 1) })
      this.#db.prepare(`SELECT tally(${columns.join(', ')}) FROM ${records}`).get(bound)
      return tally.cells()
    })
  }

  /**
   * What a question's cells hold of the records and traders that it is answered from.
   * @param at milliseconds since 1970: as `aggregate` answers for then; left out, for now
   * @throws InbondError `warehouse-outdated`
   */
  ownCells(asked: Aggregation, least: Thresholds & { readonly dominance: number }, at?: number): OwnCells {
    return this.snapshot(() => {
      if (!hasTable(this.#db, asked.dataset)) return { cells: 0, below: 0, dominated: 0, smallest: [] }
      requireVersion(this.#db, asked.dataset)
      return ownCells(this.#db, asked, least, at)
    })
  }

  /**
   * What a question and an earlier one differ in here, or undefined.
   * @param at milliseconds since 1970: as `aggregate` answers for then; left out, for now
   * @throws InbondError `warehouse-outdated`
   */
  difference(asked: Aggregation, earlier: Divergence, least: Thresholds, at?: number): Difference | undefined {
    return this.snapshot(() => {
      if (!hasTable(this.#db, asked.dataset)) return undefined
      requireVersion(this.#db, asked.dataset)
      return differences(this.#db, asked, earlier, least, at)
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

function monthsFrom(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)
}

function explained(error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error
  if (error.code.startsWith('SQLITE_BUSY')) {
    return new InbondError('warehouse-busy', 'another import is writing to this warehouse', { cause: error })
  }
  if (error.code === 'SQLITE_FULL') return new InbondError('out-of-space', 'the disk is full', { cause: error })
  return error
}

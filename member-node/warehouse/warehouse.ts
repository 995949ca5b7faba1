import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import { InbondError } from '#crypto/error.ts'
import type { Dataset, Dimension } from '#specs/datasets/dataset.ts'
import { monthIndex, monthOfIndex, monthsBetween, type Period } from '#specs/period.ts'
import type { Axis, Condition, Measure } from '#specs/query.ts'
import {
  createDatasetTables,
  createOwnTables,
  hasHistory,
  hasTable,
  historyOf,
  isWarehouse,
  periodOf,
  quoted,
  refuseNewer,
  requireVersion,
  showOwnTables,
  tableOf,
} from './tables.ts'
import { positionsOn, Tally, type Vocabulary } from './tally.ts'
import {
  addVersions,
  type Forgotten,
  forgetVersions,
  type MonthVersions,
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
   * records. A month that is reopened is answered from its last complete version until it is closed again. Returns how many months
   * changed.
   * @param now milliseconds since 1970
   */
  mark(dataset: Dataset, period: Period, state: PeriodState, now: number): number {
    return this.#inTransaction('IMMEDIATE', () => {
      const known = versionsAt(this.#db, dataset)
      const { from, to } = monthsBetween(period)
      const marked = (month: number) => {
        const isComplete = known.get(month)?.newest.state === 'complete'
        return state === 'complete' ? !isComplete : isComplete
      }
      const months = monthsFrom(monthIndex(from), monthIndex(to)).filter(marked)
      addVersions(this.#db, dataset, months, { asOf: nextInstant(this.#db, now), state })
      return months.length
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
      const positions = by.map(axis => positionsOn(axis, this.#vocabulary(dataset, axis.dimension)))
      const tally = new Tally(positions, measures)
      if (!hasTable(this.#db, dataset)) return tally.cells()
      requireVersion(this.#db, dataset)
      const columns = [...by.map(axis => axis.dimension), ...tally.columns].map(quoted)
      const conditions = where.map(one => this.#matching(dataset, one))
      const filter = conditions.map(({ sql }) => `(${sql})`).join(' AND ') || 'TRUE'
      const ids = conditions.map(one => JSON.stringify(one.ids))
      const read = (functionName: string, from: string, ...leading: string[]) =>
        this.#db
          .prepare(
            `SELECT ${functionName}(${[...leading, ...columns].join(', ')}) FROM ${quoted(from)} WHERE ${filter}`,
          )
          .get(ids)
      const limits = importLimits(versionsAt(this.#db, dataset, at), monthsAsked(dataset, where))
      if (limits === undefined) {
        this.#db.aggregate('tally', { varargs: true, start: null, step: (...record) => tally.add(record, 1) })
        read('tally', tableOf(dataset))
        return tally.cells()
      }
      // A record is in a version if an import up to the version's brought it, and none up to the version's removed it.
      this.#db.aggregate('tallyVersion', {
        varargs: true,
        start: null,
        step: (...record: (number | null)[]) => {
          const [, month, broughtBy, removedBy] = record as [null, number, number, number | null]
          const last = limits[month] as number
          if (broughtBy <= last && (removedBy === null || removedBy > last)) tally.add(record, 4)
        },
      })
      const period = quoted(periodOf(dataset))
      read('tallyVersion', tableOf(dataset), period, 'import', 'NULL')
      if (hasHistory(this.#db, dataset)) read('tallyVersion', historyOf(dataset), period, 'import', 'removed')
      return tally.cells()
    })
  }

  #vocabulary(dataset: Dataset, dimension: string): Vocabulary {
    if (dimension === periodOf(dataset)) {
      const months = this.#db
        .prepare('SELECT DISTINCT period FROM versions WHERE dataset = ?')
        .pluck()
        .all(dataset.id) as number[]
      return new Map(months.map(month => [month, monthOfIndex(month)]))
    }
    return new Map(this.#db.prepare('SELECT id, code FROM codes').raw().all() as [number, string][])
  }

  #matching(dataset: Dataset, condition: Condition): { sql: string; ids: number[] } {
    const dimension = dataset.dimensions[condition.dimension] as Dimension
    const satisfies = predicate(condition, dimension)
    const ids = [...this.#vocabulary(dataset, condition.dimension)].filter(([, code]) => satisfies(code))
    const column = quoted(condition.dimension)
    const orUnknown = condition.kind === 'codes' && condition.codes.includes('unknown') ? ` OR ${column} IS NULL` : ''
    return { sql: `${column} IN (SELECT value FROM json_each(?))${orUnknown}`, ids: ids.map(([id]) => id) }
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

/** Whether the records of a month can satisfy the conditions. */
function monthsAsked(dataset: Dataset, where: readonly Condition[]): (month: number) => boolean {
  const period = periodOf(dataset)
  const conditions = where.filter(one => one.dimension === period)
  const satisfied = conditions.map(one => predicate(one, dataset.dimensions[period] as Dimension))
  return month => satisfied.every(one => one(monthOfIndex(month)))
}

/**
 * For every month the last import whose records are in the version that is answered from: infinite where the table of records is that
 * version. Undefined where it is for every month that a question is about.
 */
function importLimits(
  known: ReadonlyMap<number, MonthVersions>,
  asked: (month: number) => boolean,
): Float64Array | undefined {
  const revised = [...known].filter(([month, one]) => asked(month) && one.answered?.import !== one.newest.import)
  if (revised.length === 0) return undefined
  const limits = new Float64Array(Math.max(...known.keys()) + 1).fill(Infinity)
  for (const [month, { answered }] of revised) limits[month] = answered?.import ?? -1
  return limits
}

/**
 * Whether a stored code satisfies a condition. A code that its list does not have (`other`) satisfies ranges and prefixes by
 * its digits; a source code that was mapped to `other` has none.
 */
function predicate(condition: Condition, dimension: Dimension): (code: string) => boolean {
  switch (condition.kind) {
    case 'codes': {
      const wanted = new Set(condition.codes)
      const listed = wanted.has('other') && dimension.kind !== 'period' ? new Set(dimension.codeList.codes) : undefined
      return code => wanted.has(code) || (listed !== undefined && !listed.has(code))
    }
    case 'range': {
      const { from, to } = condition
      // The end of a range of periods may be a year, which its months begin with.
      const end = dimension.kind === 'period' ? to.length : undefined
      return code => code !== 'other' && code >= from && code.slice(0, end) <= to
    }
    case 'prefix':
      return code => code !== 'other' && code.startsWith(condition.prefix)
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

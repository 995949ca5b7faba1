import type { Database, Statement } from 'better-sqlite3'
import { InbondError } from '#crypto/error.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { monthIndex, monthOfIndex, monthsBetween, type Period } from '#specs/period.ts'
import { monthsWithout } from './records.ts'
import { columnsOf, periodOf, quoted, tableOf } from './tables.ts'
import { addVersions, nextInstant, versionsAt } from './versions.ts'

/** A record in the order of `columnsOf(dataset)`; the first element, the import, is the writer's. */
export type Row = (number | string | null)[]

export interface FileImport {
  /** Name of the file, for people. */
  readonly file: string
  /** SHA-256 of the file and of the map, in hexadecimal. */
  readonly sha256: string
  readonly mapping: string
  /** ISO 4217: what amounts are counted in. */
  readonly currency: string
  /** Milliseconds since 1970. */
  readonly importedAt: number
}

/** Months (`2020-03`) that an import changed, in order. */
export interface ChangedMonths {
  readonly changed: string[]
  /** Those that were closed before and are not closed by the import: no answer shows the change until they are. */
  readonly reopened: string[]
  /** Those that the import closes although there is no record of them. */
  readonly empty: string[]
}

/** One import into one dataset, inside one transaction of the warehouse. */
export class Writer {
  readonly #db: Database
  readonly #dataset: Dataset
  readonly #import: number
  readonly #ids = new Map<string, number>()
  readonly #changed = new Set<number>()
  /** Months with a record that this import brought. */
  readonly #filled = new Set<number>()
  readonly #completed = new Set<number>()
  readonly #periodAt: number
  readonly #keyAt: number
  readonly #insert: Statement<[Row]>
  readonly #find: Statement<[Row[number] | undefined]>
  readonly #update: Statement<[Row]>
  readonly #findCode: Statement<[string]>
  readonly #insertCode: Statement<[string]>

  constructor(db: Database, dataset: Dataset, source: FileImport) {
    this.#db = db
    this.#dataset = dataset
    const names = columnsOf(dataset).map(({ name }) => name)
    this.#periodAt = names.indexOf(periodOf(dataset))
    this.#keyAt = names.indexOf('key')
    const table = quoted(tableOf(dataset))
    const columns = names.map(quoted).join(', ')
    const values = names.map(() => '?').join(', ')
    // Most keys are new, so the insertion itself asks whether one is there.
    this.#insert = db.prepare<[Row]>(
      `INSERT INTO ${table} (${columns}) VALUES (${values}) ON CONFLICT (key) WHERE key IS NOT NULL DO NOTHING`,
    )
    const period = quoted(periodOf(dataset))
    this.#find = db.prepare(`SELECT rowid AS id, ${period} AS month, import AS broughtBy FROM ${table} WHERE key = ?`)
    const [, ...own] = names.map(quoted)
    const unequal = `(${own.join(', ')}) IS NOT (${own.map(() => '?').join(', ')})`
    this.#update = db.prepare<[Row]>(`UPDATE ${table} SET (${columns}) = (${values}) WHERE rowid = ? AND ${unequal}`)
    this.#findCode = db.prepare<[string]>('SELECT id FROM codes WHERE code = ?').pluck()
    this.#insertCode = db.prepare('INSERT INTO codes (code) VALUES (?)')
    const { lastInsertRowid } = db
      .prepare(`INSERT INTO imports (dataset, file, sha256, mapping, currency, importedAt, counts)
                VALUES (?, ?, ?, ?, ?, ?, '{}')`)
      .run(
        dataset.id,
        source.file,
        source.sha256,
        source.mapping,
        source.currency,
        new Date(source.importedAt).toISOString(),
      )
    this.#import = Number(lastInsertRowid)
  }

  /** The dictionary's id of a code; a new one gets the next. */
  codeId(code: string): number {
    const known = this.#ids.get(code)
    if (known !== undefined) return known
    const id = Number(this.#findCode.get(code) ?? this.#insertCode.run(code).lastInsertRowid)
    this.#ids.set(code, id)
    return id
  }

  /**
   * `repeated`: a record of the same import had this key, and was replaced like one of an earlier import. A record that replaces its
   * equal changes nothing: a file that brings a closed month once more does not reopen it.
   */
  add(row: Row): 'loaded' | 'replaced' | 'repeated' {
    row[0] = this.#import
    const month = row[this.#periodAt] as number
    if (this.#insert.run(row).changes === 1) {
      this.#changed.add(month)
      this.#filled.add(month)
      return 'loaded'
    }
    const old = this.#find.get(row[this.#keyAt]) as { id: number; month: number; broughtBy: number }
    if (this.#update.run([...row, old.id, ...row.slice(1)]).changes === 1) {
      this.#changed.add(month).add(old.month)
      // It may have been the only one.
      this.#filled.delete(old.month)
      this.#filled.add(month)
    }
    return old.broughtBy === this.#import ? 'repeated' : 'replaced'
  }

  /** Deletes the records of a period. Returns how many. */
  remove(period: Period): number {
    const { from, to } = monthsBetween(period)
    const bounds = [monthIndex(from), monthIndex(to)]
    const column = quoted(periodOf(this.#dataset))
    const within = `FROM ${quoted(tableOf(this.#dataset))} WHERE ${column} BETWEEN ? AND ?`
    const months = this.#db.prepare(`SELECT DISTINCT ${column} ${within}`).pluck().all(bounds) as number[]
    for (const month of months) this.#changed.add(month)
    return this.#db.prepare(`DELETE ${within}`).run(bounds).changes
  }

  /** @throws InbondError `already-imported` if records that this very file brought are still there */
  refuseRepetition(sha256: string): void {
    const earlier = this.#db
      .prepare('SELECT id, importedAt FROM imports WHERE dataset = ? AND sha256 = ? AND id <> ?')
      .all(this.#dataset.id, sha256, this.#import) as { id: number; importedAt: string }[]
    const remains = this.#db.prepare(`SELECT 1 FROM ${quoted(tableOf(this.#dataset))} WHERE import = ? LIMIT 1`)
    const repeated = earlier.find(({ id }) => remains.get(id) !== undefined)
    if (!repeated) return
    throw new InbondError('already-imported', `this very file was imported on ${repeated.importedAt.slice(0, 10)}`)
  }

  /** Marks every month of a period as complete when the import ends, also one without records. */
  complete(period: Period): void {
    const { from, to } = monthsBetween(period)
    for (let month = monthIndex(from); month <= monthIndex(to); month++) this.#completed.add(month)
  }

  /**
   * Makes the next versions of the months that changed, and notes the counts. A month that is not completed is provisional from now
   * on, also one that was complete; then its last complete version stays what is answered from.
   * @param now milliseconds since 1970, at the end of the import: a question as of an earlier moment may have been answered meanwhile
   */
  finish(counts: Readonly<Record<string, number>>, now: number): ChangedMonths {
    const [db, dataset] = [this.#db, this.#dataset]
    const known = versionsAt(db, dataset)
    const asOf = nextInstant(db, now)
    const brought = { asOf, import: this.#import }
    const reopening = this.#changed.difference(this.#completed)
    const closing = [...this.#completed.difference(this.#changed)]
    addVersions(db, dataset, this.#completed.intersection(this.#changed), { ...brought, state: 'complete' })
    addVersions(db, dataset, reopening, { ...brought, state: 'provisional' })
    const notYet = closing.filter(month => known.get(month)?.newest.state !== 'complete')
    addVersions(db, dataset, notYet, { asOf, state: 'complete' })
    this.#db.prepare('UPDATE imports SET counts = ? WHERE id = ?').run(JSON.stringify(counts), this.#import)
    const inOrder = (months: Iterable<number>) => [...months].toSorted((a, b) => a - b).map(monthOfIndex)
    return {
      changed: inOrder(this.#changed),
      reopened: inOrder([...reopening].filter(month => known.get(month)?.latest.state === 'complete')),
      empty: inOrder(monthsWithout(db, dataset, this.#completed.difference(this.#filled))),
    }
  }
}

import type { Database } from 'better-sqlite3'
import { isoTime } from '#party/clock.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { hasHistory, historyOf, periodOf, quoted } from './tables.ts'

export type PeriodState = 'complete' | 'provisional'

/** A month's data between two changes. */
export interface Version {
  readonly version: number
  readonly state: PeriodState
  /** ISO 8601: from when it is the newest. */
  readonly asOf: string
  /** The last import that changed the month's records; 0 before any. A record is in the version if this one or an earlier brought it. */
  readonly import: number
}

/** What is known of a month. Not every version is answered from: see `answered`. */
export interface MonthVersions {
  /** The version that a question as of the asked instant is answered from. */
  readonly answered: Version | undefined
  /** The version that a question is answered from when nothing more changes. */
  readonly latest: Version
  /** The version that the warehouse is at. */
  readonly newest: Version
}

/**
 * The versions of every month of which anything is known, by the month's index, in order.
 * @param at milliseconds since 1970; left out, every change counts
 */
export function versionsAt(db: Database, dataset: Dataset, at?: number): Map<number, MonthVersions> {
  const rows = db
    .prepare(
      'SELECT period AS month, version, state, asOf, import FROM versions WHERE dataset = ? ORDER BY month, version',
    )
    .all(dataset.id) as (Version & { month: number })[]
  const instant = at === undefined ? undefined : isoTime(at)
  const months = new Map<number, MonthVersions>()
  for (const [month, versions] of Map.groupBy(rows, one => one.month)) {
    const newest = versions.at(-1) as Version
    months.set(month, { answered: answeredAt(versions, instant), latest: answeredAt(versions) as Version, newest })
  }
  return months
}

/**
 * The last complete version up to an instant; a month that was not complete until then is answered provisionally. So a member that
 * revises a month goes on answering as before, until it closes the month again. Before the first version there was nothing; but
 * versions before the first one held were forgotten, and that one answers for them.
 */
function answeredAt(versions: readonly Version[], instant?: string): Version | undefined {
  const [first] = versions
  const until = instant === undefined ? versions : versions.filter(one => one.asOf <= instant)
  const last = until.findLast(one => one.state === 'complete') ?? until.at(-1)
  return last ?? (first !== undefined && first.version > 1 ? first : undefined)
}

/**
 * The instant of the next change: later than every one before it, even if the clock went back.
 * @param now milliseconds since 1970
 */
export function nextInstant(db: Database, now: number): string {
  const last = db.prepare('SELECT max(asOf) FROM versions').pluck().get() as string | null
  return isoTime(last === null ? now : Math.max(now, Date.parse(last) + 1))
}

/** What makes a new version of a month. */
interface Change {
  readonly asOf: string
  readonly state: PeriodState
  /** The import that changed the month's records; left out, they are as they were. */
  readonly import?: number
}

export function addVersions(db: Database, dataset: Dataset, months: Iterable<number>, change: Change): void {
  const add = db.prepare(`
    INSERT INTO versions (dataset, period, version, state, asOf, import)
    SELECT :dataset, :month, coalesce(max(version), 0) + 1, :state, :asOf, coalesce(:import, max(import), 0)
    FROM versions WHERE dataset = :dataset AND period = :month`)
  for (const month of months) add.run({ import: null, ...change, dataset: dataset.id, month })
}

/** What was forgotten: versions of months, and records that were replaced or deleted. */
export interface Forgotten {
  readonly versions: number
  readonly records: number
}

/**
 * Forgets what no question as of an instant, or of a later one, is answered from. Earlier ones are then answered from the first version
 * that is left.
 * @param before milliseconds since 1970
 */
export function forgetVersions(db: Database, dataset: Dataset, before: number): Forgotten {
  const forgotten = { versions: 0, records: 0 }
  const period = quoted(periodOf(dataset))
  const versions = db.prepare('DELETE FROM versions WHERE dataset = ? AND period = ? AND version < ?')
  const records = hasHistory(db, dataset)
    ? db.prepare(`DELETE FROM ${quoted(historyOf(dataset))} WHERE ${period} = ? AND removed <= ?`)
    : undefined
  for (const [month, { answered }] of versionsAt(db, dataset, before)) {
    if (answered === undefined) continue
    forgotten.versions += versions.run(dataset.id, month, answered.version).changes
    forgotten.records += records?.run(month, answered.import).changes ?? 0
  }
  return forgotten
}

import type { Database } from 'better-sqlite3'
import { isoTime } from '#party/clock.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import type { Coverage } from '#specs/messages.ts'
import { monthIndex } from '#specs/period.ts'
import type { Condition } from '#specs/query.ts'
import { monthsAsked } from './conditions.ts'
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
  /** The version before it; 0 for none. */
  readonly follows: number
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
  const instant = at === undefined ? undefined : isoTime(at)
  const months = new Map<number, MonthVersions>()
  for (const [month, versions] of heldVersions(db, dataset)) {
    const newest = versions.at(-1) as Version
    months.set(month, { answered: answeredAt(versions, instant), latest: answeredAt(versions) as Version, newest })
  }
  return months
}

/** Every version held of each month, by the month's index, both in order. */
function heldVersions(db: Database, dataset: Dataset): Map<number, Version[]> {
  const rows = db
    .prepare(
      'SELECT period AS month, version, state, asOf, import, follows FROM versions WHERE dataset = ? ORDER BY month, version',
    )
    .all(dataset.id) as (Version & { month: number })[]
  return Map.groupBy(rows, one => one.month)
}

/**
 * Which records are in the versions of an answer: for each month that is asked about and that the table of records has in another version,
 * the last import whose records count; -1 if none do.
 */
export type LastImports = ReadonlyMap<number, number>

/** Of the versions that a question as of an instant is answered from. @param at milliseconds since 1970; left out, for now */
export function importsAt(db: Database, dataset: Dataset, where: readonly Condition[], at?: number): LastImports {
  const asked = monthsAsked(dataset, where)
  const known = [...versionsAt(db, dataset, at)].filter(([month]) => asked(month))
  return differing(known.map(([month, { answered, newest }]) => [month, answered, newest]))
}

/** A version of a month that was answered from, as the manifest said it. */
export type AnsweredVersion = Pick<Coverage, 'period' | 'version'>

/** Of versions that were answered from. One that was forgotten since is read as the next one that is left, one that was lost as the newest. */
export function importsOf(
  db: Database,
  dataset: Dataset,
  where: readonly Condition[],
  answered: readonly AnsweredVersion[],
): LastImports {
  const asked = monthsAsked(dataset, where)
  const held = [...heldVersions(db, dataset)].filter(([month]) => asked(month))
  const numbers = new Map(answered.map(({ period, version }) => [monthIndex(period), version]))
  const months = held.map(([month, versions]) => {
    const number = numbers.get(month) ?? 0
    const newest = versions.at(-1) as Version
    const one = number === 0 ? undefined : (versions.find(({ version }) => version >= number) ?? newest)
    return [month, one, newest] as const
  })
  return differing(months)
}

function differing(months: readonly (readonly [number, Version | undefined, Version])[]): LastImports {
  const others = months.filter(([, answered, newest]) => answered?.import !== newest.import)
  return new Map(others.map(([month, answered]) => [month, answered?.import ?? -1]))
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
  return last ?? (first !== undefined && first.follows > 0 ? first : undefined)
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

/**
 * Makes the next version of months. Its number is the second of the change, counted from 1970, or one more than the last number, if that is
 * larger: a warehouse that was restored from a backup gives other data no number that was answered from before and is lost.
 */
export function addVersions(db: Database, dataset: Dataset, months: Iterable<number>, change: Change): void {
  const add = db.prepare(`
    INSERT INTO versions (dataset, period, version, state, asOf, import, follows)
    SELECT :dataset, :month, max(coalesce(max(version), 0) + 1, :second), :state, :asOf, coalesce(:import, max(import), 0),
      coalesce(max(version), 0)
    FROM versions WHERE dataset = :dataset AND period = :month`)
  const second = Math.floor(Date.parse(change.asOf) / 1000)
  for (const month of months) add.run({ import: null, ...change, second, dataset: dataset.id, month })
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

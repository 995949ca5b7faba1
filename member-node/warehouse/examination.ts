import { isDeepStrictEqual } from 'node:util'
import type { Database } from 'better-sqlite3'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { monthIndex, periodGrain } from '#specs/period.ts'
import type { Axis, Condition, Measure } from '#specs/query.ts'
import { region, vocabulary } from './conditions.ts'
import { isIn, recordsOf } from './records.ts'
import { periodOf, quoted } from './tables.ts'
import { type Positions, positionsOn } from './tally.ts'
import { type AnsweredVersion, importsAt, importsOf } from './versions.ts'

/** What an answer would say of single records and traders of this administration. Nothing of it leaves the node. */

/** Fewer are too few. */
export interface Thresholds {
  readonly records: number
  readonly traders: number
}

/** A question as far as it decides what records count together. */
interface Cells {
  readonly dataset: Dataset
  readonly where: readonly Condition[]
  readonly by: readonly Axis[]
}

export interface OwnCell extends Thresholds {
  /** Its code on each axis. */
  readonly codes: readonly string[]
  /** The largest trader's, in percent, rounded up: of the measure added up in which it is largest; of records without one. */
  readonly share: number
}

export interface OwnCells {
  /** Those in which there is any record. */
  readonly cells: number
  /** Those with fewer records or traders. */
  readonly below: number
  /** Those of which one trader has a larger share. */
  readonly dominated: number
  /** At most five, the smallest first. */
  readonly smallest: readonly OwnCell[]
}

const MOST_SHOWN = 5

/**
 * Counts records and traders of each cell, in the versions that are answered from. Records without a trader count as no trader, and as
 * one for their share.
 * @param at milliseconds since 1970; left out, for now
 */
export function ownCells(
  db: Database,
  { dataset, where, by, measures }: Cells & { readonly measures: readonly Measure[] },
  least: Thresholds & { readonly dominance: number },
  at?: number,
): OwnCells {
  const positions = by.map(axis => positionsOn(axis, vocabulary(db, dataset, axis.dimension)))
  db.function('cell', { varargs: true, deterministic: true }, (...ids) => cellOf(positions, ids as (number | null)[]))
  const sums = measures.flatMap(one => ('sum' in one ? [one.sum] : []))
  const parts = sums.map((id, i) => `total(abs(${quoted(id)})) AS part${i}`)
  const shares = (sums.length > 0 ? sums.map((_, i) => `part${i}`) : ['records']).map(
    part => `coalesce(max(${part}) * 100.0 / nullif(total(${part}), 0), 0)`,
  )
  const largest = shares.length > 1 ? `max(${shares.join(', ')})` : (shares[0] as string)
  const { sql, bound } = region(db, dataset, where)
  const imports = importsAt(db, dataset, where, at)
  const rows = db.prepare(`
    WITH parts AS (
      SELECT cell(${by.map(axis => quoted(axis.dimension)).join(', ')}) AS cell, trader,
        ${['count(*) AS records', ...parts].join(', ')}
      FROM ${recordsOf(db, dataset, imports)} WHERE ${sql} AND ${isIn(dataset, imports)} GROUP BY 1, 2)
    SELECT cell, sum(records) AS records, count(trader) AS traders, ${largest} AS share FROM parts GROUP BY cell`)
  const found = { cells: 0, below: 0, dominated: 0, smallest: [] as OwnCell[] }
  for (const row of rows.iterate(bound) as Iterable<{
    cell: number
    records: number
    traders: number
    share: number
  }>) {
    const { cell, records, traders, share } = row
    found.cells++
    if (records < least.records || traders < least.traders) found.below++
    if (share > least.dominance) found.dominated++
    found.smallest.push({ codes: codesOf(by, cell), records, traders, share: Math.ceil(share) })
    found.smallest.sort((a, b) => a.traders - b.traders || a.records - b.records)
    found.smallest.length = Math.min(found.smallest.length, MOST_SHOWN)
  }
  return found
}

function cellOf(positions: readonly Positions[], ids: readonly (number | null)[]): number {
  return positions.reduce((cell, axis, i) => {
    const id = ids[i]
    return cell * axis.length + (id == null ? axis.unknown : (axis.byId[id] ?? axis.other))
  }, 0)
}

/** The codes of a cell: the inverse of `cellOf`. */
function codesOf(by: readonly Axis[], cell: number): string[] {
  const codes: string[] = []
  for (let i = by.length - 1, rest = cell; i >= 0; i--) {
    const all = [...(by[i] as Axis).codes, 'other', 'unknown']
    codes.unshift(all[rest % all.length] as string)
    rest = Math.floor(rest / all.length)
  }
  return codes
}

/** An earlier question of the same dataset, as this node answered it. */
export interface Divergence {
  readonly where: readonly Condition[]
  readonly by: readonly Axis[]
  /** The versions that it was answered from; of months that are not among them it had nothing. */
  readonly versions: readonly AnsweredVersion[]
}

/** The smallest group of records that one answer counts and the other does not. */
export interface Difference extends Thresholds {
  /** How many groups are too small. */
  readonly groups: number
}

/**
 * What the difference of two answers would say: for each group of records that both answers tell apart, the records that only
 * one of them counts. Whoever reads an answer can choose among its cells, so a condition of one question on a dimension of the
 * other's cells is put to both. A record that only one of the two answers has in its version of the month is counted by that one alone.
 * @param at milliseconds since 1970, of the later answer; left out, for now
 * @returns undefined where no such group has a few records or traders, besides those that both count
 */
export function differences(
  db: Database,
  asked: Cells,
  earlier: Divergence,
  least: Thresholds,
  at?: number,
): Difference | undefined {
  const { dataset } = asked
  const now = [...asked.where, ...earlier.where.filter(one => canChoose(dataset, asked.by, one))]
  const then = [...earlier.where, ...asked.where.filter(one => canChoose(dataset, earlier.by, one))]
  const [inNow, inThen] = [region(db, dataset, now), region(db, dataset, then)]
  const [importsNow, importsThen] = [importsAt(db, dataset, now, at), importsOf(db, dataset, then, earlier.versions)]
  if (isDeepStrictEqual(importsNow, importsThen) && normalised(now) === normalised(then)) return undefined
  const table = recordsOf(db, dataset, importsNow, importsThen)
  const hasNow = `(${inNow.sql}) AND ${isIn(dataset, importsNow)}`
  const hasThen = `(${inThen.sql}) AND ${isIn(dataset, importsThen)}`
  const groups = commonAxes(dataset, asked.by, earlier.by)
  const row = db
    .prepare(`
      SELECT count(*) AS groups, min(records) AS records, min(traders) AS traders FROM (
        SELECT max(isNow AND isThen) AS isShared, sum(isNow <> isThen) AS records,
          count(DISTINCT CASE WHEN isNow <> isThen THEN trader END) AS traders
        FROM (
          SELECT ${['trader', ...groups.map((sql, i) => `${sql} AS group${i}`)].join(', ')},
            (${hasNow}) IS TRUE AS isNow, (${hasThen}) IS TRUE AS isThen
          FROM ${table})
        WHERE isNow OR isThen GROUP BY ${groups.map((_, i) => `group${i}`).join(', ') || 'NULL'})
      WHERE isShared AND records > 0 AND (records < ? OR traders < ?)`)
    .get([...inNow.bound, ...inThen.bound, least.records, least.traders]) as Difference
  return row.groups === 0 ? undefined : row
}

function normalised(where: readonly Condition[]): string {
  const one = (condition: Condition) =>
    JSON.stringify(condition.kind === 'codes' ? { ...condition, codes: [...condition.codes].sort() } : condition)
  return [...new Set(where.map(one))].sort().join()
}

/** Whether cells by these axes can be chosen so that a condition holds for all of their records. */
function canChoose(dataset: Dataset, by: readonly Axis[], condition: Condition): boolean {
  const dimension = dataset.dimensions[condition.dimension]
  return by.some(axis => {
    const own = dataset.dimensions[axis.dimension]
    if (own?.kind === 'level' && dimension?.kind === 'level')
      return own.of === dimension.of && own.digits >= dimension.digits
    if (axis.dimension !== condition.dimension) return false
    return axis.grain !== 'year' || (condition.kind === 'range' && periodGrain(condition) === 'year')
  })
}

/** SQL of what both axes tell apart, at the coarser level of each. */
function commonAxes(dataset: Dataset, one: readonly Axis[], other: readonly Axis[]): string[] {
  const common = new Set<string>()
  for (const a of one) {
    for (const b of other) {
      const [own, others] = [dataset.dimensions[a.dimension], dataset.dimensions[b.dimension]]
      if (own?.kind === 'level' && others?.kind === 'level') {
        if (own.of === others.of) common.add(quoted(own.digits <= others.digits ? a.dimension : b.dimension))
      } else if (a.dimension === b.dimension) {
        const isYear = a.dimension === periodOf(dataset) && (a.grain === 'year' || b.grain === 'year')
        common.add(isYear ? `${quoted(a.dimension)} / ${MONTHS}` : quoted(a.dimension))
      }
    }
  }
  return [...common]
}

/** Months are numbered from the first of a year. */
const MONTHS = monthIndex('0001-01')

import type { Database } from 'better-sqlite3'
import type { Dataset, Dimension } from '#specs/datasets/dataset.ts'
import { monthOfIndex } from '#specs/period.ts'
import type { Condition } from '#specs/query.ts'
import { periodOf, quoted } from './tables.ts'
import type { Vocabulary } from './tally.ts'

/** What the integers in a dimension's column stand for. */
export function vocabulary(db: Database, dataset: Dataset, dimension: string): Vocabulary {
  if (dimension === periodOf(dataset)) {
    const months = db
      .prepare('SELECT DISTINCT period FROM versions WHERE dataset = ?')
      .pluck()
      .all(dataset.id) as number[]
    return new Map(months.map(month => [month, monthOfIndex(month)]))
  }
  return new Map(db.prepare('SELECT id, code FROM codes').raw().all() as [number, string][])
}

/** SQL that is true of the records which satisfy every condition, and what is bound to it, in its order. */
export function region(db: Database, dataset: Dataset, where: readonly Condition[]): { sql: string; bound: string[] } {
  const conditions = where.map(one => matching(db, dataset, one))
  return {
    sql: conditions.map(({ sql }) => `(${sql})`).join(' AND ') || 'TRUE',
    bound: conditions.map(({ ids }) => JSON.stringify(ids)),
  }
}

function matching(db: Database, dataset: Dataset, condition: Condition): { sql: string; ids: number[] } {
  const dimension = dataset.dimensions[condition.dimension] as Dimension
  const satisfies = predicate(condition, dimension)
  const ids = [...vocabulary(db, dataset, condition.dimension)].filter(([, code]) => satisfies(code))
  const column = quoted(condition.dimension)
  const orUnknown = condition.kind === 'codes' && condition.codes.includes('unknown') ? ` OR ${column} IS NULL` : ''
  return { sql: `${column} IN (SELECT value FROM json_each(?))${orUnknown}`, ids: ids.map(([id]) => id) }
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

/** Whether the records of a month can satisfy the conditions. */
export function monthsAsked(dataset: Dataset, where: readonly Condition[]): (month: number) => boolean {
  const period = periodOf(dataset)
  const conditions = where.filter(one => one.dimension === period)
  const satisfied = conditions.map(one => predicate(one, dataset.dimensions[period] as Dimension))
  return month => satisfied.every(one => one(monthOfIndex(month)))
}

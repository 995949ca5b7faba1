import type { Dimension } from '#specs/datasets/dataset.ts'
import type { Axis, Condition, Plan } from '#specs/query.ts'
import { type PlainRecord, plaintextRecords } from './plaintext/records.ts'

/** Code of a record on a dimension; undefined is unknown. */
type CodeOf = (record: PlainRecord) => string | undefined

/**
 * The answer to a question, computed in the clear from the members' CSV files: every cell with at least one record, under its
 * codes in the order of the axes, joined by `|` (`other` and `unknown` included); the measures in the order of the plan, in
 * smallest units. Neither the importer nor the warehouse has a part in it, so that it can bear witness to both.
 */
export function plaintextCells(folder: string, members: readonly string[], plan: Plan): Map<string, bigint[]> {
  const conditions = plan.where.map(one => satisfies(plan, one))
  const axes = plan.axes.map(axis => place(plan, axis))
  const cells = new Map<string, bigint[]>()
  for (const member of members) {
    for (const record of plaintextRecords(folder, member)) {
      if (!conditions.every(holds => holds(record))) continue
      const key = axes.map(codeOn => codeOn(record)).join('|')
      let sums = cells.get(key)
      if (!sums) {
        sums = plan.measures.map(() => 0n)
        cells.set(key, sums)
      }
      for (const [i, measure] of plan.measures.entries()) {
        sums[i] = (sums[i] as bigint) + ('sum' in measure ? summand(record, measure.sum) : one(record, measure.count))
      }
    }
  }
  return cells
}

function summand(record: PlainRecord, measure: string): bigint {
  return record.amounts[measure] ?? 0n
}

function one(record: PlainRecord, counted: string): bigint {
  return counted === 'records' || record.amounts[counted] !== undefined ? 1n : 0n
}

function codeOf(plan: Plan, id: string): CodeOf {
  const dimension = plan.dataset.dimensions[id] as Dimension
  if (dimension.kind !== 'level') return ({ codes }) => codes[id]
  const { of, digits } = dimension
  return ({ codes }) => {
    const written = codes[of]
    return written !== undefined && written.length >= digits ? written.slice(0, digits) : undefined
  }
}

/** The code under which an axis counts a record. */
function place(plan: Plan, axis: Axis): (record: PlainRecord) => string {
  const listed = new Set(axis.codes)
  const code = codeOf(plan, axis.dimension)
  return record => {
    const found = axis.grain === 'year' ? code(record)?.slice(0, 4) : code(record)
    if (found === undefined) return 'unknown'
    return listed.has(found) ? found : 'other'
  }
}

function satisfies(plan: Plan, condition: Condition): (record: PlainRecord) => boolean {
  const dimension = plan.dataset.dimensions[condition.dimension] as Dimension
  const code = codeOf(plan, condition.dimension)
  switch (condition.kind) {
    case 'codes': {
      const wanted = new Set(condition.codes)
      const listed = new Set(dimension.kind === 'period' ? [] : dimension.codeList.codes)
      return record => {
        const found = code(record) ?? 'unknown'
        if (wanted.has(found)) return true
        return wanted.has('other') && found !== 'unknown' && !listed.has(found)
      }
    }
    case 'range': {
      const { from, to } = condition
      return within(code, found => found >= from && found.slice(0, to.length) <= to)
    }
    case 'prefix':
      return within(code, found => found.startsWith(condition.prefix))
  }
}

/** Of a code that has digits or letters to compare: `other` on its own has none. */
function within(code: CodeOf, holds: (found: string) => boolean): (record: PlainRecord) => boolean {
  return record => {
    const found = code(record)
    return found !== undefined && found !== 'other' && holds(found)
  }
}

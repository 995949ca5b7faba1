import { catalogue } from '../datasets/catalogue.ts'
import type { Dataset } from '../datasets/dataset.ts'
import { type Period, periodGrain } from '../period.ts'
import type { Condition, Question } from '../query.ts'

/** What a question says of time: which period, or all of it, and which of its figures are told apart. */
export interface AskedPeriod {
  readonly period: Period | undefined
  /** Of the cells; undefined where they are not told apart by period. */
  readonly grain: 'month' | 'year' | undefined
}

export function askedPeriod(question: Question): AskedPeriod {
  const isPeriod = (id: string) => catalogue.get(question.dataset.id)?.dimensions[id]?.kind === 'period'
  const condition = question.where.find(one => isPeriod(one.dimension))
  const period = condition?.kind === 'range' ? condition : undefined
  return { period, grain: period !== undefined && question.by.some(isPeriod) ? periodGrain(period) : undefined }
}

/**
 * Whether one record could be in both questions, months aside: the pattern rule looks at those itself. When in doubt, yes: `other`,
 * `unknown`, another version of the dataset, another edition of the Harmonized System and no condition at all intersect
 * everything. Measures are not looked at, for a count of records is in every answer.
 */
export function regionsIntersect(one: Question, other: Question): boolean {
  if (one.dataset.id !== other.dataset.id) return false
  const dataset = catalogue.get(one.dataset.id)
  if (dataset === undefined || one.dataset.version !== other.dataset.version) return true
  if (one.hsEdition !== other.hsEdition) return true
  return !one.where.some(left =>
    other.where.some(right => sameSource(dataset, left, right) && areDisjoint(left, right)),
  )
}

/** Whether both conditions are about one column of the source: levels of a hierarchical code are. */
function sameSource(dataset: Dataset, left: Condition, right: Condition): boolean {
  const [ofLeft, ofRight] = [left, right].map(({ dimension }) => {
    const declared = dataset.dimensions[dimension]
    if (declared?.kind === 'period') return undefined
    return declared?.kind === 'level' ? declared.of : dimension
  })
  return ofLeft !== undefined && ofLeft === ofRight
}

/** Both ends included, as code points order them. */
type Interval = readonly [from: string, to: string]

/** After every code that begins with the same characters. */
const LAST = '\uffff'

function areDisjoint(left: Condition, right: Condition): boolean {
  const [ofLeft, ofRight] = [intervals(left), intervals(right)]
  return !ofLeft.some(([from, to]) => ofRight.some(([start, end]) => from <= end && start <= to))
}

/** The codes that satisfy a condition, with everything that begins like them: a finer code lies within its coarser one. */
function intervals(condition: Condition): Interval[] {
  switch (condition.kind) {
    case 'codes':
      if (condition.codes.some(code => code === 'other' || code === 'unknown')) return [['', LAST]]
      return condition.codes.map(code => [code, code + LAST])
    case 'range':
      return [[condition.from, condition.to + LAST]]
    case 'prefix':
      return [[condition.prefix, condition.prefix + LAST]]
  }
}

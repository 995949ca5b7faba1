import { catalogue } from '#specs/datasets/catalogue.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { monthIndex, monthOfIndex, monthsBetween, type Period, periodGrain, periodsBetween } from '#specs/period.ts'
import { type Condition, measureName, type Need, type QueryFile, type Question } from '#specs/query.ts'
import type { Scene } from './expected-cohort.ts'
import type { Forecast } from './forecast.ts'
import { commonMonths, longestRun, monthsAsked } from './months.ts'

/**
 * The single steps by which a question becomes a coarser one: goods and periods less fine, fewer dimensions, measures, months or
 * conditions, another number of members. Each has a weight, so that questions can be ordered by how much of the first is left. None changes what
 * is asked for or who asks.
 */

export interface Coarsening {
  readonly file: QueryFile
  /** What it does, in words. */
  readonly change: string
  readonly weight: number
}

/** Nothing of the figures is lost: more members must be in the answer. */
const MORE_MEMBERS = 1
const LEVEL = 3
const YEARS = 2
const MEASURE = 4
const MONTHS = 4
const AXIS = 6
const MEMBER = 7
/** Figures about other records than those asked about. */
const WIDER = 3
const CONDITION = 12
/** A month more, or less, than was asked about. */
const MONTH = 0.25

/** Every single step from a question, whether it helps or not. @param seen what would become of the question as it is */
export function* coarsenings(file: QueryFile, seen: Forecast, scene: Scene): Iterable<Coarsening> {
  const dataset = catalogue.get(file.question.dataset.id)
  if (dataset === undefined) return
  yield* membersChanged(file, seen, scene)
  yield* coarserGoods(file, dataset)
  yield* yearsAlone(file, dataset)
  yield* fewerMonths(file, seen, dataset)
  yield* fewerMeasures(file)
  yield* fewerDimensions(file)
}

function asking(file: QueryFile, question: Partial<Question>): QueryFile {
  return { ...file, question: { ...file.question, ...question } }
}

function* membersChanged(file: QueryFile, seen: Forecast, { charter, offers }: Scene): Iterable<Coarsening> {
  const needing = (atLeast: number, weight: number): Coarsening => ({
    file: { ...file, need: { atLeast } },
    change: `need: at least ${atLeast} members in place of ${inWords(file.need)}`,
    weight,
  })
  for (const count of new Set([seen.sure, seen.possible])) {
    if (count < seen.needed && count >= charter.minimumCohort) yield needing(count, (seen.needed - count) * MEMBER)
  }
  if (file.need === 'all') return
  const smallest = [...offers.values()].flatMap(one => ('unknown' in one ? [] : [one.policy.smallestCohort]))
  for (const count of new Set(smallest)) {
    if (count > file.need.atLeast && count <= charter.members.length) yield needing(count, MORE_MEMBERS)
  }
}

function inWords(need: Need): string {
  return need === 'all' ? 'all' : `at least ${need.atLeast}`
}

/** A coarser level of a hierarchical code, in cells and conditions alike. */
function* coarserGoods(file: QueryFile, dataset: Dataset): Iterable<Coarsening> {
  const { by, where } = file.question
  const dimensions = [...new Set([...by, ...where.map(one => one.dimension)])]
  const levels = Object.entries(dataset.dimensions).flatMap(([id, one]) =>
    one.kind === 'level' ? [{ id, ...one }] : [],
  )
  const used = levels.filter(one => dimensions.includes(one.id)).toSorted((a, b) => b.digits - a.digits)
  const [finest] = used
  if (finest === undefined) return
  const coarser = levels.filter(one => one.of === finest.of && one.digits < finest.digits)
  for (const { id, digits } of coarser.toSorted((a, b) => b.digits - a.digits)) {
    const finer = used.filter(one => one.of === finest.of && one.digits > digits).map(one => one.id)
    const kept = where.filter(one => !finer.includes(one.dimension))
    const widened = where.filter(one => finer.includes(one.dimension))
    // A condition on the coarser level says already what is asked about.
    const moved = kept.some(one => one.dimension === id)
      ? []
      : widened.slice(0, 1).flatMap(one => shortened(one, id, digits))
    const changed = { by: [...new Set(by.map(one => (finer.includes(one) ? id : one)))], where: [...kept, ...moved] }
    const weight = ((finest.digits - digits) / 2) * LEVEL + widened.length * WIDER
    yield { file: asking(file, changed), change: `${id} in place of ${finer.join(', ')}`, weight }
  }
}

/** The condition on a coarser level that holds wherever this one does; none where there is no such condition. */
function shortened(one: Condition, dimension: string, digits: number): Condition[] {
  const short = (code: string) => code.slice(0, digits)
  switch (one.kind) {
    case 'codes':
      if (one.codes.includes('other') || one.codes.includes('unknown')) return []
      return [{ kind: 'codes', dimension, codes: [...new Set(one.codes.map(short))] }]
    case 'range':
      return [{ kind: 'range', dimension, from: short(one.from), to: short(one.to) }]
    case 'prefix':
      return [{ kind: 'prefix', dimension, prefix: short(one.prefix) }]
  }
}

function periodDimension(dataset: Dataset): string {
  const found = Object.entries(dataset.dimensions).find(([, one]) => one.kind === 'period')
  return found === undefined ? '' : found[0]
}

function withPeriod(file: QueryFile, dataset: Dataset, period: Period): QueryFile {
  const dimension = periodDimension(dataset)
  const condition: Condition = { kind: 'range', dimension, ...period }
  const { where } = file.question
  const isThere = where.some(one => one.dimension === dimension)
  const changed = isThere ? where.map(one => (one.dimension === dimension ? condition : one)) : [...where, condition]
  return asking(file, { where: changed })
}

function describe({ from, to }: Period): string {
  return from === to ? from : `${from} to ${to}`
}

/** The years in which the months lie. */
function* yearsAlone(file: QueryFile, dataset: Dataset): Iterable<Coarsening> {
  const dimension = periodDimension(dataset)
  const asked = file.question.where.find(one => one.dimension === dimension)
  if (asked?.kind !== 'range' || periodGrain(asked) !== 'month') return
  const years = { from: asked.from.slice(0, 4), to: asked.to.slice(0, 4) }
  const added = periodsBetween(monthsBetween(years)).length - periodsBetween(asked).length
  const change = `years, ${describe(years)}, in place of the months ${describe(asked)}`
  yield { file: withPeriod(file, dataset, years), change, weight: YEARS + added * MONTH }
}

/** Months that everybody has; and months that past answers do not stand in the way of. */
function* fewerMonths(file: QueryFile, seen: Forecast, dataset: Dataset): Iterable<Coarsening> {
  const asked = monthsAsked(file.question)
  const common = commonMonths(seen.members.map(one => one.coverage))
  const all = asked ?? common
  if (all === undefined) return
  const exposed = new Set(seen.exposures.flatMap(({ months }) => periodsBetween(months)))
  const outside = longestRun(
    periodsBetween(all)
      .filter(month => !exposed.has(month))
      .map(monthIndex),
  )
  for (const months of [common, outside]) {
    if (months === undefined || (asked !== undefined && describe(months) === describe(asked))) continue
    const lost = asked === undefined ? 0 : periodsBetween(asked).length - periodsBetween(months).length
    const instead = asked === undefined ? 'all months' : describe(asked)
    for (const period of [months, ...wholeYears(months)]) {
      const change = `the period ${describe(period)} in place of ${instead}`
      yield { file: withPeriod(file, dataset, period), change, weight: MONTHS + lost * MONTH }
    }
  }
}

/** The years of which every month is there. */
function wholeYears({ from, to }: Period): Period[] {
  const first = Math.ceil(monthIndex(from) / 12)
  const last = Math.floor((monthIndex(to) + 1) / 12) - 1
  return first > last ? [] : [{ from: monthOfIndex(first * 12).slice(0, 4), to: monthOfIndex(last * 12).slice(0, 4) }]
}

function* fewerMeasures(file: QueryFile): Iterable<Coarsening> {
  const { measures } = file.question
  for (const one of measures) {
    const rest = measures.filter(other => other !== one)
    if (rest.length === 0 && measureName(one) === 'count(records)') continue
    const left = rest.length === 0 ? [{ count: 'records' }] : rest
    const change = rest.length === 0 ? `count(records) in place of ${measureName(one)}` : `without ${measureName(one)}`
    yield { file: asking(file, { measures: left }), change, weight: MEASURE }
  }
}

function* fewerDimensions(file: QueryFile): Iterable<Coarsening> {
  const { by, where } = file.question
  for (const id of by) {
    yield { file: asking(file, { by: by.filter(one => one !== id) }), change: `without ${id} under by`, weight: AXIS }
  }
  for (const { dimension: id } of where) {
    const rest = { by: by.filter(one => one !== id), where: where.filter(one => one.dimension !== id) }
    const change = `without a condition on ${id}${by.includes(id) ? ', and without it under by' : ''}`
    yield { file: asking(file, rest), change, weight: CONDITION }
  }
}

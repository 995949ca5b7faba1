import { z } from 'zod'
import { InbondError } from '#crypto/error.ts'
import { LARGEST_ROSTER } from '#crypto/parameters.ts'
import { purposeCodes } from './code-lists/purposes.ts'
import { datasetCalled } from './datasets/catalogue.ts'
import type { Dataset, Dimension } from './datasets/dataset.ts'
import { monthsBetween, type Period, periodGrain, periodsBetween } from './period.ts'
import { printable } from './printable.ts'
import { describeIssues, inWords } from './wording.ts'
import { readYaml } from './yaml.ts'

/** The most slots (cells × measures) that one query may have. */
export const MOST_SLOTS = 2_000_000

/** What a record must satisfy. A record without a valid code satisfies no condition on that dimension. */
export type Condition = z.infer<typeof condition>

const code = z.string().min(1).max(64)
const dimensionId = z.string().min(1).max(64)
const condition = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('codes'), dimension: dimensionId, codes: z.array(code).min(1).max(10_000) }),
  z.strictObject({ kind: z.literal('range'), dimension: dimensionId, from: code, to: code }),
  z.strictObject({ kind: z.literal('prefix'), dimension: dimensionId, prefix: code }),
])

const measure = z.union([z.strictObject({ count: z.string().max(64) }), z.strictObject({ sum: z.string().max(64) })])
/** `{ count: 'records' }`, `{ count: 'netMass' }` (records where it is not empty) or `{ sum: 'value' }`. */
export type Measure = z.infer<typeof measure>

/** A question as it is signed: the query file with every default and shorthand written out. */
export const question = z.strictObject({
  dataset: z.strictObject({ id: z.string().max(64), version: z.int().positive() }),
  /** Edition of the Harmonized System that HS codes in conditions and cells belong to. */
  hsEdition: z.literal('HS2022'),
  where: z.array(condition).max(32),
  by: z.array(dimensionId).max(8),
  measures: z.array(measure).min(1).max(16),
  purpose: printable.min(3).max(500),
  /** What the purpose comes to, for policies. The first release did not state it. */
  purposeCode: z.enum(purposeCodes).default('research'),
})
export type Question = z.infer<typeof question>

const atLeast = z.int().min(1).max(LARGEST_ROSTER)
export const need = z.union([z.literal('all'), z.strictObject({ atLeast })])
export type Need = z.infer<typeof need>

export interface QueryFile {
  readonly question: Question
  readonly need: Need
  /** How long the round stays open at most, in milliseconds. */
  readonly closesAfter: number
}

const text = z.string()
const fileCondition = z.union([text, z.array(text).min(1), z.strictObject({ from: text, to: text })], {
  error: 'must be a code, a list of codes, a prefix such as 85*, or { from, to }',
})
const fileMeasure = z.union([z.strictObject({ count: text }), z.strictObject({ sum: text })], {
  error: 'must be { count: records }, { count: MEASURE } or { sum: MEASURE }',
})
/** Digits alone: a conversion would take 0x4, [4] and an empty line for numbers. */
const wholeNumber = z
  .string()
  .regex(/^\d{1,9}$/)
  .transform(Number)
const fileNeed = z.union([z.literal('all'), z.strictObject({ atLeast: wholeNumber.pipe(atLeast) })], {
  error: 'must be all, or { atLeast: 4 }',
})
const queryFile = z.strictObject({
  dataset: text,
  where: z.record(text, fileCondition).default({}),
  by: z.array(text).default([]),
  measures: z.array(fileMeasure).min(1),
  purpose: text,
  purposeCode: z.enum(purposeCodes).default('research'),
  need: fileNeed.default('all'),
  closes: text.default('24h'),
})

function refuse(message: string): never {
  throw new InbondError('bad-query', message)
}

/**
 * Reads a query file.
 * @throws InbondError `bad-query`, `unknown-dataset`
 */
export function parseQueryFile(yaml: string): QueryFile {
  const document = readYaml(yaml, { name: 'the query', code: 'bad-query', schema: 'failsafe' })
  const parsed = queryFile.safeParse(document ?? {}, { error: inWords })
  if (!parsed.success) refuse(`the query file does not fit: ${describeIssues(parsed.error, 'it')}`)
  const file = parsed.data
  const dataset = datasetCalled(file.dataset)
  const asked: Question = {
    dataset: { id: dataset.id, version: dataset.version },
    hsEdition: 'HS2022',
    where: Object.entries(file.where).map(([dimension, value]) => readCondition(dataset, dimension, value)),
    by: file.by,
    measures: file.measures,
    purpose: file.purpose,
    purposeCode: file.purposeCode,
  }
  const checked = question.safeParse(asked, { error: inWords })
  if (!checked.success) refuse(`the query goes beyond a limit: ${describeIssues(checked.error)}`)
  plan(asked)
  return { question: asked, need: file.need, closesAfter: parseDuration(file.closes) }
}

function readCondition(dataset: Dataset, dimension: string, value: z.infer<typeof fileCondition>): Condition {
  const isPeriod = dimensionOf(dataset, dimension).kind === 'period'
  if (typeof value === 'object' && !Array.isArray(value)) return { kind: 'range', dimension, ...value }
  if (Array.isArray(value)) {
    if (isPeriod) refuse('a period is one month, one year or a range { from, to }, not a list')
    return { kind: 'codes', dimension, codes: value }
  }
  if (isPeriod) return { kind: 'range', dimension, from: value, to: value }
  if (value.endsWith('*')) return { kind: 'prefix', dimension, prefix: value.slice(0, -1) }
  return { kind: 'codes', dimension, codes: [value] }
}

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SHORTEST_CLOSES = 1000
/** From the opening of a round to its closing, in milliseconds. */
export const LONGEST_CLOSES = 7 * UNITS.d

/** `90s`, `30m`, `24h`, `7d` to milliseconds. @throws InbondError `bad-query` */
export function parseDuration(text: string): number {
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const duration = Number(amount) * (UNITS[unit as keyof typeof UNITS] ?? Number.NaN)
  if (duration >= SHORTEST_CLOSES && duration <= LONGEST_CLOSES) return duration
  return refuse(`closes: ${text} is not a time between 1s and 7d, such as 90s, 30m, 24h or 7d`)
}

function dimensionOf(dataset: Dataset, id: string): Dimension {
  const dimension = Object.hasOwn(dataset.dimensions, id) ? dataset.dimensions[id] : undefined
  if (dimension) return dimension
  const known = Object.keys(dataset.dimensions).join(', ')
  return refuse(`${dataset.id} has no dimension "${id}"; it has ${known}`)
}

/** A dimension of the cells: its codes, after which come `other` (valid, but not among them) and `unknown`. */
export interface Axis {
  readonly dimension: string
  readonly codes: readonly string[]
  /** For the period: whether the codes are months or years. */
  readonly grain?: 'month' | 'year'
}

/** What a question means to everybody who computes it: the order of cells and slots is part of the protocol. */
export interface Plan {
  readonly dataset: Dataset
  readonly where: readonly Condition[]
  readonly axes: readonly Axis[]
  /** What is encrypted: the presence count `{ count: 'records' }` first, then what was asked, without repetition. */
  readonly measures: readonly Measure[]
  /** The product of the axes' lengths; slot = measure × cells + cell, cells in row-major order of the axes. */
  readonly cells: number
  readonly slots: number
  /** The months that the question is about, first and last included, or undefined if it names none. */
  readonly months: Period | undefined
}

/**
 * Checks a question against its dataset and lays out its cells.
 * @throws InbondError `bad-query`, `unknown-dataset`, `too-many-slots`
 */
export function plan(asked: Question): Plan {
  const dataset = datasetCalled(asked.dataset.id)
  if (asked.dataset.version !== dataset.version) {
    refuse(
      `the question is about version ${asked.dataset.version} of ${dataset.id}; this is version ${dataset.version}`,
    )
  }
  checkDistinct('by', asked.by)
  checkDistinct(
    'where',
    asked.where.map(one => one.dimension),
  )
  for (const one of asked.where) checkCondition(dataset, one)
  const period = asked.where.find(one => dataset.dimensions[one.dimension]?.kind === 'period')
  const axes = asked.by.map(id => axis(dataset, asked, id))
  const measures = wireMeasures(dataset, asked)
  const cells = axes.reduce((product, one) => product * axisLength(one), 1)
  const slots = cells * measures.length
  if (slots > MOST_SLOTS) {
    const sizes = axes.map(one => `${one.dimension} ${axisLength(one)}`).join(' × ')
    throw new InbondError(
      'too-many-slots',
      `${sizes} × ${measures.length} measures (the count of records included) are ${slots} slots; at most ${MOST_SLOTS} are allowed`,
    )
  }
  const months = period?.kind === 'range' ? monthsBetween(period) : undefined
  return { dataset, where: asked.where, axes, measures, cells, slots, months }
}

export function axisLength(one: Axis): number {
  return one.codes.length + 2
}

function checkDistinct(where: string, ids: readonly string[]): void {
  const twice = ids.find((id, i) => ids.indexOf(id) !== i)
  if (twice !== undefined) refuse(`${where} names ${twice} twice`)
}

function checkCondition(dataset: Dataset, one: Condition): void {
  const dimension = dimensionOf(dataset, one.dimension)
  if (dimension.kind === 'period') {
    if (one.kind !== 'range') refuse(`${one.dimension} takes a month, a year or a range { from, to }`)
    else if (periodGrain(one) === undefined) {
      refuse(`${one.dimension} from ${one.from} to ${one.to} is not a range of months (2020-01) or of years (2020)`)
    }
    return
  }
  const { codeList } = dimension
  if (one.kind === 'codes') {
    const strange = one.codes.find(code => !codeList.codes.includes(code) && code !== 'other' && code !== 'unknown')
    if (strange !== undefined) {
      const meant = codeList.recognise(strange)
      const hint = meant ? `; do you mean "${meant}"?` : `, such as ${codeList.codes.slice(0, 5).join(', ')}`
      refuse(`${one.dimension}: "${strange}" is not a code of the list ${codeList.id}${hint}`)
    }
  } else if (one.kind === 'prefix') {
    if (!codeList.codes.some(code => code.startsWith(one.prefix))) {
      refuse(`${one.dimension}: no code of the list ${codeList.id} begins with "${one.prefix}"`)
    }
  } else if (one.from > one.to || !codeList.codes.some(code => code >= one.from && code <= one.to)) {
    refuse(`${one.dimension}: no code of the list ${codeList.id} lies from "${one.from}" to "${one.to}"`)
  }
}

function axis(dataset: Dataset, asked: Question, id: string): Axis {
  const dimension = dimensionOf(dataset, id)
  if (dimension.kind === 'period') {
    const period = asked.where.find(one => one.dimension === id)
    if (period?.kind !== 'range') return refuse(`by ${id} needs where.${id}, which says which months or years`)
    const grain = periodGrain(period) as 'month' | 'year'
    return { dimension: id, codes: periodsBetween(period), grain }
  }
  const codes = dimension.codeList.codes.filter(code =>
    asked.where.every(one => mayHold(one, dataset.dimensions[one.dimension] as Dimension, id, dimension, code)),
  )
  return { dimension: id, codes }
}

/** Whether a record with `code` on dimension `id` can satisfy a condition; a condition on a coarser level decides too. */
function mayHold(one: Condition, on: Dimension, id: string, dimension: Dimension, code: string): boolean {
  if (one.dimension === id) return satisfies(one, code)
  const coarser =
    on.kind === 'level' && dimension.kind === 'level' && on.of === dimension.of && on.digits < dimension.digits
  return coarser ? satisfies(one, code.slice(0, on.digits)) || listsOther(one) : true
}

/** A listed code under a coarser code that is not listed itself is possible, so `other` keeps every code. */
function listsOther(one: Condition): boolean {
  return one.kind === 'codes' && one.codes.includes('other')
}

function satisfies(one: Condition, code: string): boolean {
  switch (one.kind) {
    case 'codes':
      return one.codes.includes(code)
    case 'range':
      return code >= one.from && code <= one.to
    case 'prefix':
      return code.startsWith(one.prefix)
  }
}

/** `sum(value)`: how a measure is called in tables. */
export function measureName(one: Measure): string {
  return 'sum' in one ? `sum(${one.sum})` : `count(${one.count})`
}

function wireMeasures(dataset: Dataset, asked: Question): Measure[] {
  checkDistinct('measures', asked.measures.map(measureName))
  for (const one of asked.measures) {
    const id = 'sum' in one ? one.sum : one.count
    if ('count' in one && id === 'records') continue
    const declared = Object.hasOwn(dataset.measures, id) ? dataset.measures[id] : undefined
    if (!declared) {
      const known = Object.keys(dataset.measures)
      return refuse(`${dataset.id} has no measure "${id}"; it has ${known.join(', ')}, and count: records`)
    }
    const within = declared.onlyWithin
    if ('sum' in one && within !== undefined && !asked.by.includes(within) && !isOneCode(asked, within)) {
      refuse(`${id} adds up only within one ${within}: put ${within} under by, or one code of it under where`)
    }
  }
  const presence: Measure = { count: 'records' }
  return [presence, ...asked.measures.filter(one => measureName(one) !== measureName(presence))]
}

function isOneCode(asked: Question, dimension: string): boolean {
  const isListed = (code: string | undefined) => code !== undefined && code !== 'other' && code !== 'unknown'
  return asked.where.some(
    one => one.dimension === dimension && one.kind === 'codes' && one.codes.length === 1 && isListed(one.codes[0]),
  )
}

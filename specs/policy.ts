import { z } from 'zod'
import { purposeCodes } from './code-lists/purposes.ts'
import { catalogue } from './datasets/catalogue.ts'
import type { Dataset } from './datasets/dataset.ts'
import { periodGrain } from './period.ts'
import { printable } from './printable.ts'
import { measureName, type Need, type Plan, parseDuration, plan, type Question } from './query.ts'

/**
 * What a member's policy says of questions, whatever its figures are: the part of it that whoever asks may see beforehand, and
 * `judge`, which everybody computes alike. What concerns a member's own records stays in its node: member-node/policy.ts.
 */

/** Who has to consent before a question is answered, from the laxest to the strictest. */
export const approvals = ['automatic', 'one person', 'two people', 'refused'] as const
export type Approval = (typeof approvals)[number]
export const approval = z.enum(approvals)

/** The stricter of two. */
export function stricter(one: Approval, other: Approval): Approval {
  return isLaxer(one, other) ? other : one
}

function isLaxer(one: Approval, other: Approval): boolean {
  return approvals.indexOf(one) <= approvals.indexOf(other)
}

const datasets: readonly Dataset[] = [...catalogue.values()]
const datasetIds = datasets.map(one => one.id)
const dimensionIds = [...new Set(datasets.flatMap(one => Object.keys(one.dimensions)))]
const measureNames = [
  ...new Set(datasets.flatMap(one => Object.keys(one.measures).flatMap(id => [`count(${id})`, `sum(${id})`]))),
]

const some = <S extends z.ZodType>(item: S) => z.array(item).max(1000)
const allOrSome = <S extends z.ZodType>(item: S) =>
  z.union([z.literal('all'), some(item)], {
    error: issue => (issue.input === undefined ? 'is missing' : 'must be all, or a list of those that there are'),
  })
const name = printable.min(1).max(200)
const dimensions = allOrSome(z.enum(dimensionIds))
/** `count(records)` is part of every answer. */
const measures = allOrSome(z.enum(['count(records)', ...measureNames]))
const grain = z.enum(['month', 'year'])

/** A time such as `48h`, from a second to seven days. */
export const period = z
  .string()
  .regex(/^\d{1,6}[smhd]$/, 'must be a time such as 90s, 30m, 24h or 7d')
  .refine(isDuration, 'must be a time between 1s and 7d')

function isDuration(text: string): boolean {
  try {
    return parseDuration(text) > 0
  } catch {
    return false
  }
}

/** A shape of questions. One fits that has no dimension, condition or measure beside those named, and no finer periods. */
const template = z.strictObject({
  name: printable.min(1).max(100).describe('How refusals and the queue call it.'),
  dataset: z.enum(datasetIds),
  by: dimensions.describe('Dimensions that cells may have.'),
  where: dimensions.describe('Dimensions that may be filtered.'),
  measures: measures.describe('As answers call them; count(records) is always one.'),
  periods: grain.describe('The finest, in cells and filters.'),
  approval: z.enum(['automatic', 'one person', 'two people']),
})
export type Template = z.infer<typeof template>

export const publicPolicy = z.strictObject({
  organisations: allOrSome(name).describe("Organisations of a researcher's certificate that may ask."),
  roles: allOrSome(name).describe("Roles of a researcher's certificate that may ask."),
  purposes: allOrSome(z.enum(purposeCodes)).describe('Purposes that may be asked for.'),
  datasets: allOrSome(z.enum(datasetIds)).describe('Datasets that may be asked about.'),
  dimensions: dimensions.describe('Dimensions that cells and filters may have.'),
  mostDimensions: z.int().min(0).max(8).describe('The most dimensions that the cells of one question may have.'),
  hsDigits: z.literal([2, 4, 6]).describe('The finest level of the Harmonized System, in cells and filters.'),
  mostDimensionsAtFinest: z.int().min(0).max(8).describe('The most dimensions of cells where six digits are used.'),
  periods: grain.describe('The finest periods, in cells and filters.'),
  measures: measures.describe('Measures that may be asked for; count(records) is part of every answer.'),
  smallestCohort: z.int().min(3).describe('Members that must be in the answer, this one included.'),
  questionsADay: z.int().min(0).describe('Questions answered in any 24 hours.'),
  templates: some(template).describe(
    'Shapes of questions, each with the consent that it takes. Their order is of no matter.',
  ),
  otherwise: approval.describe('What it takes to answer a question that fits no template.'),
  expires: period.describe('How long a question waits for a person at most; then it is refused.'),
})
export type PublicPolicy = z.infer<typeof publicPolicy>

/** What is known of a question when it is judged. */
export interface Asked {
  readonly question: Question
  readonly need: Need
  /** Of the researcher's certificate. */
  readonly organisation: string | null
  readonly role: string | null
  /** Who may be in the answer, or undefined where that is not known yet. */
  readonly eligible: number | undefined
  /** The charter's. */
  readonly minimumCohort: number
  /** Rounds that the member answered in the last 24 hours. */
  readonly answeredToday: number
}

export interface Judgement {
  readonly approval: Approval
  /** The template that it fits; of several the laxest. */
  readonly template: string | undefined
  /** Why it is refused, or why it takes a person; nothing where it is automatic. */
  readonly reasons: readonly string[]
}

/**
 * What a policy says of a question. Default deny: every line must allow it.
 * @throws InbondError `bad-query`, `unknown-dataset`, `too-many-slots` for a question that is none
 */
export function judge(policy: PublicPolicy, asked: Asked): Judgement {
  const laid = plan(asked.question)
  const objections = [...objectionsToWhom(policy, asked), ...objectionsToWhat(policy, laid), ...limits(policy, asked)]
  if (objections.length > 0) return { approval: 'refused', template: undefined, reasons: objections }
  const fitting = policy.templates.filter(one => misfit(one, laid) === undefined)
  const [laxest] = fitting.toSorted((a, b) => approvals.indexOf(a.approval) - approvals.indexOf(b.approval))
  // A template permits: it never makes a question harder than the rest of the questions are.
  const taken = laxest !== undefined && isLaxer(laxest.approval, policy.otherwise) ? laxest : undefined
  const needed = taken?.approval ?? policy.otherwise
  const misfits = policy.templates.map(one => `"${one.name}", ${misfit(one, laid) ?? 'which takes more'}`)
  const why = taken === undefined ? `it fits no template${listed(misfits)}` : `it fits the template "${taken.name}"`
  const reasons = needed === 'automatic' ? [] : [needed === 'refused' ? why : `${why}: ${needed} must approve`]
  return { approval: needed, template: taken?.name, reasons }
}

function listed(misfits: readonly string[]): string {
  return misfits.length === 0 ? '' : ` (not ${misfits.join('; not ')})`
}

function allows(line: 'all' | readonly string[], one: string | null): boolean {
  return line === 'all' || (one !== null && line.includes(one))
}

function* objectionsToWhom(policy: PublicPolicy, { question, organisation, role }: Asked): Iterable<string> {
  if (!allows(policy.organisations, organisation)) {
    yield organisation === null ? 'who asks must be of an organisation that may' : `${organisation} may not ask`
  }
  if (!allows(policy.roles, role)) {
    yield role === null ? 'who asks must have a role that may' : `whose role is "${role}" may not ask`
  }
  if (!allows(policy.purposes, question.purposeCode)) yield `nothing is answered for ${question.purposeCode}`
}

function* objectionsToWhat(policy: PublicPolicy, laid: Plan): Iterable<string> {
  const { dataset } = laid
  if (!allows(policy.datasets, dataset.id)) yield `${dataset.id} may not be asked about`
  const axes = laid.axes.map(one => one.dimension)
  const used = [...new Set([...axes, ...laid.where.map(one => one.dimension)])]
  const hidden = used.filter(id => !allows(policy.dimensions, id))
  if (hidden.length > 0) yield `records may not be told apart by ${hidden.join(', ')}`
  if (axes.length > policy.mostDimensions)
    yield `a question may have ${policy.mostDimensions} dimensions; this one has ${axes.length}`
  const digits = Math.max(0, ...used.map(id => digitsOf(dataset, id)))
  if (digits > policy.hsDigits) yield `goods may be told apart by ${policy.hsDigits} digits of the HS, not by ${digits}`
  if (digits === 6 && axes.length > policy.mostDimensionsAtFinest) {
    yield `at six digits of the HS a question may have ${policy.mostDimensionsAtFinest} dimensions; this one has ${axes.length}`
  }
  if (isFiner(laid, policy.periods)) yield 'periods may be told apart by year, not by month'
  const measured = otherMeasures(laid, policy.measures)
  if (measured.length > 0) yield `${measured.join(', ')} may not be asked for`
}

function* limits(policy: PublicPolicy, { need, eligible, minimumCohort, answeredToday }: Asked): Iterable<string> {
  const smallest = need === 'all' ? eligible : Math.max(need.atLeast, minimumCohort)
  if (smallest !== undefined && smallest < policy.smallestCohort)
    yield `an answer must have ${policy.smallestCohort} members; this one may have ${smallest}`
  if (answeredToday >= policy.questionsADay) yield dayIsFull(policy)
}

export function dayIsFull({ questionsADay }: PublicPolicy): string {
  return `${questionsADay} questions were answered in the last 24 hours`
}

function digitsOf(dataset: Dataset, id: string): number {
  const declared = dataset.dimensions[id]
  return declared?.kind === 'level' ? declared.digits : 0
}

/** Whether months are told apart where only years may be. */
function isFiner(laid: Plan, finest: 'month' | 'year'): boolean {
  if (finest === 'month') return false
  const isMonthly = laid.where.some(
    one => one.kind === 'range' && isPeriod(laid, one.dimension) && periodGrain(one) === 'month',
  )
  return isMonthly || laid.axes.some(one => one.grain === 'month')
}

function isPeriod({ dataset }: Plan, id: string): boolean {
  return dataset.dimensions[id]?.kind === 'period'
}

/** Measures of a question beside those allowed and the count of records. */
function otherMeasures(laid: Plan, allowed: 'all' | readonly string[]): string[] {
  return laid.measures.map(measureName).filter(one => one !== 'count(records)' && !allows(allowed, one))
}

/** Why a question is not of a template's shape, or undefined if it is. */
function misfit(one: Template, laid: Plan): string | undefined {
  if (one.dataset !== laid.dataset.id) return `which is about ${one.dataset}`
  const by = laid.axes.map(axis => axis.dimension).filter(id => !allows(one.by, id))
  if (by.length > 0) return `which has no cells by ${by.join(', ')}`
  const where = laid.where.map(condition => condition.dimension).filter(id => !allows(one.where, id))
  if (where.length > 0) return `which has no filter on ${where.join(', ')}`
  const measured = otherMeasures(laid, one.measures)
  if (measured.length > 0) return `which has no ${measured.join(', ')}`
  return isFiner(laid, one.periods) ? 'which has no months' : undefined
}

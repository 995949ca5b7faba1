import { z } from 'zod'
import { fault } from '#specs/errors.ts'
import type { VerifiedRound } from '#specs/rules/round.ts'
import { describeIssues, inWords } from '#specs/wording.ts'
import { readYaml } from '#specs/yaml.ts'

const digits = z
  .string()
  .regex(/^\d{1,9}$/)
  .transform(Number)
/** As YAML of strings has it. Not by coercion, which would read an empty line as 0. */
const whole = z.union([z.int(), digits], {
  error: issue => (issue.input === undefined ? 'is missing' : 'must be a whole number'),
})

/**
 * What this node answers. Default deny: a question is answered only if every line of the policy allows it. A policy file is
 * YAML with these fields; `open` and `standard` are two policies of the same kind.
 */
export const policy = z.strictObject({
  /** Datasets that may be asked about, or `all`. */
  datasets: z.union([z.literal('all'), z.array(z.string())]),
  /** The most dimensions that the cells of one question may have. */
  dimensions: whole.pipe(z.int().min(0).max(8)),
  /** The finest level of the Harmonized System, in digits, for cells and for filters. */
  hsDigits: whole.pipe(z.literal([2, 4, 6])),
  /** At the finest level a question may not have more dimensions than this. */
  dimensionsAtFinest: whole.pipe(z.int().min(0).max(8)),
  /** Members that must be in the answer, this one included. */
  smallestCohort: whole.pipe(z.int().min(3)),
  /** Questions answered in any 24 hours. */
  questionsADay: whole.pipe(z.int().min(0)),
  /** Whether this member accepts that answers together tell it apart, where it joined, left or revised its data alone. */
  alone: z.union([z.boolean(), z.literal(['true', 'false']).transform(text => text === 'true')]).default(false),
})
export type Policy = z.infer<typeof policy>

/** Answers everything that the charter allows: for trying out. */
const open: Policy = {
  datasets: 'all',
  dimensions: 8,
  hsDigits: 6,
  dimensionsAtFinest: 8,
  smallestCohort: 3,
  questionsADay: 1_000_000,
  alone: true,
}

/** Tables as statistical offices publish them: few dimensions, fine goods codes only on their own. */
const standard: Policy = {
  datasets: 'all',
  dimensions: 3,
  hsDigits: 6,
  dimensionsAtFinest: 1,
  smallestCohort: 3,
  questionsADay: 50,
  alone: false,
}

export const presets: Readonly<Record<string, Policy>> = { open, standard }

/** @throws InbondError `bad-policy` */
export function parsePolicy(yaml: string): Policy {
  const document = readYaml(yaml, { name: 'the policy', code: 'bad-policy', schema: 'failsafe' })
  const parsed = policy.safeParse(document ?? {}, { error: inWords })
  if (parsed.success) return parsed.data
  throw fault('bad-policy', `the policy does not fit: ${describeIssues(parsed.error, 'it')}`)
}

/**
 * Why this node does not answer a round, or undefined if it does.
 * @param answeredToday rounds that it answered in the last 24 hours
 */
export function objection(rules: Policy, round: VerifiedRound, answeredToday: number): string | undefined {
  const { plan, query, charter } = round
  const dataset = plan.dataset
  if (!charter.payload.datasets.some(one => one.id === dataset.id && one.version === dataset.version)) {
    return `the charter does not cover ${dataset.id}, version ${dataset.version}`
  }
  if (rules.datasets !== 'all' && !rules.datasets.includes(dataset.id)) return `${dataset.id} may not be asked about`
  const axes = plan.axes.map(axis => axis.dimension)
  if (axes.length > rules.dimensions)
    return `a question may have ${rules.dimensions} dimensions; this one has ${axes.length}`
  const digits = [...axes, ...plan.where.map(one => one.dimension)].map(id => levelOf(round, id))
  const finest = Math.max(0, ...digits)
  if (finest > rules.hsDigits) return `goods may be told apart by ${rules.hsDigits} digits of the HS, not by ${finest}`
  if (finest === 6 && axes.length > rules.dimensionsAtFinest) {
    return `at six digits of the HS a question may have ${rules.dimensionsAtFinest} dimensions; this one has ${axes.length}`
  }
  const { need } = query.payload
  const smallest = need === 'all' ? round.round.eligible.length : Math.max(need.atLeast, charter.payload.minimumCohort)
  if (smallest < rules.smallestCohort)
    return `an answer must have ${rules.smallestCohort} members; this one may have ${smallest}`
  if (answeredToday >= rules.questionsADay) return `${rules.questionsADay} questions were answered in the last 24 hours`
  return undefined
}

function levelOf(round: VerifiedRound, dimension: string): number {
  const declared = round.plan.dataset.dimensions[dimension]
  return declared?.kind === 'level' ? declared.digits : 0
}

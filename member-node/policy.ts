import { z } from 'zod'
import { fault } from '#specs/errors.ts'
import { type Approval, approval, type PublicPolicy, period, publicPolicy, stricter } from '#specs/policy.ts'
import { printable } from '#specs/printable.ts'
import { describeIssues, inWords } from '#specs/wording.ts'
import { readYaml } from '#specs/yaml.ts'

/** Who decides about questions that take a person: its name, and the public half of a key of its own. */
const steward = z.strictObject({
  name: printable.min(1).max(100),
  key: z.string().regex(/^[\w-]{43}$/, 'must be the key that "inbond member steward" printed'),
})
export type Steward = z.infer<typeof steward>

const stewards = z.array(steward).max(50)
const records = z.int().min(0).max(1_000_000)

/**
 * What this node answers, a YAML file: what it says of questions (specs/policy.ts), and what stays at home: who decides, and
 * when the node's own records forbid an answer. Every line must stand there: nothing is allowed by silence.
 */
const fields = publicPolicy.extend({
  stewards: stewards.describe('Who may approve and refuse.'),
  deputies: stewards.describe('Who may as well, once a question has waited for a while.'),
  deputiesAfter: period.describe('How long a question waits before deputies may decide.'),
  ownCells: z
    .strictObject({
      records: records.describe('Fewer records of this node in a cell are too few.'),
      traders: records.describe(
        'Fewer traders of this node in a cell are too few. Records without a trader count as none.',
      ),
      dominance: z
        .int()
        .min(1)
        .max(100)
        .describe("The largest share, in percent, that one trader may have of this node's part of a cell."),
      otherwise: approval.describe(
        'What it takes to answer where a cell is not so. With automatic it is not looked at.',
      ),
    })
    .describe("What this node's own part of an answer must be like."),
  overlap: z
    .strictObject({
      records: records.describe('Fewer records in the difference of two answers are too few.'),
      traders: records.describe('Fewer traders in the difference of two answers are too few.'),
      days: z.int().min(1).max(36_500).describe('How far back earlier answers are compared with.'),
      otherwise: approval.describe('What it takes to answer nevertheless. With automatic it is not looked at.'),
    })
    .describe("How much of this node's records two answers must differ in, if they differ in a filter."),
  alone: z
    .boolean()
    .describe(
      'Whether this member accepts that answers together tell it apart, where it joined, left or revised its data alone.',
    ),
  published: z
    .boolean()
    .default(true)
    .describe('Whether researchers see beforehand which questions it answers, and from which months.'),
})

export const policy = fields.superRefine((read, context) => {
  const people = [...read.stewards, ...read.deputies]
  for (const field of ['name', 'key'] as const) {
    const twice = people.find((one, i) => people.findIndex(other => other[field] === one[field]) !== i)
    const message = field === 'name' ? `${twice?.name} is there twice` : `${twice?.name} has the key of somebody else`
    if (twice) context.addIssue({ code: 'custom', path: ['stewards'], message })
  }
  const needed = mostHands(read)
  if (people.length < needed) {
    const message = `must be ${needed} with the deputies, for ${needed === 1 ? 'one person has' : 'two people have'} to approve`
    context.addIssue({ code: 'custom', path: ['stewards'], message })
  }
})
export type Policy = z.infer<typeof policy>

/** The policy by which a question is judged. */
export interface PolicyInForce {
  readonly rules: Policy
  /** 1 for a node's first, and one more with every change. */
  readonly version: number
  /** SHA-256 of its text, in hex: what consents and refusals name. */
  readonly hash: string
}

/** How many people must approve. */
export function hands(one: z.infer<typeof approval>): number {
  return one === 'two people' ? 2 : one === 'one person' ? 1 : 0
}

/** How many people must approve, at most, what a policy leaves to people. */
function mostHands(read: z.infer<typeof fields>): number {
  const templates = read.templates.map(one => one.approval)
  return Math.max(...[read.otherwise, read.ownCells.otherwise, read.overlap.otherwise, ...templates].map(hands))
}

/**
 * How many stewards of a policy must sign another one before it follows: as many people as it asks for anywhere, but at least one, and
 * no more than it has. None where it names no stewards.
 */
export function signaturesToFollow(rules: Policy): number {
  return Math.min(rules.stewards.length, Math.max(1, mostHands(rules)))
}

/** Answers everything that the charter allows: for trying out. */
const open: Policy = {
  organisations: 'all',
  roles: 'all',
  purposes: 'all',
  datasets: 'all',
  dimensions: 'all',
  mostDimensions: 8,
  hsDigits: 6,
  mostDimensionsAtFinest: 8,
  periods: 'month',
  measures: 'all',
  smallestCohort: 3,
  questionsADay: 1_000_000,
  templates: [],
  otherwise: 'automatic',
  expires: '24h',
  stewards: [],
  deputies: [],
  deputiesAfter: '12h',
  ownCells: { records: 3, traders: 3, dominance: 85, otherwise: 'automatic' },
  overlap: { records: 3, traders: 3, days: 365, otherwise: 'automatic' },
  alone: true,
  published: true,
}

/** Tables as statistical offices publish them: few dimensions, fine goods codes only on their own. Nobody needs to approve. */
const standard: Policy = { ...open, mostDimensions: 3, mostDimensionsAtFinest: 1, questionsADay: 50, alone: false }

export const presets: Readonly<Record<string, Policy>> = { open, standard }

/** What the first release knew. Such a file is read as what it said: it knew neither who asks nor people who decide. */
const firstPolicy = z
  .strictObject({
    datasets: publicPolicy.shape.datasets,
    dimensions: publicPolicy.shape.mostDimensions,
    hsDigits: publicPolicy.shape.hsDigits,
    dimensionsAtFinest: publicPolicy.shape.mostDimensionsAtFinest,
    smallestCohort: publicPolicy.shape.smallestCohort,
    questionsADay: publicPolicy.shape.questionsADay,
  })
  .transform(
    ({ dimensions, dimensionsAtFinest, ...same }): Policy => ({
      ...open,
      ...same,
      mostDimensions: dimensions,
      mostDimensionsAtFinest: dimensionsAtFinest,
      alone: false,
    }),
  )

/** @throws InbondError `bad-policy` */
export function parsePolicy(yaml: string): Policy {
  const document = readYaml(yaml, { name: 'the policy', code: 'bad-policy', schema: 'core' }) ?? {}
  const isFirst = typeof document === 'object' && 'dimensionsAtFinest' in document
  const parsed = (isFirst ? firstPolicy : policy).safeParse(document, { error: inWords })
  if (parsed.success) return parsed.data
  throw fault('bad-policy', `the policy does not fit: ${describeIssues(parsed.error, 'it')}`)
}

/** The part of a policy that whoever asks may see: nothing of who decides, and nothing of the node's own records. */
export function published(rules: Policy): PublicPolicy {
  const said = Object.keys(publicPolicy.shape) as (keyof PublicPolicy)[]
  return publicPolicy.parse(Object.fromEntries(said.map(field => [field, rules[field]])))
}

/** The strictest of what it may take where this node's own records are not as a policy wants them. */
export function ownRecordsTake({ ownCells, overlap }: Policy): Approval {
  return stricter(ownCells.otherwise, overlap.otherwise)
}

/** The JSON schema of a policy file, for editors: specs/policy.schema.json. */
export function policySchema(): object {
  const { $schema, ...rest } = z.toJSONSchema(fields, { io: 'input' })
  return { $schema, title: 'Policy of a member node of Inbond', ...rest }
}

import fc from 'fast-check'
import { InbondError } from '#crypto/error.ts'
import { declarations } from '#specs/datasets/declarations.ts'
import { approvals, type PublicPolicy } from '#specs/policy.ts'
import { parseQueryFile, type QueryFile } from '#specs/query.ts'

/** Policies and questions of every kind. */

/** Allows every question to everybody. */
export const EVERYTHING: PublicPolicy = {
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
  questionsADay: 1000,
  templates: [],
  otherwise: 'automatic',
  expires: '24h',
}

const DIMENSIONS = Object.keys(declarations.dimensions)
const MEASURES = ['sum(value)', 'sum(netMass)', 'count(netMass)', 'sum(duty)'] as const
const some = <T>(items: readonly T[]) => fc.oneof(fc.constant('all' as const), fc.subarray([...items]))

const template = fc.record({
  name: fc.constantFrom('by chapter', 'totals'),
  dataset: fc.constant('declarations'),
  by: some(DIMENSIONS),
  where: some(DIMENSIONS),
  measures: some(MEASURES),
  periods: fc.constantFrom('month', 'year'),
  approval: fc.constantFrom('automatic', 'one person', 'two people'),
})

/** Mostly open, with a few lines that are not. */
export const policy = fc
  .record(
    {
      organisations: fc.constantFrom(['OECD'], ['Institute of tests']),
      purposes: fc.constantFrom(['research' as const], ['risk-analysis' as const]),
      dimensions: some(DIMENSIONS),
      mostDimensions: fc.nat(3),
      hsDigits: fc.constantFrom(2, 4, 6),
      mostDimensionsAtFinest: fc.nat(2),
      periods: fc.constantFrom('month', 'year'),
      measures: some(MEASURES),
      smallestCohort: fc.integer({ min: 3, max: 6 }),
      questionsADay: fc.constantFrom(0, 1, 50),
      templates: fc.array(template, { maxLength: 2 }),
      otherwise: fc.constantFrom(...approvals),
    },
    { requiredKeys: [] },
  )
  .chain(lines => fc.subarray(Object.entries(lines), { maxLength: Math.min(3, Object.keys(lines).length) }))
  .map(lines => ({ ...EVERYTHING, ...Object.fromEntries(lines) }) as PublicPolicy)

const month = fc.integer({ min: 1, max: 12 }).map(number => `2020-${String(number).padStart(2, '0')}`)
export const months = fc.tuple(month, month).map(ends => {
  const [from, to] = ends.toSorted() as [string, string]
  return { from, to }
})

const condition = fc.record(
  {
    flow: fc.constantFrom('import', '[import, export]'),
    period: fc.oneof(
      fc.constantFrom('2020', '{ from: 2019, to: 2020 }'),
      months.map(({ from, to }) => `{ from: ${from}, to: ${to} }`),
    ),
    hs6: fc.constantFrom('"851712"', '85*', '[ "010121", other ]'),
    hs4: fc.constantFrom('"8517"', '{ from: "8501", to: "8516" }'),
    transport: fc.constantFrom('sea', 'r*'),
  },
  { requiredKeys: [] },
)

const measure = fc.constantFrom('sum: value', 'sum: netMass', 'count: netMass', 'sum: duty', 'count: records')

/** Questions that there can be: a draw that is none is drawn again. */
export const query: fc.Arbitrary<QueryFile> = fc
  .record({
    where: condition,
    by: fc.uniqueArray(fc.constantFrom('flow', 'period', 'hs2', 'hs4', 'hs6', 'transport', 'procedure'), {
      maxLength: 4,
    }),
    measures: fc.uniqueArray(measure, { minLength: 1, maxLength: 3 }),
    need: fc.oneof(
      fc.constant('all'),
      fc.integer({ min: 1, max: 6 }).map(least => `{ atLeast: ${least} }`),
    ),
    closes: fc.constantFrom('90s', '30m', '24h', '7d', '36h'),
    purpose: fc.constantFrom('A test', '2020: "quoted", # and: odd', '- [ ] {'),
  })
  .map(({ where, by, measures, need, closes, purpose }) => {
    const conditions = Object.entries(where).map(([id, value]) => `${id}: ${value}`)
    return parsed(`dataset: declarations
where: { ${conditions.join(', ')} }
by: [${by}]
measures: [${measures.map(one => `{ ${one} }`)}]
purpose: ${JSON.stringify(purpose)}
need: ${need}
closes: ${closes}
`)
  })
  .filter(file => file !== undefined)

/** A query, or undefined where it is none. */
export function parsed(yaml: string): QueryFile | undefined {
  try {
    return parseQueryFile(yaml)
  } catch (error) {
    if (error instanceof InbondError) return undefined
    throw error
  }
}

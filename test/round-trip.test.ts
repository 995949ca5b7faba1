import { readdirSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { declarations } from '#specs/datasets/declarations.ts'
import { parseQueryFile, plan } from '#specs/query.ts'
import { effort, seed } from './effort.ts'
import { Federation } from './federation.ts'

const MONTH = `dataset: declarations
where: { flow: import, period: 2020-01 }
by: [hs2, transport]
measures: [{ count: records }, { sum: value }]
purpose: imports of January
`

describe('a federation answers a question', () => {
  it('exactly, and over everybody', async () => {
    using federation = await Federation.create()
    const head = 'flow,period,hs6,transport,value\n'
    federation.load('KR', `${head}import,2020-01,851712,sea,10.25\nimport,2020-01,010121,,0.01\n`)
    federation.load('JP', `${head}import,2020-01,851713,sea,5.75\nimport,2020-02,851713,sea,99\n`)
    const answer = await federation.ask(MONTH)
    expect(federation.errors).toEqual([])
    expect(answer.cohort).toEqual(['BR', 'FR', 'JP', 'KR', 'VN'])
    expect(answer.rows).toEqual([
      { hs2: '01', transport: 'unknown', 'count(records)': 1, 'sum(value)': '0.01' },
      { hs2: '85', transport: 'sea', 'count(records)': 2, 'sum(value)': '16.00' },
    ])
    expect(answer.evidence.addedUpAgain).toBe(true)
  })
})

const MEMBERS = ['BR', 'JP', 'KR', 'VN']
const DIMENSIONS = ['flow', 'period', 'hs2', 'hs4', 'hs6', 'origin', 'transport'] as const
type DimensionId = (typeof DIMENSIONS)[number]

interface Item {
  readonly flow: string
  readonly period: string
  /** As the administration has it: unlisted headings, subheadings and chapters among them. */
  readonly hs6: string
  readonly origin: string
  readonly transport: string
  /** In cents. */
  readonly value: number
  /** In grams, or not said. */
  readonly netMass: number | null
}

const item: fc.Arbitrary<Item> = fc.record({
  flow: fc.constantFrom('import', 'export'),
  period: fc.constantFrom('2019-12', '2020-01', '2020-02', '2020-11'),
  hs6: fc.constantFrom('010121', '851712', '851713', '859999', '770000', ''),
  origin: fc.constantFrom('CN', 'KR', 'NO', ''),
  transport: fc.constantFrom('sea', 'air', ''),
  value: fc.nat(10 ** 12),
  netMass: fc.option(fc.nat(10 ** 9)),
})

/** A condition as a query file has it, and what it means for one record. */
interface Condition {
  readonly yaml: string
  readonly holds: (item: Item) => boolean
}
const is = (dimension: DimensionId, ...codes: string[]): Condition => ({
  yaml: `${dimension}: [${codes.join(', ')}]`,
  holds: one => codes.includes(codeOf(one, dimension)),
})
const conditions: Condition[][] = [
  [is('flow', 'import'), is('flow', 'export', 'transit')],
  [
    { yaml: 'period: { from: 2020-01, to: 2020-11 }', holds: one => one.period >= '2020-01' },
    { yaml: 'period: { from: 2019, to: 2020 }', holds: () => true },
    { yaml: 'period: 2020', holds: one => one.period.startsWith('2020') },
    { yaml: 'period: 2020-02', holds: one => one.period === '2020-02' },
  ],
  [
    is('hs2', '85'),
    is('hs2', '85', 'other'),
    { yaml: 'hs6: "85*"', holds: one => one.hs6.startsWith('85') },
    { yaml: 'hs6: "8517*"', holds: one => one.hs6.startsWith('8517') },
  ],
  [is('origin', 'CN', 'NO'), is('origin', 'unknown'), is('origin', 'other')],
  [is('transport', 'sea'), is('transport', 'unknown', 'air')],
]

const question = fc
  .record({
    where: fc
      .tuple(...conditions.map(choices => fc.option(fc.constantFrom(...choices))))
      .map(chosen => chosen.filter(one => one !== null)),
    by: fc.uniqueArray(fc.constantFrom(...DIMENSIONS), { maxLength: 2 }),
    measures: fc.uniqueArray(fc.constantFrom('count: records', 'sum: value', 'sum: netMass', 'count: netMass'), {
      minLength: 1,
    }),
  })
  .filter(({ where, by }) => !by.includes('period') || where.some(one => one.yaml.startsWith('period')))
  .filter(asked => isWithinLimits(asked))

type Asked = {
  readonly where: readonly { readonly yaml: string }[]
  readonly by: readonly string[]
  readonly measures: readonly string[]
}

function yamlOf({ where, by, measures }: Asked): string {
  return [
    'dataset: declarations',
    `where: { ${where.map(one => one.yaml).join(', ')} }`,
    `by: [${by.join()}]`,
    `measures: [${measures.map(one => `{ ${one} }`).join()}]`,
    'purpose: a recount',
  ].join('\n')
}

/** Two fine levels at once have too many slots; every other refusal is a fault of the test. */
function isWithinLimits(asked: Asked): boolean {
  try {
    parseQueryFile(yamlOf(asked))
    return true
  } catch (error) {
    if ((error as { code?: string }).code === 'too-many-slots') return false
    throw error
  }
}

/** Told apart anew here, by the letter of the specification: each level is looked up on its own. */
function codeOf(one: Item, dimension: DimensionId): string {
  const raw = /^hs\d$/.test(dimension) ? one.hs6.slice(0, Number(dimension.slice(2))) : one[dimension as 'flow']
  if (raw === '') return 'unknown'
  const declared = declarations.dimensions[dimension]
  if (declared.kind === 'period') return raw
  return (declared.codeList.codes as readonly string[]).includes(raw) ? raw : 'other'
}

function recount(items: readonly Item[], asked: typeof question extends fc.Arbitrary<infer Q> ? Q : never) {
  const yearly = asked.where.some(one => /^period: (\{ from: )?\d{4}(,| |$)/.test(one.yaml))
  const groups = new Map<string, Item[]>()
  for (const one of items) {
    if (!asked.where.every(condition => condition.holds(one))) continue
    const codes = asked.by.map(id => (id === 'period' && yearly ? one.period.slice(0, 4) : codeOf(one, id)))
    const cell = JSON.stringify(codes)
    groups.set(cell, [...(groups.get(cell) ?? []), one])
  }
  return [...groups].map(([cell, found]) => {
    const row: Record<string, string | number> = {}
    for (const [i, code] of (JSON.parse(cell) as string[]).entries()) row[asked.by[i] as string] = code
    for (const measure of asked.measures) row[measure.replace(': ', '(').concat(')')] = figure(measure, found)
    return row
  })
}

function figure(measure: string, items: readonly Item[]): string | number {
  const total = (amounts: readonly (number | null)[]) =>
    amounts.reduce((sum: bigint, one) => sum + BigInt(one ?? 0), 0n)
  switch (measure) {
    case 'count: records':
      return items.length
    case 'count: netMass':
      return items.filter(one => one.netMass !== null).length
    case 'sum: value':
      return inUnits(total(items.map(one => one.value)), 2)
    default:
      return inUnits(total(items.map(one => one.netMass)), 3)
  }
}

function inUnits(amount: bigint, decimals: number): string {
  const unit = 10n ** BigInt(decimals)
  return `${amount / unit}.${String(amount % unit).padStart(decimals, '0')}`
}

function csvOf(items: readonly Item[]): string {
  const lines = items.map(({ flow, period, hs6, origin, transport, value, netMass }) => {
    const mass = netMass === null ? '' : inUnits(BigInt(netMass), 3)
    return [flow, period, hs6, origin, transport, inUnits(BigInt(value), 2), mass].join()
  })
  return `flow,period,hs6,origin,transport,value,netMass\n${lines.join('\n')}\n`
}

const inOrder = (rows: readonly object[]) => rows.map(row => JSON.stringify(Object.entries(row).sort())).sort()

describe('any question over any declarations', () => {
  let federation: Federation
  beforeAll(async () => {
    federation = await Federation.create({ members: MEMBERS })
  })
  afterAll(() => federation[Symbol.dispose]())

  it(
    'gives what a recount gives',
    async () => {
      const known: Item[] = []
      const batch = fc.tuple(fc.constantFrom(...MEMBERS), fc.array(item, { minLength: 1, maxLength: 12 }))
      await fc.assert(
        fc.asyncProperty(fc.array(batch, { maxLength: 3 }), question, async (batches, asked) => {
          for (const [member, items] of batches) {
            federation.load(member, csvOf(items))
            known.push(...items)
          }
          // Nobody may ask too much within a minute.
          federation.clock.advance(60_000)
          const { rows } = await federation.ask(yamlOf(asked))
          expect(inOrder(rows)).toEqual(inOrder(recount(known, asked)))
        }),
        // What was loaded stays, so a failure is not made smaller.
        { numRuns: effort(5, 100), endOnFailure: true, seed },
      )
      expect(federation.errors).toEqual([])
    },
    effort(60_000, 1_800_000),
  )

  it('of more than 300,000 slots too', async () => {
    const asked = `dataset: declarations
by: [hs6, transport]
measures: [{ sum: value }, { sum: netMass }, { sum: duty }, { sum: taxes }]
purpose: many slots
`
    expect(plan(parseQueryFile(asked).question).slots).toBeGreaterThan(300_000)
    federation.load('BR', 'flow,period,hs6,transport,value,duty\ntransit,2021-01,010121,sea,1,0.5\n')
    federation.load('VN', 'flow,period,hs6,transport,value,taxes\ntransit,2021-01,970690,,3,0.25\n')
    const { rows } = await federation.ask(asked.replace('by:', 'where: { flow: transit }\nby:'))
    expect(rows).toEqual([
      {
        hs6: '010121',
        transport: 'sea',
        'sum(value)': '1.00',
        'sum(netMass)': '0.000',
        'sum(duty)': '0.50',
        'sum(taxes)': '0.00',
      },
      {
        hs6: '970690',
        transport: 'unknown',
        'sum(value)': '3.00',
        'sum(netMass)': '0.000',
        'sum(duty)': '0.00',
        'sum(taxes)': '0.25',
      },
    ])
  })
})

describe('a member at its bound', () => {
  /** ⌊(t − 1) / 2 / 4⌋ cents are the value of 1,441 records of the largest size, and a part of one more. */
  const MOST = 1441
  const SUM = `dataset: declarations
where: { period: 2020-01 }
measures: [{ sum: value }]
purpose: extremes
need: { atLeast: 3 }
`
  const head = 'flow,period,hs6,value\n'
  const largest = (records: number) => 'import,2020-01,851712,1000000000000\n'.repeat(records)

  it('is added up exactly, and beyond it refuses before anything is encrypted', async () => {
    using federation = await Federation.create({ members: MEMBERS })
    for (const id of MEMBERS) federation.load(id, head + largest(MOST))
    const full = await federation.ask(SUM)
    expect(full.rows).toEqual([{ 'sum(value)': `${4n * BigInt(MOST)}000000000000.00` }])

    federation.load('KR', `${head}import,2020-01,851712,151880758538.24\n`)
    expect((await federation.ask(SUM)).rows).toEqual([{ 'sum(value)': '5764151880758538.24' }])

    federation.load('KR', `${head}import,2020-01,851712,0.01\n`)
    const outbox = () => readdirSync(federation.node('KR').outbox)
    const before = outbox()
    const answer = await federation.ask(SUM)
    expect(answer.cohort).toEqual(['BR', 'JP', 'VN'])
    expect(answer.missing).toEqual([{ member: 'KR', reason: expect.stringMatching(/exceeds the bound/) }])
    // It names the public bound, not how far the member is beyond it.
    expect(answer.missing[0]?.reason).not.toContain('144115188075853825')
    expect(outbox()).toEqual(before)
  })
})

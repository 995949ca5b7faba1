import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InbondError } from '#crypto/error.ts'
import { declarations } from '#specs/datasets/declarations.ts'
import { type MemberId, memberId } from '#specs/messages.ts'
import { approvals, judge, type PublicPolicy } from '#specs/policy.ts'
import { MOST_SLOTS, parseQueryFile, plan, type QueryFile } from '#specs/query.ts'
import { exposures } from '#specs/rules/pattern.ts'
import { effort, seed } from '#test/effort.ts'
import { hashOf } from '#test/federation-keys.ts'
import { coarsenings } from './coarsening.ts'
import { forecast, outcomes, type Scene } from './explanation.ts'
import type { PastAnswer } from './ledger.ts'
import { nearest } from './nearest.ts'
import type { Offered } from './offers.ts'
import { changedLines, queryLines } from './query-file.ts'

/** Questions and federations of every kind, without a federation. */

const IDS = ['BR', 'FR', 'JP', 'KR', 'VN', 'ZA'].map(id => memberId.parse(id))
const EVERYTHING: PublicPolicy = {
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
const policy = fc
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
  .chain(lines => fc.subarray(Object.entries(lines), { maxLength: 3 }))
  .map(lines => ({ ...EVERYTHING, ...Object.fromEntries(lines) }) as PublicPolicy)

const month = fc.integer({ min: 1, max: 12 }).map(number => `2020-${String(number).padStart(2, '0')}`)
const months = fc.tuple(month, month).map(ends => {
  const [from, to] = ends.toSorted() as [string, string]
  return { from, to }
})

const offered: fc.Arbitrary<Offered> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ unknown: 'it keeps its policy to itself' }) },
  {
    weight: 8,
    arbitrary: fc.record({
      policy,
      ownRecords: fc.constantFrom(...approvals),
      alone: fc.boolean(),
      coverage: fc
        .oneof(
          { weight: 3, arbitrary: fc.constant({ from: '2019-01', to: '2020-12' }) },
          { weight: 1, arbitrary: months },
        )
        .map(range => [{ dataset: 'declarations', months: [{ ...range, state: 'complete' as const, version: 1 }] }]),
    }),
  },
)

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
const query: fc.Arbitrary<QueryFile> = fc
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

function parsed(yaml: string): QueryFile | undefined {
  try {
    return parseQueryFile(yaml)
  } catch (error) {
    if (error instanceof InbondError) return undefined
    throw error
  }
}

const NOW = Date.parse('2026-01-01T00:00:00.000Z')

function past(file: QueryFile, members: readonly MemberId[], i: number): PastAnswer {
  const held = Array.from({ length: 24 }, (_, at) => {
    const period = `${2019 + Math.floor(at / 12)}-${String((at % 12) + 1).padStart(2, '0')}`
    return { period, state: 'complete' as const, version: 1 }
  })
  const parts = members.map(member => ({ member, coverage: held, alone: false }))
  const round = hashOf(`round ${i}`) as PastAnswer['round']
  return {
    query: hashOf(`query ${i}`) as PastAnswer['query'],
    round,
    charter: hashOf('charter') as PastAnswer['charter'],
    opens: new Date(NOW - i * 7_200_000).toISOString(),
    researcher: 'Ada',
    organisation: null,
    asked: { round, question: file.question, recipientAdministration: null, parts },
  }
}

const scene: fc.Arbitrary<Scene> = fc
  .record({
    size: fc.integer({ min: 3, max: 6 }),
    offers: fc.array(offered, { minLength: 6, maxLength: 6 }),
    before: fc.array(fc.tuple(query, fc.subarray(IDS, { minLength: 3 })), { maxLength: 2 }),
    administration: fc.option(fc.constantFrom(...IDS), { freq: 4 }),
  })
  .map(({ size, offers, before, administration }) => {
    const members = IDS.slice(0, size)
    const roster = members.map(id => ({ id, name: id, publicKey: '', conventions: {} }))
    return {
      charter: {
        members: roster as unknown as Scene['charter']['members'],
        custodians: members.slice(0, 3),
        minimumCohort: 3,
        datasets: [{ id: 'declarations', version: 1 }],
      },
      certificate: { organisation: 'Institute of tests', role: 'analyst', administration },
      offers: new Map(members.map((id, i) => [id, offers[i] as Offered])),
      past: before.map(([file, asked], i) =>
        past(
          file,
          asked.filter(id => members.includes(id)),
          i,
        ),
      ),
      now: NOW,
    }
  })

/** Whether a question may be asked, in the plain words of the rules: no function of the forecast is used. */
function isAllowed(file: QueryFile, { charter, certificate, offers, past: before, now }: Scene): boolean {
  const laid = plan(file.question)
  if (laid.slots > MOST_SLOTS) return false
  const willing = charter.members.filter(({ id }) => {
    const one = offers.get(id) as Offered
    if ('unknown' in one) return false
    const answeredToday = before.filter(
      other => Date.parse(other.opens) > now - 86_400_000 && other.asked.parts.some(part => part.member === id),
    ).length
    const eligible = file.need === 'all' ? charter.members.length : undefined
    const asked = { ...file, ...certificate, eligible, minimumCohort: 3, answeredToday }
    return judge(one.policy, asked).approval === 'automatic'
  })
  return willing.length >= (file.need === 'all' ? 3 : file.need.atLeast)
}

const runs = { numRuns: effort(60, 3000), seed }

describe(`with seed ${seed}`, () => {
  test('a query that is written is the one that is read', () => {
    fc.assert(
      fc.property(query, file => {
        expect(parseQueryFile(queryLines(file).join('\n'))).toEqual(file)
      }),
      { numRuns: effort(200, 5000), seed },
    )
  })

  test('the nearest question is one, and is judged to be allowed', () => {
    let found = 0
    fc.assert(
      fc.property(query, scene, (file, around) => {
        const before = forecast(file, around)
        if (before.outcome === 'answered') return
        const { nearest: other, tried } = nearest(file, around, 200)
        if (other === undefined) return
        found += 1
        expect(tried).toBeGreaterThan(0)
        const written = parseQueryFile(queryLines(other.file).join('\n'))
        expect(written).toEqual(other.file)
        const { outcome } = forecast(written, around)
        expect(outcomes.indexOf(outcome)).toBeLessThan(outcomes.indexOf(before.outcome))
        if (outcome === 'answered') expect(isAllowed(written, around)).toBe(true)
        // Only how it is asked is another.
        const { purpose, purposeCode, dataset, hsEdition } = file.question
        expect(written.question).toMatchObject({ purpose, purposeCode, dataset, hsEdition })
        expect(written.closesAfter).toBe(file.closesAfter)
        expect(other.changes.length).toBeGreaterThan(0)
        expect(changedLines(file, written).length).toBeGreaterThan(0)
      }),
      runs,
    )
    expect(found).toBeGreaterThan(0)
  })

  test('no single step would have changed less', () => {
    fc.assert(
      fc.property(query, scene, (file, around) => {
        const before = forecast(file, around)
        if (before.outcome === 'answered') return
        const helping = [...coarsenings(file, before, around)].filter(
          step => parsed(queryLines(step.file).join('\n')) && forecast(step.file, around).outcome === 'answered',
        )
        if (helping.length === 0) return
        const found = nearest(file, around).nearest
        expect(found?.forecast.outcome).toBe('answered')
        expect(found?.weight).toBeLessThanOrEqual(Math.min(...helping.map(step => step.weight)))
      }),
      runs,
    )
  })

  test('whoever would be in the answer could be agreed to beside the answers before', () => {
    fc.assert(
      fc.property(query, scene, (file, around) => {
        const { outcome, members } = forecast(file, around)
        if (outcome !== 'answered' || file.need !== 'all') return
        const parts = members
          .filter(one => one.stand === 'answers')
          .map(({ member, coverage }) => {
            const { alone } = around.offers.get(member) as Exclude<Offered, { unknown: string }>
            return { member, coverage: coverage ?? [], alone }
          })
        const { administration: recipientAdministration } = around.certificate
        const next = { round: 'next', question: file.question, recipientAdministration, parts }
        expect(
          exposures(
            next,
            around.past.map(one => one.asked),
            3,
          ),
        ).toEqual([])
      }),
      runs,
    )
  })
})

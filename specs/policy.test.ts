import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EVERYTHING } from '#test/questions.ts'
import {
  type Approval,
  type Asked,
  approvals,
  judge,
  type PublicPolicy,
  publicPolicy,
  stricter,
  type Template,
} from './policy.ts'
import { parseQueryFile } from './query.ts'

const byChapter: Template = {
  name: 'by chapter',
  dataset: 'declarations',
  by: ['hs2', 'origin', 'period'],
  where: ['flow', 'period'],
  measures: ['sum(value)'],
  periods: 'year',
  approval: 'automatic',
}

function asked(yaml: string, rest: Partial<Asked> = {}): Asked {
  const { question, need } = parseQueryFile(
    `dataset: declarations\nmeasures: [{ sum: value }]\npurpose: A test\n${yaml}`,
  )
  const who = { organisation: null, role: null, eligible: 5, minimumCohort: 3, answeredToday: 0 }
  return { question, need, ...who, ...rest }
}

describe('each line of a policy refuses, and says why', () => {
  const statistics = { organisation: 'Statistics Korea', role: 'analyst' }
  const cases: [string, Partial<PublicPolicy>, Asked, string | undefined][] = [
    [
      'organisations that are not named',
      { organisations: ['OECD'] },
      asked('', statistics),
      'Statistics Korea may not ask',
    ],
    ['organisations that are named', { organisations: ['OECD', 'Statistics Korea'] }, asked('', statistics), undefined],
    [
      'nobody knows which organisation',
      { organisations: [] },
      asked(''),
      'who asks must be of an organisation that may',
    ],
    ['roles that are not named', { roles: ['director'] }, asked('', statistics), 'whose role is "analyst" may not ask'],
    ['roles that are named', { roles: ['analyst'] }, asked('', statistics), undefined],
    ['nobody knows which role', { roles: ['analyst'] }, asked(''), 'who asks must have a role that may'],
    ['purposes that are not named', { purposes: ['risk-analysis'] }, asked(''), 'nothing is answered for research'],
    ['purposes that are named', { purposes: ['risk-analysis'] }, asked('purposeCode: risk-analysis'), undefined],
    ['datasets that are not named', { datasets: [] }, asked(''), 'declarations may not be asked about'],
    ['datasets that are named', { datasets: ['declarations'] }, asked(''), undefined],
    [
      'dimensions of cells',
      { dimensions: ['hs2'] },
      asked('by: [hs2, origin]'),
      'records may not be told apart by origin',
    ],
    [
      'dimensions of filters',
      { dimensions: ['hs2'] },
      asked('where: { origin: KR, flow: import }\nby: [hs2]'),
      'records may not be told apart by origin, flow',
    ],
    [
      'dimensions that are named',
      { dimensions: ['hs2', 'flow'] },
      asked('where: { flow: import }\nby: [hs2]'),
      undefined,
    ],
    [
      'too many dimensions',
      { mostDimensions: 1 },
      asked('by: [flow, hs2]'),
      'a question may have 1 dimensions; this one has 2',
    ],
    ['as many as allowed', { mostDimensions: 2 }, asked('by: [flow, hs2]'), undefined],
    [
      'cells that are too fine',
      { hsDigits: 2 },
      asked('by: [hs4]'),
      'goods may be told apart by 2 digits of the HS, not by 4',
    ],
    [
      'filters that are too fine',
      { hsDigits: 4 },
      asked('where: { hs6: "010121" }\nby: [hs2]'),
      'goods may be told apart by 4 digits of the HS, not by 6',
    ],
    [
      'the finest level with others',
      { mostDimensionsAtFinest: 1 },
      asked('by: [hs6, flow]'),
      'at six digits of the HS a question may have 1 dimensions; this one has 2',
    ],
    [
      'the finest level in a filter',
      { mostDimensionsAtFinest: 0 },
      asked('where: { hs6: "85*" }\nby: [flow]'),
      'at six digits of the HS a question may have 0 dimensions; this one has 1',
    ],
    ['the finest level alone', { mostDimensionsAtFinest: 1 }, asked('by: [hs6]'), undefined],
    [
      'months in cells',
      { periods: 'year' },
      asked('where: { period: 2020-01 }\nby: [period]'),
      'periods may be told apart by year, not by month',
    ],
    [
      'months in filters',
      { periods: 'year' },
      asked('where: { period: { from: 2020-01, to: 2020-12 } }'),
      'periods may be told apart by year, not by month',
    ],
    ['years', { periods: 'year' }, asked('where: { period: 2020 }\nby: [period]'), undefined],
    ['measures that are not named', { measures: ['sum(duty)'] }, asked(''), 'sum(value) may not be asked for'],
    ['measures that are named', { measures: ['sum(value)'] }, asked(''), undefined],
    [
      'too small an answer',
      { smallestCohort: 5 },
      asked('need: { atLeast: 4 }'),
      'an answer must have 5 members; this one may have 4',
    ],
    [
      'an answer that the charter would not allow to be smaller',
      { smallestCohort: 3 },
      asked('need: { atLeast: 1 }'),
      undefined,
    ],
    ['an answer of all', { smallestCohort: 5 }, asked(''), undefined],
    [
      'an answer of more than there are',
      { smallestCohort: 6 },
      asked(''),
      'an answer must have 6 members; this one may have 5',
    ],
    ['an answer of all, however many', { smallestCohort: 6 }, asked('', { eligible: undefined }), undefined],
    [
      'too many questions',
      { questionsADay: 3 },
      asked('', { answeredToday: 3 }),
      '3 questions were answered in the last 24 hours',
    ],
    ['one question fewer', { questionsADay: 3 }, asked('', { answeredToday: 2 }), undefined],
    [
      'any question, where none is allowed',
      { questionsADay: 0 },
      asked(''),
      '0 questions were answered in the last 24 hours',
    ],
  ]
  test.each(cases)('%s', (_, lines, question, reason) => {
    const { approval, reasons } = judge({ ...EVERYTHING, ...lines }, question)
    expect({ approval, reasons }).toEqual(
      reason === undefined ? { approval: 'automatic', reasons: [] } : { approval: 'refused', reasons: [reason] },
    )
  })

  test('and every reason is told', () => {
    const { reasons } = judge({ ...EVERYTHING, purposes: [], measures: [], mostDimensions: 0 }, asked('by: [flow]'))
    expect(reasons).toHaveLength(3)
  })
})

describe('a template', () => {
  const rules = (templates: Template[], otherwise: Approval): PublicPolicy => ({ ...EVERYTHING, templates, otherwise })
  const one = (change: Partial<Template>) => rules([{ ...byChapter, ...change }], 'refused')

  test('allows what has its shape, and what has less', () => {
    for (const yaml of ['by: [hs2]', 'by: [period, origin]\nwhere: { period: 2020 }', 'where: { flow: import }']) {
      expect(judge(one({}), asked(yaml))).toEqual({ approval: 'automatic', template: 'by chapter', reasons: [] })
    }
  })

  test.each([
    ['by: [hs4]', 'which has no cells by hs4'],
    ['where: { origin: KR }', 'which has no filter on origin'],
    ['by: [period]\nwhere: { period: 2020-01 }', 'which has no months'],
  ])('does not fit %j, and the refusal says why', (yaml, why) => {
    const reasons = [`it fits no template (not "by chapter", ${why})`]
    expect(judge(one({}), asked(yaml))).toEqual({ approval: 'refused', template: undefined, reasons })
  })

  test('of other measures, or of another dataset, does not fit', () => {
    expect(judge(one({ measures: [] }), asked('')).reasons.join()).toMatch(/which has no sum\(value\)/)
    expect(judge(one({ dataset: 'seizures' } as object), asked('')).reasons.join()).toMatch(/which is about seizures/)
  })

  test('says how many people must approve, and the laxest of several does', () => {
    const [two, person] = (['two people', 'one person'] as const).map(approval => ({ ...byChapter, approval }))
    const reasons = ['it fits the template "by chapter": one person must approve']
    const judged = { approval: 'one person', template: 'by chapter', reasons }
    expect(judge(rules([two as Template, person as Template], 'refused'), asked('by: [hs2]'))).toEqual(judged)
    expect(judge(rules([two as Template], 'one person'), asked('by: [hs2]')).approval).toBe('one person')
  })

  test('allows nothing that the lines above it refuse', () => {
    expect(judge({ ...one({}), mostDimensions: 0 }, asked('by: [hs2]')).approval).toBe('refused')
  })
})

const dimensions = fc.oneof(fc.constant('all' as const), fc.subarray(['flow', 'period', 'hs2', 'hs6', 'origin']))
const measures = fc.oneof(fc.constant('all' as const), fc.subarray(['count(records)', 'sum(value)', 'sum(duty)']))
const periods = fc.constantFrom('month' as const, 'year' as const)
const anyTemplate = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  dataset: fc.constant('declarations'),
  by: dimensions,
  where: dimensions,
  measures,
  periods,
  approval: fc.constantFrom('automatic' as const, 'one person' as const, 'two people' as const),
})
const anyPolicy = fc.record({
  organisations: fc.constantFrom('all' as const, [], ['OECD']),
  roles: fc.constantFrom('all' as const, ['analyst']),
  purposes: fc.constantFrom('all' as const, ['research' as const]),
  datasets: fc.constantFrom('all' as const, ['declarations']),
  dimensions,
  mostDimensions: fc.nat(3),
  hsDigits: fc.constantFrom(2 as const, 4 as const, 6 as const),
  mostDimensionsAtFinest: fc.nat(2),
  periods,
  measures,
  smallestCohort: fc.integer({ min: 3, max: 6 }),
  questionsADay: fc.nat(4),
  templates: fc.array(anyTemplate, { maxLength: 3 }),
  otherwise: fc.constantFrom(...approvals),
  expires: fc.constant('24h'),
})
const anyAsked = fc
  .record({
    yaml: fc.constantFrom(
      '',
      'by: [hs2]',
      'by: [hs6, flow]',
      'where: { period: 2020-01 }\nby: [period]',
      'where: { origin: KR, period: 2020 }',
      'need: { atLeast: 4 }',
    ),
    organisation: fc.constantFrom(null, 'OECD'),
    role: fc.constantFrom(null, 'analyst'),
    answeredToday: fc.nat(4),
  })
  .map(({ yaml, ...rest }) => asked(yaml, rest))

/** Every value that has one line of a document less: a field of an object or an entry of a list, at any depth. */
function* without(value: unknown): Iterable<unknown> {
  if (typeof value !== 'object' || value === null) return
  const entries = Object.entries(value)
  const rebuilt = (kept: [string, unknown][]) =>
    Array.isArray(value) ? kept.map(([, one]) => one) : Object.fromEntries(kept)
  for (const [i, [key, inner]] of entries.entries()) {
    yield rebuilt(entries.toSpliced(i, 1))
    for (const less of without(inner)) yield rebuilt(entries.with(i, [key, less]))
  }
}

describe('for every policy and question', () => {
  test('a policy with any line less is none, or allows no more', () => {
    fc.assert(
      fc.property(anyPolicy, anyAsked, (policy, question) => {
        const { approval } = judge(publicPolicy.parse(policy), question)
        for (const less of without(policy)) {
          const read = publicPolicy.safeParse(less)
          if (!read.success) continue
          const other = judge(read.data, question).approval
          expect(stricter(approval, other)).toBe(other)
        }
      }),
    )
  })

  test('the order of templates does not matter', () => {
    fc.assert(
      fc.property(anyPolicy, anyAsked, (policy, question) => {
        const turned = { ...policy, templates: policy.templates.toReversed() }
        expect(judge(turned, question).approval).toBe(judge(policy, question).approval)
      }),
    )
  })

  test('whoever judges says the same, and something about everything that is not automatic', () => {
    fc.assert(
      fc.property(anyPolicy, anyAsked, (policy, question) => {
        const judged = judge(policy, question)
        expect(judge(JSON.parse(JSON.stringify(policy)), structuredClone(question))).toEqual(judged)
        expect(judged.reasons.length === 0).toBe(judged.approval === 'automatic')
      }),
    )
  })
})

test('the stricter of two is one of them, whichever comes first', () => {
  for (const [i, one] of approvals.entries()) {
    for (const [j, other] of approvals.entries()) expect(stricter(one, other)).toBe(approvals[Math.max(i, j)])
  }
})

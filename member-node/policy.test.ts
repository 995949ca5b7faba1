import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseQueryFile, plan } from '#specs/query.ts'
import type { VerifiedRound } from '#specs/rules/round.ts'
import { verifyRound } from '#specs/rules/round.ts'
import { type FederationKeys, federationKeys, NOON } from '#test/federation-keys.ts'
import { objection, type Policy, parsePolicy, policy, presets } from './policy.ts'

const open = presets.open as Policy
const standard = presets.standard as Policy

let keys: FederationKeys
beforeAll(async () => {
  keys = await federationKeys()
})

interface Asked {
  readonly by?: readonly string[]
  readonly where?: string
  readonly need?: string
}

/** The round of a question, announced and verified as a member does. */
async function roundOf({ by = [], where = '', need = 'all' }: Asked): Promise<VerifiedRound> {
  const { question, need: needed } = parseQueryFile(
    `dataset: declarations\nwhere: { ${where} }\nby: [${by.join()}]\nmeasures: [{ sum: value }]\npurpose: policy\nneed: ${need}\n`,
  )
  const asked = await keys.ask({ question, need: needed })
  const round = await keys.announce(asked)
  return verifyRound({ round: round.compact, query: asked.compact }, keys.charter, NOON)
}

describe('the policy `open`', () => {
  test('answers whatever the charter allows', async () => {
    const finest = { by: ['hs6', 'transport'], where: 'origin: [CN]' }
    for (const asked of [{}, finest, { need: '{ atLeast: 3 }' }, { by: ['flow', 'hs2', 'transport', 'procedure'] }]) {
      expect(objection(open, await roundOf(asked), 10_000)).toBeUndefined()
    }
  })

  test('answers nothing that the charter does not cover', async () => {
    const round = await roundOf({})
    for (const dataset of [
      { id: 'declarations', version: 2 },
      { id: 'seizures', version: 1 },
    ]) {
      const charter = { ...round.charter, payload: { ...round.charter.payload, datasets: [dataset] } }
      expect(objection(open, { ...round, charter }, 0)).toBe('the charter does not cover declarations, version 1')
    }
  })
})

describe('each line of a policy refuses, and says why', () => {
  const cases: [string, Partial<Policy>, Asked, number, string | undefined][] = [
    ['datasets that are not named', { datasets: [] }, {}, 0, 'declarations may not be asked about'],
    ['datasets that are named', { datasets: ['declarations'] }, {}, 0, undefined],
    [
      'too many dimensions',
      { dimensions: 1 },
      { by: ['flow', 'hs2'] },
      0,
      'a question may have 1 dimensions; this one has 2',
    ],
    ['as many dimensions as allowed', { dimensions: 2 }, { by: ['flow', 'hs2'] }, 0, undefined],
    [
      'cells that are too fine',
      { hsDigits: 2 },
      { by: ['hs4'] },
      0,
      'goods may be told apart by 2 digits of the HS, not by 4',
    ],
    [
      'filters that are too fine',
      { hsDigits: 4 },
      { by: ['hs2'], where: 'hs6: "010121"' },
      0,
      'goods may be told apart by 4 digits of the HS, not by 6',
    ],
    [
      'the finest level with others',
      { dimensionsAtFinest: 1 },
      { by: ['hs6', 'flow'] },
      0,
      'at six digits of the HS a question may have 1 dimensions; this one has 2',
    ],
    [
      'the finest level in a filter',
      { dimensionsAtFinest: 0 },
      { by: ['flow'], where: 'hs6: "85*"' },
      0,
      'at six digits of the HS a question may have 0 dimensions; this one has 1',
    ],
    ['the finest level alone', { dimensionsAtFinest: 1 }, { by: ['hs6'] }, 0, undefined],
    [
      'too small an answer',
      { smallestCohort: 5 },
      { need: '{ atLeast: 4 }' },
      0,
      'an answer must have 5 members; this one may have 4',
    ],
    [
      'an answer that the charter would not allow to be smaller',
      { smallestCohort: 3 },
      { need: '{ atLeast: 1 }' },
      0,
      undefined,
    ],
    ['an answer of all', { smallestCohort: 5 }, {}, 0, undefined],
    [
      'an answer of more than there are',
      { smallestCohort: 6 },
      {},
      0,
      'an answer must have 6 members; this one may have 5',
    ],
    ['too many questions', { questionsADay: 3 }, {}, 3, '3 questions were answered in the last 24 hours'],
    ['one question fewer', { questionsADay: 3 }, {}, 2, undefined],
    [
      'any question, where none is allowed',
      { questionsADay: 0 },
      {},
      0,
      '0 questions were answered in the last 24 hours',
    ],
  ]
  test.each(cases)('%s', async (_, rules, asked, today, reason) => {
    expect(objection({ ...open, ...rules }, await roundOf(asked), today)).toBe(reason)
  })
})

test('a stricter line never allows what the laxer one refused', async () => {
  const rounds = await Promise.all([
    roundOf({}),
    roundOf({ by: ['hs6'] }),
    roundOf({ by: ['hs4', 'flow'], need: '{ atLeast: 3 }' }),
  ])
  const lax = fc.record({
    dimensions: fc.nat(8),
    hsDigits: fc.constantFrom(2 as const, 4 as const, 6 as const),
    dimensionsAtFinest: fc.nat(8),
    smallestCohort: fc.integer({ min: 3, max: 6 }),
    questionsADay: fc.nat(5),
  })
  fc.assert(
    fc.property(lax, lax, fc.constantFrom(...rounds), fc.nat(5), (a, b, round, today) => {
      const stricter: Policy = {
        datasets: 'all',
        dimensions: Math.min(a.dimensions, b.dimensions),
        hsDigits: Math.min(a.hsDigits, b.hsDigits) as 2 | 4 | 6,
        dimensionsAtFinest: Math.min(a.dimensionsAtFinest, b.dimensionsAtFinest),
        smallestCohort: Math.max(a.smallestCohort, b.smallestCohort),
        questionsADay: Math.min(a.questionsADay, b.questionsADay),
        alone: false,
      }
      if (objection({ ...a, datasets: 'all', alone: false }, round, today) !== undefined) {
        expect(objection(stricter, round, today)).toBeDefined()
      }
    }),
  )
})

describe('a policy file', () => {
  const whole =
    'datasets: [declarations]\ndimensions: 2\nhsDigits: 4\ndimensionsAtFinest: 1\nsmallestCohort: 4\nquestionsADay: 10\n'

  test('says every line', () => {
    expect(parsePolicy(whole)).toEqual({
      datasets: ['declarations'],
      dimensions: 2,
      hsDigits: 4,
      dimensionsAtFinest: 1,
      smallestCohort: 4,
      questionsADay: 10,
      alone: false,
    })
  })

  test('that leaves a line out is refused: nothing is allowed by silence', () => {
    const lines = whole.trim().split('\n')
    for (const left of lines) {
      const rest = lines.filter(line => line !== left).join('\n')
      expect(() => parsePolicy(rest)).toThrow(expect.objectContaining({ code: 'bad-policy' }))
    }
  })

  test.each([
    '',
    'a: [',
    'open',
    `${whole}more: 1\n`,
    whole.replace('hsDigits: 4', 'hsDigits: 5'),
    whole.replace('hsDigits: 4', 'hsDigits: all'),
    whole.replace('smallestCohort: 4', 'smallestCohort: 2'),
    whole.replace('dimensions: 2', 'dimensions: -1'),
    whole.replace('dimensions: 2', 'dimensions: 1.5'),
    whole.replace('dimensions: 2', 'dimensions: 0x2'),
    whole.replace('dimensions: 2', 'dimensions: many'),
    whole.replace('dimensions: 2', 'dimensions: ""'),
    whole.replace('questionsADay: 10', 'questionsADay:'),
    whole.replace('[declarations]', 'some'),
  ])('like %j is refused', text => {
    expect(() => parsePolicy(text)).toThrow(expect.objectContaining({ code: 'bad-policy' }))
  })

  test.each([
    ['dimensions: 2', 'dimensions: many', /dimensions: must be a whole number$/],
    ['questionsADay: 10', 'questionsADay:', /questionsADay: must be a whole number$/],
    ['hsDigits: 4', 'hsDigits: 5', /hsDigits: must be 2, 4 or 6$/],
    ['smallestCohort: 4', 'smallestCohort: 2', /smallestCohort: must be at least 3$/],
    ['dimensions: 2\n', '', /dimensions: is missing$/],
  ])('with %j made %j is refused in words', (right, wrong, reason) => {
    expect(() => parsePolicy(whole.replace(right, wrong))).toThrow(reason)
  })

  test('the two that have names are policies, and `standard` is the stricter one', async () => {
    for (const one of [open, standard]) expect(policy.parse(one)).toEqual(one)
    expect(objection(standard, await roundOf({ by: ['hs6', 'flow'] }), 0)).toMatch(/six digits/)
    expect(objection(standard, await roundOf({ by: ['flow', 'hs2', 'transport', 'procedure'] }), 0)).toMatch(
      /3 dimensions/,
    )
    expect(objection(standard, await roundOf({ by: ['hs2', 'origin'] }), 0)).toBeUndefined()
    expect(plan((await roundOf({})).query.payload.question).slots).toBe(2)
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { publicPolicy } from '#specs/policy.ts'
import { type Policy, parsePolicy, policy, policySchema, presets, published } from './policy.ts'

const open = presets.open as Policy
const standard = presets.standard as Policy
const KEYS = ['A', 'B', 'C'].map(letter => letter.repeat(43)) as [string, string, string]

const whole: Policy = {
  ...standard,
  organisations: ['OECD'],
  templates: [
    {
      name: 'by chapter',
      dataset: 'declarations',
      by: ['hs2'],
      where: ['flow'],
      measures: ['sum(value)'],
      periods: 'year',
      approval: 'automatic',
    },
  ],
  otherwise: 'two people',
  stewards: [{ name: 'Kim', key: KEYS[0] }],
  deputies: [{ name: 'Lee', key: KEYS[1] }],
  overlap: { records: 5, traders: 3, days: 30, otherwise: 'refused' },
  alone: false,
  published: false,
}
const badPolicy = (message: unknown = expect.anything()) => expect.objectContaining({ code: 'bad-policy', message })

test('the published schema is that of the policies that are read', async () => {
  await expect(`${JSON.stringify(policySchema(), null, 2)}\n`).toMatchFileSnapshot('../specs/policy.schema.json')
})

describe('a policy file', () => {
  test('says every line', () => {
    for (const one of [whole, open, standard]) expect(parsePolicy(stringify(one))).toEqual(one)
  })

  test('that leaves a line out is refused: nothing is allowed by silence', () => {
    for (const field of Object.keys(whole).filter(one => one !== 'published')) {
      const { [field as keyof Policy]: _, ...rest } = whole
      expect(() => parsePolicy(stringify(rest))).toThrow(badPolicy(expect.stringContaining(`${field}: is missing`)))
    }
    for (const group of ['ownCells', 'overlap'] as const) {
      for (const field of Object.keys(whole[group])) {
        const rest = { ...whole, [group]: { ...whole[group], [field]: undefined } }
        expect(() => parsePolicy(stringify(rest))).toThrow(badPolicy(expect.stringContaining(`${group}.${field}`)))
      }
    }
  })

  const changes: [object, RegExp][] = [
    [{ more: 1 }, /has no field "more"$/],
    [{ hsDigits: 5 }, /hsDigits: must be 2, 4 or 6$/],
    [{ smallestCohort: 2 }, /smallestCohort: must be at least 3$/],
    [{ mostDimensions: 'many' }, /mostDimensions: must be a number$/],
    [{ mostDimensions: 1.5 }, /mostDimensions: must be a whole number$/],
    [{ mostDimensions: null }, /mostDimensions: must be a number$/],
    [{ mostDimensions: -1 }, /mostDimensions: must be at least 0$/],
    [{ datasets: 'some' }, /datasets: must be all, or a list of those that there are$/],
    [{ dimensions: ['hs3'] }, /dimensions: must be all, or a list of those that there are$/],
    [{ measures: ['value'] }, /measures: must be all, or a list of those that there are$/],
    [{ purposes: ['curiosity'] }, /purposes: must be all, or a list of those that there are$/],
    [{ otherwise: 'two' }, /otherwise: must be automatic, one person, two people or refused$/],
    [{ expires: '8d' }, /expires: must be a time between 1s and 7d$/],
    [{ expires: 'soon' }, /expires: must be a time such as 90s, 30m, 24h or 7d/],
    [{ deputies: [] }, /stewards: must be 2 with the deputies, for two people have to approve$/],
    [{ deputies: [{ name: 'Kim', key: KEYS[2] }] }, /stewards: Kim is there twice$/],
    [{ deputies: [{ name: 'Lee', key: KEYS[0] }] }, /stewards: Lee has the key of somebody else$/],
    [{ stewards: [{ name: 'Kim', key: 'password' }] }, /must be the key that "inbond member steward" printed$/],
    [
      { otherwise: 'refused', stewards: [], deputies: [], ownCells: { ...open.ownCells, otherwise: 'one person' } },
      /must be 1 with the deputies, for one person has to approve$/,
    ],
  ]
  test.each(changes)('with %j is refused in words', (change, reason) => {
    expect(() => parsePolicy(stringify({ ...whole, ...change }))).toThrow(badPolicy(expect.stringMatching(reason)))
  })

  test.each(['', 'a: [', 'open', '[]', '0', 'null'])('like %j is refused', text => {
    expect(() => parsePolicy(text)).toThrow(badPolicy())
  })
})

describe('a policy file of the first release', () => {
  const first =
    'datasets: [declarations]\ndimensions: 2\nhsDigits: 4\ndimensionsAtFinest: 1\nsmallestCohort: 4\nquestionsADay: 10\n'

  test('is read as what it said', () => {
    expect(parsePolicy(first)).toEqual({
      ...open,
      datasets: ['declarations'],
      mostDimensions: 2,
      hsDigits: 4,
      mostDimensionsAtFinest: 1,
      smallestCohort: 4,
      questionsADay: 10,
      alone: false,
    })
  })

  test('that leaves a line out, or has one of today, is refused', () => {
    for (const line of first.trim().split('\n')) {
      expect(() => parsePolicy(first.replace(`${line}\n`, ''))).toThrow(badPolicy())
    }
    expect(() => parsePolicy(`${first}otherwise: automatic\n`)).toThrow(
      badPolicy(expect.stringMatching(/has no field/)),
    )
  })

  test('cannot come of taking lines out of one of today', () => {
    const { published: _, ...needed } = whole
    fc.assert(
      fc.property(fc.subarray(Object.entries(needed)), lines => {
        const rest = Object.fromEntries(lines)
        if (lines.length < Object.keys(needed).length) expect(() => parsePolicy(stringify(rest))).toThrow(badPolicy())
      }),
    )
  })
})

test('the two that have names are policies, and `standard` is the stricter one', () => {
  for (const one of [open, standard]) expect(policy.parse(one)).toEqual(one)
  expect(standard.mostDimensions).toBeLessThan(open.mostDimensions)
  expect(standard.questionsADay).toBeLessThan(open.questionsADay)
})

test('what is published names nobody who decides, and no threshold of own records', () => {
  const seen = published(whole)
  expect(publicPolicy.parse(seen)).toEqual(seen)
  expect(JSON.stringify(seen)).not.toMatch(/Kim|Lee|traders|dominance|AAAA/)
})

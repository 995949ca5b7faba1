import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { declarations } from './datasets/declarations.ts'
import { monthIndex, monthOfIndex, monthsBetween, periodGrain, periodsBetween } from './period.ts'
import { axisLength, MOST_SLOTS, parseDuration, parseQueryFile, plan, type Question } from './query.ts'

const PAGE = readFileSync(new URL('query-language.md', import.meta.url), 'utf8')
const examples = [...PAGE.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, yaml]) => yaml as string)
const REFUSED = /^# refused: ([a-z-]+) \((.*)\)\n/

describe('query-language.md', () => {
  test('has examples of both kinds', () => {
    expect(examples.filter(one => REFUSED.test(one)).length).toBeGreaterThan(5)
    expect(examples.filter(one => !REFUSED.test(one)).length).toBeGreaterThan(3)
  })

  test.each(examples.filter(one => !REFUSED.test(one)))('runs\n%s', yaml => {
    expect(plan(parseQueryFile(yaml).question).slots).toBeGreaterThan(0)
  })

  test.each(examples.filter(one => REFUSED.test(one)))('refuses\n%s', yaml => {
    const [, code, reason] = REFUSED.exec(yaml) as unknown as [string, string, string]
    expect(() => parseQueryFile(yaml)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(reason) }),
    )
  })

  test('names every dimension and measure', () => {
    for (const id of [...Object.keys(declarations.dimensions), ...Object.keys(declarations.measures)]) {
      expect(PAGE).toContain(`\`${id}\``)
    }
  })

  test('counts cells and slots right', () => {
    const [transit, animals] = ['Transit by month', 'Live animals'].map(purpose => {
      const yaml = examples.find(one => one.includes(purpose)) as string
      return plan(parseQueryFile(yaml).question)
    })
    expect(transit).toMatchObject({ cells: 14 * 11, slots: 308 })
    const all = planOf({ by: '[hs6]' }).axes[0]?.codes.length ?? 0
    expect(PAGE).toContain(`has ${animals?.axes[0]?.codes.length} codes and not ${all.toLocaleString('en')}`)
    expect(PAGE).toContain(`at most ${MOST_SLOTS.toLocaleString('en')}`)
  })
})

function fileOf(fields: Record<string, string>): string {
  const all = { dataset: 'declarations', measures: '[count: records]', purpose: 'A test', ...fields }
  return Object.entries(all)
    .map(([field, value]) => `${field}: ${value}\n`)
    .join('')
}

function planOf(fields: Record<string, string>) {
  return plan(parseQueryFile(fileOf(fields)).question)
}

function codesOf(fields: Record<string, string>, axis = 0): readonly string[] {
  return planOf(fields).axes[axis]?.codes ?? []
}

function refuses(fields: Record<string, string>, reason: RegExp, code = 'bad-query'): void {
  expect(() => parseQueryFile(fileOf(fields))).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(reason) }),
  )
}

const dimensions = Object.keys(declarations.dimensions).filter(id => id !== 'period')
const measures = Object.keys(declarations.measures).filter(id => id !== 'quantity')

describe('a query file', () => {
  test('has defaults, and they are written out in the question', () => {
    const { question, need, closesAfter } = parseQueryFile(fileOf({}))
    expect(question).toEqual({
      dataset: { id: 'declarations', version: 1 },
      hsEdition: 'HS2022',
      where: [],
      by: [],
      measures: [{ count: 'records' }],
      purpose: 'A test',
      purposeCode: 'research',
    })
    expect(need).toBe('all')
    expect(closesAfter).toBe(24 * 3_600_000)
  })

  test('states one of the listed purposes', () => {
    expect(parseQueryFile(fileOf({ purposeCode: 'risk-analysis' })).question.purposeCode).toBe('risk-analysis')
    refuses({ purposeCode: 'curiosity' }, /purposeCode: must be official-statistics, .* or capacity-building$/)
  })

  test('keeps every scalar a string', () => {
    const { where, purpose } = parseQueryFile(fileOf({ where: '{ hs2: 01, origin: [NO] }', purpose: '2020' })).question
    expect(where).toEqual([
      { kind: 'codes', dimension: 'hs2', codes: ['01'] },
      { kind: 'codes', dimension: 'origin', codes: ['NO'] },
    ])
    expect(purpose).toBe('2020')
  })

  test('reads codes, lists, ranges and prefixes', () => {
    const where = '{ flow: import, origin: [KR, other, unknown], hs4: { from: "0101", to: "0105" }, hs6: "01*" }'
    expect(parseQueryFile(fileOf({ where })).question.where).toEqual([
      { kind: 'codes', dimension: 'flow', codes: ['import'] },
      { kind: 'codes', dimension: 'origin', codes: ['KR', 'other', 'unknown'] },
      { kind: 'range', dimension: 'hs4', from: '0101', to: '0105' },
      { kind: 'prefix', dimension: 'hs6', prefix: '01' },
    ])
  })

  test.each([
    ['1s', 1000],
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
  ])('closes after %s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
    expect(parseQueryFile(fileOf({ closes: text })).closesAfter).toBe(milliseconds)
  })

  test.each(['0s', '8d', '169h', '1w', '1.5h', '-1h', '', '24', 'h', '1 h', '1e3s', '٣h'])(
    'never closes after %j',
    text => {
      expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'bad-query' }))
    },
  )

  test('says how many members it needs', () => {
    expect(parseQueryFile(fileOf({ need: '{ atLeast: 4 }' })).need).toEqual({ atLeast: 4 })
    for (const need of ['{ atLeast: 0 }', '{ atLeast: -1 }', '{ atLeast: 1.5 }', '{ atLeast: many }', 'most', '4']) {
      refuses({ need }, /need/)
    }
  })

  test.each<[string, Record<string, string>, RegExp]>([
    ['that is not YAML', { by: '[hs2' }, /not YAML/],
    ['with another number than digits', { need: '{ atLeast: 0x3 }' }, /need/],
    ['with a list for a number', { need: '{ atLeast: [3] }' }, /need/],
    ['with a key twice', { where: '{ flow: import, flow: export }' }, /not YAML.*unique/],
    ['with an unknown key', { having: 'x' }, /it has no field "having"/],
    ['without measures', { measures: '[]' }, /measures/],
    ['with a measure that is both', { measures: '[{ count: records, sum: value }]' }, /measures/],
    ['with an unknown measure', { measures: '[sum: price]' }, /no measure "price"; it has value, netMass/],
    ['that adds up records', { measures: '[sum: records]' }, /no measure "records"/],
    ['with a measure twice', { measures: '[sum: value, sum: value]' }, /names sum\(value\) twice/],
    ['with a dimension twice', { by: '[hs2, hs2]' }, /by names hs2 twice/],
    ['with an unknown dimension', { by: '[hs8]' }, /no dimension "hs8"; it has flow, period, hs2/],
    ["with a name of JavaScript's own", { by: '[constructor]' }, /no dimension "constructor"/],
    ["with a measure of JavaScript's own", { measures: '[sum: toString]' }, /no measure "toString"/],
    ['with an unknown dimension in a filter', { where: '{ trader: x }' }, /no dimension "trader"/],
    ['with a code in capitals', { where: '{ flow: Import }' }, /do you mean "import"/],
    ['with three letters for a country', { where: '{ origin: KOR }' }, /do you mean "KR"/],
    ['with a chapter that does not exist', { where: '{ hs2: 77 }' }, /"77" is not a code/],
    ['with a prefix of nothing', { where: '{ hs6: "77*" }' }, /begins with "77"/],
    ['with a star alone', { where: '{ origin: "*" }' }, /beyond a limit/],
    ['with a range of nothing', { where: '{ hs2: { from: "77", to: "77" } }' }, /no code .* lies from "77" to "77"/],
    ['with a range backwards', { where: '{ hs2: { from: "85", to: "84" } }' }, /lies from "85" to "84"/],
    ['with an empty list', { where: '{ origin: [] }' }, /where.origin/],
    ['with a list of periods', { where: '{ period: [2020-01] }' }, /not a list/],
    ['with half a period', { where: '{ period: 2020-13 }' }, /not a range of months/],
    ['with a prefix of periods', { where: '{ period: "2020*" }' }, /not a range of months/],
    ['by period without a period', { by: '[period]' }, /needs where.period/],
    ['with a short purpose', { purpose: 'x' }, /purpose/],
    ['with nine dimensions', { by: `[${dimensions.slice(0, 9)}]` }, /by/],
  ])('%s is refused', (_, fields, reason) => {
    refuses(fields, reason)
  })

  test('on a dataset that does not exist is refused', () => {
    refuses({ dataset: 'seizures' }, /there is declarations/, 'unknown-dataset')
    refuses({ dataset: 'constructor' }, /there is declarations/, 'unknown-dataset')
  })

  test('never fails in another way, whatever it says', () => {
    const scalar = fc.constantFrom(
      'declarations',
      'hs2',
      'period',
      '2020',
      '01',
      'KR',
      'other',
      '*',
      '',
      '~',
      'records',
    )
    const node = fc.letrec(tie => ({
      value: fc.oneof(
        { maxDepth: 3 },
        scalar,
        fc.string(),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(
          fc.constantFrom('from', 'to', 'count', 'sum', 'hs2', 'period', 'atLeast', '__proto__'),
          tie('value'),
        ),
      ),
    })).value
    const file = fc.record(
      { dataset: scalar, where: node, by: node, measures: node, purpose: node, need: node, closes: node },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(
        fc.oneof(
          file.map(one => JSON.stringify(one)),
          fc.string(),
        ),
        text => {
          try {
            parseQueryFile(text)
          } catch (error) {
            expect((error as { code?: string }).code).toMatch(/^(bad-query|unknown-dataset|too-many-slots)$/)
          }
        },
      ),
    )
  })
})

describe('quantities', () => {
  test.each<Record<string, string>>([
    {},
    { by: '[hs2]' },
    { where: '{ quantityUnit: [kg, l] }' },
    { where: '{ quantityUnit: "1000*" }' },
  ])('are not added up over units: %j', fields =>
    refuses({ measures: '[sum: quantity]', ...fields }, /only within one quantityUnit/),
  )

  test.each<Record<string, string>>([
    { by: '[hs2, quantityUnit]' },
    { where: '{ quantityUnit: kg }' },
    { where: '{ quantityUnit: [kg] }' },
  ])('are added up within one: %j', fields =>
    expect(planOf({ measures: '[sum: quantity]', ...fields }).slots).toBeGreaterThan(0),
  )

  test('are counted over all', () => {
    expect(planOf({ measures: '[count: quantity]' }).slots).toBe(2)
  })
})

describe('cells', () => {
  test('are the product of the axes, each with other and unknown', () => {
    const { axes, cells, slots } = planOf({ by: '[flow, transport]', measures: '[sum: value, sum: netMass]' })
    expect(axes.map(axisLength)).toEqual([7, 11])
    expect(cells).toBe(77)
    expect(slots).toBe(3 * 77)
  })

  test('of a question without dimensions are one', () => {
    expect(planOf({})).toMatchObject({ cells: 1, slots: 1, months: undefined })
  })

  test('stand in the order of the list, not of the filter', () => {
    expect(codesOf({ by: '[origin]', where: '{ origin: [NO, KR, AF] }' })).toEqual(['AF', 'KR', 'NO'])
  })

  test('of other and unknown are there in any case, and once', () => {
    const { axes } = planOf({ by: '[origin]', where: '{ origin: [KR, other, unknown] }' })
    expect(axes[0]?.codes).toEqual(['KR'])
    expect(axes.map(axisLength)).toEqual([3])
  })

  test('of a finer level are restricted by a coarser filter', () => {
    expect(
      codesOf({ by: '[hs4]', where: '{ hs2: { from: "01", to: "02" } }' }).every(code => /^0[12]/.test(code)),
    ).toBe(true)
    expect(codesOf({ by: '[hs6]', where: '{ hs4: "851*" }' }).every(code => code.startsWith('851'))).toBe(true)
    expect(codesOf({ by: '[hs6]', where: '{ hs2: "85", hs4: "8517" }' })).toEqual(
      codesOf({ by: '[hs6]', where: '{ hs4: "8517" }' }),
    )
  })

  test('of a coarser level are not restricted by a finer filter', () => {
    expect(codesOf({ by: '[hs2]', where: '{ hs6: "85*" }' })).toEqual(codesOf({ by: '[hs2]' }))
  })

  test('below a coarser code that is not listed are all possible', () => {
    expect(codesOf({ by: '[hs6]', where: '{ hs2: other }' })).toEqual(codesOf({ by: '[hs6]' }))
  })

  test('of a period are its months or years', () => {
    expect(codesOf({ by: '[period]', where: '{ period: { from: 2019-11, to: 2020-02 } }' })).toEqual([
      '2019-11',
      '2019-12',
      '2020-01',
      '2020-02',
    ])
    const years = planOf({ by: '[period]', where: '{ period: { from: 2019, to: 2021 } }' })
    expect(years.axes).toEqual([{ dimension: 'period', codes: ['2019', '2020', '2021'], grain: 'year' }])
    expect(years.months).toEqual({ from: '2019-01', to: '2021-12' })
    expect(codesOf({ by: '[period]', where: '{ period: 2020-03 }' })).toEqual(['2020-03'])
  })

  test('begin with the presence count, which is there once', () => {
    expect(planOf({ measures: '[sum: value]' }).measures).toEqual([{ count: 'records' }, { sum: 'value' }])
    expect(planOf({ measures: '[sum: value, count: records]' }).measures).toEqual([
      { count: 'records' },
      { sum: 'value' },
    ])
  })

  test('are as many as the limit allows, and not one more', () => {
    const { axes } = planOf({ by: '[hs6, origin]' })
    expect(axes.map(axisLength).reduce((a, b) => a * b)).toBeLessThan(MOST_SLOTS)
    refuses(
      { by: '[hs6, origin]', measures: '[sum: value]' },
      /hs6 5615 × origin 252 × 2 measures .* are 2829960 slots/,
      'too-many-slots',
    )
  })

  const someQuestion = fc.record({
    by: fc.subarray(dimensions, { maxLength: 3 }),
    measures: fc.subarray(measures, { minLength: 1 }),
    counts: fc.subarray(measures),
  })

  test('have a layout that depends on the question alone', () => {
    fc.assert(
      fc.property(someQuestion, ({ by, measures, counts }) => {
        const question: Question = {
          dataset: { id: 'declarations', version: 1 },
          hsEdition: 'HS2022',
          where: [],
          by,
          measures: [...measures.map(sum => ({ sum })), ...counts.map(count => ({ count }))],
          purpose: 'A property',
          purposeCode: 'research',
        }
        try {
          const laid = plan(question)
          expect(laid.axes.map(one => one.dimension)).toEqual(by)
          expect(laid.cells).toBe(laid.axes.reduce((product, one) => product * (one.codes.length + 2), 1))
          expect(laid.slots).toBe(laid.cells * (1 + measures.length + counts.length))
          expect(laid.slots).toBeLessThanOrEqual(MOST_SLOTS)
          expect(plan(structuredClone(question))).toEqual(laid)
        } catch (error) {
          expect(error).toMatchObject({ code: 'too-many-slots' })
        }
      }),
      { numRuns: 50 },
    )
  })

  test('keep exactly the codes that a filter on their own dimension names', () => {
    const { codes } = declarations.dimensions.hs2.codeList
    fc.assert(
      fc.property(fc.subarray([...codes], { minLength: 1 }), some => {
        expect(codesOf({ by: '[hs2]', where: JSON.stringify({ hs2: some.toReversed() }) })).toEqual(some)
      }),
      { numRuns: 50 },
    )
  })
})

describe('a signed question', () => {
  const { question } = parseQueryFile(fileOf({}))

  test.each<[string, Partial<Question>, RegExp]>([
    [
      'another version of the dataset',
      { dataset: { id: 'declarations', version: 2 } },
      /about version 2 of declarations/,
    ],
    [
      'two conditions on one dimension',
      {
        where: [
          { kind: 'codes', dimension: 'flow', codes: ['import'] },
          { kind: 'prefix', dimension: 'flow', prefix: 're' },
        ],
      },
      /where names flow twice/,
    ],
    [
      'a period as a list',
      { where: [{ kind: 'codes', dimension: 'period', codes: ['2020-01'] }] },
      /takes a month, a year or a range/,
    ],
    [
      'a period as a prefix',
      { where: [{ kind: 'prefix', dimension: 'period', prefix: '2020' }] },
      /takes a month, a year or a range/,
    ],
  ])('with %s is refused, although no file says so', (_, change, reason) => {
    expect(() => plan({ ...question, ...change })).toThrow(
      expect.objectContaining({ code: 'bad-query', message: expect.stringMatching(reason) }),
    )
  })
})

describe('periods', () => {
  const month = fc.integer({ min: 0, max: 9999 * 12 + 11 }).map(monthOfIndex)

  test('months are numbers and back', () => {
    expect(monthIndex('2020-01')).toBe(2020 * 12)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9999 * 12 + 11 }), index => monthIndex(monthOfIndex(index)) === index),
    )
  })

  test('are in order, without a gap, both ends included', () => {
    fc.assert(
      fc.property(month, fc.integer({ min: 0, max: 1199 }), (from, length) => {
        const to = monthOfIndex(monthIndex(from) + length)
        fc.pre(to.length === 7 && to < '9999-99')
        expect(periodGrain({ from, to })).toBe('month')
        const months = periodsBetween({ from, to })
        expect(months).toHaveLength(length + 1)
        expect([months[0], months.at(-1)]).toEqual([from, to])
        expect(months.toSorted()).toEqual(months)
      }),
    )
  })

  test('of years have all of their months', () => {
    expect(periodGrain({ from: '2019', to: '2020' })).toBe('year')
    expect(periodsBetween({ from: '2019', to: '2020' })).toEqual(['2019', '2020'])
    expect(monthsBetween({ from: '2019', to: '2020' })).toEqual({ from: '2019-01', to: '2020-12' })
    expect(monthsBetween({ from: '2019-05', to: '2020-02' })).toEqual({ from: '2019-05', to: '2020-02' })
  })

  test.each([
    ['2020-00', '2020-01'],
    ['2020-01', '2020-13'],
    ['2020-02', '2020-01'],
    ['2021', '2020'],
    ['2020', '2020-12'],
    ['2020-1', '2020-2'],
    ['20', '21'],
    ['2020-01-01', '2020-01-31'],
    ['1920-01', '2020-01'],
    ['1920', '2020'],
  ])('from %s to %s are none', (from, to) => {
    expect(periodGrain({ from, to })).toBeUndefined()
  })
})

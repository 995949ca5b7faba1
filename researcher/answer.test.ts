import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Coverage } from '#specs/messages.ts'
import { monthOfIndex } from '#specs/period.ts'
import { axisLength, parseQueryFile, plan } from '#specs/query.ts'
import { coverageRanges, decimal, rowsOf, unitsOf } from './answer.ts'

describe('a decimal', () => {
  test.each([
    [0n, 2, '0.00'],
    [5n, 2, '0.05'],
    [-5n, 2, '-0.05'],
    [-100n, 2, '-1.00'],
    [123456n, 3, '123.456'],
    [7n, 0, '7'],
    [-7n, 0, '-7'],
    [-(2n ** 63n), 3, '-9223372036854775.808'],
  ])('of %s with %i decimals is %s', (value, decimals, text) => {
    expect(decimal(value, decimals)).toBe(text)
  })

  test('is read back exactly', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }), fc.nat(6), (value, decimals) => {
        const text = decimal(value, decimals)
        expect(text).toMatch(decimals === 0 ? /^-?\d+$/ : new RegExp(`^-?\\d+\\.\\d{${decimals}}$`))
        expect(BigInt(text.replace('.', ''))).toBe(value)
      }),
    )
  })
})

function asked(by: string, measures: string) {
  const { question } = parseQueryFile(
    `dataset: declarations\nwhere: { period: { from: 2020-01, to: 2020-02 } }\nby: [${by}]\nmeasures: [${measures}]\npurpose: rows\n`,
  )
  return { question, layout: plan(question) }
}

describe('rows', () => {
  test('stand for the cells in which records are, in order, with the codes of the axes, other and unknown', () => {
    const { question, layout } = asked('period, flow', '{ sum: value }')
    const [, flows] = layout.axes
    const slots = new BigInt64Array(layout.slots)
    const put = (cell: number, records: bigint, value: bigint) => {
      slots[cell] = records
      slots[layout.cells + cell] = value
    }
    const length = axisLength(flows as NonNullable<typeof flows>)
    put(0, 1n, 0n)
    put(length + 1, 2n, -150n)
    put(2 * length - 1, 3n, 5n)
    put(2 * length - 2, 0n, 99n)
    expect(rowsOf(layout, question, slots)).toEqual([
      { period: '2020-01', flow: flows?.codes[0], 'sum(value)': '0.00' },
      { period: '2020-02', flow: flows?.codes[1], 'sum(value)': '-1.50' },
      { period: '2020-02', flow: 'unknown', 'sum(value)': '0.05' },
    ])
  })

  test('of a question without dimensions are one, or none', () => {
    const { question, layout } = asked('', '{ count: records }, { sum: netMass }')
    expect(layout.slots).toBe(2)
    expect(rowsOf(layout, question, BigInt64Array.of(2n, 1500n))).toEqual([
      { 'count(records)': 2, 'sum(netMass)': '1.500' },
    ])
    expect(rowsOf(layout, question, BigInt64Array.of(0n, 0n))).toEqual([])
  })

  test('do not say how many records there are unless that was asked', () => {
    const { question, layout } = asked('', '{ sum: value }')
    expect(rowsOf(layout, question, BigInt64Array.of(4n, 100n))).toEqual([{ 'sum(value)': '1.00' }])
  })

  test('name every cell by other codes', () => {
    const { question, layout } = asked('flow, transport, period', '{ count: records }')
    const rows = rowsOf(layout, question, new BigInt64Array(layout.slots).fill(1n))
    const names = rows.map(row => `${row.flow} ${row.transport} ${row.period}`)
    expect(new Set(names).size).toBe(layout.cells)
    expect(names[0]).toBe(layout.axes.map(axis => axis.codes[0]).join(' '))
    expect(names.at(-1)).toBe('unknown unknown unknown')
  })
})

test('units are those of the dataset, and the currency of the charter', () => {
  const { question, layout } = asked('', '{ count: records }, { count: netMass }, { sum: netMass }, { sum: value }')
  expect(unitsOf(layout, question, 'EUR')).toEqual({
    'count(records)': 'goods item of a declaration',
    'count(netMass)': 'records',
    'sum(netMass)': 'kg',
    'sum(value)': 'EUR',
  })
})

describe('coverage', () => {
  const month = (period: string, state: Coverage['state']): Coverage => ({
    period,
    state,
    version: 0,
    latest: 0,
    asOf: null,
  })

  test.each([
    ['nothing', [], { complete: [], provisional: [], none: [] }],
    ['one month', [month('2020-05', 'none')], { complete: [], provisional: [], none: ['2020-05'] }],
    [
      'a run over the end of a year',
      [month('2020-01', 'complete'), month('2019-12', 'complete')],
      { complete: ['2019-12..2020-01'], provisional: [], none: [] },
    ],
    [
      'a gap',
      [month('2020-01', 'complete'), month('2020-03', 'complete')],
      { complete: ['2020-01', '2020-03'], provisional: [], none: [] },
    ],
    [
      'states that take turns',
      [month('2020-01', 'complete'), month('2020-02', 'provisional'), month('2020-03', 'complete')],
      { complete: ['2020-01', '2020-03'], provisional: ['2020-02'], none: [] },
    ],
  ] as const)('of %s', (_, months, ranges) => {
    expect(coverageRanges(months)).toEqual(ranges)
  })

  test('names each month once, whatever the order', () => {
    const months = fc.uniqueArray(fc.integer({ min: 2019 * 12, max: 2022 * 12 }), { maxLength: 30 })
    const states = fc.infiniteStream(fc.constantFrom('complete' as const, 'provisional' as const, 'none' as const))
    fc.assert(
      fc.property(months, states, (indices, stream) => {
        const coverage = indices.map(index => month(monthOfIndex(index), stream.next().value))
        const ranges = coverageRanges(coverage)
        for (const state of ['complete', 'provisional', 'none'] as const) {
          const named = ranges[state].flatMap(range => {
            const [from, to = from] = range.split('..') as [string, string?]
            const all = coverage.map(one => one.period).filter(one => one >= from && one <= to)
            return all
          })
          const expected = coverage.filter(one => one.state === state).map(one => one.period)
          expect(named.toSorted()).toEqual(expected.toSorted())
        }
      }),
    )
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { titledList } from '#specs/code-lists/titled-list.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { monthIndex, monthOfIndex } from '#specs/period.ts'
import type { Axis, Condition, Measure } from '#specs/query.ts'
import { type Aggregation, openWarehouse, type Warehouse } from './warehouse.ts'
import type { Writer } from './writer.ts'

const chapters = { id: 'chapters', source: 'test', codes: ['01', '02', '85'], title: (code: string) => code }
const recognise = (code: string) => (chapters.codes.includes(code) ? code : undefined)
const modes = titledList({ id: 'modes', source: 'test', titles: { sea: ['Sea', 'Mer'], air: ['Air', 'Air'] } })
const amount = { title: 'Amount', unit: 'currency', decimals: 2, least: -4e13, most: 4e13, beyond: 'reject' } as const
const dataset: Dataset = {
  id: 'test-goods',
  version: 1,
  title: 'Goods',
  record: 'item',
  dimensions: {
    period: { kind: 'period', title: 'Period' },
    hs2: { kind: 'level', title: 'Chapter', of: 'hs', digits: 2, codeList: { ...chapters, recognise } },
    mode: { kind: 'coded', title: 'Mode', codeList: modes },
  },
  measures: { value: amount, mass: amount },
}

const folder = mkdtempSync(join(tmpdir(), 'inbond-warehouse-'))
afterAll(() => rmSync(folder, { recursive: true }))

let path: string
let warehouse: Warehouse
let files = 0
beforeEach(() => {
  path = join(folder, `warehouse-${files++}.sqlite`)
  warehouse = openWarehouse(path)
  return () => warehouse.close()
})

interface Goods {
  month: string
  hs2: string | null
  mode: string | null
  value: number | null
  mass: number | null
  key?: string
}

const source = (currency = 'USD') => ({ file: 'f.csv', sha256: `${files}`, mapping: '', currency, importedAt: 0 })

function add(writer: Writer, { month, hs2, mode, value, mass, key = '' }: Goods) {
  const id = (code: string | null) => (code === null ? null : writer.codeId(code))
  return writer.add([null, monthIndex(month), id(hs2), id(mode), value, mass, hs2, null, key || null])
}

function load(goods: readonly Goods[], { dryRun = false } = {}) {
  return warehouse.write(
    dataset,
    source(),
    writer => {
      const outcomes = goods.map(one => add(writer, one))
      writer.finish({}, 0)
      return outcomes
    },
    { dryRun },
  )
}

const goods = (month: string, key = ''): Goods => ({ month, hs2: '01', mode: 'sea', value: 5, mass: null, key })
const aggregation = (rest: Partial<Aggregation> = {}): Aggregation => ({
  dataset,
  where: [],
  by: [],
  measures: [{ count: 'records' }],
  ...rest,
})
const records = () => warehouse.aggregate(aggregation())[0]

describe('aggregation', () => {
  const months = ['2019-12', '2020-01', '2020-02', '2021-01']
  const edge = fc.constantFrom(2 ** 52 - 600, -(2 ** 52) + 600, 0, 1, -1)
  const measure = fc.option(fc.oneof(edge, fc.integer()), { nil: null })
  const anyGoods: fc.Arbitrary<Goods> = fc.record({
    month: fc.constantFrom(...months),
    hs2: fc.constantFrom('01', '02', '85', '77', 'other', null),
    mode: fc.constantFrom('sea', 'air', 'other', null),
    value: measure,
    mass: measure,
  })
  const axes: Axis[] = [
    { dimension: 'hs2', codes: ['85', '01'] },
    { dimension: 'mode', codes: modes.codes },
    { dimension: 'period', codes: ['2020-01', '2020-02'], grain: 'month' },
    { dimension: 'period', codes: ['2019', '2020'], grain: 'year' },
  ]
  const conditions: Condition[] = [
    { dimension: 'hs2', kind: 'codes', codes: ['01', '85'] },
    { dimension: 'hs2', kind: 'codes', codes: ['02', 'unknown'] },
    { dimension: 'mode', kind: 'codes', codes: ['other'] },
    { dimension: 'hs2', kind: 'range', from: '02', to: '80' },
    { dimension: 'hs2', kind: 'prefix', prefix: '0' },
    { dimension: 'period', kind: 'range', from: '2020-01', to: '2020-02' },
    { dimension: 'period', kind: 'range', from: '2019', to: '2020' },
  ]
  const measures: Measure[] = [{ count: 'records' }, { count: 'mass' }, { sum: 'value' }, { sum: 'mass' }]

  const codeOf = (one: Goods, dimension: string) =>
    dimension === 'period' ? one.month : dimension === 'hs2' ? one.hs2 : one.mode

  function matches(one: Goods, condition: Condition): boolean {
    const code = codeOf(one, condition.dimension)
    if (condition.kind === 'codes') {
      const list = condition.dimension === 'hs2' ? chapters.codes : modes.codes
      if (code === null) return condition.codes.includes('unknown')
      return condition.codes.includes(list.includes(code) ? code : 'other')
    }
    if (code === null || code === 'other') return false
    if (condition.kind === 'prefix') return code.startsWith(condition.prefix)
    const short = condition.dimension === 'period' ? code.slice(0, condition.to.length) : code
    return short >= condition.from && short <= condition.to
  }

  function recount(all: readonly Goods[], { where, by, measures }: Aggregation): bigint[] {
    const cells = by.reduce((product, axis) => product * (axis.codes.length + 2), 1)
    const slots = new Array<bigint>(cells * measures.length).fill(0n)
    for (const one of all.filter(one => where.every(condition => matches(one, condition)))) {
      const cell = by.reduce((index, axis) => {
        const code = codeOf(one, axis.dimension)
        const place = code === null ? -1 : axis.codes.indexOf(axis.grain === 'year' ? code.slice(0, 4) : code)
        const position = code === null ? axis.codes.length + 1 : place < 0 ? axis.codes.length : place
        return index * (axis.codes.length + 2) + position
      }, 0)
      for (const [m, measure] of measures.entries()) {
        const name = 'sum' in measure ? measure.sum : measure.count
        const value = name === 'records' ? 1 : one[name as 'value' | 'mass']
        if (value === null) continue
        const slot = m * cells + cell
        slots[slot] = (slots[slot] as bigint) + ('sum' in measure ? BigInt(value) : 1n)
      }
    }
    return slots
  }

  test('agrees with a recount', () => {
    fc.assert(
      fc.property(
        fc.array(anyGoods, { maxLength: 60 }),
        fc.subarray(axes),
        fc.subarray(conditions, { maxLength: 2 }),
        fc.shuffledSubarray(measures, { minLength: 1 }),
        (all, by, where, measures) => {
          using fresh = openWarehouse(':memory:')
          warehouse.close()
          warehouse = fresh
          load(all)
          const asked = { dataset, by, where, measures }
          expect([...fresh.aggregate(asked)]).toEqual(recount(all, asked))
          warehouse = openWarehouse(path)
        },
      ),
      { numRuns: 150 },
    )
  })

  test('sums are exact far beyond 2^53', () => {
    const value = 2 ** 52 - 601
    load(Array.from({ length: 1500 }, () => ({ ...goods('2020-01'), value, mass: -value })))
    const [sum, negative] = warehouse.aggregate(aggregation({ measures: [{ sum: 'value' }, { sum: 'mass' }] }))
    expect(sum).toBe(1500n * BigInt(value))
    expect(negative).toBe(-1500n * BigInt(value))
  })

  test('a sum beyond 64 bits is an error, not a number', () => {
    load(Array.from({ length: 2100 }, () => ({ ...goods('2020-01'), value: 2 ** 52 - 1 })))
    expect(() => warehouse.aggregate(aggregation({ measures: [{ sum: 'value' }] }))).toThrow(
      expect.objectContaining({ code: 'cell-too-large' }),
    )
  })

  test('a warehouse that is not there yet reads as an empty one', () => {
    using absent = openWarehouse(join(folder, 'absent.sqlite'), { readonly: true })
    expect([...absent.aggregate(aggregation())]).toEqual([0n])
    expect(absent.coverage(dataset)).toEqual([])
    expect(absent.status(dataset).records).toBe(0)
  })
})

describe('an import', () => {
  test('is all or nothing', () => {
    load([goods('2020-01')])
    const before = warehouse.coverage(dataset)
    expect(() =>
      warehouse.write(dataset, source(), writer => {
        writer.remove({ from: '2020', to: '2020' })
        add(writer, goods('2020-02'))
        throw new Error('in the middle')
      }),
    ).toThrow('in the middle')
    load([goods('2020-03')], { dryRun: true })
    expect(records()).toBe(1n)
    expect(warehouse.coverage(dataset)).toEqual(before)
  })

  test('does not disturb a reader, which sees it all at once', () => {
    load([goods('2020-01')])
    using reader = openWarehouse(path, { readonly: true })
    warehouse.write(dataset, source(), writer => {
      add(writer, goods('2020-01'))
      expect(reader.aggregate(aggregation())[0]).toBe(1n)
      using another = openWarehouse(path)
      expect(another.aggregate(aggregation())[0]).toBe(1n)
      writer.finish({}, 0)
    })
    expect(reader.aggregate(aggregation())[0]).toBe(2n)
    reader.snapshot(() => {
      expect(reader.coverage(dataset)[0]?.version).toBe(2)
      load([goods('2020-01')])
      expect(reader.aggregate(aggregation())[0]).toBe(2n)
      expect(reader.coverage(dataset)[0]?.version).toBe(2)
    })
  })

  test('replaces by key, and both periods change', () => {
    expect(load([goods('2020-01', 'a'), goods('2020-01', 'b')])).toEqual(['loaded', 'loaded'])
    expect(load([goods('2020-02', 'a'), goods('2020-02', 'a')])).toEqual(['replaced', 'repeated'])
    expect(records()).toBe(2n)
    expect(warehouse.coverage(dataset).map(one => [one.period, one.version])).toEqual([
      ['2020-01', 2],
      ['2020-02', 1],
    ])
  })

  test('in another currency is refused', () => {
    load([goods('2020-01')])
    expect(() => warehouse.write(dataset, source('EUR'), () => {})).toThrow(
      expect.objectContaining({ code: 'currency-not-supported' }),
    )
  })

  test('into a table of another shape is refused', () => {
    load([])
    const { value } = dataset.measures
    const changed = { ...dataset, measures: { value: value as typeof amount } }
    expect(() => warehouse.write(changed, source(), () => {})).toThrow(
      expect.objectContaining({ code: 'warehouse-outdated' }),
    )
  })
})

describe('coverage', () => {
  const CLOSED = Date.UTC(2020, 4, 1)
  const states = (from?: string, to?: string) =>
    warehouse.coverage(dataset, from, to).map(({ period, state, version }) => `${period} ${state} ${version}`)

  test('knows months without data, closing and reopening', () => {
    load([goods('2020-01'), goods('2020-03')])
    expect(states()).toEqual(['2020-01 provisional 1', '2020-02 none 0', '2020-03 provisional 1'])
    expect(warehouse.mark(dataset, { from: '2020-02', to: '2020-04' }, 'complete', CLOSED)).toEqual({
      changed: 3,
      empty: ['2020-02', '2020-04'],
    })
    expect(states('2020-01', '2020-05')).toEqual([
      '2020-01 provisional 1',
      `2020-02 complete ${CLOSED / 1000}`,
      `2020-03 complete ${CLOSED / 1000}`,
      `2020-04 complete ${CLOSED / 1000}`,
      '2020-05 none 0',
    ])
    expect(warehouse.coverage(dataset, '2020-03', '2020-03')[0]?.asOf).toBe('2020-05-01T00:00:00.000Z')
    expect(warehouse.mark(dataset, { from: '2020', to: '2020' }, 'provisional', 0).changed).toBe(3)
    expect(warehouse.mark(dataset, { from: '2020', to: '2020' }, 'provisional', 0).changed).toBe(0)
    expect(states('2020', '2020')).toHaveLength(12)
    expect(states('2020-01', '2020-03')).toEqual([
      '2020-01 provisional 1',
      `2020-02 complete ${CLOSED / 1000}`,
      `2020-03 complete ${CLOSED / 1000}`,
    ])
    expect(warehouse.status(dataset).reopened).toEqual(['2020-02', '2020-03', '2020-04'])
  })

  test('completing an unchanged complete month again does not raise its version; a change shows when the month is closed again', () => {
    const complete = () =>
      warehouse.write(dataset, source(), writer => {
        writer.complete({ from: '2020-01', to: '2020-02' })
        writer.finish({}, 0)
      })
    complete()
    complete()
    expect(states()).toEqual(['2020-01 complete 1', '2020-02 complete 1'])
    load([goods('2020-02')])
    expect(states()).toEqual(['2020-01 complete 1', '2020-02 complete 1'])
    expect(records()).toBe(0n)
    expect(warehouse.status(dataset)).toMatchObject({ records: 1, reopened: ['2020-02'] })
    complete()
    expect(states()).toEqual(['2020-01 complete 1', '2020-02 complete 3'])
    expect(records()).toBe(1n)
    expect(warehouse.status(dataset).reopened).toEqual([])
  })

  test('status', () => {
    load([goods('2020-01'), goods('2020-03')])
    expect(warehouse.status(dataset)).toEqual({
      dataset: 'test-goods',
      records: 2,
      imports: 1,
      first: '2020-01',
      last: monthOfIndex(monthIndex('2020-03')),
      reopened: [],
      asOf: '1970-01-01T00:00:00.000Z',
    })
  })
})

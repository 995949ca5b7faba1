import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { declarations } from '#specs/datasets/declarations.ts'
import { monthIndex } from '#specs/period.ts'
import { type Condition, plan, type Question } from '#specs/query.ts'
import { openWarehouse, type Warehouse } from './warehouse.ts'

/** What is found in a warehouse, against a count of the same records one by one. */

interface Goods {
  readonly month: string
  readonly flow: string
  readonly hs4: string | null
  readonly trader: string | null
  readonly value: number
}

const goods: fc.Arbitrary<Goods> = fc.record({
  month: fc.constantFrom('2019-12', '2020-01', '2020-02'),
  flow: fc.constantFrom('import', 'export'),
  hs4: fc.constantFrom('0101', '0102', '8517', null),
  trader: fc.constantFrom('A', 'B', 'C', null),
  value: fc.nat(100),
})
const condition: fc.Arbitrary<Condition> = fc.constantFrom<Condition>(
  { kind: 'codes', dimension: 'flow', codes: ['import'] },
  { kind: 'range', dimension: 'period', from: '2020', to: '2020' },
  { kind: 'range', dimension: 'period', from: '2020-01', to: '2020-01' },
  { kind: 'prefix', dimension: 'hs4', prefix: '010' },
  { kind: 'codes', dimension: 'hs2', codes: ['01'] },
)
const question: fc.Arbitrary<Question> = fc
  .record({
    where: fc.uniqueArray(condition, { maxLength: 2, selector: one => one.dimension }),
    by: fc.subarray(['flow', 'hs2', 'hs4', 'period'], { maxLength: 2 }),
  })
  .map(({ where, by }) => ({
    dataset: { id: 'declarations', version: 1 },
    hsEdition: 'HS2022',
    where,
    by: by.filter(id => id !== 'period' || where.some(one => one.dimension === 'period')),
    measures: [{ sum: 'value' }],
    purpose: 'A property',
    purposeCode: 'research',
  }))

let warehouse: Warehouse
beforeEach(() => {
  warehouse = openWarehouse(':memory:')
})
afterEach(() => warehouse.close())

const columns = ['import', ...Object.keys(declarations.dimensions), ...Object.keys(declarations.measures)]

let imports = 0
function load(all: readonly Goods[]): void {
  const source = { file: 'f.csv', sha256: `${imports++}`, mapping: '', currency: 'USD', importedAt: imports }
  warehouse.write(declarations, source, writer => {
    for (const one of all) {
      const id = (code: string | null) => (code === null ? null : writer.codeId(code))
      const values: Record<string, number | null> = {
        flow: id(one.flow),
        period: monthIndex(one.month),
        hs2: id(one.hs4?.slice(0, 2) ?? null),
        hs4: id(one.hs4),
        value: one.value,
      }
      writer.add([...columns.map(name => values[name] ?? null), one.hs4, one.trader, null])
    }
    writer.finish({}, imports)
  })
}

function aggregationOf(asked: Question) {
  const { dataset, where, axes: by, measures } = plan(asked)
  return { dataset, where, by, measures }
}

function codeOf(one: Goods, dimension: string): string | null {
  if (dimension === 'flow') return one.flow
  if (dimension === 'period') return one.month
  return dimension === 'hs2' ? (one.hs4?.slice(0, 2) ?? null) : one.hs4
}

function holds(one: Goods, where: readonly Condition[]): boolean {
  return where.every(condition => {
    const code = codeOf(one, condition.dimension)
    if (code === null) return false
    if (condition.kind === 'codes') return condition.codes.includes(code)
    if (condition.kind === 'prefix') return code.startsWith(condition.prefix)
    return code.slice(0, condition.to.length) >= condition.from && code.slice(0, condition.to.length) <= condition.to
  })
}

function grouped(all: readonly Goods[], key: (one: Goods) => string): Goods[][] {
  return [...Map.groupBy(all, key).values()]
}

const tradersOf = (all: readonly Goods[]) => new Set(all.flatMap(one => one.trader ?? [])).size

describe('own cells', () => {
  const least = { records: 3, traders: 2, dominance: 60 }

  test('are counted as one would count them', () => {
    fc.assert(
      fc.property(fc.array(goods, { minLength: 1, maxLength: 30 }), question, (all, asked) => {
        using fresh = openWarehouse(':memory:')
        warehouse = fresh
        load(all)
        const asksYears = asked.where.some(one => one.kind === 'range' && one.to.length === 4)
        const cellOf = (one: Goods) =>
          asked.by.map(id => (id === 'period' && asksYears ? one.month.slice(0, 4) : codeOf(one, id))).join()
        const cells = grouped(
          all.filter(one => holds(one, asked.where)),
          cellOf,
        )
        const share = (cell: Goods[]) => {
          const total = cell.reduce((sum, one) => sum + one.value, 0)
          const parts = grouped(cell, one => `${one.trader}`).map(own => own.reduce((sum, one) => sum + one.value, 0))
          return total === 0 ? 0 : (100 * Math.max(...parts)) / total
        }
        const found = warehouse.ownCells(aggregationOf(asked), least)
        expect([found.cells, found.below, found.dominated]).toEqual([
          cells.length,
          cells.filter(cell => cell.length < least.records || tradersOf(cell) < least.traders).length,
          cells.filter(cell => share(cell) > least.dominance).length,
        ])
        const sizes = cells
          .map(cell => [tradersOf(cell), cell.length])
          .sort(([a = 0, b = 0], [c = 0, d = 0]) => a - c || b - d)
        expect(found.smallest.map(one => [one.traders, one.records])).toEqual(sizes.slice(0, 5))
      }),
    )
  })

  test('of a warehouse without records are none', () => {
    const asked = aggregationOf(fc.sample(question, 1)[0] as Question)
    expect(warehouse.ownCells(asked, least)).toEqual({ cells: 0, below: 0, dominated: 0, smallest: [] })
  })
})

describe('the difference of two answers', () => {
  const least = { records: 3, traders: 2 }
  const current = () => warehouse.coverage(declarations)
  const found = (now: Question, then: Question, versions = current()) => {
    const { where, by } = aggregationOf(then)
    return warehouse.difference(aggregationOf(now), { where, by, versions }, least)
  }
  const asking = (where: Condition[], by: string[] = []): Question => ({
    ...(fc.sample(question, 1)[0] as Question),
    where,
    by,
  })
  const [imports_, year, month, animals] = [
    { kind: 'codes', dimension: 'flow', codes: ['import'] },
    { kind: 'range', dimension: 'period', from: '2020', to: '2020' },
    { kind: 'range', dimension: 'period', from: '2020-01', to: '2020-01' },
    { kind: 'codes', dimension: 'hs2', codes: ['01'] },
  ] as const satisfies Condition[] as unknown as [Condition, Condition, Condition, Condition]
  const one = (change: Partial<Goods>): Goods => ({
    month: '2020-01',
    flow: 'import',
    hs4: '0101',
    trader: 'A',
    value: 1,
    ...change,
  })
  const many = (change: Partial<Goods>) => ['A', 'B', 'C', 'A'].map(trader => one({ trader, ...change }))

  const cases: [string, Goods[], Question, Question, object | undefined][] = [
    [
      'in a filter that leaves a few out',
      [...many({}), one({ month: '2020-02' })],
      asking([month]),
      asking([year]),
      { groups: 1, records: 1, traders: 1 },
    ],
    [
      'in a filter that leaves many out',
      [...many({}), ...many({ month: '2020-02' })],
      asking([month]),
      asking([year]),
      undefined,
    ],
    [
      'in many records of one trader',
      [...many({}), ...[1, 2, 3].map(() => one({ flow: 'export' }))],
      asking([]),
      asking([imports_]),
      { groups: 1, records: 3, traders: 1 },
    ],
    [
      'in records of nobody',
      [...many({}), ...[1, 2, 3].map(() => one({ flow: 'export', trader: null }))],
      asking([]),
      asking([imports_]),
      { groups: 1, records: 3, traders: 0 },
    ],
    [
      'in one cell of many',
      [...many({}), ...many({ hs4: '8517' }), ...many({ flow: 'export' }), one({ flow: 'export', hs4: '8517' })],
      asking([], ['hs2']),
      asking([imports_], ['hs4']),
      { groups: 1, records: 1, traders: 1 },
    ],
    [
      'and share nothing',
      [...many({}), one({ flow: 'export' })],
      asking([imports_]),
      asking([{ kind: 'codes', dimension: 'flow', codes: ['export'] }]),
      undefined,
    ],
    ['in cells alone', many({}), asking([], ['hs2']), asking([], ['flow']), undefined],
    [
      'in a filter on what the other one tells apart',
      [...many({}), one({ flow: 'export' })],
      asking([], ['flow']),
      asking([imports_]),
      undefined,
    ],
    [
      'in a filter beside one on what the other tells apart',
      [...many({}), one({ flow: 'export' }), ...many({ hs4: '8517' })],
      asking([], ['hs4']),
      asking([imports_, animals]),
      { groups: 1, records: 1, traders: 1 },
    ],
  ]
  test.each(cases)('%s', (_, all, now, then, expected) => {
    load(all)
    expect(found(now, then)).toEqual(expected)
    // Which came first is no matter where the records are the same.
    expect(found(then, now)).toEqual(expected)
  })

  test('is what was imported in between, where the questions are the same', () => {
    load(many({}))
    const last = current()
    load([one({ trader: 'D' })])
    expect(found(asking([]), asking([]), last)).toEqual({ groups: 1, records: 1, traders: 1 })
    load(many({}))
    expect(found(asking([]), asking([]), last)).toBeUndefined()
  })

  test('of the same question about the same records is nothing', () => {
    fc.assert(
      fc.property(fc.array(goods, { maxLength: 20 }), question, (all, asked) => {
        using fresh = openWarehouse(':memory:')
        warehouse = fresh
        load(all)
        expect(found(asked, asked)).toBeUndefined()
      }),
    )
  })

  test('of two figures is what their subtraction leaves', () => {
    fc.assert(
      fc.property(fc.array(goods, { maxLength: 20 }), question, question, (all, a, b) => {
        using fresh = openWarehouse(':memory:')
        warehouse = fresh
        load(all)
        const [now, then] = [asking([...a.where]), asking([...b.where])]
        const differing = all.filter(record => holds(record, now.where) !== holds(record, then.where))
        const isShared = all.some(record => holds(record, now.where) && holds(record, then.where))
        const isFew = differing.length < least.records || tradersOf(differing) < least.traders
        const isSmall = isShared && differing.length > 0 && isFew
        expect(found(now, then)).toEqual(
          isSmall ? { groups: 1, records: differing.length, traders: tradersOf(differing) } : undefined,
        )
      }),
    )
  })
})

import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { titledList } from '#specs/code-lists/titled-list.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { monthIndex } from '#specs/period.ts'
import type { Condition } from '#specs/query.ts'
import type { PeriodState } from './versions.ts'
import { openWarehouse, type PeriodCoverage, type Warehouse } from './warehouse.ts'

const modes = titledList({ id: 'modes', source: 'test', titles: { sea: ['Sea', 'Mer'], air: ['Air', 'Air'] } })
const dataset: Dataset = {
  id: 'test-goods',
  version: 1,
  title: 'Goods',
  record: 'item',
  dimensions: {
    period: { kind: 'period', title: 'Period' },
    mode: { kind: 'coded', title: 'Mode', codeList: modes },
  },
  measures: { value: { title: 'Value', unit: 'currency', decimals: 2, least: -1e12, most: 1e12, beyond: 'reject' } },
}
const MONTHS = ['2019-12', '2020-01', '2020-02']

const folder = mkdtempSync(join(tmpdir(), 'inbond-versions-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const newPath = () => join(folder, `${files++}.sqlite`)

interface Goods {
  readonly key: string | null
  readonly month: string
  readonly mode: string
  readonly value: number
}

interface Import {
  readonly goods: readonly Goods[]
  /** Months whose records are deleted first. */
  readonly replace?: string
  readonly complete?: string
  /** How it ends, if it is not kept. */
  readonly end?: 'dry run' | 'failure'
}

/** What happens to a warehouse; `now` is its clock, which may go back. */
type Happening = { readonly now: number } & (Import | { readonly mark: PeriodState; readonly month: string })

class Failure extends Error {}

function happen(warehouse: Warehouse, one: Happening): void {
  if ('mark' in one) return void warehouse.mark(dataset, { from: one.month, to: one.month }, one.mark, one.now)
  const source = { file: 'f.csv', sha256: '', mapping: '', currency: 'USD', importedAt: one.now }
  const work = () =>
    warehouse.write(
      dataset,
      source,
      writer => {
        if (one.replace) writer.remove({ from: one.replace, to: one.replace })
        if (one.complete) writer.complete({ from: one.complete, to: one.complete })
        for (const { key, month, mode, value } of one.goods) {
          writer.add([null, monthIndex(month), writer.codeId(mode), value, null, key])
        }
        if (one.end === 'failure') throw new Failure()
        writer.finish({}, one.now)
      },
      { dryRun: one.end === 'dry run' },
    )
  if (one.end === 'failure') expect(work).toThrow(Failure)
  else work()
}

interface MonthVersion {
  readonly state: PeriodState
  readonly asOf: number
  readonly goods: readonly Goods[]
}

/** Every version of every month with all its records: what a warehouse has to answer like. */
class Model {
  goods: readonly Goods[] = []
  readonly versions = new Map<string, readonly MonthVersion[]>()

  happen(one: Happening): void {
    const asOf = Math.max(one.now, ...[...this.versions.values()].flat().map(version => version.asOf + 1))
    if ('mark' in one) {
      const isComplete = this.versions.get(one.month)?.at(-1)?.state === 'complete'
      if (isComplete !== (one.mark === 'complete') && (isComplete || one.mark === 'complete')) {
        this.add(one.month, one.mark, asOf)
      }
      return
    }
    if (one.end !== undefined) return
    const changed = new Set<string>()
    const remove = (gone: (goods: Goods) => boolean) => {
      for (const { month } of this.goods.filter(gone)) changed.add(month)
      this.goods = this.goods.filter(goods => !gone(goods))
    }
    remove(goods => goods.month === one.replace)
    for (const goods of one.goods) {
      const old = goods.key === null ? undefined : this.goods.find(({ key }) => key === goods.key)
      if (JSON.stringify(old) === JSON.stringify(goods)) continue
      remove(other => other === old)
      this.goods = [...this.goods, goods]
      changed.add(goods.month)
    }
    for (const month of MONTHS) {
      const isCompleted = month === one.complete
      const wasComplete = this.versions.get(month)?.at(-1)?.state === 'complete'
      if (changed.has(month)) this.add(month, isCompleted ? 'complete' : 'provisional', asOf)
      else if (isCompleted && !wasComplete) this.add(month, 'complete', asOf)
    }
  }

  add(month: string, state: PeriodState, asOf: number): void {
    const goods = this.goods.filter(one => one.month === month)
    this.versions.set(month, [...(this.versions.get(month) ?? []), { state, asOf, goods }])
  }

  /** The number of the version that a month is answered from, from 1; 0 for none. */
  answered(month: string, at: number): number {
    const until = (this.versions.get(month) ?? []).filter(one => one.asOf <= at)
    return until.findLastIndex(one => one.state === 'complete') + 1 || until.length
  }

  coverage(at: number): PeriodCoverage[] {
    return MONTHS.map(period => {
      const [version, latest] = [this.answered(period, at), this.answered(period, Infinity)]
      const { state = 'none', asOf } = this.versions.get(period)?.[version - 1] ?? {}
      return { period, state, version, latest, asOf: asOf === undefined ? null : new Date(asOf).toISOString() } as const
    })
  }

  /** What a question is answered from. */
  answeredGoods(at: number, months: readonly string[]): readonly Goods[] {
    return months.flatMap(month => this.versions.get(month)?.[this.answered(month, at) - 1]?.goods ?? [])
  }

  /** The cells of `question`. */
  cells(at: number, months: readonly string[], only: readonly string[]): bigint[] {
    const goods = this.answeredGoods(at, months)
    const cells = MONTHS.flatMap(month =>
      [...modes.codes, 'other', 'unknown'].map(mode =>
        goods.filter(one => one.month === month && one.mode === mode && only.includes(mode)),
      ),
    )
    const nowhere = Array.from({ length: 2 * (modes.codes.length + 2) }, () => [])
    const all = [...cells, ...nowhere]
    return [
      ...all.map(cell => BigInt(cell.length)),
      ...all.map(cell => BigInt(cell.reduce((sum, one) => sum + one.value, 0))),
    ]
  }
}

function question(months: string[], only: string[]) {
  const where: Condition[] = [{ dimension: 'mode', kind: 'codes', codes: only }]
  if (months.length < MONTHS.length) where.push({ dimension: 'period', kind: 'codes', codes: months })
  const by = [
    { dimension: 'period', codes: MONTHS, grain: 'month' as const },
    { dimension: 'mode', codes: modes.codes },
  ]
  return { dataset, where, by, measures: [{ count: 'records' }, { sum: 'value' }] }
}

const month = fc.constantFrom(...MONTHS)
const goods: fc.Arbitrary<Goods> = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd', null),
  month,
  mode: fc.constantFrom(...modes.codes),
  value: fc.integer({ min: 0, max: 3 }),
})
const now = fc.integer({ min: 0, max: 40 })
const often = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 })
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { arbitrary: fc.record({ now, mark: fc.constantFrom('complete', 'provisional'), month }), weight: 2 },
  {
    arbitrary: fc
      .record({
        now,
        goods: fc.array(goods, { minLength: 1, maxLength: 4 }),
        replace: often(month),
        complete: often(month),
        end: fc.option(fc.constantFrom('dry run', 'failure'), { nil: undefined, freq: 4 }),
      })
      .map(one => Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined)) as Happening),
    weight: 3,
  },
)
const asked = fc.record({
  months: fc.subarray(MONTHS, { minLength: 1 }),
  only: fc.subarray([...modes.codes], { minLength: 1 }),
})

test('every question as of every instant is answered as it would have been then', () => {
  fc.assert(
    fc.property(fc.array(happening, { minLength: 6, maxLength: 12 }), asked, (happenings, { months, only }) => {
      using warehouse = openWarehouse(':memory:')
      const model = new Model()
      for (const one of happenings) {
        happen(warehouse, one)
        model.happen(one)
      }
      const changes = [...model.versions.values()].flat().map(one => one.asOf)
      for (const at of new Set([undefined, ...changes.flatMap(asOf => [asOf - 1, asOf])])) {
        const then = at ?? Infinity
        expect(warehouse.coverage(dataset, MONTHS[0], MONTHS.at(-1), at)).toEqual(model.coverage(then))
        expect([...warehouse.aggregate(question(months, only), at)]).toEqual(model.cells(then, months, only))
      }
    }),
    { numRuns: 60 },
  )
})

test('what is looked up of a question as of an instant is of the records that it is answered from', () => {
  fc.assert(
    fc.property(fc.array(happening, { minLength: 6, maxLength: 12 }), asked, (happenings, { months, only }) => {
      using warehouse = openWarehouse(':memory:')
      const model = new Model()
      for (const one of happenings) {
        happen(warehouse, one)
        model.happen(one)
      }
      const all = question(months, only)
      const cellsAt = (at: number) =>
        Map.groupBy(
          model.answeredGoods(at, months).filter(one => only.includes(one.mode)),
          one => `${one.month} ${one.mode}`,
        )
      const least = { records: 2, traders: 0 }
      const instants = [...new Set([...model.versions.values()].flat().map(one => one.asOf))]
      for (const at of instants) {
        const now = cellsAt(at)
        const few = [...now.values()].filter(({ length }) => length < least.records).length
        const found = warehouse.ownCells(all, { ...least, dominance: 100 }, at)
        expect([found.cells, found.below]).toEqual([now.size, few])
        for (const before of instants) {
          const then = cellsAt(before)
          const groups = [...now].flatMap(([cell, goods]) => {
            const others = then.get(cell) ?? []
            const shared = goods.filter(one => others.includes(one)).length
            const differing = goods.length + others.length - 2 * shared
            return shared > 0 && differing > 0 && differing < least.records ? [differing] : []
          })
          const earlier = { ...all, versions: warehouse.coverage(dataset, MONTHS[0], MONTHS.at(-1), before) }
          expect(warehouse.difference(all, earlier, least, at)).toEqual(
            groups.length === 0 ? undefined : { groups: groups.length, records: Math.min(...groups), traders: 0 },
          )
        }
      }
    }),
    { numRuns: 30 },
  )
})

describe('forgetting', () => {
  test('changes no answer as of that instant or a later one', () => {
    fc.assert(
      fc.property(
        fc.array(happening, { minLength: 6, maxLength: 12 }),
        asked,
        now,
        (happenings, { months, only }, before) => {
          using warehouse = openWarehouse(':memory:')
          for (const one of happenings) happen(warehouse, one)
          const answers = () =>
            [before, before + 3, before + 10, before + 20, undefined].map(at => [
              warehouse.coverage(dataset, '2019', '2020', at),
              warehouse.aggregate(question(months, only), at),
            ])
          const expected = answers()
          warehouse.forget(dataset, before)
          expect(answers()).toEqual(expected)
          expect(warehouse.forget(dataset, before)).toEqual({ versions: 0, records: 0 })
        },
      ),
      { numRuns: 40 },
    )
  })

  const [a, b]: Goods[] = [
    { key: 'a', month: '2020-01', mode: 'sea', value: 1 },
    { key: 'a', month: '2020-01', mode: 'air', value: 2 },
  ] as [Goods, Goods]

  test('leaves nothing of records that no version has, and the first version that is left answers for those before', () => {
    const path = newPath()
    using warehouse = openWarehouse(path)
    happen(warehouse, { now: 10, goods: [a], complete: '2020-01' })
    happen(warehouse, { now: 20, goods: [b] })
    expect(warehouse.forget(dataset, 100)).toEqual({ versions: 0, records: 0 })
    happen(warehouse, { now: 30, mark: 'complete', month: '2020-01' })
    expect(warehouse.forget(dataset, 29)).toEqual({ versions: 0, records: 0 })
    expect(warehouse.forget(dataset, 30)).toEqual({ versions: 2, records: 1 })
    expect(warehouse.coverage(dataset, '2020-01', '2020-01', 15)).toEqual([
      { period: '2020-01', state: 'complete', version: 3, latest: 3, asOf: new Date(30).toISOString() },
    ])
    expect(warehouse.aggregate(question(MONTHS, ['sea', 'air']), 15)).toEqual(
      warehouse.aggregate(question(MONTHS, ['sea', 'air'])),
    )
  })

  test.each([
    ['DELETE FROM versions WHERE version = 1', /is answered from/],
    ['DELETE FROM versions WHERE version = 2', /is answered from/],
    ['UPDATE versions SET import = 9', /stays as it is/],
    [`INSERT INTO versions VALUES ('x', 1, 1, 'complete', '1970-01-01T00:00:00.019Z', 1, 0)`, /before an earlier one/],
    [`INSERT INTO versions VALUES ('test-goods', 24240, 3, 'complete', '1970-01-01T00:00:00.020Z', 1, 2)`, /UNIQUE/],
  ])('is kept from what is answered from: %s', (statement, error) => {
    const path = newPath()
    using warehouse = openWarehouse(path)
    happen(warehouse, { now: 10, goods: [a], complete: '2020-01' })
    happen(warehouse, { now: 20, goods: [b] })
    const db = new Database(path)
    expect(() => db.exec(statement)).toThrow(error)
    db.close()
  })
})

test('a record that replaces its equal changes nothing, and one that an import brings twice is kept once', () => {
  const path = newPath()
  using warehouse = openWarehouse(path)
  const one: Goods = { key: 'a', month: '2020-01', mode: 'sea', value: 1 }
  happen(warehouse, { now: 10, goods: [{ ...one, value: 9 }, one], complete: '2020-01' })
  happen(warehouse, { now: 20, goods: [one] })
  expect(warehouse.coverage(dataset).map(({ state, version }) => [state, version])).toEqual([['complete', 1]])
  expect(warehouse.status(dataset).reopened).toEqual([])
  const db = new Database(path, { readonly: true })
  expect(db.prepare('SELECT count(*) FROM "dataset test-goods history"').pluck().get()).toBe(0)
  db.close()
})

test('a warehouse that was restored gives other data no number that it gave before', () => {
  const [path, backup] = [newPath(), newPath()]
  const one: Goods = { key: 'a', month: '2020-01', mode: 'sea', value: 1 }
  const day = 86_400_000
  /** Revises the month, closes it, and returns its versions' numbers; the second is that of a month that was new. */
  const revise = (now: number, value: number) => {
    using warehouse = openWarehouse(path)
    happen(warehouse, {
      now,
      goods: [
        { ...one, value },
        { ...one, key: 'b', month: '2020-02' },
      ],
      complete: '2020-01',
    })
    return warehouse.coverage(dataset).map(({ version }) => version)
  }
  const made = openWarehouse(path)
  happen(made, { now: 0, goods: [one], complete: '2020-01' })
  made.close()
  copyFileSync(path, backup)
  const lost = revise(day, 2)
  copyFileSync(backup, path)
  const numbers = revise(2 * day, 3)
  expect(numbers).toEqual([2 * 86_400, 2 * 86_400])
  expect(numbers.filter(number => lost.includes(number))).toEqual([])
})

import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Bench, type Family, measure } from './bench.ts'
import { families } from './families.ts'
import { rows } from './rows.ts'

function measuring(work: (bench: Bench) => Promise<void>, signal = new AbortController().signal): Promise<Bench> {
  const family: Family = { ids: ['add-cell'], runs: 3, measure: work }
  return measure(family, { runs: 3, signal, wants: () => true, says: () => undefined })
}

describe('a measurement', () => {
  it('is the median of its values, whatever their order', async () => {
    const bench = await measuring(async one => {
      for (const value of [40, 10, 12]) one.record('add-cell', value)
      for (const value of [4, 1, 3, 2]) one.record('round', value)
    })
    expect(bench.result('add-cell')).toMatchObject({ value: 12, min: 10, max: 40, runs: 3, verdict: 'met' })
    expect(bench.result('round')).toMatchObject({ value: 2.5, min: 1, max: 4, runs: 4, verdict: 'missed' })
  })

  it.each([
    ['add-cell', 15, 'met'],
    ['add-cell', 15.1, 'missed'],
    ['import', 100_000, 'met'],
    ['import', 99_999, 'missed'],
  ] as const)('of %s with the value %d is %s', async (id, value, verdict) => {
    expect((await measuring(async bench => bench.record(id, value))).result(id).verdict).toBe(verdict)
  })

  it('is repeated as often as it is asked to', async () => {
    const seen: number[] = []
    await measuring(bench => bench.repeat('something', async run => void seen.push(run)))
    expect(seen).toEqual([1, 2, 3])
  })

  it('that did not take place has no result', async () => {
    const bench = await measuring(async () => undefined)
    expect(() => bench.result('add-cell')).toThrow('add-cell was not measured')
  })
})

describe('what a measurement used', () => {
  it('is given up when it fails', async () => {
    let folder = ''
    const failing = measuring(async bench => {
      folder = bench.folder()
      expect(existsSync(folder)).toBe(true)
      throw new Error('broken')
    })
    await expect(failing).rejects.toThrow('broken')
    expect(existsSync(folder)).toBe(false)
  })

  it('is given up when it is interrupted, whatever it waits for', async () => {
    const ending = new AbortController()
    let folder = ''
    const waiting = measuring(async bench => {
      folder = bench.folder()
      ending.abort()
      await new Promise(() => undefined)
    }, ending.signal)
    await expect(waiting).rejects.toThrow(ending.signal.reason)
    expect(existsSync(folder)).toBe(false)
  })
})

describe('what is still being made when a measurement is interrupted', () => {
  it('is waited for and given up', async () => {
    const ending = new AbortController()
    const making = Promise.withResolvers<Disposable>()
    const given: string[] = []
    const waiting = measuring(async bench => {
      setImmediate(() => making.resolve({ [Symbol.dispose]: () => void given.push('up') }))
      ending.abort()
      await bench.make(making.promise)
    }, ending.signal)
    await expect(waiting).rejects.toThrow(ending.signal.reason)
    expect(given).toEqual(['up'])
  })
})

describe('the rows', () => {
  it('are each measured by one family', () => {
    expect(families.flatMap(family => family.ids).toSorted()).toEqual(rows.map(row => row.id).toSorted())
  })
})

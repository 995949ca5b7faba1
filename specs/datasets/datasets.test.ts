import { describe, expect, it } from 'vitest'
import { catalogue } from './catalogue.ts'
import { RESERVED, sourceColumns } from './dataset.ts'

describe.each([...catalogue.values()])('dataset $id', dataset => {
  const names = [...Object.keys(dataset.dimensions), ...Object.keys(dataset.measures)]

  it('has names that are column names, none of them reserved or used twice', () => {
    expect(names.filter(name => !/^[a-z][A-Za-z0-9]*$/.test(name))).toEqual([])
    expect(names.filter(name => (RESERVED as readonly string[]).includes(name))).toEqual([])
    expect(new Set(names).size).toBe(names.length)
  })

  it('has one period, and levels that stand on a column of the source', () => {
    const dimensions = Object.values(dataset.dimensions)
    expect(dimensions.filter(one => one.kind === 'period')).toHaveLength(1)
    for (const one of dimensions) if (one.kind === 'level') expect(sourceColumns(dataset)).toContain(one.of)
  })

  it('keeps amounts apart that do not add up', () => {
    for (const one of Object.values(dataset.measures)) {
      const within = 'onlyWithin' in one ? one.onlyWithin : undefined
      if (within !== undefined) expect(Object.keys(dataset.dimensions)).toContain(within)
    }
  })
})

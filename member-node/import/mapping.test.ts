import { expect, test } from 'vitest'
import { declarations } from '#specs/datasets/declarations.ts'
import { parseMapping } from './mapping.ts'

const parse = (yaml: string) => parseMapping(yaml, declarations)

const design = `
dataset: declarations
key: Declaration ID               # optional
constants: { flow: import, currency: KRW }
columns:
  period:      { from: Date, take: month }
  hs6:         HS6 Code
  procedure:   { from: Import Type, codes: { "11": home-use, 01: transit, NO: unknown, "*": other } }
  trader:      Importer ID
  value:       Item Price
`

test('the map of the design', () => {
  const mapping = parse(design)
  expect(mapping.key).toEqual(['Declaration ID'])
  expect(mapping.sources.get('flow')).toEqual({ constant: 'import' })
  expect(mapping.sources.get('hs6')).toEqual({ from: 'HS6 Code' })
  expect(mapping.sources.get('period')).toEqual({ from: 'Date' })
  expect(mapping.sources.get('procedure')).toEqual({
    from: 'Import Type',
    codes: new Map(Object.entries({ '11': 'home-use', '01': 'transit', NO: 'unknown', '*': 'other' })),
  })
  expect(mapping.hash).toMatch(/^[0-9a-f]{64}$/)
})

test('several key columns, and how the file is written', () => {
  const mapping = parse(`
dataset: declarations
key: [Number, Item]
delimiter: tab
encoding: euc-kr
decimal: ","
columns: { period: { from: Date, format: DD.MM.YYYY } }`)
  expect(mapping).toMatchObject({ key: ['Number', 'Item'], delimiter: '\t', encoding: 'euc-kr', decimal: ',' })
  expect(mapping.sources.get('period')).toEqual({ from: 'Date', format: 'DD.MM.YYYY' })
})

test.each([
  ['not YAML', '{', 'not YAML'],
  ['with a key that JavaScript would lose', 'dataset: declarations\ncolumns: { period: A, __proto__: B }', '__proto__'],
  [
    'with a column twice, once between spaces',
    'dataset: declarations\ncolumns: { period: A, " value ": B, value: C }',
    'no column " value "',
  ],
  ['another dataset', 'dataset: parcels\ncolumns: { period: Date }', 'not for "declarations"'],
  [
    'a strange column',
    'dataset: declarations\ncolumns: { period: Date, price: Price }',
    'no column "price"; it has flow',
  ],
  ['a level', 'dataset: declarations\ncolumns: { period: Date, hs2: Chapter }', 'no column "hs2"'],
  ['no period', 'dataset: declarations\ncolumns: { value: Price }', 'where period comes from'],
  ['twice', 'dataset: declarations\nconstants: { flow: import }\ncolumns: { period: D, flow: F }', 'both under'],
  ['a strange word', 'dataset: declarations\ncolumns: { period: D }\nskip: 1', 'it has no field "skip"'],
  ['an empty name', 'dataset: declarations\ncolumns: { period: }', 'columns.period'],
  [
    'codes of a measure',
    'dataset: declarations\ncolumns: { period: D, value: { from: V, codes: { a: b } } }',
    'no codes',
  ],
  ['take of a code', 'dataset: declarations\ncolumns: { period: D, flow: { from: F, take: month } }', 'is no date'],
  ['a format', 'dataset: declarations\ncolumns: { period: { from: D, format: DD/MM/YY } }', 'date format'],
  [
    'a strange code',
    'dataset: declarations\ncolumns: { period: D, transport: { from: T, codes: { "1": ship } } }',
    '"ship" is not a code of the list transport-modes (sea',
  ],
])('refuses %s', (_, yaml, message) => {
  expect(() => parse(yaml)).toThrow(
    expect.objectContaining({ code: 'bad-mapping', message: expect.stringContaining(message) }),
  )
})

import { expect, test } from 'vitest'
import { findNumberFormat } from './number-format.ts'

const find = (cells: string[], delimiter = ',') => findNumberFormat(cells, delimiter)

test.each([
  [['1.5', '2'], '.'],
  [['1,5', '2'], ','],
  [['1.234,56'], ','],
  [['1,234.56'], '.'],
  [['1.234.567'], ','],
  [['1,234,567'], '.'],
  [['1 234,567'], ','],
  [['0,125'], ','],
  [['1,234', '12.5'], '.'],
  [['1.234', '12,5'], ','],
  [['n/a', '', '12,5'], ','],
])('%j has the decimal mark %s', (cells, decimal) => expect(find(cells)).toEqual({ decimal, grouping: true }))

test('whole numbers say nothing, so nothing may be grouped', () => {
  expect(find(['12', '', '345'])).toEqual({ decimal: '.', grouping: false })
  expect(find(['1.234', '5'])).toEqual({ decimal: '.', grouping: false })
})

test.each([
  [['1,234'], ','],
  [['1,234', '567'], ';'],
  [['1.234'], ';'],
  [['1.5', '1,5'], ','],
])('%j beside %s is ambiguous', (cells, delimiter) => {
  expect(() => find(cells, delimiter)).toThrow(expect.objectContaining({ code: 'ambiguous-decimal' }))
})

import { expect, test } from 'vitest'
import { monthIndex } from '#specs/period.ts'
import { monthReader } from './months.ts'

test.each(['2020-03-01', '2020-03', '20200301', '202003', '2020-03-31T23:59:59Z', '2020-03-01 00:00'])('%s', text => {
  expect(monthReader()(text)).toBe(monthIndex('2020-03'))
})

test.each(['', '2020', '2020-13', '2020-00', '2020-02-30', '2021-02-29', '01.03.2020', '0020-03', '2020/03', '20200'])(
  '%j is not a date',
  text => expect(monthReader()(text)).toBeUndefined(),
)

test.each([
  ['DD.MM.YYYY', '31.12.2020', '2020-12'],
  ['DD/MM/YYYY', '1/3/2020', '2020-03'],
  ['MM/DD/YYYY', '03/31/2020', '2020-03'],
  ['YYYY/MM', '2020/03', '2020-03'],
  ['DDMMYYYY', '01032020', '2020-03'],
  ['DD/MM/YYYY', '01/03/2020 12:30', '2020-03'],
])('%s reads %s', (format, text, month) => expect(monthReader(format)(text)).toBe(monthIndex(month)))

test('a format does not read another', () => {
  expect(monthReader('DD/MM/YYYY')('12/31/2020')).toBeUndefined()
  expect(monthReader('DD.MM.YYYY')('01x03x2020')).toBeUndefined()
})

test.each(['DD/MM/YY', 'MM', 'YYYY', 'YYYY-MM-MM', 'hello', 'YYYY-MM-DD hh'])('%s is no format', format => {
  expect(() => monthReader(format)).toThrow(expect.objectContaining({ code: 'bad-mapping' }))
})

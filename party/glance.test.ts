import { expect, test } from 'vitest'
import { diskConcern, duration, size, verdict } from './glance.ts'

test.each([
  [-5, '0 seconds'],
  [1000, '1 second'],
  [59_999, '59 seconds'],
  [119_999, '119 seconds'],
  [120_000, '2 minutes'],
  [7_200_000, '2 hours'],
  [47 * 3_600_000, '47 hours'],
  [48 * 3_600_000, '2 days'],
])('%i ms are %s', (milliseconds, words) => expect(duration(milliseconds)).toBe(words))

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1234, '1.2 kB'],
  [84_098_461_696, '84 GB'],
  [5e15, '5000 TB'],
])('%i bytes are %s', (bytes, words) => expect(size(bytes)).toBe(words))

test('a status begins with what needs a person, or says that nothing does', () => {
  expect(verdict([])).toBe('All is well.\n\n')
  expect(verdict(diskConcern({ free: 5_000_000, databases: 0 }))).toBe('The disk is nearly full: 5.0 MB are free.\n\n')
  expect(diskConcern({ free: 2 ** 30, databases: 0 })).toEqual([])
})

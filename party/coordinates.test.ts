import fc from 'fast-check'
import { expect, test } from 'vitest'
import { coordinatorUrl } from './coordinates.ts'

test('what is believed to be an address can be followed by a path, and is read as it was', () => {
  const pieces = [
    'http://',
    'HTTPS://',
    'a.example',
    'ö.example',
    '[::1]',
    '10',
    ':80',
    ':99999',
    '@',
    '/',
    '%',
    '\\',
    ' ',
    '\0',
    '?',
    '#',
  ]
  const text = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map(some => some.join(''))
  const address = fc.oneof(
    text,
    text.map(rest => `https://a.example${rest}`),
    fc.webUrl(),
  )
  fc.assert(
    fc.property(address, line => {
      const read = coordinatorUrl.safeParse(line)
      if (!read.success) return
      expect(coordinatorUrl.parse(read.data)).toBe(read.data)
      expect(new URL(`${read.data}/federation`).href).toBe(`${read.data}/federation`)
      expect(new URL(read.data).host).toBe(new URL(line).host)
    }),
    { numRuns: 2000 },
  )
})

test.each([
  ['https://a.example', 'https://a.example'],
  ['https://a.example/', 'https://a.example'],
  ['HTTPS://A.example:443/path//', 'https://a.example/path'],
  ['http://[::1]:8400', 'http://[::1]:8400'],
])('%s is %s', (line, url) => {
  expect(coordinatorUrl.parse(line)).toBe(url)
})

test.each([
  '',
  'here',
  'ftp://a.example',
  'https://',
  'https://u@a.example',
  'https://a.example?x',
  'https://a.example\0',
])('%j is no address', line => {
  expect(coordinatorUrl.safeParse(line).success).toBe(false)
})

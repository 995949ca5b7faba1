import { expect, test } from 'vitest'
import { effort } from '#test/effort.ts'
import { readYaml } from './yaml.ts'

const read = (text: string, schema: 'failsafe' | 'core' = 'failsafe') =>
  readYaml(text, { name: 'the file', code: 'bad-config', schema })
const refusal = (reason: RegExp) =>
  expect.objectContaining({ code: 'bad-config', message: expect.stringMatching(reason) })

test('scalars stay strings, or become numbers in the core schema', () => {
  expect(read('a: 01\nb: [NO, "x"]')).toEqual({ a: '01', b: ['NO', 'x'] })
  expect(read('a: 1', 'core')).toEqual({ a: 1 })
  expect(read('')).toBeNull()
})

test.each([
  ['is not closed', 'a: [', /^the file is not YAML: .* at line 1, column 5$/],
  ['has a key twice', 'a: 1\nb: { c: 1, c: 2 }', /unique at line 2, column 12/],
  ['has a key twice, once in quotes', 'a: 1\n"a": 2', /unique at line 2, column 1/],
  ['has the key __proto__', 'a: { __proto__: x }', /__proto__ at line 1, column 6/],
  ['has a map as a key', '? { a: b }\n: c', /A key must be one word at line 1, column 3/],
  ['has an alias that multiplies', aliases(9), /alias/],
  ['is nested too deep', '['.repeat(20_000), /nested too deep/],
  ['is too long', ' '.repeat(1024 * 1024 + 1), /longer than 1048576/],
  ['is two files', 'a: 1\n---\na: 2', /multiple documents/],
])('a file that %s is refused', (_, text, reason) => {
  expect(() => read(text)).toThrow(refusal(reason))
})

/** Nine lists of nine times the list before. */
function aliases(lists: number): string {
  const list = (i: number) => `l${i}: &l${i} [${Array(9).fill(i === 0 ? 'x' : `*l${i - 1}`)}]`
  return Array.from({ length: lists }, (_, i) => list(i)).join('\n')
}

const DISTINCT_KEYS = Array.from({ length: 20_000 }, (_, i) => `key ${i}: 1\n`).join('')
const REPEATED = ['"', ...effort([], ['a: 1\n', '&a ', '}\n', "'", '*a ', '- ', '%a\n', '{a,', 'a: b: c\n'])]

test.each<[string, string]>([
  ['keys', DISTINCT_KEYS],
  ...REPEATED.map((token): [string, string] => [JSON.stringify(token), token.repeat(100_000 / token.length)]),
])('the time to read many %s grows with their number', (_, text) => {
  const before = process.cpuUsage()
  try {
    read(text)
  } catch (error) {
    expect(error).toMatchObject({ code: 'bad-config' })
  }
  // Less than one second each; with the square of the number it was six.
  expect(process.cpuUsage(before).user / 1e6).toBeLessThan(4)
})

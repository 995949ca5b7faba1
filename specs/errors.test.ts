import { globSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { InbondError } from '#crypto/error.ts'
import { problem } from './api.ts'
import { errorCodes, fault } from './errors.ts'
import { problemOf, remedyOf, statusOf } from './problem.ts'

const ROOT = new URL('..', import.meta.url).pathname
const ROOMS = ['crypto', 'specs', 'party', 'coordinator', 'member-node', 'researcher', 'test']

/** Where each code is raised, in the source without its tests. */
function raised(): Map<string, string> {
  const files = globSync(`{${ROOMS.join()}}/**/*.ts`, { cwd: ROOT }).filter(file => !file.endsWith('.test.ts'))
  const found = new Map<string, string>()
  for (const file of files) {
    const source = readFileSync(`${ROOT}${file}`, 'utf8')
    for (const [, code] of source.matchAll(/\b(?:fault|InbondError|cryptoError|super)\(\s*'([^']+)'/g)) {
      found.set(code as string, file)
    }
  }
  return found
}

/** The table of errors.md: code, status, meaning, remedy. */
const rows = [...readFileSync(`${ROOT}specs/errors.md`, 'utf8').matchAll(/^\| `([a-z-]+)`.*$/gm)].map(([line]) =>
  line
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map(cell => cell.trim().replaceAll('\\|', '|')),
)

describe('errors.md', () => {
  test('has every code once, in the order of the catalogue', () => {
    expect(rows.map(([code]) => code)).toEqual(errorCodes.map(code => `\`${code}\``))
  })

  test.each(rows)('%s travels under %s, and says what to do', (code, status, meaning, remedy) => {
    const plain = (code as string).slice(1, -1)
    expect(Number(status)).toBe(statusOf(plain))
    expect(meaning).toMatch(/^[A-Z].*\.$/)
    expect(remedy).toBe(remedyOf(plain))
  })
})

describe('the catalogue', () => {
  const used = raised()

  test('has every code that is raised', () => {
    const unknown = [...used].filter(([code]) => !errorCodes.some(known => known === code))
    expect(unknown).toEqual([])
  })

  test('has no code that nothing raises', () => {
    expect(errorCodes.filter(code => !used.has(code))).toEqual([])
  })

  test.each(errorCodes)('has a status and one remedy for %s', code => {
    expect(statusOf(code)).toBeGreaterThanOrEqual(400)
    expect(statusOf(code)).toBeLessThan(600)
    expect(remedyOf(code)).toMatch(/^[A-Z].*[.]$|^Make it first: /)
  })
})

describe('a problem', () => {
  test('says code, status, what is wrong and what to do', () => {
    const answer = problemOf(fault('too-late', 'the round is void'))
    expect(problem.parse(answer)).toEqual({
      type: 'urn:inbond:error:too-late',
      title: 'too late',
      status: 409,
      detail: 'the round is void',
      code: 'too-late',
      remedy: remedyOf('too-late'),
    })
  })

  test('of a foreign error tells nothing of its cause', () => {
    const answer = problemOf(new TypeError('the secret is 42'))
    expect(answer).toMatchObject({ code: 'internal-error', status: 500 })
    expect(JSON.stringify(answer)).not.toContain('42')
  })

  test("of another party's unknown code keeps it, as a fault of the server", () => {
    const answer = problemOf(new InbondError('constructor', 'a code of a later version'))
    expect(answer).toMatchObject({ code: 'constructor', status: 500, remedy: remedyOf('internal-error') })
  })

  test('keeps its cause for the log', () => {
    const cause = new Error('deeper')
    expect(fault('bad-file', 'it cannot be read', cause).cause).toBe(cause)
    expect('cause' in fault('bad-file', 'it cannot be read')).toBe(false)
  })
})

import { readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { expect, test } from 'vitest'
import { InbondError } from '#crypto/error.ts'
import { loggable } from './logged-error.ts'

const SECRET = '777345677123'
const rows = sqliteTable('rows', { id: integer().primaryKey(), secret: text().notNull() })

function caught(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

test.each<[string, () => unknown]>([
  ['JSON.parse', () => JSON.parse(`{"cell": ${SECRET} and more}`)],
  ['BigInt of a text', () => BigInt(`${SECRET}x`)],
  ['BigInt of a number', () => BigInt(Number(SECRET) + 0.5)],
  ['an argument of Node.js', () => readFileSync(Number(SECRET) as never)],
  [
    'an own error',
    () => {
      throw new Error(`cell ${SECRET}\n    at ${SECRET} (file:///x.ts:1:1)`)
    },
  ],
  [
    'the cause of an internal error',
    () => {
      throw new InbondError('internal-error', 'x', { cause: new Error(SECRET) })
    },
  ],
  [
    'the cause of a cause',
    () => {
      throw new Error('x', { cause: new Error('y', { cause: new Error(SECRET) }) })
    },
  ],
  [
    'the cause of a refusal',
    () => {
      throw new InbondError('bad-message', 'x', { cause: new Error(SECRET) })
    },
  ],
  [
    'something that is no error',
    () => {
      throw { secret: SECRET }
    },
  ],
  [
    'a value of a row',
    () =>
      drizzle({ client: new Database(':memory:'), schema: { rows } })
        .insert(rows)
        .values({ id: 1, secret: SECRET })
        .run(),
  ],
])('%s is not quoted', (_, work) => {
  const error = caught(work)
  expect(JSON.stringify(loggable(error))).not.toContain(SECRET)
})

test('an error says its kind and place, and where it comes from', () => {
  const cause = caught(() => JSON.parse('{'))
  const { code, reason, stack } = loggable(new TypeError('x', { cause }))
  expect({ code, reason }).toEqual({ code: 'internal-error', reason: 'TypeError, caused by SyntaxError' })
  expect(stack).toMatch(/^ {4}at .*logged-error\.test\.ts:\d+:\d+/)
})

test('what SQLite says of its tables, and Inbond of itself, is kept', () => {
  const missing = caught(() => new Database(':memory:').exec('SELECT 1 FROM nowhere'))
  expect(loggable(missing).reason).toBe('SqliteError SQLITE_ERROR: no such table: nowhere')
  expect(loggable(new InbondError('too-late', 'it is over'))).toMatchObject({ code: 'too-late', reason: 'it is over' })
})

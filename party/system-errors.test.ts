import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { remedyOf } from '#specs/problem.ts'
import { describeError } from './command.ts'
import { loggable } from './logged-error.ts'
import { explained, storageFault } from './system-errors.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'inbond-system-errors-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A database of several pages. */
function filled(name: string): string {
  const file = join(folder, name)
  using database = disposable(new Database(file))
  database.exec('CREATE TABLE t (a)')
  database.prepare('INSERT INTO t VALUES (?)').run(Buffer.alloc(20_000))
  return file
}

function disposable(database: Database.Database) {
  return Object.assign(database, { [Symbol.dispose]: () => void database.close() })
}

function thrown(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

const happenings: readonly [what: string, code: string, sentence: string, work: () => unknown][] = [
  [
    'a full disk',
    'out-of-space',
    'the disk is full',
    () => {
      using database = disposable(new Database(join(folder, 'full.sqlite')))
      database.exec('CREATE TABLE t (a)')
      database.pragma('max_page_count = 3')
      database.prepare('INSERT INTO t VALUES (?)').run(Buffer.alloc(100_000))
    },
  ],
  [
    'a database that another program keeps locked',
    'database-busy',
    'another program keeps the database locked',
    () => {
      const file = filled('busy.sqlite')
      using first = disposable(new Database(file))
      using second = disposable(new Database(file, { timeout: 0 }))
      first.exec('BEGIN IMMEDIATE')
      second.exec('BEGIN IMMEDIATE')
    },
  ],
  [
    'a database with damaged pages',
    'database-damaged',
    'the database is damaged',
    () => {
      const file = filled('damaged.sqlite')
      const bytes = readFileSync(file)
      bytes.fill(0x5a, 4096)
      writeFileSync(file, bytes)
      using database = disposable(new Database(file))
      database.prepare('SELECT * FROM t').all()
    },
  ],
  [
    'a file that is no database',
    'database-damaged',
    'the database is damaged',
    () => {
      const file = join(folder, 'text.sqlite')
      writeFileSync(file, 'Dear Sir or Madam, '.repeat(1000))
      using database = disposable(new Database(file))
      database.prepare('SELECT 1 FROM sqlite_schema').all()
    },
  ],
]

describe.each(happenings)('%s', (_, code, sentence, work) => {
  let error: unknown
  beforeAll(() => {
    error = thrown(work)
  })

  test('is told in one sentence, with what to do', () => {
    expect(describeError(explained(error))).toBe(`inbond: ${sentence} [${code}]\n  ${remedyOf(code)}\n`)
  })

  test('is logged by its code, with what to do and without a stack', () => {
    expect(loggable(error)).toEqual({ code, reason: sentence, remedy: remedyOf(code) })
  })

  test('names its owner to others, and no file', () => {
    const told = storageFault(error, 'of the coordinator')
    expect(told).toMatchObject({ code, message: expect.stringContaining('of the coordinator') })
    expect(told?.message).not.toContain(folder)
  })
})

test('anything else is no fault of the storage', () => {
  for (const error of [
    new Error('why'),
    Object.assign(new Error('why'), { code: 'ENOENT' }),
    undefined,
    'SQLITE_BUSY',
  ]) {
    expect(storageFault(error)).toBeUndefined()
  }
})

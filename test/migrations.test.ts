import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { importFile } from '#member-node/import/importer.ts'
import { parseMapping } from '#member-node/import/mapping.ts'
import { openWarehouse } from '#member-node/warehouse/warehouse.ts'
import { openDatabase } from '#party/database.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { declarations } from '#specs/datasets/declarations.ts'
import { parseQueryFile, plan } from '#specs/query.ts'
import { until } from './processes/federation.ts'

/** What the first release wrote (test/first-release) is opened by this one; a later release's, and half a migration, too. */

const ROOT = join(import.meta.dirname, '..')
const PARTIES = ['coordinator', 'member-node', 'researcher']

let folder: string
let file: string
let made = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'inbond-migrations-'))
})
afterAll(() => rmSync(folder, { recursive: true }))
beforeEach(() => {
  file = join(folder, `${made++}.sqlite`)
})

const migrationsOf = (party: string) => join(ROOT, party, 'migrations')

function firstRelease(what: string): void {
  const db = new Database(file)
  db.pragma('journal_mode = WAL')
  db.pragma('foreign_keys = OFF')
  db.exec(readFileSync(join(import.meta.dirname, 'first-release', `${what}.sql`), 'utf8'))
  db.close()
}

function tables(db: Database.Database): string[] {
  const sql =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\' ORDER BY name"
  return db.prepare(sql).pluck().all() as string[]
}

/** Every row of every table, as it was and is. */
function contents(db: Database.Database): Record<string, Record<string, unknown>[]> {
  const rows = (table: string) => db.prepare(`SELECT * FROM "${table}"`).all() as Record<string, unknown>[]
  return Object.fromEntries(tables(db).map(table => [table, rows(table)]))
}

function shape(db: Database.Database): unknown[] {
  return db
    .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name")
    .all()
}

describe.each(PARTIES)('a database of the first release: %s', party => {
  test('keeps its rows, and has the tables, indices and triggers of a new one', () => {
    firstRelease(party)
    using before = closing(new Database(file))
    const kept = contents(before.db)
    expect(Object.values(kept).every(rows => rows.length > 0)).toBe(true)
    using now = closing(openDatabase(file, {}, migrationsOf(party)).$client)
    const found = contents(now.db)
    for (const [table, rows] of Object.entries(kept)) {
      expect(found[table]).toEqual(rows.map(row => expect.objectContaining(row)))
    }
    using fresh = closing(openDatabase(':memory:', {}, migrationsOf(party)).$client)
    expect(shape(now.db)).toEqual(shape(fresh.db))
    expect(now.db.pragma('foreign_key_check')).toEqual([])
    expect(now.db.pragma('integrity_check', { simple: true })).toBe('ok')
  })
})

const BROKEN: [party: string, sql: string, complaint: RegExp][] = [
  ['coordinator', "UPDATE contributions SET ciphertext = 'x'", /a contribution is never changed/],
  ['coordinator', 'DELETE FROM openings', /an opening is never changed/],
  ['coordinator', 'INSERT OR REPLACE INTO log SELECT * FROM log', /the log is never changed/],
  ['coordinator', "UPDATE prekeys SET round = 'x'", /a prekey serves one round/],
  ['coordinator', "UPDATE rounds SET state = 'open'", /a round ends once/],
  ['coordinator', "INSERT INTO agreements VALUES ('x', 'KR', 'x', 'x', 1)", /FOREIGN KEY/],
  [
    'coordinator',
    "INSERT INTO rounds SELECT 'x', query, 'x', 'open', 1, 1, 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM rounds",
    /UNIQUE/,
  ],
  ['member-node', "UPDATE agreements SET cohort = 'x'", /an agreement is never changed/],
  [
    'member-node',
    'INSERT OR REPLACE INTO contributions SELECT * FROM contributions',
    /a contribution is never changed/,
  ],
  ['member-node', "UPDATE prekeys SET private_key = 'x'", /a private key is never put back/],
  [
    'member-node',
    "INSERT INTO openings SELECT id, 'x', x'00', 1 FROM rounds WHERE query LIKE 'e%'",
    /only an agreed cohort/,
  ],
  ['member-node', "INSERT INTO seen_prekeys SELECT prekey, 'x' FROM seen_prekeys", /never changed/],
  ['researcher', 'INSERT INTO queries SELECT * FROM queries', /UNIQUE/],
]
test.each(BROKEN)('what the first release wrote stands: %s refuses %s', (party, sql, complaint) => {
  firstRelease(party)
  using now = closing(openDatabase(file, {}, migrationsOf(party)).$client)
  expect(() => now.db.exec(sql)).toThrow(complaint)
})

/** Today's migrations and one more. */
function nextRelease(sql: string): string {
  const next = join(folder, `next-${made++}`)
  cpSync(migrationsOf('member-node'), next, { recursive: true })
  const journal = JSON.parse(readFileSync(join(next, 'meta', '_journal.json'), 'utf8'))
  const last = journal.entries.at(-1)
  journal.entries.push({ ...last, idx: last.idx + 1, when: last.when + 1, tag: '9999_next' })
  writeFileSync(join(next, 'meta', '_journal.json'), JSON.stringify(journal))
  writeFileSync(join(next, '9999_next.sql'), sql)
  return next
}

describe('a migration', () => {
  test('of a later release keeps rows, and this release then refuses the database', () => {
    const next = nextRelease("ALTER TABLE rounds ADD COLUMN sponsor text DEFAULT 'none' NOT NULL")
    firstRelease('member-node')
    using later = closing(openDatabase(file, {}, next).$client)
    expect(later.db.prepare('SELECT sponsor FROM rounds').pluck().all()).toEqual(['none', 'none'])
    expect(() => openDatabase(file, {}, migrationsOf('member-node'))).toThrow(
      expect.objectContaining({ code: 'newer-database', message: expect.stringMatching(/later version/) }),
    )
    openDatabase(file, {}, next).$client.close()
  })

  test('that is wrong leaves everything as it was', () => {
    firstRelease('member-node')
    using before = closing(new Database(file))
    const [kept, shaped] = [contents(before.db), shape(before.db)]
    const wrong = nextRelease('DROP TABLE shares;\n--> statement-breakpoint\nCREATE TABLE rounds (id);')
    expect(() => openDatabase(file, {}, wrong)).toThrow()
    expect([contents(before.db), shape(before.db)]).toEqual([kept, shaped])
  })

  test('that is killed in the middle is done from the start by the next process', async () => {
    firstRelease('member-node')
    const steps = (count: number) =>
      `CREATE TABLE slow (n);\n--> statement-breakpoint\nUPDATE rounds SET purpose = 'changed';\n--> statement-breakpoint\n` +
      `INSERT INTO slow WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < ${count}) SELECT max(n) FROM c;`
    const [slow, quick] = [nextRelease(steps(1e12)), nextRelease(steps(10))]
    const source = `import { openDatabase } from '#party/database.ts'; openDatabase(${JSON.stringify(file)}, {}, ${JSON.stringify(slow)})`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', source], { cwd: ROOT, stdio: 'ignore' })
    const ended = new Promise(resolve => child.on('close', (_, signal) => resolve(signal)))
    using beside = closing(new Database(file, { timeout: 0 }))
    await until(
      () => isLocked(beside.db),
      () => 'the migration to be under way',
    )
    child.kill('SIGKILL')
    expect(await ended).toBe('SIGKILL')
    expect(tables(beside.db)).not.toContain('slow')
    expect(beside.db.prepare("SELECT count(*) FROM rounds WHERE purpose = 'changed'").pluck().get()).toBe(0)
    using again = closing(openDatabase(file, {}, quick).$client)
    expect(again.db.prepare('SELECT n FROM slow').pluck().all()).toEqual([10])
    expect(again.db.prepare("SELECT count(*) FROM rounds WHERE purpose = 'changed'").pluck().get()).toBe(2)
  })
})

function isLocked(db: Database.Database): boolean {
  try {
    db.exec('BEGIN IMMEDIATE; ROLLBACK')
    return false
  } catch (error) {
    if ((error as { code?: string }).code === 'SQLITE_BUSY') return true
    throw error
  }
}

describe('a warehouse of the first release', () => {
  const question = parseQueryFile(
    'dataset: declarations\nwhere: { flow: import }\nby: [hs2]\nmeasures: [{ sum: value }]\npurpose: records that stay\n',
  ).question
  /** Values in cents, and the number of records, which is always asked for. */
  const total = (dataset: Dataset = declarations, readonly = false) => {
    using warehouse = openWarehouse(file, { readonly })
    const { where, axes: by, measures } = plan(question)
    return warehouse.aggregate({ dataset, where, by, measures }).reduce((sum, cell) => sum + cell, 0n)
  }
  const load = (dataset: Dataset) => {
    const csv = join(folder, 'more.csv')
    writeFileSync(csv, 'id,flow,period,hs6,value\nA1,import,2020-01,851712,20\nA4,import,2020-03,851712,1\n')
    const yaml =
      'dataset: declarations\nkey: id\nconstants: { currency: USD }\ncolumns: { flow: flow, period: period, hs6: hs6, value: value }\n'
    using warehouse = openWarehouse(file)
    const parts = { dataset, mapping: parseMapping(yaml, dataset), file: csv, rejectedFolder: folder }
    return importFile(parts, { warehouse, currency: 'USD', clock: () => 0 })
  }

  test('answers as before, before and after it is brought up to date, and takes more', () => {
    firstRelease('warehouse')
    expect(total(declarations, true)).toBe(1383n + 2n)
    expect(total()).toBe(1383n + 2n)
    expect(load(declarations)).toMatchObject({ loaded: 1, replaced: 1 })
    // January was complete, and is answered as it was until it is closed again.
    expect(total()).toBe(1483n + 3n)
    using warehouse = openWarehouse(file)
    const versions = () => warehouse.coverage(declarations).map(one => [one.period, one.state, one.version])
    expect(versions()).toEqual([
      ['2020-01', 'complete', 1],
      ['2020-02', 'provisional', 1],
      ['2020-03', 'provisional', 1],
    ])
    warehouse.mark(declarations, { from: '2020-01', to: '2020-01' }, 'complete', 0)
    expect(versions()[0]).toEqual(['2020-01', 'complete', 3])
    expect(total()).toBe(2433n + 3n)
    const { where, axes: by, measures } = plan(question)
    const first = warehouse.aggregate({ dataset: declarations, where, by, measures }, 0)
    expect(first.reduce((sum, cell) => sum + cell, 0n)).toBe(1383n + 2n)
  })

  test('is not read as another version of its dataset, nor added to', () => {
    const outdated = expect.objectContaining({ code: 'warehouse-outdated' })
    const versions: Dataset[] = [
      { ...declarations, version: 2 },
      { ...declarations, version: 2, measures: Object.fromEntries(Object.entries(declarations.measures).slice(0, -1)) },
    ]
    firstRelease('warehouse')
    for (const dataset of versions) {
      expect(() => total(dataset, true)).toThrow(outdated)
      expect(() => total(dataset)).toThrow(outdated)
      expect(() => load(dataset)).toThrow(outdated)
    }
    expect(total()).toBe(1383n + 2n)
  })

  test('of a later release is refused', () => {
    firstRelease('warehouse')
    using later = closing(new Database(file))
    later.db.pragma('user_version = 3')
    for (const readonly of [true, false]) {
      expect(() => openWarehouse(file, { readonly })).toThrow(expect.objectContaining({ code: 'newer-database' }))
    }
  })
})

function closing<T extends { close(): unknown }>(db: T) {
  return { db, [Symbol.dispose]: () => void db.close() }
}

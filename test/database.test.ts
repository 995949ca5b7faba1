import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as schema from '#member-node/schema.ts'
import { openDatabase } from '#party/database.ts'

const MIGRATIONS = join(import.meta.dirname, '..', 'member-node', 'migrations')
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'inbond-database-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const open = (...path: string[]) => openDatabase(join(folder, ...path), schema, MIGRATIONS)

test('what is acknowledged survives, what is deleted does not, and other processes are waited for', () => {
  const { $client } = open('pragmas.sqlite')
  const pragma = (name: string) => $client.pragma(name, { simple: true })
  expect(pragma('journal_mode')).toBe('wal')
  expect(['synchronous', 'foreign_keys', 'secure_delete', 'recursive_triggers'].map(pragma)).toEqual([2, 1, 1, 1])
  expect(pragma('busy_timeout')).toBe(10_000)
  $client.close()
})

test('a database is opened again, and by two processes at once', () => {
  const first = open('twice.sqlite')
  const second = open('twice.sqlite')
  first.$client.exec("INSERT INTO charters VALUES ('a', 1, 'b', 'c', NULL)")
  expect(second.select().from(schema.charters).all()).toHaveLength(1)
  for (const { $client } of [first, second]) $client.close()
  const third = open('twice.sqlite')
  expect(third.select().from(schema.charters).all()).toHaveLength(1)
  third.$client.close()
})

test('a statement that was compiled before is as it would be if it were compiled anew', () => {
  const { $client } = open('statements.sqlite')
  const ask = () => $client.prepare('SELECT 1 AS one, 2 AS two')
  const ways = [() => ask().pluck().get(), () => ask().raw().get(), () => ask().get()]
  const expected = [1, [1, 2], { one: 1, two: 2 }]
  for (const first of ways) {
    first()
    expect(ways.map(way => way())).toEqual(expected)
    expect(ways.toReversed().map(way => way())).toEqual(expected.toReversed())
  }
  $client.close()
})

test('a private key that was emptied just before the process was killed is gone after the next start', () => {
  const key = Buffer.from('0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0', 'hex')
  const where = (directory: string) =>
    readdirSync(join(folder, directory)).filter(file => readFileSync(join(folder, directory, file)).includes(key))
  mkdirSync(join(folder, 'alive'))
  const { $client } = open('alive', 'node.sqlite')
  $client.prepare("INSERT INTO prekeys VALUES ('a', 'b', 1, ?, NULL, NULL)").run(key)
  $client.exec('UPDATE prekeys SET private_key = NULL')
  cpSync(join(folder, 'alive'), join(folder, 'killed'), { recursive: true })
  $client.close()
  expect(where('killed')).not.toEqual([])
  const again = open('killed', 'node.sqlite')
  expect(where('killed')).toEqual([])
  again.$client.close()
})

test('a damaged database is not taken for an empty one', () => {
  const path = join(folder, 'damaged.sqlite')
  const broken = new Database(path)
  broken.exec('CREATE TABLE prekeys (id)')
  broken.close()
  expect(() => open('damaged.sqlite')).toThrow()
})

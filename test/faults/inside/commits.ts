import { basename } from 'node:path'
import Database from 'better-sqlite3'
import { limitPages } from './disk.ts'
import { around, faults } from './trace.ts'
import { isWrite, namesOfWrite } from './writes.ts'

/** The commits of a party's protocol database are points, named after everything that they write. */

type Run = (this: Database.Statement, ...parameters: unknown[]) => Database.RunResult

const PROTOCOL_DATABASES = ['coordinator.sqlite', 'node.sqlite', 'researcher.sqlite']
const Statement = Object.getPrototypeOf(new Database(':memory:').prepare('SELECT 1')) as { run: Run }
const { run } = Statement
/** What the transaction under way has written. */
const written = new Map<Database.Database, Set<string>>()

Statement.run = function (...parameters) {
  const { database, source } = this
  const execute = () => run.apply(this, parameters)
  if (!PROTOCOL_DATABASES.includes(basename(database.name))) return execute()
  if (source.startsWith('BEGIN')) begin(database)
  if (source === 'COMMIT') return commit(database, execute)
  if (!isWrite(source)) return execute()
  const write = () => {
    const result = execute()
    if (result.changes > 0) {
      for (const name of namesOfWrite(source, parameters, faults.names)) written.get(database)?.add(name)
    }
    return result
  }
  return database.inTransaction ? write() : alone(database, write)
}

function begin(database: Database.Database): void {
  limitPages(database)
  written.set(database, new Set())
}

function commit<T>(database: Database.Database, work: () => T): T {
  const whats = [...(written.get(database) ?? [])].map(name => `commit ${name}`)
  return around(whats, work)
}

/** A statement on its own is a transaction: made explicit, so that before the commit it is known whether it writes anything. */
function alone(database: Database.Database, write: () => Database.RunResult): Database.RunResult {
  begin(database)
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = write()
    commit(database, () => database.exec('COMMIT'))
    return result
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK')
    throw error
  }
}

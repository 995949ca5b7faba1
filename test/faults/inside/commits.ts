import { basename } from 'node:path'
import Database from 'better-sqlite3'
import { limitPages } from './disk.ts'
import { around, faults } from './trace.ts'
import { isWrite, namesOfWrite } from './writes.ts'

/** The commits of a party's protocol database are points, named after everything that they write. */

type Method = (this: Database.Statement, ...parameters: unknown[]) => unknown

const PROTOCOL_DATABASES = ['coordinator.sqlite', 'node.sqlite', 'researcher.sqlite']
const Statement = Object.getPrototypeOf(new Database(':memory:').prepare('SELECT 1')) as Record<'run' | 'get', Method>
/** What the transaction under way has written. */
const written = new Map<Database.Database, Set<string>>()

/** What a statement writes is noted, whether it gives a row back (`get`, of what it returns) or how many it changed (`run`). */
function noting(method: Method, hasWritten: (result: unknown) => boolean): Method {
  return function (...parameters) {
    const { database, source } = this
    const execute = () => method.apply(this, parameters)
    if (!PROTOCOL_DATABASES.includes(basename(database.name))) return execute()
    if (source.startsWith('BEGIN')) begin(database)
    if (source === 'COMMIT') return commit(database, execute)
    if (!isWrite(source)) return execute()
    const write = () => {
      const result = execute()
      if (hasWritten(result)) {
        for (const name of namesOfWrite(source, parameters, faults.names)) written.get(database)?.add(name)
      }
      return result
    }
    return database.inTransaction ? write() : alone(database, write)
  }
}

Statement.run = noting(Statement.run, result => (result as Database.RunResult).changes > 0)
Statement.get = noting(Statement.get, result => result !== undefined)

function begin(database: Database.Database): void {
  limitPages(database)
  written.set(database, new Set())
}

function commit<T>(database: Database.Database, work: () => T): T {
  const whats = [...(written.get(database) ?? [])].map(name => `commit ${name}`)
  return around(whats, work)
}

/** A statement on its own is a transaction: made explicit, so that before the commit it is known whether it writes anything. */
function alone<T>(database: Database.Database, write: () => T): T {
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

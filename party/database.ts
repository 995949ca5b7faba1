import Database from 'better-sqlite3'
import { type BetterSQLite3Database, drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { fault } from '#specs/errors.ts'
import { Remembered } from './remembered.ts'

/** How long one process waits for another that writes. */
const BUSY_MS = 10_000

/** A party has some hundred queries; lists of values make more of one. */
const MOST_STATEMENTS = 300

export type PartyDatabase<Schema extends Record<string, unknown>> = BetterSQLite3Database<Schema> & {
  $client: Database.Database
}

/**
 * Opens a party's protocol database, and brings its tables up to date.
 * @param file a path, or `:memory:`
 * @throws InbondError `newer-database`
 */
export function openDatabase<Schema extends Record<string, unknown>>(
  file: string,
  schema: Schema,
  migrationsFolder: string,
): PartyDatabase<Schema> {
  const client = new Database(file)
  refuseNewer(client, migrationsFolder)
  compileOnce(client)
  client.pragma('journal_mode = WAL')
  // An acknowledged step must survive a power cut; WAL with NORMAL could lose the last transactions.
  client.pragma('synchronous = FULL')
  client.pragma('foreign_keys = ON')
  client.pragma(`busy_timeout = ${BUSY_MS}`)
  // Without it a row that INSERT OR REPLACE displaces is gone before a trigger could refuse that.
  client.pragma('recursive_triggers = ON')
  // A deleted private key is overwritten, not only unlinked from its page.
  client.pragma('secure_delete = ON')
  const database = drizzle({ client, schema })
  try {
    migrate(database, { migrationsFolder })
  } catch {
    // Another process may have made the same tables at the same moment: then there is nothing left to do.
    migrate(database, { migrationsFolder })
  }
  // A process that was killed may not have come to it.
  forgetForGood(database)
  return writingAtOnce(database)
}

/**
 * Keeps compiled statements: drizzle-orm asks anew for that of each query, and to compile it takes longer than most queries take.
 * Whoever asks for one gets it as it was made, whether rows came as arrays or single values the last time.
 */
function compileOnce(client: Database.Database): void {
  const compile = client.prepare.bind(client)
  const statements = new Remembered<string, Database.Statement>(MOST_STATEMENTS)
  client.prepare = ((source: string) => {
    const statement = statements.get(source, () => compile(source))
    return statement.reader ? statement.raw(false).pluck(false) : statement
  }) as typeof client.prepare
}

/**
 * An older program would not keep to what a later one laid down in the tables.
 * @throws InbondError `newer-database`, with the database closed
 */
export function refuseNewer(client: Database.Database, migrationsFolder: string): void {
  const isThere = client.prepare("SELECT 1 FROM sqlite_schema WHERE name = '__drizzle_migrations'").get()
  if (isThere === undefined) return
  const newest = client.prepare('SELECT max(created_at) FROM __drizzle_migrations').pluck().get() as number | null
  const known = readMigrationFiles({ migrationsFolder }).map(one => one.folderMillis)
  if (newest === null || newest <= Math.max(...known)) return
  const { name } = client
  client.close()
  throw fault('newer-database', `${name} was written by a later version of Inbond`)
}

/**
 * A copy of a party's database, of one moment, whether the party runs or not, with its tables up to date. It is in memory alone.
 * @throws InbondError `newer-database`
 */
export function copyInMemory(file: string, migrationsFolder: string): Database.Database {
  const source = new Database(file, { readonly: true, timeout: BUSY_MS })
  const image = source.serialize()
  source.close()
  // Bytes 18 and 19 of the header say that there is a write-ahead log beside the file; in memory there is none.
  image.fill(1, 18, 20)
  const copy = new Database(image)
  refuseNewer(copy, migrationsFolder)
  migrate(drizzle({ client: copy }), { migrationsFolder })
  return copy
}

/**
 * Transactions take the write lock when they begin, so that they wait for another process. One that read first and wrote later
 * would fail at once if another process wrote in between.
 */
function writingAtOnce<Schema extends Record<string, unknown>>(database: PartyDatabase<Schema>): PartyDatabase<Schema> {
  const transaction = database.transaction.bind(database)
  database.transaction = (work, config) => transaction(work, { behavior: 'immediate', ...config })
  return database
}

/**
 * Makes what was deleted unreadable now: secure_delete overwrites it in the database, and truncating the write-ahead log
 * removes the earlier copies there.
 */
export function forgetForGood(database: { $client: Database.Database }): void {
  database.$client.pragma('wal_checkpoint(TRUNCATE)')
}

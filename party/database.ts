import Database from 'better-sqlite3'
import { type BetterSQLite3Database, drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'

export type PartyDatabase<Schema extends Record<string, unknown>> = BetterSQLite3Database<Schema> & {
  $client: Database.Database
}

/**
 * Opens a party's protocol database, and brings its tables up to date.
 * @param file a path, or `:memory:`
 */
export function openDatabase<Schema extends Record<string, unknown>>(
  file: string,
  schema: Schema,
  migrationsFolder: string,
): PartyDatabase<Schema> {
  const client = new Database(file)
  client.pragma('journal_mode = WAL')
  // An acknowledged step must survive a power cut; WAL with NORMAL could lose the last transactions.
  client.pragma('synchronous = FULL')
  client.pragma('foreign_keys = ON')
  client.pragma('busy_timeout = 10000')
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

import { sql } from 'drizzle-orm'
import { blob, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { MemberId, QueryId, ReleaseId, SumId } from '#specs/messages.ts'

/** What a researcher asked. The key to an answer is emptied once the answer is read, and never filled again. */
export const queries = sqliteTable('queries', {
  id: text().$type<QueryId>().primaryKey(),
  compact: text().notNull(),
  purpose: text().notNull(),
  askedAt: integer('asked_at').notNull(),
  /** The coordinator has it. */
  sentAt: integer('sent_at'),
  privateKey: blob('private_key', { mode: 'buffer' }),
  /** From which a custodian is drawn that adds up a large sum again: revealed once there is a sum. */
  seed: blob({ mode: 'buffer' }),
  /** The sum for which the seed was revealed; a trigger in migrations/ keeps it from being another one. */
  sum: text().$type<SumId>(),
  revealedAt: integer('revealed_at'),
  /** The checked answer, as `--json` prints it. */
  answer: text(),
  /** Why there is none. */
  voidReason: text('void_reason'),
})

const queryColumn = () =>
  text()
    .$type<QueryId>()
    .primaryKey()
    .references(() => queries.id)

/**
 * What a release of an answer would consist of (specs/release.ts), kept from reading on. The shares in it are those of the sum of
 * all keys: whoever has the answer learns nothing from them about anybody's part in it. A trigger in migrations/ keeps it as it is.
 */
export const readings = sqliteTable('readings', {
  query: queryColumn(),
  content: text().notNull(),
})

/** Answers that this researcher published, one release each; triggers in migrations/ keep them. */
export const releases = sqliteTable('releases', {
  query: queryColumn(),
  id: text().$type<ReleaseId>().notNull(),
  compact: text().notNull(),
  releasedAt: integer('released_at').notNull(),
})

/** Certificates that this researcher has asked with. */
export const certificates = sqliteTable('certificates', {
  id: text().primaryKey(),
  compact: text().notNull(),
  learnedAt: integer('learned_at').notNull(),
})

/** Charters that this researcher has seen in force: it never goes back to an older one. */
export const charters = sqliteTable('charters', {
  epoch: integer().primaryKey(),
  id: text().notNull(),
})

/**
 * Heads of the coordinator's log, as it signed and showed them. One that does not go on from the others is kept too, as the proof
 * that there are two histories.
 */
export const checkpoints = sqliteTable(
  'checkpoints',
  {
    checkpoint: text().primaryKey(),
    size: integer().notNull(),
    root: text().notNull(),
    shownAt: integer('shown_at').notNull(),
    /** The history that it is a head of: 1, or more once a person accepted another; 0 if it was refused. */
    history: integer().notNull(),
  },
  table => [uniqueIndex('checkpoints_of_one_history').on(table.history, table.size).where(sql`${table.history} > 0`)],
)

/** The newest offer of each member that this researcher has seen: an older one never takes its place. */
export const offers = sqliteTable('offers', {
  member: text().$type<MemberId>().primaryKey(),
  compact: text().notNull(),
  issuedAt: integer('issued_at').notNull(),
})

/** The entries of the log that tell about earlier cohorts: cohorts and void certificates, as far as this researcher has read. */
export const ledger = sqliteTable(
  'ledger',
  {
    history: integer().notNull(),
    index: integer().notNull(),
    typ: text().notNull(),
    message: text().notNull(),
    /** `Fetched` of ledger.ts, or the round that is void, as JSON; null until it is fetched. */
    content: text(),
  },
  table => [primaryKey({ columns: [table.history, table.index] })],
)

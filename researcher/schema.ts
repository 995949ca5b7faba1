import { blob, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { QueryId, SumId } from '#specs/messages.ts'

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

/** Charters that this researcher has seen in force: it never goes back to an older one. */
export const charters = sqliteTable('charters', {
  epoch: integer().primaryKey(),
  id: text().notNull(),
})

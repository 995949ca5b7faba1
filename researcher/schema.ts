import { sql } from 'drizzle-orm'
import { blob, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { QueryId } from '#specs/messages.ts'

/** What a researcher asked. The key to an answer is emptied once the answer is read, and never filled again. */
export const queries = sqliteTable('queries', {
  id: text().$type<QueryId>().primaryKey(),
  compact: text().notNull(),
  purpose: text().notNull(),
  askedAt: integer('asked_at').notNull(),
  /** The coordinator has it. */
  sentAt: integer('sent_at'),
  privateKey: blob('private_key', { mode: 'buffer' }),
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

/**
 * Heads of the coordinator's log that it signed and showed, as it signed them. Those that were accepted are of one history; the others
 * are kept, as the proof that there are two.
 */
export const checkpoints = sqliteTable(
  'checkpoints',
  {
    checkpoint: text().primaryKey(),
    size: integer().notNull(),
    root: text().notNull(),
    shownAt: integer('shown_at').notNull(),
    accepted: integer({ mode: 'boolean' }).notNull(),
  },
  table => [uniqueIndex('checkpoints_of_one_history').on(table.size).where(sql`${table.accepted} = 1`)],
)

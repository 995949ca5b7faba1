import { sql } from 'drizzle-orm'
import { blob, integer, primaryKey, sqliteTable, text, unique, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { CharterBundle } from '#specs/api.ts'
import type { CharterId, CohortId, ManifestId, MemberId, QueryId, RoundId } from '#specs/messages.ts'

/**
 * What a node remembers of the protocol (its data is elsewhere: warehouse.ts). Times are milliseconds since 1970. Rows of
 * contributions, agreements, openings and confirmations can be added and never changed: triggers in migrations/ see to it.
 */

/** A node goes from one charter in force to the one that follows it, never back and never sideways: triggers see to it. */
export const charters = sqliteTable(
  'charters',
  {
    id: text().$type<CharterId>().primaryKey(),
    epoch: integer().notNull(),
    compact: text().notNull(),
    /** Own signature under it, stored before it is sent; none where others were enough. */
    consent: text(),
    /** Set once every signature that it needs was seen. */
    inForceAt: integer('in_force_at'),
  },
  table => [uniqueIndex('charters_one_in_force').on(table.epoch).where(sql`in_force_at IS NOT NULL`)],
)

/** What was seen under a charter that is in force, for a coordinator that has lost it. */
export const charterSignatures = sqliteTable('charter_signatures', {
  charter: text().$type<CharterId>().primaryKey(),
  signatures: text({ mode: 'json' }).$type<Omit<CharterBundle, 'charter'>>().notNull(),
})

/** What this node confirmed, stored before it is sent: one charter after each. */
export const confirmations = sqliteTable('confirmations', {
  previous: text().$type<CharterId>().primaryKey(),
  charter: text().$type<CharterId>().notNull(),
  compact: text().notNull(),
})

/** Rounds that were verified, and so may be answered, agreed to and opened. */
export const rounds = sqliteTable('rounds', {
  id: text().$type<RoundId>().primaryKey(),
  query: text().$type<QueryId>().notNull().unique(),
  compact: text().notNull(),
  queryCompact: text('query_compact').notNull(),
  charter: text().$type<CharterId>().notNull(),
  purpose: text().notNull(),
  researcher: text().notNull(),
  seenAt: integer('seen_at').notNull(),
  ends: integer().notNull(),
  /** The node removed what it held for the round. */
  clearedAt: integer('cleared_at'),
})

/** A prekey that a member saw belongs to that round: the constraint refuses it in another. */
export const seenPrekeys = sqliteTable('seen_prekeys', {
  prekey: text().primaryKey(),
  round: text()
    .$type<RoundId>()
    .notNull()
    .references(() => rounds.id),
})

const oneARound = () =>
  text()
    .$type<RoundId>()
    .primaryKey()
    .references(() => rounds.id)

export const contributions = sqliteTable('contributions', {
  round: oneARound(),
  manifestId: text('manifest_id').$type<ManifestId>().notNull(),
  manifest: text().notNull(),
  /** Sealed shares, one after the other in the manifest's order. */
  sealedShares: blob('sealed_shares', { mode: 'buffer' }).notNull(),
  createdAt: integer('created_at').notNull(),
})

export const refusals = sqliteTable(
  'refusals',
  {
    round: text().$type<RoundId>().notNull(),
    step: text({ enum: ['contribute', 'agree', 'open'] }).notNull(),
    compact: text().notNull(),
    reason: text().notNull(),
    createdAt: integer('created_at').notNull(),
  },
  table => [primaryKey({ columns: [table.round, table.step] })],
)

export const prekeys = sqliteTable(
  'prekeys',
  {
    id: text().primaryKey(),
    compact: text().notNull(),
    notAfter: integer('not_after').notNull(),
    /** The private half; emptied at opening, void or notAfter, and never filled again. */
    privateKey: blob('private_key', { mode: 'buffer' }),
    round: text().$type<RoundId>(),
    publishedAt: integer('published_at'),
  },
  table => [unique().on(table.round)],
)

export const agreements = sqliteTable('agreements', {
  round: oneARound(),
  cohort: text().$type<CohortId>().notNull(),
  cohortCompact: text('cohort_compact').notNull(),
  compact: text().notNull(),
  createdAt: integer('created_at').notNull(),
})

/** Sealed shares of dealers in an agreed cohort, until it is opened. */
export const shares = sqliteTable(
  'shares',
  {
    round: text()
      .$type<RoundId>()
      .notNull()
      .references(() => rounds.id),
    dealer: text().$type<MemberId>().notNull(),
    ciphertext: text().notNull(),
    sealed: blob({ mode: 'buffer' }).notNull(),
  },
  table => [primaryKey({ columns: [table.round, table.dealer] })],
)

export const openings = sqliteTable('openings', {
  round: oneARound(),
  compact: text().notNull(),
  sealed: blob({ mode: 'buffer' }).notNull(),
  createdAt: integer('created_at').notNull(),
})

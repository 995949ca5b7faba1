import { blob, integer, primaryKey, sqliteTable, text, unique } from 'drizzle-orm/sqlite-core'
import type { CharterId, CohortId, ManifestId, MemberId, QueryId, RoundId } from '#specs/messages.ts'

/**
 * What a node remembers of the protocol (its data is elsewhere: warehouse.ts). Times are milliseconds since 1970. Rows of
 * contributions, agreements, openings and recounts can be added and never changed: triggers in migrations/ see to it.
 */

export const charters = sqliteTable('charters', {
  id: text().$type<CharterId>().primaryKey(),
  epoch: integer().notNull(),
  compact: text().notNull(),
  /** Own signature under it, stored before it is sent. */
  consent: text().notNull(),
  /** Set once every signature was seen. */
  inForceAt: integer('in_force_at'),
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
    step: text({ enum: ['contribute', 'agree', 'open', 'void', 'recount'] }).notNull(),
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

/** Rounds that this custodian never opened and never will. A round has a row here or among the openings, never in both. */
export const voidStatements = sqliteTable('void_statements', {
  round: text().$type<RoundId>().primaryKey(),
  compact: text().notNull(),
  createdAt: integer('created_at').notNull(),
})

/** What this custodian got when it was drawn to add up a round again. It may not have seen the round before. */
export const recounts = sqliteTable('recounts', {
  round: text().$type<RoundId>().primaryKey(),
  compact: text().notNull(),
  createdAt: integer('created_at').notNull(),
})

/** The coordinator's log as far as this node has read it: one row. What it is shown later must extend it. */
export const logReading = sqliteTable('log_reading', {
  only: integer().primaryKey().default(1),
  size: integer().notNull(),
  /** Roots of the perfect subtrees, largest first, 32 bytes each: from them follow the root and what comes next. */
  subtrees: blob({ mode: 'buffer' }).notNull(),
})

/** The entries of the log that a custodian goes by: cohorts and void certificates. */
export const logEntries = sqliteTable('log_entries', {
  index: integer().primaryKey(),
  typ: text().notNull(),
  message: text().notNull().unique(),
})

/** What the pattern rule needs to know of a cohort in the log, fetched once and verified by its hashes. */
export const pastCohorts = sqliteTable('past_cohorts', {
  cohort: text().$type<CohortId>().primaryKey(),
  round: text().$type<RoundId>().notNull(),
  query: text().$type<QueryId>().notNull(),
  charter: text().$type<CharterId>().notNull(),
  /** `AskedCohort` of specs/rules/pattern.ts, as JSON. */
  asked: text().notNull(),
})

/** Rounds with a verified void certificate: their cohorts do not count. */
export const voidRounds = sqliteTable('void_rounds', {
  round: text().$type<RoundId>().primaryKey(),
  certificate: text().notNull(),
})

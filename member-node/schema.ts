import { sql } from 'drizzle-orm'
import { blob, index, integer, primaryKey, sqliteTable, text, unique, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { CharterBundle } from '#specs/api.ts'
import type {
  CharterId,
  CohortId,
  ManifestId,
  MemberId,
  QueryId,
  RevocationId,
  RoundId,
  SponsorshipId,
} from '#specs/messages.ts'

/**
 * What a node remembers of the protocol (its data is elsewhere: warehouse.ts). Times are milliseconds since 1970. Rows of
 * contributions, agreements, openings, recounts, confirmations, revocations, policies, their signatures, decisions, restorations and recalled
 * answers can be added and never changed: triggers in migrations/ see to it.
 */

/**
 * That this node was restored from a backup, written by the restore itself; or that it began with another key of its member. What was done
 * between the backup and then, or with the key before, it has forgotten, so it says nothing new in rounds of before: triggers see to it.
 */
export const restorations = sqliteTable('restorations', {
  id: integer().primaryKey({ autoIncrement: true }),
  at: integer().notNull(),
  /** Rounds that open from then on cannot have been seen by what was lost, even if clocks differ. */
  takesPartFrom: integer('takes_part_from').notNull(),
  /** How far the log had been read at the backup, or not at all: what is forgotten came after that. */
  history: integer().notNull(),
  logSize: integer('log_size').notNull(),
})

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

/** Charters under which this custodian agrees to nothing any more, because it signed one that changes the custodians. */
export const endedCustodies = sqliteTable('ended_custodies', {
  charter: text().$type<CharterId>().primaryKey(),
  next: text().$type<CharterId>().notNull(),
})

/** What this node confirmed, stored before it is sent: one charter after each. */
export const confirmations = sqliteTable('confirmations', {
  previous: text().$type<CharterId>().primaryKey(),
  charter: text().$type<CharterId>().notNull(),
  compact: text().notNull(),
})

/** What this member said of researchers; stored before it is sent. */
export const sponsorships = sqliteTable('sponsorships', {
  id: text().$type<SponsorshipId>().primaryKey(),
  /** The identity key that it vouches for; null where it is of an organisation. */
  researcher: text(),
  compact: text().notNull(),
  createdAt: integer('created_at').notNull(),
})

/** Whose questions are refused: own revocations, and verified ones of others. */
export const revocations = sqliteTable(
  'revocations',
  {
    id: text().$type<RevocationId>().primaryKey(),
    /** The identity key, or the sponsorship of an organisation, that is stopped. */
    target: text().notNull(),
    compact: text().notNull(),
    learnedAt: integer('learned_at').notNull(),
  },
  table => [index('revocations_by_target').on(table.target)],
)

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
  /** 0 where the first version wrote it down: before every restoration. */
  opens: integer().notNull().default(0),
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

/** Contributions that this node had forgotten, found in cohorts of the log and verified by its own signature. */
export const recalledAnswers = sqliteTable('recalled_answers', {
  round: text().$type<RoundId>().primaryKey(),
  queryCompact: text('query_compact').notNull(),
  manifest: text().notNull(),
  /** The latest moment at which it can have been made. */
  answeredBy: integer('answered_by').notNull(),
})

/** What this member offered last; stored before it is sent. */
export const offers = sqliteTable('offers', {
  issuedAt: integer('issued_at').primaryKey(),
  compact: text().notNull(),
  sentAt: integer('sent_at'),
})

/** Every policy that was in force, one after the other: the last one is. A row is never changed. */
export const policies = sqliteTable('policies', {
  version: integer().primaryKey(),
  /** Of the text, in hex: what consents and refusals name. */
  sha256: text().notNull(),
  text: text().notNull(),
  since: integer().notNull(),
  /** How many of its stewards must sign the one that follows. */
  signaturesToFollow: integer('signatures_to_follow').notNull(),
  /** Who let it follow the one before: nobody had to, its stewards signed it, or the node's own key did in their place. */
  admittedBy: text('admitted_by', { enum: ['nobody', 'stewards', 'node'] }).notNull(),
})

/** What was signed so that a policy may follow the one in force. A row is never changed. */
export const policySignatures = sqliteTable(
  'policy_signatures',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** SHA-256 of the text, in hex. */
    policy: text().notNull(),
    /** The one in force when it was signed. */
    follows: integer()
      .notNull()
      .references(() => policies.version),
    /** Null for the node's own key, in place of the stewards. */
    steward: text(),
    publicKey: text('public_key').notNull(),
    compact: text().notNull(),
    signedAt: integer('signed_at').notNull(),
  },
  table => [unique().on(table.policy, table.follows, table.publicKey)],
)

/** Questions that take a person. They are over when the node contributed or refused, or the round was cleared away. */
export const queue = sqliteTable('queue', {
  round: oneARound(),
  since: integer().notNull(),
  /** From then on nobody can approve. */
  expires: integer().notNull(),
  /** How many people must approve. */
  hands: integer().notNull(),
  /** SHA-256 of the policy that asks for them. */
  policy: text().notNull(),
  /** Why, one line each. */
  reasons: text({ mode: 'json' }).$type<readonly string[]>().notNull(),
  /** Hash over round, policy and reasons: an approval is of these and no other. */
  basis: text().notNull(),
})

/** What stewards signed. A row is never changed. */
export const decisions = sqliteTable(
  'decisions',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    round: text()
      .$type<RoundId>()
      .notNull()
      .references(() => queue.round),
    steward: text().notNull(),
    verdict: text({ enum: ['approve', 'refuse'] }).notNull(),
    basis: text().notNull(),
    compact: text().notNull(),
    decidedAt: integer('decided_at').notNull(),
  },
  table => [unique().on(table.round, table.steward, table.basis, table.verdict)],
)

/** What stewards are told, by each way of telling. */
export const notices = sqliteTable(
  'notices',
  {
    /** What waits: a round, or a policy after another one. */
    subject: text().notNull(),
    event: text({ enum: ['waits', 'deputies', 'policy'] }).notNull(),
    way: text().notNull(),
    tries: integer().notNull(),
    nextTry: integer('next_try').notNull(),
    sentAt: integer('sent_at'),
  },
  table => [primaryKey({ columns: [table.subject, table.event, table.way] })],
)

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
    /** Made before the backup from which this node was restored. A round that names another one was announced since. */
    isLost: integer('is_lost', { mode: 'boolean' }).notNull().default(false),
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
  /** When the round opened. */
  opens: integer().notNull().default(0),
  createdAt: integer('created_at').notNull(),
})

/**
 * The coordinator's log as far as this node has read it: what it is shown later must extend it. A history more only where a person
 * accepted another one, after the coordinator was restored from a backup.
 */
export const logReading = sqliteTable('log_reading', {
  history: integer().primaryKey(),
  since: integer().notNull(),
  size: integer().notNull(),
  /** Roots of the perfect subtrees, largest first, 32 bytes each: from them follow the root and what comes next. */
  subtrees: blob({ mode: 'buffer' }).notNull(),
})

/**
 * The entries of the log that a node goes by: cohorts, void certificates and revocations; and those in which it finds what it forgot: charters,
 * consents and confirmations.
 */
export const logEntries = sqliteTable(
  'log_entries',
  {
    history: integer().notNull(),
    index: integer().notNull(),
    typ: text().notNull(),
    message: text().notNull(),
  },
  table => [
    primaryKey({ columns: [table.history, table.index] }),
    unique().on(table.history, table.typ, table.message),
  ],
)

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

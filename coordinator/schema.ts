import { sql } from 'drizzle-orm'
import { blob, index, integer, primaryKey, sqliteTable, text, unique, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type {
  CharterId,
  CohortId,
  ManifestId,
  MemberId,
  QueryId,
  ReleaseId,
  RevocationId,
  RoundId,
  SponsorshipId,
} from '#specs/messages.ts'

/**
 * What the coordinator remembers. Times are milliseconds since 1970; `compact` columns hold signed messages. Rows of
 * contributions, agreements, openings, draws, recounts, releases, consents, confirmations, sponsorships, revocations, the log and its
 * hashes can be added and never changed: triggers in migrations/ see to it.
 */

const member = () => text().$type<MemberId>().notNull()

export const invitations = sqliteTable('invitations', {
  /** SHA-256 of the code: whoever reads this table cannot enrol. */
  codeHash: text('code_hash').primaryKey(),
  role: text({ enum: ['member', 'researcher'] }).notNull(),
  /** Member id, or a researcher's name. */
  subject: text().notNull(),
  /** Of a researcher: the member that is asked to vouch for it. The first version kept a researcher's own administration there. */
  sponsor: text('administration').$type<MemberId>(),
  /** For another key of a member that is enrolled. */
  isReplacement: integer('is_replacement', { mode: 'boolean' }).notNull().default(false),
  createdAt: integer('created_at').notNull(),
  expiresAt: integer('expires_at').notNull(),
  redeemedBy: text('redeemed_by'),
})

export const parties = sqliteTable(
  'parties',
  {
    fingerprint: text().primaryKey(),
    role: text({ enum: ['member', 'researcher'] }).notNull(),
    subject: text().notNull(),
    publicKey: text('public_key').notNull(),
    enrolment: text().notNull(),
    /** Of a researcher: the member that is asked to vouch for it. */
    sponsor: text().$type<MemberId>(),
    /** Of a researcher, once it is sponsored: the newest. */
    certificate: text(),
    enrolledAt: integer('enrolled_at').notNull(),
    lastSeenAt: integer('last_seen_at'),
    /** It waits for a charter that puts it in the place of the member's other key. */
    isReplacement: integer('is_replacement', { mode: 'boolean' }).notNull().default(false),
    /** When a charter came into force that has another key of this member, or no such member. */
    endedAt: integer('ended_at'),
  },
  table => [
    uniqueIndex('parties_one_key').on(table.role, table.subject, table.isReplacement).where(sql`ended_at IS NULL`),
  ],
)

export const sponsorships = sqliteTable(
  'sponsorships',
  {
    id: text().$type<SponsorshipId>().primaryKey(),
    sponsor: member(),
    /** Null where it is of an organisation. */
    researcher: text().references(() => parties.fingerprint),
    compact: text().notNull(),
    receivedAt: integer('received_at').notNull(),
  },
  table => [index('sponsorships_by_researcher').on(table.researcher)],
)

/** Of whoever an organisation let log in. ID tokens are in their certificates too, which members see. */
export const logins = sqliteTable(
  'logins',
  {
    id: text().primaryKey(),
    researcher: text()
      .notNull()
      .references(() => parties.fingerprint),
    compact: text().notNull(),
    receivedAt: integer('received_at').notNull(),
  },
  table => [index('logins_by_researcher').on(table.researcher)],
)

export const revocations = sqliteTable(
  'revocations',
  {
    id: text().$type<RevocationId>().primaryKey(),
    /** The identity key, or the sponsorship of an organisation, that is stopped. */
    target: text().notNull(),
    compact: text().notNull(),
    receivedAt: integer('received_at').notNull(),
  },
  table => [index('revocations_by_target').on(table.target)],
)

export const charters = sqliteTable(
  'charters',
  {
    id: text().$type<CharterId>().primaryKey(),
    epoch: integer().notNull(),
    compact: text().notNull(),
    proposedAt: integer('proposed_at').notNull(),
    inForceAt: integer('in_force_at'),
    /** A proposal that another one took the place of before it was in force. */
    withdrawnAt: integer('withdrawn_at'),
  },
  table => [uniqueIndex('charters_one_in_force').on(table.epoch).where(sql`in_force_at IS NOT NULL`)],
)

export const consents = sqliteTable(
  'consents',
  {
    charter: text()
      .$type<CharterId>()
      .notNull()
      .references(() => charters.id),
    member: member(),
    compact: text().notNull(),
    receivedAt: integer('received_at').notNull(),
  },
  table => [primaryKey({ columns: [table.charter, table.member] })],
)

/** The newest of each member; an older one never takes its place. */
export const offers = sqliteTable('offers', {
  member: member().primaryKey(),
  compact: text().notNull(),
  issuedAt: integer('issued_at').notNull(),
  receivedAt: integer('received_at').notNull(),
})

/** One of each member for the charter that follows `previous`. */
export const confirmations = sqliteTable(
  'confirmations',
  {
    previous: text().$type<CharterId>().notNull(),
    member: member(),
    charter: text()
      .$type<CharterId>()
      .notNull()
      .references(() => charters.id),
    compact: text().notNull(),
    receivedAt: integer('received_at').notNull(),
  },
  table => [primaryKey({ columns: [table.previous, table.member] })],
)

export const prekeys = sqliteTable(
  'prekeys',
  {
    id: text().primaryKey(),
    custodian: member(),
    compact: text().notNull(),
    notAfter: integer('not_after').notNull(),
    /** The one round that it serves. */
    round: text().$type<RoundId>(),
  },
  table => [unique().on(table.custodian, table.round)],
)

export const queries = sqliteTable(
  'queries',
  {
    id: text().$type<QueryId>().primaryKey(),
    researcher: text()
      .notNull()
      .references(() => parties.fingerprint),
    nonce: text().notNull(),
    compact: text().notNull(),
    receivedAt: integer('received_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    cancellation: text(),
    /** Why it became void before there was a round. */
    voidReason: text('void_reason'),
  },
  table => [unique().on(table.researcher, table.nonce)],
)

export const rounds = sqliteTable(
  'rounds',
  {
    id: text().$type<RoundId>().primaryKey(),
    /** One round for a query: the constraint is what "one answer" rests on. */
    query: text()
      .$type<QueryId>()
      .notNull()
      .unique()
      .references(() => queries.id),
    compact: text().notNull(),
    state: text({ enum: ['open', 'closed', 'agreed', 'opened', 'void'] }).notNull(),
    openedAt: integer('opened_at').notNull(),
    closes: integer().notNull(),
    ends: integer().notNull(),
    closedAt: integer('closed_at'),
    cohortId: text('cohort_id').$type<CohortId>(),
    cohort: text(),
    /** The signed sum, once every chunk is added up. */
    sum: text(),
    /** Of a void round with a cohort: what makes that cohort not count for later ones. */
    voidCertificate: text('void_certificate'),
    voidCertificateId: text('void_certificate_id'),
    endedAt: integer('ended_at'),
    reason: text(),
  },
  table => [
    index('rounds_by_state').on(table.state),
    index('rounds_by_cohort').on(table.cohortId),
    index('rounds_by_void_certificate').on(table.voidCertificateId),
  ],
)

const roundColumn = () =>
  text()
    .$type<RoundId>()
    .notNull()
    .references(() => rounds.id)

export const contributions = sqliteTable(
  'contributions',
  {
    round: roundColumn(),
    member: member(),
    manifestId: text('manifest_id').$type<ManifestId>().notNull(),
    manifest: text().notNull(),
    /** SHA-256 of the ciphertext: the same one under two names would be counted twice. */
    ciphertext: text().notNull(),
    bytes: integer().notNull(),
    receivedAt: integer('received_at').notNull(),
  },
  table => [primaryKey({ columns: [table.round, table.member] }), unique().on(table.round, table.ciphertext)],
)

export const refusals = sqliteTable(
  'refusals',
  {
    round: roundColumn(),
    member: member(),
    step: text({ enum: ['contribute', 'agree', 'open', 'void', 'recount'] }).notNull(),
    compact: text().notNull(),
    reason: text().notNull(),
    receivedAt: integer('received_at').notNull(),
  },
  table => [primaryKey({ columns: [table.round, table.member, table.step] })],
)

export const agreements = sqliteTable(
  'agreements',
  {
    round: roundColumn(),
    custodian: member(),
    cohort: text().$type<CohortId>().notNull(),
    compact: text().notNull(),
    receivedAt: integer('received_at').notNull(),
  },
  table => [primaryKey({ columns: [table.round, table.custodian] })],
)

export const openings = sqliteTable(
  'openings',
  {
    round: roundColumn(),
    custodian: member(),
    compact: text().notNull(),
    sealed: blob({ mode: 'buffer' }).notNull(),
    receivedAt: integer('received_at').notNull(),
  },
  table => [primaryKey({ columns: [table.round, table.custodian] })],
)

export const voidStatements = sqliteTable(
  'void_statements',
  {
    round: roundColumn(),
    custodian: member(),
    compact: text().notNull(),
    receivedAt: integer('received_at').notNull(),
  },
  table => [primaryKey({ columns: [table.round, table.custodian] })],
)

/** The custodian that adds up a large sum again, drawn once its recipient has revealed the seed. */
export const draws = sqliteTable('draws', {
  round: roundColumn().primaryKey(),
  /** 32 bytes, base64url. */
  seed: text().notNull(),
  custodian: member(),
  revealedAt: integer('revealed_at').notNull(),
})

export const recounts = sqliteTable('recounts', {
  round: roundColumn().primaryKey(),
  custodian: member(),
  compact: text().notNull(),
  receivedAt: integer('received_at').notNull(),
})

/** Answers that their recipients published, at most one a round. */
export const releases = sqliteTable('releases', {
  round: roundColumn().primaryKey(),
  id: text().$type<ReleaseId>().notNull().unique(),
  compact: text().notNull(),
  /** The file that everybody reads: specs/release.ts. */
  file: blob({ mode: 'buffer' }).notNull(),
  receivedAt: integer('received_at').notNull(),
})

/** One entry for every signed event, in order; its Merkle tree (RFC 6962) is what log heads speak of. */
export const log = sqliteTable(
  'log',
  {
    /** From 1; a leaf's index in the tree is from 0. */
    index: integer().primaryKey(),
    typ: text().notNull(),
    message: text().notNull(),
    at: integer().notNull(),
  },
  table => [index('log_by_message').on(table.message)],
)

/** The hash of every perfect subtree of the log: what heads, tiles and proofs are made of. */
export const logHashes = sqliteTable(
  'log_hashes',
  {
    height: integer().notNull(),
    index: integer().notNull(),
    hash: blob({ mode: 'buffer' }).notNull(),
  },
  table => [primaryKey({ columns: [table.height, table.index] })],
)

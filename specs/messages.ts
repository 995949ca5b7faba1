import { z } from 'zod'
import { LARGEST_ROSTER, SMALLEST_COHORT } from '#crypto/parameters.ts'
import { printable } from './printable.ts'
import { need, question } from './query.ts'
import { type Kind, kind, LONGEST_MESSAGE, PROTOCOL } from './signed.ts'

/** Every signed message of the protocol: who signs it, what it says, and its schema. How they are signed: signed.ts. */

/** How far the clocks of two parties may differ; a larger difference is an error that says so. */
export const CLOCK_TOLERANCE_MS = 120_000

/** A prekey that lasts longer could be read from a stolen disk for longer. */
export const LONGEST_PREKEY_MS = 30 * 86_400_000

/** Characters of a refusal's reason. */
export const LONGEST_REASON = 1000

export const memberId = z
  .string()
  .regex(/^[A-Z][A-Z0-9]{1,15}$/, 'a member id is 2 to 16 capital letters and digits, a letter first')
  .brand<'MemberId'>()
export type MemberId = z.infer<typeof memberId>

export const hash = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits')
export const charterId = hash.brand<'CharterId'>()
export type CharterId = z.infer<typeof charterId>
export const queryId = hash.brand<'QueryId'>()
export type QueryId = z.infer<typeof queryId>
export const roundId = hash.brand<'RoundId'>()
export type RoundId = z.infer<typeof roundId>
export const manifestId = hash.brand<'ManifestId'>()
export type ManifestId = z.infer<typeof manifestId>
export const cohortId = hash.brand<'CohortId'>()
export type CohortId = z.infer<typeof cohortId>

const instant = z.iso.datetime({ precision: 3 })
const identityKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'expected an Ed25519 public key, base64url')
/** RFC 7638 thumbprint of an identity key; that of the coordinator's key names the federation. */
const keyFingerprint = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const sealingKey = z.string().regex(/^[A-Za-z0-9_-]{1622}$/, 'expected an X-Wing public key, base64url')
const nameLength = 'a name has 1 to 200 characters'
/** Of a federation, a member or a researcher; nothing around it, or two could look the same. */
const partyName = printable
  .min(1, nameLength)
  .max(200, nameLength)
  .regex(/^(?!\s).*(?<!\s)$/u, 'a name has no white space around it')
/** A party's name as somebody types it. */
export const typedName = z.string().trim().pipe(partyName)
const reason = printable.min(1).max(LONGEST_REASON)
const compact = z.string().max(LONGEST_MESSAGE)
const month = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/)
/** Size and root of the coordinator's log (RFC 6962) when the document was made. */
const logHead = z.strictObject({ size: z.int().nonnegative(), root: hash })

const protocol = z.literal(PROTOCOL)

/** How a member's figures are made; deviations between members are printed with every answer. */
export const conventions = z.strictObject({
  importValuation: z.enum(['CIF', 'FOB']).default('CIF'),
  exportValuation: z.enum(['FOB', 'CIF']).default('FOB'),
  tradeSystem: z.enum(['general', 'special']).default('general'),
  dateBasis: z.enum(['lodged', 'accepted', 'released']).default('accepted'),
  hsEdition: z.literal('HS2022').default('HS2022'),
})
export type Conventions = z.infer<typeof conventions>

export const enrolment = kind(
  'enrolment',
  'any party',
  'Redeems an invitation: binds a name to a new identity key. Signed with that key, which proves possession.',
  z.discriminatedUnion('role', [
    z.strictObject({
      protocol,
      role: z.literal('member'),
      federation: keyFingerprint,
      invitation: z.string().max(64),
      publicKey: identityKey,
      id: memberId,
      name: partyName,
      conventions,
    }),
    z.strictObject({
      protocol,
      role: z.literal('researcher'),
      federation: keyFingerprint,
      invitation: z.string().max(64),
      publicKey: identityKey,
      name: partyName,
    }),
  ]),
)

export const certificate = kind(
  'researcher-certificate',
  'coordinator',
  'Says who a researcher is. `administration` is the member whose own cohort the researcher belongs to, `sponsor` the member that vouches.',
  z.strictObject({
    protocol,
    federation: keyFingerprint,
    name: partyName,
    publicKey: identityKey,
    administration: memberId.nullable(),
    organisation: partyName.nullable(),
    purposes: z.array(printable.max(100)).max(50),
    sponsor: memberId.nullable(),
    notAfter: instant,
  }),
)
export type Certificate = z.infer<typeof certificate.schema>

export const charter = kind(
  'charter',
  'coordinator',
  'Who the federation is and by which rules. In force when those have signed whom the charter before it demands.',
  z.strictObject({
    protocol,
    federation: partyName,
    epoch: z.int().positive(),
    previous: charterId.nullable(),
    coordinator: identityKey,
    currency: z.string().regex(/^[A-Z]{3}$/),
    members: z
      .array(z.strictObject({ id: memberId, name: partyName, publicKey: identityKey, conventions }))
      .min(SMALLEST_COHORT)
      .max(LARGEST_ROSTER),
    /** In order: a custodian's number, the point of its shares, is its place in this list, from 1. */
    custodians: z.array(memberId).min(SMALLEST_COHORT).max(15),
    threshold: z.int().min(2),
    /** Members that it takes to remove one or to replace a key; without it all but one. See rules/succession.ts. */
    quorum: z.int().min(2).optional(),
    minimumCohort: z.int().min(SMALLEST_COHORT),
    datasets: z.array(z.strictObject({ id: z.string().max(64), version: z.int().positive() })).min(1),
    logHead,
    proposedAt: instant,
  }),
)
export type Charter = z.infer<typeof charter.schema>

export const consent = kind(
  'charter-consent',
  'member',
  'A member signs a charter.',
  z.strictObject({ protocol, charter: charterId, member: memberId }),
)

export const confirmation = kind(
  'charter-confirmation',
  'member',
  'A member has seen every consent that a charter needs, and confirms no other one after `previous`.',
  z.strictObject({ protocol, charter: charterId, previous: charterId, member: memberId }),
)

export const prekey = kind(
  'prekey',
  'custodian',
  'A single-use X-Wing key to which the shares of one round are sealed. Published in batches; named by the id of this message.',
  z.strictObject({
    protocol,
    federation: keyFingerprint,
    custodian: memberId,
    publicKey: sealingKey,
    notAfter: instant,
  }),
)

export const query = kind(
  'query',
  'researcher',
  'A question, who asks it, and the fresh key to which its answer is sealed. Allows one opened round.',
  z.strictObject({
    protocol,
    charter: charterId,
    certificate: compact,
    question,
    need,
    /** Milliseconds that the round stays open for contributions, and again for openings. */
    closesAfter: z.int().positive(),
    recipient: sealingKey,
    nonce: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
    askedAt: instant,
    expires: instant,
  }),
)
export type Query = z.infer<typeof query.schema>

export const cancellation = kind(
  'cancellation',
  'researcher',
  'Withdraws a query whose round has not been opened.',
  z.strictObject({ protocol, query: queryId }),
)

export const round = kind(
  'round',
  'coordinator',
  'Announces one run of a query. Its id is hashed into every encryption of the round.',
  z.strictObject({
    protocol,
    charter: charterId,
    query: queryId,
    /** `check` rounds of disclosure control come with the rules for them. */
    kind: z.literal('value'),
    opens: instant,
    /** Contributions are taken until then; fewer members than `need` make the round void. */
    closes: instant,
    /** Agreements and openings are taken until then at the latest. Every prekey is valid past it. */
    ends: instant,
    /** Who may be in the cohort. */
    eligible: z.array(memberId).min(SMALLEST_COHORT),
    /** One prekey message of each custodian that takes part. */
    prekeys: z.array(compact).min(2).max(15),
    logHead,
  }),
)
export type Round = z.infer<typeof round.schema>

/** `none` is missing, never zero. `version` is raised by every change of the member's data for that period. */
export const coverage = z.strictObject({
  period: month,
  state: z.enum(['complete', 'provisional', 'none']),
  version: z.int().nonnegative(),
  asOf: instant.nullable(),
})
export type Coverage = z.infer<typeof coverage>

export const manifest = kind(
  'manifest',
  'member',
  'What a member contributes to a round: hashes of its ciphertext and of each sealed share, and what its data covers.',
  z.strictObject({
    protocol,
    round: roundId,
    member: memberId,
    slots: z.int().positive(),
    ciphertext: hash,
    shares: z
      .array(z.strictObject({ custodian: memberId, prekey: hash, sealed: hash }))
      .min(2)
      .max(15),
    coverage: z.array(coverage).max(1200),
    /** The member accepts to be told apart from the rest of the federation by its data version. */
    alone: z.boolean(),
  }),
)
export type Manifest = z.infer<typeof manifest.schema>

export const refusal = kind(
  'refusal',
  'member',
  'A member will not contribute to a round, or a custodian will not agree to its cohort; with the reason.',
  z.strictObject({
    /** Of whoever refuses: a node that needs an upgrade says so to a coordinator that has it. */
    protocol: z.int().positive(),
    round: roundId,
    member: memberId,
    step: z.enum(['contribute', 'agree', 'open']),
    code: z.string().max(64),
    reason,
  }),
)
export type Refusal = z.infer<typeof refusal.schema>

export const cohort = kind(
  'cohort',
  'coordinator',
  'The exact set of contributions that a round adds up.',
  z.strictObject({
    protocol,
    round: roundId,
    manifests: z
      .array(z.strictObject({ member: memberId, manifest: manifestId }))
      .min(1)
      .max(LARGEST_ROSTER),
    logHead,
  }),
)
export type Cohort = z.infer<typeof cohort.schema>

export const agreement = kind(
  'agreement',
  'custodian',
  'A custodian holds a valid share of every dealer of this cohort and will open no other cohort of the round.',
  z.strictObject({ protocol, round: roundId, cohort: cohortId, custodian: memberId }),
)

export const opening = kind(
  'opening',
  'custodian',
  "The hash of the custodian's summed key shares, sealed to the recipient.",
  z.strictObject({ protocol, round: roundId, cohort: cohortId, custodian: memberId, sealed: hash }),
)

export const sum = kind(
  'sum',
  'coordinator',
  'The joint ciphertext: what the recipient decrypts.',
  z.strictObject({ protocol, round: roundId, cohort: cohortId, slots: z.int().positive(), ciphertext: hash }),
)

export const token = kind(
  'token',
  'any party',
  'Accompanies one HTTP request, as a bearer token: valid for this method and path, two minutes around `issuedAt`.',
  z.strictObject({
    federation: keyFingerprint,
    method: z.string().max(10),
    path: z.string().max(2000),
    issuedAt: instant,
  }),
)

/** For the reference page and for the tests that try every message. */
export const messageKinds = [
  enrolment,
  certificate,
  charter,
  consent,
  confirmation,
  prekey,
  query,
  cancellation,
  round,
  manifest,
  refusal,
  cohort,
  agreement,
  opening,
  sum,
  token,
] as const satisfies readonly Kind<z.ZodType>[]

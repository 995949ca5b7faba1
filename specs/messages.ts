import { z } from 'zod'
import { LARGEST_ROSTER, SMALLEST_COHORT } from '#crypto/parameters.ts'
import { purposeCodes } from './code-lists/purposes.ts'
import { approval, publicPolicy } from './policy.ts'
import { printable } from './printable.ts'
import { LONGEST_CLOSES, need, question } from './query.ts'
import { type Kind, kind, LONGEST_MESSAGE, PROTOCOL } from './signed.ts'

/** Every signed message of the protocol: who signs it, what it says, and its schema. How they are signed: signed.ts. */

/** How far the clocks of two parties may differ; a larger difference is an error that says so. */
export const CLOCK_TOLERANCE_MS = 120_000

/** Whoever logged in does so again after this long. */
export const LONGEST_LOGIN_MS = 30 * 86_400_000

/** A prekey that lasts longer could be read from a stolen disk for longer. */
export const LONGEST_PREKEY_MS = 30 * 86_400_000

/** A sponsor says anew every year whom it vouches for; a day more, so that a whole year can be said in any time zone. */
export const LONGEST_SPONSORSHIP_MS = 366 * 86_400_000

/** Months of one dataset in an offer, and in a manifest. */
export const MOST_MONTHS_COVERED = 1200

/** Characters of an offer: many templates fit, and those of all members into one answer. */
export const LONGEST_OFFER = 512 * 1024

/** What a member offers is said anew every day; an older word is worth little after a week. */
export const LONGEST_OFFER_MS = 7 * 86_400_000

/** Characters of a refusal's reason. */
export const LONGEST_REASON = 1000

/** Characters of what a recipient says beside an answer that it releases. */
export const LONGEST_NOTE = 1000

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
export const voidCertificateId = hash.brand<'VoidCertificateId'>()
export type VoidCertificateId = z.infer<typeof voidCertificateId>
export const sumId = hash.brand<'SumId'>()
export type SumId = z.infer<typeof sumId>
export const releaseId = hash.brand<'ReleaseId'>()
export type ReleaseId = z.infer<typeof releaseId>
export const sponsorshipId = hash.brand<'SponsorshipId'>()
export type SponsorshipId = z.infer<typeof sponsorshipId>
export const revocationId = hash.brand<'RevocationId'>()
export type RevocationId = z.infer<typeof revocationId>

const instant = z.iso.datetime({ precision: 3 })
const identityKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'expected an Ed25519 public key, base64url')
/** RFC 7638 thumbprint of an identity key; that of the coordinator's key names the federation. */
export const keyFingerprint = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, 'a fingerprint has 43 letters, digits, hyphens and underscores')
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
/** As somebody types it. */
export const typedReason = z.string().trim().pipe(reason)
const note = printable.min(1, 'a note has 1 to 1000 characters').max(LONGEST_NOTE, 'a note has 1 to 1000 characters')
/** As somebody types it. */
export const typedNote = z.string().trim().pipe(note)
/** What a researcher is in its organisation, such as analyst. */
const role = printable.min(1, 'a role has 1 to 100 characters').max(100, 'a role has 1 to 100 characters')
export const typedRole = z.string().trim().pipe(role)
/** What a researcher may ask for, such as official-statistics. */
export const purposeCode = z.enum(purposeCodes, { error: `a purpose is one of ${purposeCodes.join(', ')}` })
const purposes = z.array(purposeCode).min(1).max(20)
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
  'Binds a name to a new identity key, against an invitation or beside the key before. Signed with the new key, which proves possession.',
  z.discriminatedUnion('role', [
    z.strictObject({
      protocol,
      role: z.literal('member'),
      federation: keyFingerprint,
      /** Null from a member that has a key, and shows with that who it is. */
      invitation: z.string().max(64).nullable(),
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
export type Enrolment = z.infer<typeof enrolment.schema>

/** What a sponsor says of a researcher, and the certificate after it. */
const standing = {
  /** The sponsor, if the researcher belongs to that administration: its part does not count towards the minimum cohort. */
  administration: memberId.nullable(),
  organisation: partyName.nullable(),
  role: role.nullable(),
  purposes,
  sponsor: memberId,
}

const keyPart = z.string().regex(/^[\w-]{1,2000}$/)
const signingKey = z.discriminatedUnion('kty', [
  z.strictObject({
    kty: z.literal('RSA'),
    kid: z.string().max(200),
    alg: z.enum(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']),
    n: keyPart,
    e: keyPart,
  }),
  z.strictObject({
    kty: z.literal('EC'),
    kid: z.string().max(200),
    alg: z.enum(['ES256', 'ES384', 'ES512']),
    crv: z.enum(['P-256', 'P-384', 'P-521']),
    x: keyPart,
    y: keyPart,
  }),
  z.strictObject({
    kty: z.literal('OKP'),
    kid: z.string().max(200),
    alg: z.enum(['EdDSA', 'Ed25519']),
    crv: z.literal('Ed25519'),
    x: keyPart,
  }),
])
/** A public key of a provider of identities, as a JWK (RFC 7517) without anything that no reader needs. */
export type SigningKey = z.infer<typeof signingKey>
export const signingKeys = z.array(signingKey).min(1).max(20)

/** An address of OpenID Connect. On this machine alone it may be without TLS. */
export const issuerAddress = z
  .string()
  .max(500)
  .regex(/^(https:\/\/|http:\/\/(127\.0\.0\.1|\[::1\]|localhost)[:/])[\x21-\x7e]+$/, 'an issuer begins with https://')

export const sponsorship = kind(
  'sponsorship',
  'member',
  'A member vouches for a researcher, or for whomever an organisation lets log in: who it is, for which purposes, and until when.',
  z.discriminatedUnion('of', [
    z.strictObject({
      protocol,
      federation: keyFingerprint,
      of: z.literal('researcher'),
      name: partyName,
      publicKey: identityKey,
      ...standing,
      notAfter: instant,
    }),
    z.strictObject({
      protocol,
      federation: keyFingerprint,
      of: z.literal('organisation'),
      /** Of the organisation's OpenID Connect provider, as its ID tokens have it. */
      issuer: issuerAddress,
      clientId: printable.min(1).max(200),
      keys: signingKeys,
      ...standing,
      organisation: partyName,
      notAfter: instant,
    }),
  ]),
)
export type Sponsorship = z.infer<typeof sponsorship.schema>
export type PersonSponsorship = Extract<Sponsorship, { of: 'researcher' }>
export type OrganisationSponsorship = Extract<Sponsorship, { of: 'organisation' }>

/** An ID token of OpenID Connect. */
const idToken = z.string().min(1).max(20_000)

export const login = kind(
  'login',
  'researcher',
  'Somebody whom an organisation let log in asks to be certified. Signed with the key to which the ID token is bound.',
  z.strictObject({
    protocol,
    federation: keyFingerprint,
    publicKey: identityKey,
    sponsorship: sponsorshipId,
    idToken,
  }),
)

export const certificate = kind(
  'researcher-certificate',
  'coordinator',
  'Says who a researcher is, with the words of the sponsorship that it carries and nothing beyond them.',
  z.strictObject({
    protocol,
    federation: keyFingerprint,
    name: partyName,
    publicKey: identityKey,
    ...standing,
    sponsorship: compact,
    /** Of whoever logged in with the organisation's provider. */
    idToken: idToken.nullable(),
    notAfter: instant,
  }),
)
export type Certificate = z.infer<typeof certificate.schema>

export const revocation = kind(
  'revocation',
  'member or coordinator',
  'Stops a researcher, or all of an organisation, for good. It counts where the coordinator signed it, or the sponsor.',
  z.discriminatedUnion('of', [
    z.strictObject({
      protocol,
      federation: keyFingerprint,
      /** The member that signs; null for the coordinator. */
      by: memberId.nullable(),
      of: z.literal('researcher'),
      publicKey: identityKey,
      reason,
    }),
    z.strictObject({
      protocol,
      federation: keyFingerprint,
      by: memberId.nullable(),
      of: z.literal('organisation'),
      sponsorship: sponsorshipId,
      reason,
    }),
  ]),
)
export type Revocation = z.infer<typeof revocation.schema>

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
    quorum: z.int().min(2).nullable().default(null),
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
  'A question, who asks it, and the fresh key to which its answer is sealed. Allows one round.',
  z.strictObject({
    protocol,
    charter: charterId,
    certificate: compact,
    question,
    need,
    /** Milliseconds that the round stays open for contributions, and again for openings. */
    closesAfter: z.int().positive().max(LONGEST_CLOSES),
    recipient: sealingKey,
    /** SHA-256 of the seed from which a custodian is drawn that adds up a large sum again: rules/recount.ts. */
    draw: hash,
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
    /** Members answer from their data as it stood then; not after `opens`. */
    asOf: instant,
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

/**
 * `none` is missing, never zero. `version` is raised by every change of the member's data for that period; `latest` is what would be
 * answered from if no earlier moment were asked about.
 */
export const coverage = z
  .strictObject({
    period: month,
    state: z.enum(['complete', 'provisional', 'none']),
    version: z.int().nonnegative(),
    latest: z.int().nonnegative(),
    asOf: instant.nullable(),
  })
  .refine(one => one.latest >= one.version, 'latest is below version')
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
    /** SHA-256 of the text of the policy that allowed it. The first release did not state it. */
    policy: hash.nullable().default(null),
  }),
)
export type Manifest = z.infer<typeof manifest.schema>

/** Months, first and last included, that a member's data cover in one state and version. */
const coveredMonths = z.strictObject({
  from: month,
  to: month,
  state: z.enum(['complete', 'provisional']),
  version: z.int().nonnegative(),
})
export type CoveredMonths = z.infer<typeof coveredMonths>

export const offer = kind(
  'offer',
  'member',
  'What a member would answer, and from which months: for whoever wants to know before it asks. It binds nobody.',
  z.strictObject({
    protocol,
    charter: charterId,
    member: memberId,
    /** Null where the member keeps its policy to itself. */
    terms: z
      .strictObject({
        policy: publicPolicy,
        /** What it takes where its own records are not as its policy wants them; with `automatic` they are not looked at. */
        ownRecords: approval,
        /** As in manifests. */
        alone: z.boolean(),
        /** In order; a month in none of the ranges is one without data. */
        coverage: z
          .array(
            z.strictObject({ dataset: z.string().max(64), months: z.array(coveredMonths).max(MOST_MONTHS_COVERED) }),
          )
          .max(20),
      })
      .nullable(),
    issuedAt: instant,
    notAfter: instant,
  }),
)
export type Offer = z.infer<typeof offer.schema>
export type Terms = NonNullable<Offer['terms']>

export const refusal = kind(
  'refusal',
  'member',
  'A member will not contribute to a round, or a custodian will not agree to its cohort, open it, give it up or add it up again; with the reason.',
  z.strictObject({
    /** Of whoever refuses: a node that needs an upgrade says so to a coordinator that has it. */
    protocol: z.int().positive(),
    round: roundId,
    member: memberId,
    step: z.enum(['contribute', 'agree', 'open', 'void', 'recount']),
    code: z.string().max(64),
    reason,
    /** SHA-256 of the text of the policy that refused it, or null where none did. */
    policy: hash.nullable().default(null),
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
    /** Who contributed, but would stand apart from the others beside the answers to earlier questions. */
    leftOut: z.array(memberId).max(LARGEST_ROSTER),
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
  "The hashes of the custodian's summed key shares: sealed to the recipient, and as they are, should the recipient publish them.",
  z.strictObject({ protocol, round: roundId, cohort: cohortId, custodian: memberId, sealed: hash, share: hash }),
)

export const voidStatement = kind(
  'void-statement',
  'custodian',
  'A custodian never opened the round and never will: its shares and the prekey to them are destroyed.',
  z.strictObject({ protocol, round: roundId, custodian: memberId }),
)

export const voidCertificate = kind(
  'void-certificate',
  'coordinator',
  'As many void statements as the threshold: the cohort of the round does not count for later ones.',
  z.strictObject({ protocol, round: roundId, statements: z.array(compact).min(2).max(15) }),
)

export const sum = kind(
  'sum',
  'coordinator',
  'The joint ciphertext: what the recipient decrypts.',
  z.strictObject({ protocol, round: roundId, cohort: cohortId, slots: z.int().positive(), ciphertext: hash }),
)
export type Sum = z.infer<typeof sum.schema>

export const recount = kind(
  'recount',
  'custodian',
  'What the drawn custodian got when it added up the signed contributions of the cohort again.',
  z.strictObject({ protocol, round: roundId, sum: sumId, custodian: memberId, ciphertext: hash }),
)
export type Recount = z.infer<typeof recount.schema>

export const release = kind(
  'release',
  'researcher',
  'The recipient publishes an answer, with everything from which anybody can decrypt it again.',
  z.strictObject({
    protocol,
    query: queryId,
    round: roundId,
    /** SHA-256 of the content as it is written: see specs/release.ts. */
    content: hash,
    /** Who found that the contributions add up to the sum: the recipient gives its word, or the drawn custodian signed a recount. */
    addedUpAgain: z.enum(['by-recipient', 'by-custodian']),
    note: note.nullable(),
    releasedAt: instant,
  }),
)
export type Release = z.infer<typeof release.schema>

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
  sponsorship,
  login,
  certificate,
  revocation,
  charter,
  consent,
  confirmation,
  prekey,
  query,
  cancellation,
  round,
  manifest,
  offer,
  refusal,
  cohort,
  agreement,
  opening,
  voidStatement,
  voidCertificate,
  sum,
  recount,
  release,
  token,
] as const satisfies readonly Kind<z.ZodType>[]

import { z } from 'zod'
import { charterId, hash, memberId, queryId, revocationId, roundId } from './messages.ts'
import { printable } from './printable.ts'

/**
 * The bodies of the coordinator's HTTP interface. Whatever matters in them is a signed message, carried in its compact form
 * and verified by the reader; what is not signed is a convenience that no party relies on.
 */

const compact = z.string()
const instant = z.iso.datetime()
/** 32 bytes, of which the query has the hash. */
const seed = z.string().regex(/^[A-Za-z0-9_-]{43}$/)

export const charterBundle = z.object({
  charter: compact,
  /** Of members, so far. Whether they are enough follows from the charter before: rules/succession.ts. */
  consents: z.array(z.object({ member: memberId, consent: compact })),
  confirmations: z.array(z.object({ member: memberId, confirmation: compact })),
})
export type CharterBundle = z.infer<typeof charterBundle>

export const federationInfo = z.object({
  /** Of the coordinator's software; a party of another version says so and does nothing else. */
  protocol: z.int().positive(),
  name: printable,
  publicKey: z.string(),
  /** Of values, in every charter. */
  currency: z.string(),
  now: instant,
  inForce: charterBundle.nullable(),
  proposed: charterBundle.nullable(),
})
export type FederationInfo = z.infer<typeof federationInfo>

export const enrolmentRequest = z.object({ enrolment: compact })
export const enrolmentReceipt = z.object({
  /** The member that is asked to vouch for a researcher; null for a member. */
  sponsor: memberId.nullable(),
})

/** What a person may log in under: sponsorships of organisations. */
export const organisationList = z.object({ organisations: z.array(compact) })
export const loginRequest = z.object({ login: compact })
export const loginReceipt = z.object({ certificate: compact })

/** Those whom a member is asked to vouch for, or did. */
export const researcherList = z.object({
  researchers: z.array(
    z.object({
      /** Signed with the researcher's key: it has it. */
      enrolment: compact,
      enrolledAt: instant,
      /** The newest. */
      sponsorship: compact.nullable(),
      revocation: compact.nullable(),
    }),
  ),
})
export const sponsorshipRequest = z.object({ sponsorship: compact })
export const revocationRequest = z.object({ revocation: compact })
export const revocationReceipt = z.object({ revocation: revocationId })
/** What a researcher asks with, or whom it waits for. */
export const certificateAnswer = z.object({
  sponsor: memberId.nullable(),
  certificate: compact.nullable(),
  revocation: compact.nullable(),
})

/** How many unused prekeys a custodian keeps at the coordinator; fewer than half of it and it is asked for more. */
export const PREKEY_STOCK = 32

/** What the coordinator asks a member to do. The list follows from what is stored, so it may be asked for again at any time. */
export const workItem = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('charter'), charter: charterId, inForce: z.boolean() }),
  z.object({ kind: z.literal('confirm'), charter: charterId }),
  z.object({ kind: z.literal('prekeys'), missing: z.int().positive().max(PREKEY_STOCK) }),
  z.object({ kind: z.literal('contribute'), round: compact, query: compact }),
  z.object({ kind: z.literal('agree'), round: compact, query: compact, cohort: compact }),
  /** `charter`: of the round; earlier coordinators do not say it. */
  z.object({ kind: z.literal('open'), round: roundId, agreements: z.array(compact), charter: charterId.optional() }),
  /** `cohort`: the round had one, so that custodians say that they never open it. `charter` as above. */
  z.object({ kind: z.literal('void'), round: roundId, cohort: z.boolean(), charter: charterId.optional() }),
  z.object({ kind: z.literal('recount'), round: compact, query: compact, cohort: compact, sum: compact, seed }),
])
export type WorkItem = z.infer<typeof workItem>

export const workResponse = z.object({
  /** Given back as `since`, it makes the next request wait until the list is another one. */
  version: z.string(),
  items: z.array(workItem),
})
export type WorkResponse = z.infer<typeof workResponse>

export const roundState = z.enum(['open', 'closed', 'agreed', 'opened', 'void'])
/** open: contributions come in; closed: the cohort is fixed; agreed: enough custodians signed it; opened: answered. */
export type RoundState = z.infer<typeof roundState>

export const queryStatus = z.object({
  query: queryId,
  version: z.string(),
  /** `waiting`: no round yet, for lack of prekeys of enough custodians. */
  state: z.union([z.literal('waiting'), roundState]),
  /** Why it is void, or what it waits for. */
  reason: printable.nullable(),
  purpose: printable,
  askedAt: instant,
  round: roundId.nullable(),
  closes: instant.nullable(),
  members: z.array(
    z.object({
      id: memberId,
      state: z.enum(['asked', 'contributed', 'refused', 'missing']),
      since: instant,
      reason: printable.nullable(),
    }),
  ),
  custodians: z.array(
    z.object({
      id: memberId,
      state: z.enum(['waiting', 'agreed', 'opened', 'refused']),
      since: instant,
      reason: printable.nullable(),
    }),
  ),
  /** The custodian that was drawn to add up a large sum again. */
  recount: z
    .object({
      custodian: memberId,
      state: z.enum(['asked', 'done', 'refused']),
      since: instant,
      reason: printable.nullable(),
    })
    .nullable(),
})
export type QueryStatus = z.infer<typeof queryStatus>

export const queryList = z.object({ queries: z.array(queryStatus) })

/** Hashes of a Merkle tree, from the leaves upwards. */
const proof = z.array(hash).max(64)

/** The evidence for an answer, all of it signed; the sum and the contributions are fetched beside it. */
export const answerEvidence = z.object({
  charter: charterBundle,
  query: compact,
  round: compact,
  cohort: compact,
  manifests: z.array(compact),
  refusals: z.array(compact),
  agreements: z.array(compact),
  openings: z.array(z.object({ opening: compact, sealed: z.base64url() })),
  sum: compact,
  /** Of a large sum, once its custodian was drawn and has added it up again. */
  recount: compact.nullable(),
  /** That all of these are in the coordinator's log: see specs/log.md. */
  log: z.object({
    /** A head of the log, as the coordinator signed it. */
    checkpoint: z.string().max(1000),
    /** For every message above, by its id: its index in that log, from 0, and the proof of it. */
    proofs: z.array(z.object({ message: hash, index: z.int().nonnegative(), hashes: proof })),
    /** That the head which each of these documents names is the beginning of that log. */
    heads: z.object({ charter: proof, round: proof, cohort: proof }),
  }),
})
export type AnswerEvidence = z.infer<typeof answerEvidence>

/** A cohort with what it is made of, each named by its hash in the one before. */
export const cohortBundle = z.object({
  cohort: compact,
  round: compact,
  query: compact,
  manifests: z.array(compact),
})
export type CohortBundle = z.infer<typeof cohortBundle>

/** The newest offer of each member that made one under the charter in force. */
export const offerList = z.object({ offers: z.array(compact) })
export const offerRequest = z.object({ offer: compact })

export const voidCertificateAnswer = z.object({ certificate: compact })

/** An answer without content worth reading. */
export const done = z.object({})

export const consentRequest = z.object({ consent: compact })
export const confirmationRequest = z.object({ confirmation: compact })
export const prekeysRequest = z.object({ prekeys: z.array(compact).min(1).max(200) })
/** Ids of prekeys. */
export const prekeyIds = z.object({ prekeys: z.array(hash).max(200) })
export const refusalRequest = z.object({ refusal: compact })
export const agreementRequest = z.object({ agreement: compact })
export const voidStatementRequest = z.object({ statement: compact })
export const openingRequest = z.object({ opening: compact, sealed: z.base64url().max(20_000) })
export const drawRequest = z.object({ seed })
export const recountRequest = z.object({ recount: compact })
export const queryRequest = z.object({ query: compact })
export const queryReceipt = z.object({ query: queryId })
export const cancellationRequest = z.object({ cancellation: compact })

/** The header in which a request has an id, for the logs of both sides: the sender's own, or one that the coordinator makes. */
export const REQUEST_ID = 'x-request-id'
export const requestId = z.string().regex(/^[\w.-]{1,64}$/)

/** An error as RFC 9457 has it, with Inbond's stable code and what to do about it. */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: printable,
  code: z.string().regex(/^[a-z0-9-]{1,60}$/),
  remedy: z.string(),
  /** The request that it answers, for the operator's log. */
  instance: z.string().optional(),
})

import { createHash } from 'node:crypto'
import type { Checkpoint } from '#crypto/checkpoint.ts'
import { InbondError } from '#crypto/error.ts'
import { Aggregator } from '#crypto/one-shot.ts'
import { unpackShare } from '#crypto/packing.ts'
import { CHUNK_BYTES, chunksFor } from '#crypto/parameters.ts'
import type { Seal } from '#crypto/seal.ts'
import { unseal } from '#crypto/sealing.ts'
import type { Share } from '#crypto/shamir.ts'
import type { AnswerEvidence } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { type MemberId, opening, refusal } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import {
  type SignedCohort,
  type SignedManifest,
  verifyAgreements,
  verifyCohort,
  verifyManifest,
} from '#specs/rules/cohort.ts'
import { verifyLogged } from '#specs/rules/log.ts'
import { type SignedSum, verifySum } from '#specs/rules/recount.ts'
import { type VerifiedRound, verifyRound } from '#specs/rules/round.ts'
import { openingContext } from '#specs/sealed-context.ts'
import { claims, verify } from '#specs/signed.ts'

/** Everything signed that an answer rests on, verified. */
export interface CheckedEvidence {
  readonly round: VerifiedRound
  readonly cohort: SignedCohort
  readonly manifests: readonly SignedManifest[]
  /** With the SHA-256 of the joint ciphertext. */
  readonly sum: SignedSum
  readonly openings: readonly SealedOpening[]
  /** What the drawn custodian signed, where it has come: whether it is the drawn one's, the seed says. */
  readonly recount: string | null
  /** Why a member that is not in the cohort is missing, where it said so. */
  readonly refusals: ReadonlyMap<MemberId, string>
  /** The head of the coordinator's log under which all of it is. */
  readonly log: Checkpoint
  /** As it came. */
  readonly sent: AnswerEvidence
}

export interface SealedOpening {
  readonly custodian: MemberId
  readonly compact: string
  readonly sealed: Uint8Array
}

/**
 * Verifies what the coordinator hands out with an answer.
 * @param query the query as this researcher signed it
 * @throws InbondError `bad-evidence`, or the code of the rule that it breaks
 */
export async function checkEvidence(
  evidence: AnswerEvidence,
  query: string,
  charter: SignedCharter,
): Promise<CheckedEvidence> {
  if (evidence.query !== query) throw fault('bad-evidence', 'the answer is to another query')
  const round = await verifyRound(evidence, charter, undefined)
  const cohort = await verifyCohort(evidence.cohort, round)
  const manifests = await checkManifests(evidence.manifests, round, cohort)
  await checkAgreed(evidence.agreements, round, cohort)
  const sum = await verifySum(evidence.sum, round, cohort)
  const openings = await Promise.all(
    evidence.openings.map(async ({ opening: compact, sealed }) => {
      const bytes = new Uint8Array(Buffer.from(sealed, 'base64url'))
      return { custodian: await checkOpening(compact, 'sealed', bytes, round, cohort), compact, sealed: bytes }
    }),
  )
  requireDistinct(openings)
  return {
    round,
    cohort,
    manifests,
    sum,
    openings,
    recount: evidence.recount,
    refusals: await readRefusals(evidence, round),
    log: await verifyLogged(evidence, charter.payload.coordinator),
    sent: evidence,
  }
}

/** One manifest of every member of a cohort. @throws InbondError `bad-evidence`, and the codes of `verifyManifest` */
export async function checkManifests(
  compacts: readonly string[],
  round: VerifiedRound,
  cohort: SignedCohort,
): Promise<SignedManifest[]> {
  const manifests = await Promise.all(compacts.map(compact => verifyManifest(compact, round, cohort)))
  if (new Set(manifests.map(one => one.payload.member)).size !== cohort.payload.manifests.length) {
    throw fault('bad-evidence', 'there is not one manifest of every member of the cohort')
  }
  if (new Set(manifests.map(one => one.payload.ciphertext)).size !== manifests.length) {
    throw fault('bad-evidence', 'two members of the cohort contributed the same ciphertext')
  }
  return manifests
}

/**
 * That as many custodians as needed agreed to a cohort.
 * @throws InbondError `bad-evidence`, and the codes of `verifyAgreements`
 */
export async function checkAgreed(
  compacts: readonly string[],
  round: VerifiedRound,
  cohort: SignedCohort,
): Promise<MemberId[]> {
  const { threshold } = round.charter.payload
  const agreed = await verifyAgreements(compacts, round, cohort.id)
  if (agreed.length >= threshold) return agreed
  throw fault('bad-evidence', `${agreed.length} custodians agreed to the cohort; ${threshold} must`)
}

/**
 * That a custodian signed the hash of what it opened.
 * @param form in which of its two forms that is here: sealed to the recipient, or the share itself
 * @throws InbondError `bad-evidence`, `bad-signature`, `bad-message`
 */
export async function checkOpening(
  compact: string,
  form: 'sealed' | 'share',
  bytes: Uint8Array,
  round: VerifiedRound,
  cohort: SignedCohort,
): Promise<MemberId> {
  const { custodian } = claims(opening, compact).payload
  const { payload } = await verify(opening, compact, keyOf(round, custodian))
  if (payload.round !== round.id || payload.cohort !== cohort.id || payload[form] !== sha256(bytes)) {
    throw fault('bad-evidence', `the opening of ${custodian} is of something else`)
  }
  if (!round.custodians.some(one => one.id === custodian)) {
    throw fault('bad-evidence', `${custodian} opened, but is not a custodian of the round`)
  }
  return custodian
}

/** @throws InbondError `bad-evidence` */
export function requireDistinct(openings: readonly { readonly custodian: MemberId }[]): void {
  if (new Set(openings.map(one => one.custodian)).size !== openings.length) {
    throw fault('bad-evidence', 'a custodian opened twice')
  }
}

async function readRefusals(evidence: AnswerEvidence, round: VerifiedRound): Promise<Map<MemberId, string>> {
  const reasons = new Map<MemberId, string>()
  for (const compact of evidence.refusals) {
    const { member } = claims(refusal, compact).payload
    const { payload } = await verify(refusal, compact, keyOf(round, member))
    if (payload.round === round.id && payload.step === 'contribute') reasons.set(member, payload.reason)
  }
  return reasons
}

function keyOf(round: VerifiedRound, member: MemberId): string {
  const entry = round.charter.payload.members.find(one => one.id === member)
  if (!entry) throw fault('bad-evidence', `${member} is not on the roster`)
  return entry.publicKey
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Opens what the custodians sealed. One that does not open is left out, as one that disagrees. */
export async function unsealOpenings(checked: CheckedEvidence, privateKey: Uint8Array): Promise<Share[]> {
  const shares: Share[] = []
  for (const { custodian, sealed } of checked.openings) {
    const place = checked.round.custodians.find(one => one.id === custodian)
    const context = openingContext({ round: checked.round.id, cohort: checked.cohort.id, custodian })
    try {
      const packed = await unseal('inbond/opening/v1', privateKey, context, sealed)
      shares.push({ index: place?.index ?? 0, residues: unpackShare(packed) })
    } catch (error) {
      if (!(error instanceof InbondError)) throw error
    }
  }
  return shares
}

/**
 * Adds up the members' ciphertexts, one after the other, and compares with what the coordinator gave as their sum.
 * @param fetchCiphertext whole packed ciphertexts
 * @param added told how many have been added up
 * @throws InbondError `bad-evidence` if a contribution is not the one its member signed, or the sum is another
 */
export async function addUpAgain(
  seal: Seal,
  checked: CheckedEvidence,
  total: Uint8Array,
  fetchCiphertext: (member: MemberId) => Promise<Uint8Array>,
  added: (contributions: number) => void = () => undefined,
): Promise<void> {
  using aggregator = new Aggregator(seal)
  const again = new Uint8Array(total.length)
  for (const [i, { payload }] of checked.manifests.entries()) {
    const ciphertext = await fetchCiphertext(payload.member)
    if (sha256(ciphertext) !== payload.ciphertext) {
      throw fault(
        'bad-evidence',
        `the coordinator sent another contribution of ${payload.member} than the one that it signed`,
      )
    }
    if (i === 0) again.set(ciphertext)
    else aggregator.addTo(again, ciphertext)
    added(i + 1)
  }
  if (Buffer.compare(again, total) !== 0) {
    throw fault('bad-evidence', 'the sum is not the sum of the contributions that the members signed')
  }
}

/** How many bytes one member's ciphertext has. */
export function ciphertextBytes(checked: Pick<CheckedEvidence, 'round'>): number {
  return chunksFor(checked.round.plan.slots) * CHUNK_BYTES
}

import { verifyIdToken } from '#crypto/id-token.ts'
import { fingerprint, messageId, type PublicKey } from '#crypto/signature.ts'
import { fault } from '../errors.ts'
import { checkNonce, nameIn } from '../login.ts'
import {
  type Certificate,
  CLOCK_TOLERANCE_MS,
  certificate,
  LONGEST_LOGIN_MS,
  LONGEST_SPONSORSHIP_MS,
  type MemberId,
  type OrganisationSponsorship,
  type Query,
  type QueryId,
  query,
  type Revocation,
  type RevocationId,
  revocation,
  type Sponsorship,
  type SponsorshipId,
  sponsorship,
} from '../messages.ts'
import { claims, type Signed, verify } from '../signed.ts'
import type { SignedCharter } from './charter.ts'

/**
 * Who asks. A member vouches for a researcher, with its own signature, and the coordinator's certificate says nothing beyond it: a
 * coordinator alone cannot invent anybody.
 */

/** What of a charter it takes: who certifies, and who may sponsor. */
interface Terms {
  readonly coordinator: PublicKey
  readonly members: readonly { readonly id: MemberId; readonly publicKey: PublicKey }[]
}

/**
 * Verifies a researcher's certificate with the sponsorship that it carries.
 * @param terms of the charter under which it is used: a sponsor that left the roster vouches for nobody
 * @throws InbondError `bad-certificate`, `bad-signature`, `bad-message`
 */
export async function verifyCertificate(compact: string, terms: Terms): Promise<Signed<Certificate>> {
  const signed: Signed<Certificate> = await verify(certificate, compact, terms.coordinator)
  const certified = signed.payload
  if (certified.federation !== (await fingerprint(terms.coordinator))) {
    throw fault('bad-certificate', 'the researcher is certified for another federation')
  }
  const { payload: sponsored } = await verifySponsorship(certified.sponsorship, terms)
  const strayed = beyond(certified, await vouchedFor(certified, sponsored, undefined))
  if (strayed !== undefined) {
    throw fault('bad-certificate', `the certificate has another ${strayed} than its sponsor signed`)
  }
  return signed
}

/**
 * Verifies that a member on the roster signed a sponsorship of this federation.
 * @throws InbondError `bad-certificate`, `bad-signature`, `bad-message`
 */
export async function verifySponsorship(compact: string, terms: Terms): Promise<Signed<Sponsorship, SponsorshipId>> {
  const { sponsor } = claims(sponsorship, compact).payload
  const entry = terms.members.find(one => one.id === sponsor)
  if (!entry) throw fault('bad-certificate', `the sponsor ${sponsor} is not on the roster`)
  const signed: Signed<Sponsorship, SponsorshipId> = await verify(sponsorship, compact, entry.publicKey)
  const { federation, administration } = signed.payload
  if (federation !== (await fingerprint(terms.coordinator))) {
    throw fault('bad-certificate', 'the sponsorship is of another federation')
  }
  if (administration !== null && administration !== sponsor) {
    throw fault('bad-certificate', `${sponsor} cannot say who belongs to ${administration}`)
  }
  return signed
}

/** What may be said of a researcher. */
type Vouched = Omit<Certificate, 'protocol' | 'federation' | 'sponsorship'>

/** Of a person the sponsor says it; of an organisation's people its provider says who they are, in an ID token. */
async function vouchedFor(
  { publicKey, idToken }: Pick<Certificate, 'publicKey' | 'idToken'>,
  sponsored: Sponsorship,
  now: number | undefined,
): Promise<Vouched> {
  if (sponsored.of === 'researcher') return { ...sponsored, idToken: null }
  if (idToken === null) throw fault('bad-certificate', 'nobody logged in for this certificate')
  return loggedIn(sponsored, publicKey, idToken, now)
}

/**
 * What may be said of the holder of a key whom an organisation's provider let log in.
 * @param now milliseconds since 1970, where the token must be fresh; undefined where a certificate was made of it
 * @throws InbondError `bad-id-token`
 */
export async function loggedIn(
  sponsored: OrganisationSponsorship,
  publicKey: PublicKey,
  idToken: string,
  now: number | undefined,
): Promise<Vouched> {
  const token = await verifyIdToken(idToken, sponsored, now)
  checkNonce(token.nonce, sponsored.federation, publicKey)
  const { administration, organisation, role, purposes, sponsor } = sponsored
  const until = Math.min(token.issuedAt + LONGEST_LOGIN_MS, Date.parse(sponsored.notAfter))
  const standing = { administration, organisation, role, purposes, sponsor }
  return { name: nameIn(token), publicKey, ...standing, idToken, notAfter: new Date(until).toISOString() }
}

/** The field in which a certificate says something else, or more, than is vouched for. */
function beyond(certified: Certificate, sponsored: Vouched): keyof Certificate | undefined {
  const same = ['name', 'publicKey', 'administration', 'organisation', 'role', 'sponsor', 'idToken'] as const
  const changed = same.find(field => certified[field] !== sponsored[field])
  if (changed !== undefined) return changed
  if (!certified.purposes.every(one => sponsored.purposes.includes(one))) return 'purposes'
  return certified.notAfter > sponsored.notAfter ? 'notAfter' : undefined
}

/**
 * Checks that a certificate is not over at a moment, and not for longer than a sponsor may vouch.
 * @param at milliseconds since 1970: when the round of a query opens
 * @throws InbondError `bad-certificate`
 */
export function checkLasts({ notAfter, sponsorship: compact }: Certificate, at: number): void {
  if (at > Date.parse(notAfter)) throw fault('bad-certificate', `the researcher's certificate expired at ${notAfter}`)
  checkTerm(claims(sponsorship, compact).payload, at)
}

/** Checks that a sponsorship is not over, and not for longer than a member may vouch. @throws InbondError `bad-certificate` */
export function checkTerm({ notAfter }: Sponsorship, at: number): void {
  if (at > Date.parse(notAfter)) throw fault('bad-certificate', `the sponsorship expired at ${notAfter}`)
  if (Date.parse(notAfter) > at + LONGEST_SPONSORSHIP_MS + CLOCK_TOLERANCE_MS) {
    throw fault('bad-certificate', 'the researcher is certified for longer than a year')
  }
}

/** Checks that a researcher asks for a purpose for which it is sponsored. @throws InbondError `bad-certificate` */
export function checkPurpose(
  { question: { purposeCode } }: Pick<Query, 'question'>,
  { purposes }: Pick<Certificate, 'purposes'>,
): void {
  if (purposes.includes(purposeCode)) return
  throw fault(
    'bad-certificate',
    `the researcher is sponsored for ${purposes.join(', ')}, not for ${purposeCode}: put purposeCode: ${purposes.join(' or ')} into the query if that is its purpose`,
  )
}

/**
 * Verifies a question and who asks it.
 * @throws InbondError `bad-certificate`, `bad-round`, `bad-signature`, `bad-message`
 */
export async function verifyQuery(
  compact: string,
  charter: SignedCharter,
): Promise<{ asked: Signed<Query, QueryId>; researcher: Certificate }> {
  const certified = claims(query, compact).payload.certificate
  const { payload: researcher } = await verifyCertificate(certified, charter.payload)
  const asked: Signed<Query, QueryId> = await verify(query, compact, researcher.publicKey)
  if (asked.payload.charter !== charter.id) throw fault('bad-round', 'the query is under another charter')
  checkPurpose(asked.payload, researcher)
  return { asked, researcher }
}

/**
 * Verifies that whom it names signed a revocation of this federation. Whose certificates it stops is for `isRevoked` to say.
 * @param terms a member may be there several times, with each key that it had
 * @throws InbondError `bad-certificate`, `bad-signature`, `bad-message`
 */
export async function verifyRevocation(compact: string, terms: Terms): Promise<Signed<Revocation, RevocationId>> {
  const { kid, payload } = claims(revocation, compact)
  const { by } = payload
  const keys = by === null ? [terms.coordinator] : terms.members.filter(one => one.id === by).map(one => one.publicKey)
  const key = await keyCalled(kid, keys)
  if (key === undefined)
    throw fault('bad-certificate', `${by ?? 'the coordinator'}, who revokes, is in no charter with this key`)
  const signed: Signed<Revocation, RevocationId> = await verify(revocation, compact, key)
  if (signed.payload.federation !== (await fingerprint(terms.coordinator))) {
    throw fault('bad-certificate', 'the revocation is of another federation')
  }
  return signed
}

async function keyCalled(print: string, keys: readonly PublicKey[]): Promise<PublicKey | undefined> {
  for (const key of keys) if ((await fingerprint(key)) === print) return key
  return undefined
}

/** Of a certificate, what decides whether a revocation stops it. */
export interface Revocable {
  readonly publicKey: PublicKey
  readonly sponsor: MemberId | null
  /** In its compact form; empty where there is none. */
  readonly sponsorship: string
}

/**
 * Whether a certificate is stopped by one of these revocations: of the coordinator, or of its own sponsor. Another member's stops
 * nothing, or each member could silence the researchers of all others; it has its policy for itself.
 */
export function isRevoked(certified: Revocable, revocations: readonly Revocation[]): boolean {
  const targets = targetsOf(certified)
  return revocations.some(one => (one.by === null || one.by === certified.sponsor) && targets.includes(targetOf(one)))
}

/** What a revocation is filed under: the key, or the sponsorship of an organisation, that it stops. */
export function targetOf(revoked: Revocation): string {
  return revoked.of === 'researcher' ? revoked.publicKey : revoked.sponsorship
}

/** What a revocation that stops a certificate may be filed under. */
export function targetsOf({ publicKey, sponsorship: compact }: Pick<Revocable, 'publicKey' | 'sponsorship'>): string[] {
  return compact === '' ? [publicKey] : [publicKey, messageId(compact)]
}

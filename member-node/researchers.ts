import { and, asc, eq, inArray, isNotNull, isNull } from 'drizzle-orm'
import { fingerprint, type IdentityKey, messageId, type PublicKey } from '#crypto/signature.ts'
import { isoTime } from '#party/clock.ts'
import { done, researcherList, revocationReceipt, revocationRequest } from '#specs/api.ts'
import type { PurposeCode } from '#specs/code-lists/purposes.ts'
import { fault } from '#specs/errors.ts'
import {
  type Certificate,
  type CharterId,
  enrolment,
  type OrganisationSponsorship,
  type PersonSponsorship,
  type Revocation,
  type RevocationId,
  revocation,
  type SigningKey,
  type Sponsorship,
  type SponsorshipId,
  sponsorship,
} from '#specs/messages.ts'
import { isRevoked, targetOf, targetsOf, verifyRevocation } from '#specs/rules/researcher.ts'
import { claims, PROTOCOL, type Signed, sign, verify } from '#specs/signed.ts'
import { placeOf, requireCharter, termsSoFar } from './charters.ts'
import type { Keyring } from './keyring.ts'
import { readSoFar } from './log-mirror.ts'
import type { Node } from './node.ts'
import { logEntries, revocations, sponsorships } from './schema.ts'

/**
 * The sponsor's side: who asks this member to vouch for them, and what it says of them. And what every node must know by itself:
 * who was revoked.
 */

/** Somebody who asks this member for sponsorship, or has it. */
export interface Sponsored {
  readonly name: string
  readonly fingerprint: string
  readonly publicKey: PublicKey
  readonly enrolledAt: string
  /** The newest that the coordinator has, by this member. */
  readonly sponsorship: PersonSponsorship | null
  readonly revocation: Revocation | null
}

/** Whom this member is asked to vouch for. That each has the key that it names was checked; who it is, a person has to know. */
export async function researchersOf(node: Node, signal?: AbortSignal): Promise<Sponsored[]> {
  const { researchers } = await node.connection.get('/researchers', researcherList, signal)
  return Promise.all(researchers.map(one => checkedResearcher(node, one)))
}

async function checkedResearcher(node: Node, listed: (typeof researcherList)['_output']['researchers'][number]) {
  const { publicKey } = claims(enrolment, listed.enrolment).payload
  const { payload } = await verify(enrolment, listed.enrolment, publicKey)
  if (payload.federation !== node.federation) throw fault('wrong-federation', 'a researcher enrolled elsewhere')
  const own = listed.sponsorship === null ? null : claims(sponsorship, listed.sponsorship).payload
  return {
    name: payload.name,
    fingerprint: await fingerprint(publicKey),
    publicKey,
    enrolledAt: listed.enrolledAt,
    sponsorship: own?.of === 'researcher' && own.publicKey === publicKey && own.sponsor === node.id ? own : null,
    revocation: listed.revocation === null ? null : claims(revocation, listed.revocation).payload,
  }
}

/** What a sponsor says of a researcher. */
export interface Vouching {
  readonly organisation: string | null
  readonly role: string | null
  readonly purposes: readonly PurposeCode[]
  /** Whether the researcher belongs to this member's own administration. */
  readonly isOwn: boolean
  /** Milliseconds from now, at most a year. */
  readonly lasts: number
}

/**
 * Vouches for the researcher whose key has this fingerprint, as the researcher told it: the coordinator's word is not enough.
 * @throws InbondError `not-found`, `researcher-revoked`, `bad-certificate`, `not-on-roster`
 */
export async function sponsor(node: Node, print: string, said: Vouching): Promise<PersonSponsorship> {
  const found = (await researchersOf(node)).find(one => one.fingerprint === print)
  if (!found) throw fault('not-found', `nobody with the fingerprint ${print} asks ${node.id} for sponsorship`)
  const now = node.clock.now()
  const payload: PersonSponsorship = {
    protocol: PROTOCOL,
    federation: node.federation,
    of: 'researcher',
    name: found.name,
    publicKey: found.publicKey,
    administration: said.isOwn ? node.id : null,
    organisation: said.organisation,
    role: said.role,
    purposes: [...said.purposes],
    sponsor: node.id,
    notAfter: isoTime(now + said.lasts),
  }
  await signAndSend(node, payload, found.publicKey)
  return payload
}

/** Whom an organisation lets log in, and how it is known. */
export interface Organisation extends Vouching {
  readonly organisation: string
  readonly issuer: string
  readonly clientId: string
  readonly keys: readonly SigningKey[]
}

/**
 * Vouches for whomever an organisation lets log in with its own provider, whose keys every member then verifies by itself.
 * @throws InbondError `bad-certificate`, `not-on-roster`
 */
export async function sponsorOrganisation(node: Node, said: Organisation): Promise<SponsorshipId> {
  const payload: OrganisationSponsorship = {
    protocol: PROTOCOL,
    federation: node.federation,
    of: 'organisation',
    issuer: said.issuer,
    clientId: said.clientId,
    keys: [...said.keys],
    administration: said.isOwn ? node.id : null,
    organisation: said.organisation,
    role: said.role,
    purposes: [...said.purposes],
    sponsor: node.id,
    notAfter: isoTime(node.clock.now() + said.lasts),
  }
  return (await signAndSend(node, payload, null)).id
}

/** Organisations that this member vouched for, in the order in which it did. */
export function organisationsOf(
  node: Node,
): { readonly id: SponsorshipId; readonly payload: OrganisationSponsorship }[] {
  const rows = node.db.select().from(sponsorships).where(isNull(sponsorships.researcher)).all()
  return rows.flatMap(({ id, compact }) => {
    const { payload } = claims(sponsorship, compact)
    return payload.of === 'organisation' && ownRevocation(node, id) === undefined ? [{ id, payload }] : []
  })
}

/** With which key, in this process, everybody was vouched for again. */
const vouchedAnewWith = new WeakMap<Keyring, PublicKey>()

/** Whom the coordinator does not let this member vouch for any more. */
const NO_SPONSORSHIP = ['not-allowed', 'not-found', 'researcher-revoked', 'bad-certificate']

/**
 * Vouches again, in the same words, for whomever this node vouched for with a key that was replaced since: what that signed counts no more.
 * The same bytes are made and sent again after a crash, because a signature of the same words with the same key is the same.
 */
export async function vouchAnew(node: Node, signal?: AbortSignal): Promise<void> {
  const { publicKey, fingerprint: print } = node.key
  if (vouchedAnewWith.get(node.keys) === publicKey || placeOf(node) !== 'member') return
  const signed = node.db.select().from(sponsorships).orderBy(asc(sponsorships.createdAt)).all()
  // Of one researcher the newest counts, of organisations each.
  const last = new Map(signed.map(one => [one.researcher ?? one.id, one]))
  const own = [...last.values()].map(one => ({ ...one, ...claims(sponsorship, one.compact) }))
  const isReplaced = signed.some(one => claims(sponsorship, one.compact).kid !== print)
  for (const { id, researcher, payload } of isReplaced ? own : []) {
    const isStopped = ownRevocation(node, researcher ?? id) !== undefined
    if (isStopped || Date.parse(payload.notAfter) <= node.clock.now()) continue
    await signAndSend(node, payload, researcher, signal).catch(error => {
      if (!NO_SPONSORSHIP.includes(error.code)) throw error
    })
  }
  vouchedAnewWith.set(node.keys, publicKey)
}

/** Stored before it is sent. */
async function signAndSend(
  node: Node,
  payload: Sponsorship,
  researcher: PublicKey | null,
  signal?: AbortSignal,
): Promise<Signed<Sponsorship, SponsorshipId>> {
  const signed = await sign<typeof sponsorship.schema, SponsorshipId>(node.key, sponsorship, payload)
  const row = { id: signed.id, researcher, compact: signed.compact, createdAt: node.clock.now() }
  node.db.insert(sponsorships).values(row).onConflictDoNothing().run()
  await node.connection.post('/sponsorships', { sponsorship: signed.compact }, done, signal)
  return signed
}

/**
 * Stops a researcher that this member sponsored. This node keeps to it from now on, whether or not the coordinator hears of it.
 * @throws InbondError `not-found`, `not-allowed`
 */
export async function revoke(node: Node, print: string, reason: string): Promise<void> {
  const publicKey = await keyCalled(node, print)
  await stop(node, publicKey, { of: 'researcher', publicKey, reason })
}

/** Stops everybody whom an organisation let log in under a sponsorship of this member. @throws InbondError `not-found`, `not-allowed` */
export async function revokeOrganisation(node: Node, sponsored: SponsorshipId, reason: string): Promise<void> {
  await stop(node, sponsored, { of: 'organisation', sponsorship: sponsored, reason })
}

type Stopped =
  | Pick<Extract<Revocation, { of: 'researcher' }>, 'of' | 'publicKey' | 'reason'>
  | Pick<Extract<Revocation, { of: 'organisation' }>, 'of' | 'sponsorship' | 'reason'>

async function stop(node: Node, target: string, stopped: Stopped): Promise<void> {
  // The coordinator takes none with a key that was replaced since.
  const compact = ownRevocation(node, target, node.key) ?? (await makeRevocation(node, stopped))
  await node.connection.post('/revocations', { revocation: compact }, revocationReceipt)
}

/** From what this node signed, or, after a restore, from what the coordinator has. */
async function keyCalled(node: Node, print: string): Promise<PublicKey> {
  const persons = isNotNull(sponsorships.researcher)
  const signed = node.db.selectDistinct({ key: sponsorships.researcher }).from(sponsorships).where(persons).all()
  for (const { key } of signed) if (key !== null && (await fingerprint(key)) === print) return key
  const listed = (await researchersOf(node)).find(one => one.fingerprint === print)
  if (listed) return listed.publicKey
  throw fault('not-found', `nobody with the fingerprint ${print} is sponsored by ${node.id}, or asks for it`)
}

/** @param by the key with which it is signed; any, if it is not said */
function ownRevocation(node: Node, target: string, by?: IdentityKey): string | undefined {
  return storedRevocations(node, [target]).find(
    one => one.payload.by === node.id && (by === undefined || one.kid === by.fingerprint),
  )?.compact
}

async function makeRevocation(node: Node, stopped: Stopped): Promise<string> {
  const signed = await sign<typeof revocation.schema, RevocationId>(node.key, revocation, {
    protocol: PROTOCOL,
    federation: node.federation,
    by: node.id,
    ...stopped,
  })
  store(node, signed)
  return signed.compact
}

/**
 * Takes note of a revocation, from wherever it came, with any key that its signer has had: it is for good, and the key may be replaced.
 * That lets nobody else stop researchers: the coordinator takes no new one with a replaced key, and could stop anybody itself.
 * @throws InbondError `no-charter`, `bad-certificate`, `bad-signature`, `bad-message`
 */
export async function learnRevocation(node: Node, compact: string): Promise<void> {
  store(node, await verifyRevocation(compact, termsSoFar(node)))
}

/** What is no revocation, by its bytes in the log or by who is known here, stops nobody. */
const NO_REVOCATION = ['bad-certificate', 'bad-message']
/** Those that stopped nobody under a charter: they are not fetched again before the next one. */
const ofNobody = new WeakMap<Node, { readonly charter: CharterId; readonly ids: Set<string> }>()

function ofNobodyUnder(node: Node): Set<string> {
  const charter = requireCharter(node).id
  const known = ofNobody.get(node)
  if (known !== undefined && known.charter === charter) return known.ids
  const ids = new Set<string>()
  ofNobody.set(node, { charter, ids })
  return ids
}

/**
 * Takes note of the revocations in the log as far as this node has read it.
 * @throws InbondError `bad-answer` where one is served otherwise than it is logged. The entry does not cover the signature: with a spoilt
 * one, what the log has would stop nobody
 */
export async function learnLoggedRevocations(node: Node, signal?: AbortSignal): Promise<void> {
  const unknown = node.db
    .select({ id: logEntries.message })
    .from(logEntries)
    .leftJoin(revocations, eq(revocations.id, logEntries.message))
    .where(
      and(eq(logEntries.history, readSoFar(node).history), eq(logEntries.typ, revocation.typ), isNull(revocations.id)),
    )
    .all()
  const stopsNobody = ofNobodyUnder(node)
  for (const { id } of unknown.filter(one => !stopsNobody.has(one.id))) {
    const { revocation: compact } = await node.connection.get(`/revocations/${id}`, revocationRequest, signal)
    if (messageId(compact) !== id) throw fault('bad-answer', 'this is another revocation than the one in the log')
    await learnRevocation(node, compact).catch(error => {
      if (error.code === 'bad-signature')
        throw fault('bad-answer', 'a revocation in the log is served with another signature', error)
      if (!NO_REVOCATION.includes(error.code)) throw error
      stopsNobody.add(id)
    })
  }
}

function store(node: Node, { id, compact, payload }: Signed<Revocation, RevocationId>): void {
  node.db.transaction(tx => {
    if (tx.select().from(revocations).where(eq(revocations.id, id)).get()) return
    tx.insert(revocations)
      .values({ id, target: targetOf(payload), compact, learnedAt: node.clock.now() })
      .run()
  })
}

function storedRevocations(node: Pick<Node, 'db'>, targets: readonly string[]) {
  const rows = node.db
    .select()
    .from(revocations)
    .where(inArray(revocations.target, [...targets]))
    .all()
  return rows.map(({ compact }) => ({ compact, ...claims(revocation, compact) }))
}

/**
 * Refuses a question of a researcher whom its sponsor or the coordinator stopped, as far as this node knows.
 * @throws InbondError `researcher-revoked`
 */
export function refuseRevoked(node: Pick<Node, 'db'>, researcher: Certificate): void {
  const found = storedRevocations(node, targetsOf(researcher)).find(one => isRevoked(researcher, [one.payload]))
  if (!found) return
  const { by, reason } = found.payload
  throw fault('researcher-revoked', `${researcher.name} was revoked by ${by ?? 'the coordinator'}: ${reason}`)
}

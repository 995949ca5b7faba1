import { and, asc, desc, eq, inArray, notInArray } from 'drizzle-orm'
import { z } from 'zod'
import { fingerprint } from '#crypto/signature.ts'
import { isoTime } from '#party/clock.ts'
import { fault } from '#specs/errors.ts'
import {
  type Certificate,
  certificate,
  type MemberId,
  memberId,
  type PersonSponsorship,
  type Revocation,
  type RevocationId,
  revocation,
  sponsorship,
} from '#specs/messages.ts'
import {
  checkTerm,
  isRevoked,
  type Revocable,
  targetOf,
  targetsOf,
  verifyRevocation,
  verifySponsorship,
} from '#specs/rules/researcher.ts'
import { claims, PROTOCOL, type Signed, sign } from '#specs/signed.ts'
import type { Context, Member } from './context.ts'
import { checkSponsor } from './enrolment.ts'
import type { Database, Transaction } from './event-log.ts'
import { logins, parties, revocations, sponsorships } from './schema.ts'

/** Who may ask: sponsorships of members, the certificates that follow from them, and revocations. */

/** Whom a member is asked to vouch for, in the order of their enrolment. */
export function researchersOf(context: Context, sponsor: MemberId) {
  const loggedIn = context.db.select({ researcher: logins.researcher }).from(logins)
  const invited = notInArray(parties.fingerprint, loggedIn)
  const asking = and(eq(parties.role, 'researcher'), eq(parties.sponsor, sponsor), invited)
  const rows = context.db.select().from(parties).where(asking).orderBy(asc(parties.enrolledAt)).all()
  return rows.map(row => ({
    enrolment: row.enrolment,
    enrolledAt: isoTime(row.enrolledAt),
    sponsorship: newestSponsorship(context.db, row.fingerprint),
    revocation: revocationOf(context.db, revocable(row))?.compact ?? null,
  }))
}

/** Every researcher, for the secretariat. */
export function everyResearcher(context: Context) {
  const rows = context.db.select().from(parties).where(eq(parties.role, 'researcher')).all()
  return rows.map(row => {
    const stopped = revocationOf(context.db, revocable(row))
    return {
      name: row.subject,
      fingerprint: row.fingerprint,
      sponsor: row.sponsor,
      sponsoredUntil: row.certificate === null ? null : certified(row.certificate).notAfter,
      revoked: stopped === undefined ? null : describe(stopped.payload),
    }
  })
}

function newestSponsorship(db: Database, researcher: string): string | null {
  const own = db.select().from(sponsorships).where(eq(sponsorships.researcher, researcher))
  return own.orderBy(desc(sponsorships.receivedAt)).limit(1).get()?.compact ?? null
}

/** What a researcher asks with, or whom it waits for. */
export function standingOf(context: Context, researcher: string) {
  const row = researcherCalled(context, researcher)
  const { sponsor } = row
  return {
    sponsor,
    certificate: row.certificate,
    revocation: revocationOf(context.db, revocable(row))?.compact ?? null,
  }
}

/** A researcher as the one whom its newest certificate names, or as it asks for one. */
function revocable({ publicKey, sponsor, certificate: compact }: typeof parties.$inferSelect): Revocable {
  return { publicKey, sponsor, sponsorship: compact === null ? '' : certified(compact).sponsorship }
}

/** @throws InbondError `not-found` */
function researcherCalled(context: Context, print: string) {
  const row = context.db.select().from(parties).where(eq(parties.fingerprint, print)).get()
  if (row?.role === 'researcher') return row
  throw fault('not-found', `no researcher with the fingerprint ${print} has enrolled`)
}

/**
 * Takes a sponsorship, and certifies the researcher whom it names. Sent again, it changes nothing.
 * @throws InbondError `bad-certificate`, `bad-signature`, `bad-message`, `not-found`, `not-allowed`, `researcher-revoked`
 */
export async function takeSponsorship(context: Context, member: Member, compact: string): Promise<void> {
  const signed = await verifySponsorship(compact, { coordinator: context.key.publicKey, members: [member] })
  const { payload, id } = signed
  checkTerm(payload, context.clock.now())
  if (payload.of === 'organisation') return store(context, { id, sponsor: member.id, compact }, undefined)
  const researcher = await sponsoredResearcher(context, member, payload)
  refuseRevoked(context.db, { ...payload, sponsorship: compact })
  const { of: _, ...said } = payload
  const made = await sign(context.key, certificate, { ...said, sponsorship: compact, idToken: null })
  store(context, { id, sponsor: member.id, researcher, compact }, made)
}

async function sponsoredResearcher(context: Context, member: Member, payload: PersonSponsorship): Promise<string> {
  const researcher = researcherCalled(context, await fingerprint(payload.publicKey))
  if (researcher.sponsor !== member.id) {
    throw fault('not-allowed', `${researcher.subject} asks ${researcher.sponsor ?? 'nobody'} for sponsorship`)
  }
  if (payload.name !== researcher.subject) {
    throw fault('bad-certificate', `the researcher enrolled as ${researcher.subject}, not as ${payload.name}`)
  }
  return researcher.fingerprint
}

function store(
  context: Context,
  row: Pick<typeof sponsorships.$inferInsert, 'id' | 'sponsor' | 'researcher' | 'compact'>,
  made: Signed<Certificate> | undefined,
): void {
  const now = context.clock.now()
  const { id, sponsor, researcher } = row
  const isNew = context.db.transaction(tx => {
    if (tx.select().from(sponsorships).where(eq(sponsorships.id, id)).get()) return false
    tx.insert(sponsorships)
      .values({ ...row, receivedAt: now })
      .run()
    context.log.append(tx, sponsorship.typ, id, now)
    if (made && researcher) keepCertificate(context, tx, researcher, made)
    return true
  })
  if (isNew) context.tell({ msg: 'researcher sponsored', party: researcher ?? 'organisation', sponsor })
}

/** The newest counts. */
export function keepCertificate(
  context: Context,
  tx: Transaction,
  researcher: string,
  made: Signed<Certificate>,
): void {
  tx.update(parties).set({ certificate: made.compact }).where(eq(parties.fingerprint, researcher)).run()
  context.log.append(tx, certificate.typ, made.id, context.clock.now())
}

/** @throws InbondError `researcher-revoked` */
export function refuseRevoked(db: Database, certified: Revocable): void {
  const stopped = revocationOf(db, certified)
  if (stopped) throw fault('researcher-revoked', `the researcher was revoked by ${describe(stopped.payload)}`)
}

function describe({ by, reason }: Revocation): string {
  return `${by ?? 'the coordinator'}: ${reason}`
}

/** The revocation that stops a certificate, or whoever asks for one. */
export function revocationOf(
  db: Database | Transaction,
  certified: Revocable,
): { readonly compact: string; readonly payload: Revocation } | undefined {
  const rows = db
    .select()
    .from(revocations)
    .where(inArray(revocations.target, targetsOf(certified)))
    .all()
  return rows
    .map(({ compact }) => ({ compact, payload: claims(revocation, compact).payload }))
    .find(one => isRevoked(certified, [one.payload]))
}

/** Why a query that was recorded ends, where its researcher was revoked since. */
export function reasonOfRevocation(db: Database, certified: Revocable): string | undefined {
  const stopped = revocationOf(db, certified)
  return stopped && `the researcher was revoked by ${describe(stopped.payload)}`
}

/**
 * Takes a member's revocation of a researcher whom it was asked to sponsor. Sent again, it changes nothing.
 * @throws InbondError `bad-certificate`, `bad-signature`, `bad-message`, `not-found`, `not-allowed`
 */
export async function takeRevocation(context: Context, member: Member, compact: string): Promise<RevocationId> {
  const signed = await verifyRevocation(compact, { coordinator: context.key.publicKey, members: [member] })
  const { by } = signed.payload
  if (by !== member.id || !(await isSponsorOf(context, member.id, signed.payload))) {
    throw fault('not-allowed', `${member.id} does not sponsor what it revokes`)
  }
  return keepRevocation(context, signed)
}

/** Whether a member vouched for what is revoked, or is asked to. @throws InbondError `not-found` */
async function isSponsorOf(context: Context, member: MemberId, revoked: Revocation): Promise<boolean> {
  const { db } = context
  if (revoked.of === 'organisation') {
    const row = db.select().from(sponsorships).where(eq(sponsorships.id, revoked.sponsorship)).get()
    if (!row) throw fault('not-found', `there is no sponsorship ${revoked.sponsorship}`)
    return row.sponsor === member
  }
  const { fingerprint: print, sponsor } = researcherCalled(context, await fingerprint(revoked.publicKey))
  const own = and(eq(sponsorships.sponsor, member), eq(sponsorships.researcher, print))
  return sponsor === member || db.select().from(sponsorships).where(own).get() !== undefined
}

/** Stops a researcher in the coordinator's own name. @throws InbondError `not-found` */
export async function revoke(context: Context, print: string, reason: string): Promise<void> {
  const { publicKey } = researcherCalled(context, print)
  const signed = await sign<typeof revocation.schema, RevocationId>(context.key, revocation, {
    protocol: PROTOCOL,
    federation: context.key.fingerprint,
    by: null,
    of: 'researcher',
    publicKey,
    reason,
  })
  keepRevocation(context, signed)
}

/** Of each who revokes, the first counts: it is for good, and every node fetches each that is logged. */
function keepRevocation(context: Context, signed: Signed<Revocation, RevocationId>): RevocationId {
  const now = context.clock.now()
  const { id, compact, payload } = signed
  const target = targetOf(payload)
  const kept = context.db.transaction(tx => {
    const same = tx.select().from(revocations).where(eq(revocations.target, target)).all()
    const earlier = same.find(one => claims(revocation, one.compact).payload.by === payload.by)
    if (earlier) return earlier.id
    tx.insert(revocations).values({ id, target, compact, receivedAt: now }).run()
    context.log.append(tx, revocation.typ, id, now)
    return id
  })
  if (kept === id) context.tell({ msg: 'researcher revoked', revocation: id, by: payload.by ?? 'coordinator' })
  return kept
}

/** @throws InbondError `not-found` */
export function revocationCalled(context: Context, id: RevocationId): string {
  const row = context.db.select().from(revocations).where(eq(revocations.id, id)).get()
  if (row) return row.compact
  throw fault('not-found', `there is no revocation ${id}`)
}

/** Asks another member to vouch for a researcher from now on. @throws InbondError `not-found`, `not-on-roster` */
export function assignSponsor(context: Context, print: string, sponsor: MemberId): void {
  checkSponsor(context, sponsor)
  const { fingerprint: of } = researcherCalled(context, print)
  context.db.update(parties).set({ sponsor }).where(eq(parties.fingerprint, of)).run()
}

/** Of certificates that stored queries carry. Those from before members sponsored researchers say less. */
const readable = {
  ...certificate,
  schema: z.object({
    publicKey: z.string(),
    administration: memberId.nullable(),
    sponsor: memberId.nullable(),
    sponsorship: z.string().default(''),
    notAfter: z.string(),
  }),
}

/** Own signed messages come back from the own database: they are read, not verified again. */
export function certified(compact: string): z.output<typeof readable.schema> {
  return claims(readable, compact).payload
}

import { createHash } from 'node:crypto'
import { and, eq, isNull } from 'drizzle-orm'
import { fingerprint } from '#crypto/signature.ts'
import { fault } from '#specs/errors.ts'
import { type Enrolment, enrolment, type MemberId } from '#specs/messages.ts'
import { claims, verify } from '#specs/signed.ts'
import { type Context, charterInForce, type Member, requireCharter } from './context.ts'
import type { Transaction } from './event-log.ts'
import { invitations, parties } from './schema.ts'

const DAY_MS = 86_400_000
const INVITATION_MS = 7 * DAY_MS

export type Invitee =
  /** `isReplacement`: a member that is enrolled enrols another key. */
  | { readonly role: 'member'; readonly subject: MemberId; readonly sponsor: null; readonly isReplacement?: boolean }
  /** `sponsor`: the member that is asked to vouch for the researcher. */
  | { readonly role: 'researcher'; readonly subject: string; readonly sponsor: MemberId }

function hashOf(code: string): string {
  return createHash('sha256').update(code).digest('hex')
}

/**
 * Remembers an invitation by the hash of its code; an earlier one for the same name is void from then on.
 * @throws InbondError `already-enrolled`, `not-found` where there is no key to replace, `not-on-roster` for a sponsor that the charter in
 * force does not name
 */
export function invite(context: Context, invitee: Invitee, code: string): void {
  const now = context.clock.now()
  if (invitee.sponsor !== null) checkSponsor(context, invitee.sponsor)
  context.db.transaction(tx => {
    checkVacant(tx, invitee.role, invitee.subject, invitee.role === 'member' && invitee.isReplacement === true)
    tx.delete(invitations)
      .where(
        and(
          eq(invitations.role, invitee.role),
          eq(invitations.subject, invitee.subject),
          isNull(invitations.redeemedBy),
        ),
      )
      .run()
    tx.insert(invitations)
      .values({ ...invitee, codeHash: hashOf(code), createdAt: now, expiresAt: now + INVITATION_MS })
      .run()
  })
}

/** @throws InbondError `already-enrolled`, `not-found` */
function checkVacant(tx: Transaction, role: 'member' | 'researcher', subject: string, isReplacement: boolean): void {
  const isLive = and(eq(parties.role, role), eq(parties.subject, subject), isNull(parties.endedAt))
  const isEnrolled = tx.select().from(parties).where(isLive).get() !== undefined
  if (isEnrolled && !isReplacement) throw fault('already-enrolled', `${subject} is enrolled already`)
  if (!isEnrolled && isReplacement) throw fault('not-found', `${subject} is not enrolled: it has no key to replace`)
}

/** Before the first charter anybody may become a member. @throws InbondError `not-on-roster` */
export function checkSponsor(context: Context, sponsor: MemberId): void {
  const charter = charterInForce(context.db)
  if (charter === undefined || charter.payload.members.some(one => one.id === sponsor)) return
  throw fault('not-on-roster', `${sponsor} is not on the roster of the charter in force, and cannot sponsor anybody`)
}

/** @throws InbondError `wrong-federation`, `bad-signature`, `bad-message` */
async function verified(context: Context, compact: string): Promise<Enrolment> {
  const { payload } = await verify(enrolment, compact, claims(enrolment, compact).payload.publicKey)
  if (payload.federation === context.key.fingerprint) return payload
  throw fault('wrong-federation', 'this enrolment is for another federation')
}

/**
 * Takes another key of a member, on the word of the one in force; it counts once a charter names it. The same enrolment may be sent again.
 * Of a key that waits already only an invitation rids a member: whoever copied the one in force must not be able to.
 * @throws InbondError `no-charter`, `not-allowed`, `already-enrolled`, `wrong-federation`, `bad-signature`, `bad-message`
 */
export async function enrolAnotherKey(context: Context, member: Member, compact: string): Promise<void> {
  const payload = await verified(context, compact)
  requireCharter(context.db)
  if (payload.role !== 'member' || payload.id !== member.id || payload.invitation !== null) {
    throw fault('not-allowed', `${member.id} may enrol another key of its own alone`)
  }
  const row = { role: 'member', subject: member.id, publicKey: payload.publicKey, isReplacement: true } as const
  const print = await fingerprint(payload.publicKey)
  const isNew = context.db.transaction(tx => {
    const sameKey = tx.select().from(parties).where(eq(parties.fingerprint, print)).get()
    if (sameKey?.enrolment === compact) return false
    if (sameKey) throw fault('already-enrolled', 'this key is enrolled already')
    if (tx.select().from(parties).where(isWaiting(member.id)).get()) {
      throw fault('already-enrolled', `another key of ${member.id} waits for a charter`)
    }
    tx.insert(parties)
      .values({ ...row, fingerprint: print, enrolment: compact, enrolledAt: context.clock.now() })
      .run()
    return true
  })
  if (isNew) context.tell({ msg: 'party enrolled', party: member.id })
}

/** A key that takes the place of another one, once a charter names it. */
function isWaiting(subject: string) {
  return and(isNull(parties.endedAt), eq(parties.isReplacement, true), eq(parties.subject, subject))
}

/**
 * Redeems an invitation. The same enrolment may be sent again.
 * @returns the member that is asked to vouch for a researcher, null for a member
 * @throws InbondError `bad-invitation`, `wrong-federation`, `already-enrolled`, `bad-signature`, `bad-message`
 */
export async function enrol(context: Context, compact: string): Promise<MemberId | null> {
  const payload = await verified(context, compact)
  const now = context.clock.now()
  const print = await fingerprint(payload.publicKey)
  const invitation = context.db
    .select()
    .from(invitations)
    .where(eq(invitations.codeHash, hashOf(payload.invitation ?? '')))
    .get()
  const subject = payload.role === 'member' ? payload.id : payload.name
  if (!invitation || invitation.role !== payload.role || invitation.subject !== subject) {
    throw fault('bad-invitation', `there is no open invitation of a ${payload.role} called ${subject} with this code`)
  }
  if (invitation.redeemedBy === print) return invitation.sponsor
  if (invitation.redeemedBy !== null || invitation.expiresAt < now) {
    throw fault('bad-invitation', `the invitation of ${subject} was used before or has expired`)
  }
  const { isReplacement } = invitation
  const isNew = context.db.transaction(tx => {
    const sameKey = tx.select().from(parties).where(eq(parties.fingerprint, print)).get()
    // The same bytes may have arrived twice at once.
    if (sameKey?.enrolment === compact) return false
    if (sameKey) throw fault('already-enrolled', 'this key is enrolled already')
    checkVacant(tx, payload.role, subject, isReplacement)
    // An earlier replacement, which no charter has put in its place yet.
    if (isReplacement) tx.update(parties).set({ endedAt: now }).where(isWaiting(subject)).run()
    tx.insert(parties)
      .values({
        fingerprint: print,
        role: payload.role,
        subject,
        publicKey: payload.publicKey,
        enrolment: compact,
        sponsor: invitation.sponsor,
        enrolledAt: now,
        isReplacement,
      })
      .run()
    tx.update(invitations).set({ redeemedBy: print }).where(eq(invitations.codeHash, invitation.codeHash)).run()
    return true
  })
  if (isNew) context.tell({ msg: 'party enrolled', party: payload.role === 'member' ? subject : print })
  return invitation.sponsor
}

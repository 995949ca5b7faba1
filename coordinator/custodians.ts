import { createHash } from 'node:crypto'
import { and, eq, gt, inArray, isNull } from 'drizzle-orm'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import { PREKEY_STOCK } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import {
  agreement,
  CLOCK_TOLERANCE_MS,
  LONGEST_PREKEY_MS,
  type MemberId,
  opening,
  prekey,
  type RoundId,
  refusal,
  voidStatement,
} from '#specs/messages.ts'
import { claims, verify } from '#specs/signed.ts'
import type { Context, Member } from './context.ts'
import { agreements, openings, prekeys, refusals, rounds, voidStatements } from './schema.ts'
import { termsOf, verifyIn } from './terms.ts'

/** The longest round takes 14 days from its opening to its end; a prekey that ends earlier may serve none. */
const USEFUL_MS = 15 * 86_400_000

export function missingPrekeys(context: Context, custodian: MemberId): number {
  const useful = and(
    eq(prekeys.custodian, custodian),
    isNull(prekeys.round),
    gt(prekeys.notAfter, context.clock.now() + USEFUL_MS),
  )
  const stock = context.db.select({ id: prekeys.id }).from(prekeys).where(useful).all().length
  return stock < PREKEY_STOCK / 2 ? PREKEY_STOCK - stock : 0
}

/** @throws InbondError `bad-signature`, `bad-message`, `wrong-federation`, `too-many-requests` */
export async function takePrekeys(context: Context, custodian: Member, compacts: readonly string[]): Promise<void> {
  const now = context.clock.now()
  const stock = unusedPrekeys(context, custodian.id).length
  if (stock + compacts.length > 4 * PREKEY_STOCK) {
    throw fault('too-many-requests', `${custodian.id} already has ${stock} unused prekeys here`)
  }
  const rows: (typeof prekeys.$inferInsert)[] = []
  for (const compact of compacts) {
    const signed = await verify(prekey, compact, custodian.publicKey)
    const notAfter = Date.parse(signed.payload.notAfter)
    if (signed.payload.federation !== context.key.fingerprint) {
      throw fault('wrong-federation', 'a prekey of another federation')
    }
    if (signed.payload.custodian !== custodian.id) throw fault('not-allowed', 'a prekey of another custodian')
    if (notAfter <= now || notAfter > now + LONGEST_PREKEY_MS + CLOCK_TOLERANCE_MS) {
      throw fault('bad-request', 'a prekey lasts from now on, and 30 days at the most')
    }
    rows.push({ id: signed.id, custodian: custodian.id, compact, notAfter })
  }
  context.db.insert(prekeys).values(rows).onConflictDoNothing().run()
  context.changes.announce('researchers')
}

/** Prekeys that a round could still be announced with. */
export function unusedPrekeys(context: Context, custodian: MemberId): string[] {
  const unused = and(eq(prekeys.custodian, custodian), isNull(prekeys.round), gt(prekeys.notAfter, context.clock.now()))
  return context.db
    .select({ id: prekeys.id })
    .from(prekeys)
    .where(unused)
    .all()
    .map(one => one.id)
}

/** Forgets prekeys whose private halves their custodian has lost; those that a round uses stay with it. */
export function withdrawPrekeys(context: Context, custodian: MemberId, ids: readonly string[]): void {
  const lost = and(eq(prekeys.custodian, custodian), isNull(prekeys.round), inArray(prekeys.id, [...ids]))
  context.db.delete(prekeys).where(lost).run()
  context.changes.announce('everybody')
}

function roundRow(context: Context, id: RoundId) {
  const row = context.db.select().from(rounds).where(eq(rounds.id, id)).get()
  if (!row) throw fault('not-found', `there is no round ${id}`)
  return row
}

/** Whoever else is on the roster has no say in custody: what it sends would count. @throws InbondError `bad-cohort` */
function requireCustodian(context: Context, row: ReturnType<typeof roundRow>, id: MemberId): void {
  if (termsOf(context.db, row).custodians.some(one => one.id === id)) return
  throw fault('bad-cohort', `${id} is not a custodian of this round`)
}

/** @throws InbondError `bad-signature`, `bad-cohort`, `too-late`, `differs-from-stored` */
export async function takeAgreement(context: Context, custodian: Member, id: RoundId, compact: string): Promise<void> {
  const signed = await verifyIn(context.db, id, custodian.id, agreement, compact)
  const { payload } = signed
  const row = roundRow(context, id)
  if (payload.round !== id || payload.custodian !== custodian.id || payload.cohort !== row.cohortId) {
    throw fault('bad-cohort', 'the agreement is not about the cohort of this round')
  }
  requireCustodian(context, row, custodian.id)
  const now = context.clock.now()
  context.db.transaction(tx => {
    const stored = tx
      .select()
      .from(agreements)
      .where(and(eq(agreements.round, id), eq(agreements.custodian, custodian.id)))
      .get()
    if (stored?.compact === compact) return
    if (stored) throw fault('differs-from-stored', `${custodian.id} agreed to this round before, in other words`)
    if (row.state === 'void') throw fault('too-late', 'the round is void')
    tx.insert(agreements)
      .values({ round: id, custodian: custodian.id, cohort: payload.cohort, compact, receivedAt: now })
      .run()
    context.log.append(tx, agreement.typ, signed.id, now)
  })
}

/** @throws InbondError `bad-signature`, `bad-cohort`, `bad-length`, `too-late`, `differs-from-stored` */
export async function takeOpening(
  context: Context,
  custodian: Member,
  id: RoundId,
  compact: string,
  sealed: Buffer,
): Promise<void> {
  const signed = await verifyIn(context.db, id, custodian.id, opening, compact)
  const { payload } = signed
  const row = roundRow(context, id)
  if (payload.round !== id || payload.custodian !== custodian.id || payload.cohort !== row.cohortId) {
    throw fault('bad-cohort', 'the opening is not of the cohort of this round')
  }
  requireCustodian(context, row, custodian.id)
  if (sealed.length !== SEALED_BYTES || createHash('sha256').update(sealed).digest('hex') !== payload.sealed) {
    throw fault('bad-length', 'the sealed opening is not the one that the message names')
  }
  const now = context.clock.now()
  context.db.transaction(tx => {
    const stored = tx
      .select()
      .from(openings)
      .where(and(eq(openings.round, id), eq(openings.custodian, custodian.id)))
      .get()
    if (stored?.compact === compact) return
    if (stored) throw fault('differs-from-stored', `${custodian.id} opened this round before, in other words`)
    if (row.state === 'void') throw fault('too-late', 'the round is void')
    tx.insert(openings).values({ round: id, custodian: custodian.id, compact, sealed, receivedAt: now }).run()
    context.log.append(tx, opening.typ, signed.id, now)
  })
}

/** @throws InbondError `bad-signature`, `bad-cohort`, `differs-from-stored` */
export async function takeVoidStatement(
  context: Context,
  custodian: Member,
  id: RoundId,
  compact: string,
): Promise<void> {
  const signed = await verifyIn(context.db, id, custodian.id, voidStatement, compact)
  const { payload } = signed
  const row = roundRow(context, id)
  if (payload.round !== id || payload.custodian !== custodian.id || row.state !== 'void' || row.cohortId === null) {
    throw fault('bad-cohort', 'the statement is not about a void round with a cohort')
  }
  requireCustodian(context, row, custodian.id)
  const now = context.clock.now()
  context.db.transaction(tx => {
    const own = and(eq(voidStatements.round, id), eq(voidStatements.custodian, custodian.id))
    const stored = tx.select().from(voidStatements).where(own).get()
    if (stored?.compact === compact) return
    if (stored) throw fault('differs-from-stored', `${custodian.id} gave this round up before, in other words`)
    tx.insert(voidStatements).values({ round: id, custodian: custodian.id, compact, receivedAt: now }).run()
    context.log.append(tx, voidStatement.typ, signed.id, now)
  })
}

/** @throws InbondError `bad-signature`, `bad-request`, `not-on-roster`, `bad-cohort`, `differs-from-stored` */
export async function takeRefusal(context: Context, member: Member, id: RoundId, compact: string): Promise<void> {
  const { payload: claim } = claims(refusal, compact)
  const signed = await verifyIn(context.db, id, member.id, refusal, compact)
  if (claim.round !== id || claim.member !== member.id)
    throw fault('bad-request', 'the refusal is about something else')
  const row = roundRow(context, id)
  if (claim.step !== 'contribute') requireCustodian(context, row, member.id)
  else if (!termsOf(context.db, row).eligible.includes(member.id)) {
    throw fault('not-on-roster', `${member.id} is not eligible in this round`)
  }
  const now = context.clock.now()
  context.db.transaction(tx => {
    const same = and(eq(refusals.round, id), eq(refusals.member, member.id), eq(refusals.step, claim.step))
    const stored = tx.select().from(refusals).where(same).get()
    if (stored?.compact === compact) return
    if (stored) throw fault('differs-from-stored', `${member.id} refused this before, in other words`)
    // A custodian that cannot open is not waited for, and not asked again, although the others were enough.
    const isOver = row.state === 'void' ? claim.step !== 'void' : row.state === 'opened' && claim.step === 'contribute'
    if (isOver) return
    tx.insert(refusals)
      .values({ round: id, member: member.id, step: claim.step, compact, reason: claim.reason, receivedAt: now })
      .run()
    context.log.append(tx, refusal.typ, signed.id, now)
  })
}

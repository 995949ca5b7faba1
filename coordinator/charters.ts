import { and, eq, isNull, notInArray } from 'drizzle-orm'
import { fault } from '#specs/errors.ts'
import { type Charter, confirmation, consent, type MemberId } from '#specs/messages.ts'
import type { SignedCharter, Standing } from '#specs/rules/charter.ts'
import { changesBetween, demandsOf, isFulfilled, outstanding } from '#specs/rules/succession.ts'
import { claims, verify } from '#specs/signed.ts'
import { bundle, type Context, charterById, charterInForce, charterProposed } from './context.ts'
import type { Database, Transaction } from './event-log.ts'
import { charters, confirmations, consents, parties, prekeys } from './schema.ts'

/** What a proposed charter still needs. Stored messages were verified when they came. */
export function standing(
  db: Database | Transaction,
  proposed: Pick<SignedCharter, 'id' | 'payload'>,
  current: Pick<SignedCharter, 'payload'> | undefined,
): Standing {
  const demands = demandsOf(current?.payload, proposed.payload)
  const of = (table: typeof consents | typeof confirmations) =>
    new Set(
      db
        .select({ member: table.member })
        .from(table)
        .where(eq(table.charter, proposed.id))
        .all()
        .map(one => one.member),
    )
  return {
    consents: outstanding(demands, of(consents)),
    confirmations: outstanding(demands, of(confirmations)).quorum,
  }
}

/** What queries wait for meanwhile. */
export const HAND_OVER = 'the proposed charter, which changes the custodians'

/**
 * Whether a charter is proposed that changes the custodians. They sign it only if the log that it names has every cohort that they agreed
 * to, and agree to none from then on: until it is in force or given up, no round is announced and none is agreed to.
 */
export function isHandingOver({ db }: Pick<Context, 'db'>): boolean {
  const [current, proposed] = [charterInForce(db), charterProposed(db)]
  return current !== undefined && proposed !== undefined && changesCustody(current, proposed)
}

export function changesCustody(current: Pick<SignedCharter, 'payload'>, next: Pick<SignedCharter, 'payload'>): boolean {
  return demandsOf(current.payload, next.payload).custodians.needed > 0
}

/**
 * Takes a member's signature under a charter. With the last that it needs, the first charter is in force, and another one can be
 * confirmed.
 * @throws InbondError `not-found`, `not-on-roster`, `bad-signature`, `too-late`
 */
export async function takeConsent(context: Context, member: MemberId, compact: string): Promise<void> {
  const claim = claims(consent, compact).payload
  const stored = charterById(context.db, claim.charter)
  const entry = stored.payload.members.find(one => one.id === member)
  if (!entry || claim.member !== member) throw fault('not-on-roster', `${member} is not on the roster of this charter`)
  const signed = await verify(consent, compact, entry.publicKey)
  const now = context.clock.now()
  const isInForce = context.db.transaction(tx => {
    const row = tx.select().from(charters).where(eq(charters.id, stored.id)).get()
    if (row?.withdrawnAt != null) throw fault('too-late', 'another charter was proposed in the meantime')
    const inserted = tx
      .insert(consents)
      .values({ charter: stored.id, member, compact, receivedAt: now })
      .onConflictDoNothing()
      .run()
    if (inserted.changes === 0) return false
    context.log.append(tx, consent.typ, signed.id, now)
    return putInForceIfDue(context, tx, stored)
  })
  announce(context, stored, isInForce)
}

/**
 * Takes a member's confirmation of a charter that has its signatures. With the quorum the charter is in force.
 * @throws InbondError `not-found`, `not-on-roster`, `not-allowed`, `bad-signature`, `too-late`, `charter-pending`,
 * `differs-from-stored`
 */
export async function takeConfirmation(context: Context, member: MemberId, compact: string): Promise<void> {
  const claim = claims(confirmation, compact).payload
  const stored = charterById(context.db, claim.charter)
  const { previous, members } = stored.payload
  const entry = members.find(one => one.id === member)
  if (!entry || claim.member !== member) throw fault('not-on-roster', `${member} is not on the roster of this charter`)
  if (previous === null || claim.previous !== previous)
    throw fault('bad-charter', 'this charter does not follow that one')
  const signed = await verify(confirmation, compact, entry.publicKey)
  const before = charterById(context.db, previous)
  const now = context.clock.now()
  const isInForce = context.db.transaction(tx => {
    const own = and(eq(confirmations.previous, previous), eq(confirmations.member, member))
    const earlier = tx.select().from(confirmations).where(own).get()
    if (earlier?.compact === compact) return false
    if (earlier) throw fault('differs-from-stored', `${member} confirmed before what follows that charter`)
    const row = tx.select().from(charters).where(eq(charters.id, stored.id)).get()
    if (row?.withdrawnAt != null) throw fault('too-late', 'another charter was proposed in the meantime')
    if (!demandsOf(before.payload, stored.payload).quorum.of.includes(member)) {
      throw fault('not-allowed', `${member} was not a member with this key before`)
    }
    if (!isFulfilled(standing(tx, stored, before).consents)) {
      throw fault('charter-pending', 'the charter is not signed by all that it needs')
    }
    tx.insert(confirmations).values({ previous, member, charter: stored.id, compact, receivedAt: now }).run()
    context.log.append(tx, confirmation.typ, signed.id, now)
    return putInForceIfDue(context, tx, stored)
  })
  announce(context, stored, isInForce)
}

export function announce(context: Context, { id, payload }: SignedCharter, isInForce: boolean): void {
  const { epoch, members } = payload
  if (isInForce) context.tell({ msg: 'charter in force', charter: id, epoch, members: members.length })
  context.changes.announce('everybody')
}

function putInForceIfDue(context: Context, tx: Transaction, stored: SignedCharter): boolean {
  const current = charterInForce(tx)
  if (stored.payload.previous !== (current?.id ?? null)) return false
  const left = standing(tx, stored, current)
  if (!isFulfilled(left.consents) || left.confirmations.needed > 0) return false
  putInForce(context, tx, stored, current)
  return true
}

/** To be called where everything that the charter needs was verified. */
export function putInForce(
  context: Context,
  tx: Transaction,
  stored: SignedCharter,
  before: SignedCharter | undefined,
): void {
  const now = context.clock.now()
  tx.update(charters).set({ inForceAt: now }).where(eq(charters.id, stored.id)).run()
  endKeys(tx, stored.payload, before?.payload, now)
  endPrekeys(tx, stored.payload, before?.payload)
}

/** Keys that were replaced, and those of members that left, count no more; those that wait for a later charter still wait. */
function endKeys(tx: Transaction, next: Charter, before: Charter | undefined, now: number): void {
  const keyOf = (charter: Charter | undefined, id: string) => charter?.members.find(one => one.id === id)?.publicKey
  const live = tx
    .select()
    .from(parties)
    .where(and(eq(parties.role, 'member'), isNull(parties.endedAt)))
    .all()
  for (const { fingerprint, subject, publicKey, isReplacement } of live) {
    const named = keyOf(next, subject)
    const isEnded = named === undefined ? keyOf(before, subject) !== undefined : named !== publicKey && !isReplacement
    if (isEnded) tx.update(parties).set({ endedAt: now }).where(eq(parties.fingerprint, fingerprint)).run()
  }
  const named = next.members.map(one => one.publicKey)
  const replacing = live.filter(one => one.isReplacement && named.includes(one.publicKey))
  for (const { fingerprint } of replacing) {
    tx.update(parties).set({ isReplacement: false }).where(eq(parties.fingerprint, fingerprint)).run()
  }
}

/** A round that named a prekey of somebody who is no custodian any more, or of a key that was replaced, would be refused. */
function endPrekeys(tx: Transaction, next: Charter, before: Charter | undefined): void {
  const stay = before === undefined ? [] : changesBetween(before, next).kept.filter(id => next.custodians.includes(id))
  tx.delete(prekeys)
    .where(and(isNull(prekeys.round), notInArray(prekeys.custodian, stay)))
    .run()
}

/** The charter that a member should know of, proposed before in force. */
export function charterBundles(context: Context) {
  const inForce = charterInForce(context.db)
  const proposed = charterProposed(context.db)
  return {
    inForce: inForce ? bundle(context.db, inForce) : null,
    proposed: proposed ? bundle(context.db, proposed) : null,
  }
}

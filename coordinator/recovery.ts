import { and, eq, isNotNull, isNull } from 'drizzle-orm'
import { fingerprint, messageId } from '#crypto/signature.ts'
import type { CharterBundle } from '#specs/api.ts'
import { type CharterId, charter, confirmation, consent, type MemberId } from '#specs/messages.ts'
import { type SignedCharter, verifyCharter } from '#specs/rules/charter.ts'
import { announce, putInForce } from './charters.ts'
import { type Context, charterInForce } from './context.ts'
import type { Transaction } from './event-log.ts'
import { charters, confirmations, consents, parties } from './schema.ts'

/**
 * Takes a charter back that this coordinator lost, with the signatures that put it in force, from whoever has them: a coordinator that
 * was restored from before it goes on with it. It cannot answer under it, for the charter names entries of the log that are lost; what can
 * be answered is asked under the one that follows.
 * @throws InbondError `bad-charter` if it does not follow the charter in force here, `bad-signature`, `charter-pending`
 */
export async function takeBackCharter(context: Context, sent: CharterBundle): Promise<void> {
  const current = charterInForce(context.db)
  const isKnown = and(eq(charters.id, messageId(sent.charter) as CharterId), isNotNull(charters.inForceAt))
  if (context.db.select().from(charters).where(isKnown).get()) return
  const signed = await verifyCharter(sent, context.key.publicKey, current)
  const roster = await Promise.all(
    signed.payload.members.map(async one => ({ ...one, fingerprint: await fingerprint(one.publicKey) })),
  )
  const now = context.clock.now()
  const isTaken = context.db.transaction(tx => {
    // The same bytes may have arrived twice at once.
    if (charterInForce(tx)?.id !== current?.id) return false
    const { id, payload, compact } = signed
    tx.insert(charters)
      .values({ id, epoch: payload.epoch, compact, proposedAt: Date.parse(payload.proposedAt) })
      .onConflictDoUpdate({ target: charters.id, set: { withdrawnAt: null } })
      .run()
    if (context.log.indicesOf([id]).size === 0) context.log.append(tx, charter.typ, id, now)
    keepSignatures(context, tx, signed, sent)
    enrolFromRoster(tx, roster, now)
    putInForce(context, tx, signed, current)
    tx.update(charters).set({ withdrawnAt: now }).where(isNull(charters.inForceAt)).run()
    return true
  })
  announce(context, signed, isTaken)
}

function keepSignatures(context: Context, tx: Transaction, { id, payload }: SignedCharter, sent: CharterBundle): void {
  const receivedAt = context.clock.now()
  const previous = payload.previous as CharterId
  const isOnRoster = ({ member }: { member: MemberId }) => payload.members.some(one => one.id === member)
  for (const { member, consent: compact } of sent.consents.filter(isOnRoster)) {
    const kept = tx.insert(consents).values({ charter: id, member, compact, receivedAt }).onConflictDoNothing().run()
    if (kept.changes > 0) context.log.append(tx, consent.typ, messageId(compact), receivedAt)
  }
  for (const { member, confirmation: compact } of sent.confirmations.filter(isOnRoster)) {
    const own = and(eq(confirmations.previous, previous), eq(confirmations.member, member))
    if (tx.select().from(confirmations).where(own).get()) continue
    tx.insert(confirmations).values({ previous, member, charter: id, compact, receivedAt }).run()
    context.log.append(tx, confirmation.typ, messageId(compact), receivedAt)
  }
}

/** Members that enrolled after the backup are known from the charter that names them. */
function enrolFromRoster(
  tx: Transaction,
  roster: readonly { fingerprint: string; id: MemberId; publicKey: string }[],
  now: number,
): void {
  for (const { fingerprint, id, publicKey } of roster) {
    if (tx.select().from(parties).where(eq(parties.fingerprint, fingerprint)).get()) continue
    const isLive = and(eq(parties.role, 'member'), eq(parties.subject, id), isNull(parties.endedAt))
    tx.update(parties)
      .set({ endedAt: now })
      .where(and(isLive, eq(parties.isReplacement, true)))
      .run()
    const isReplacement = tx.select().from(parties).where(isLive).get() !== undefined
    tx.insert(parties)
      .values({ fingerprint, role: 'member', subject: id, publicKey, enrolment: '', enrolledAt: now, isReplacement })
      .run()
  }
}

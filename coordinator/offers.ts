import { eq } from 'drizzle-orm'
import { fault } from '#specs/errors.ts'
import { type MemberId, offer } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { offeredBy, verifyOffer } from '#specs/rules/offer.ts'
import type { OfferedData } from '#specs/rules/vintage.ts'
import { claims } from '#specs/signed.ts'
import { type Context, charterInForce, type Member, requireCharter } from './context.ts'
import { offers } from './schema.ts'

/**
 * What members say that they would answer. Offers are not in the log: no check rests on them, only plans, a member makes one every day, and
 * who withholds one hides what a refusal says all the same.
 */

/**
 * Keeps a member's newest offer. Sent again, it is the same one.
 * @throws InbondError `bad-offer`, `not-allowed`, `bad-signature`, `bad-message`, `differs-from-stored`
 */
export async function takeOffer(context: Context, member: Member, compact: string): Promise<void> {
  if (offeredBy(compact) !== member.id) throw fault('not-allowed', 'an offer of another member')
  const now = context.clock.now()
  const { payload } = await verifyOffer(compact, requireCharter(context.db), now)
  const issuedAt = Date.parse(payload.issuedAt)
  context.db.transaction(tx => {
    const stored = tx.select().from(offers).where(eq(offers.member, member.id)).get()
    if (stored?.compact === compact) return
    if (stored && stored.issuedAt === issuedAt)
      throw fault('differs-from-stored', `${member.id} made another offer at the same time`)
    if (stored && stored.issuedAt > issuedAt) throw fault('bad-offer', `${member.id} made a newer offer`)
    const row = { compact, issuedAt, receivedAt: now }
    tx.insert(offers)
      .values({ member: member.id, ...row })
      .onConflictDoUpdate({ target: offers.member, set: row })
      .run()
  })
}

/** The newest of every member on the roster, whether it still holds or not: its reader says so. */
export function newestOffers(context: Context): string[] {
  const roster = charterInForce(context.db)?.payload.members.map(one => one.id) ?? []
  const stored = context.db.select().from(offers).all()
  return stored.filter(one => roster.includes(one.member)).map(one => one.compact)
}

/** What members on the roster offer to answer from under this charter, where they say it. @param now milliseconds since 1970 */
export function offersThatHold(
  context: Context,
  charter: Pick<SignedCharter, 'id'>,
  now: number,
): Map<MemberId, OfferedData> {
  const made = newestOffers(context).map(compact => claims(offer, compact).payload)
  const holding = made.filter(one => one.charter === charter.id && Date.parse(one.notAfter) > now)
  return new Map(
    holding.flatMap(({ member, terms, issuedAt }) =>
      terms === null ? [] : [[member, { ...terms, issuedAt: Date.parse(issuedAt) }] as const],
    ),
  )
}

import { eq } from 'drizzle-orm'
import { InbondError } from '#crypto/error.ts'
import { offerList } from '#specs/api.ts'
import type { MemberId, Offer, Terms } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { type SignedOffer, verifyOffer } from '#specs/rules/offer.ts'
import type { Researcher } from './researcher.ts'
import { offers } from './schema.ts'

/** What a member offers, and since when (milliseconds since 1970), or why nothing is known of it. */
export type Offered = (Terms & { readonly issuedAt: number }) | { readonly unknown: string }

/**
 * What every member on the roster offers. Of each the newest counts that this researcher has seen and that holds: an older one that
 * the coordinator shows, or one that it forged, changes nothing.
 */
export async function fetchOffers(
  researcher: Researcher,
  charter: SignedCharter,
  signal?: AbortSignal,
): Promise<Map<MemberId, Offered>> {
  const { db, clock, connection } = researcher
  const told = await connection.get('/offers', offerList, signal)
  for (const compact of told.offers) await takeUp(researcher, compact, charter)
  const stored = new Map(
    db
      .select()
      .from(offers)
      .all()
      .map(one => [one.member, one.compact]),
  )
  const known = new Map<MemberId, Offered>()
  for (const { id } of charter.payload.members) {
    const compact = stored.get(id)
    const offered = compact === undefined ? undefined : await verified(compact, charter, clock.now())
    if (offered === undefined) known.set(id, { unknown: `${id} has not said what it would answer` })
    else if (offered instanceof InbondError) known.set(id, { unknown: offered.message })
    else known.set(id, termsOf(offered.payload) ?? { unknown: `${id} keeps its policy to itself` })
  }
  return known
}

function termsOf({ terms, issuedAt }: Offer): Offered | undefined {
  return terms === null ? undefined : { ...terms, issuedAt: Date.parse(issuedAt) }
}

async function takeUp({ db, clock }: Researcher, compact: string, charter: SignedCharter): Promise<void> {
  const offered = await verified(compact, charter, clock.now())
  if (offered instanceof InbondError) return
  const { member } = offered.payload
  const issuedAt = Date.parse(offered.payload.issuedAt)
  db.transaction(tx => {
    const newest = tx.select().from(offers).where(eq(offers.member, member)).get()
    if (newest && newest.issuedAt >= issuedAt) return
    const row = { compact, issuedAt }
    tx.insert(offers)
      .values({ member, ...row })
      .onConflictDoUpdate({ target: offers.member, set: row })
      .run()
  })
}

async function verified(compact: string, charter: SignedCharter, now: number): Promise<SignedOffer | InbondError> {
  return verifyOffer(compact, charter, now).catch(error => {
    if (error instanceof InbondError) return error
    throw error
  })
}

import { fault } from '../errors.ts'
import {
  CLOCK_TOLERANCE_MS,
  type CoveredMonths,
  LONGEST_OFFER,
  LONGEST_OFFER_MS,
  type MemberId,
  MOST_MONTHS_COVERED,
  type Offer,
  offer,
} from '../messages.ts'
import { monthIndex } from '../period.ts'
import { claims, type Signed, verify } from '../signed.ts'
import type { SignedCharter } from './charter.ts'

export type SignedOffer = Signed<Offer>

/** Who says that it makes an offer; `verifyOffer` must follow. @throws InbondError `bad-signature`, `bad-message` */
export function offeredBy(compact: string): MemberId {
  return claims(offer, compact).payload.member
}

/**
 * Checks that an offer is of a member on the roster, under this charter, and holds now. Whether it is the member's newest nobody can
 * see in it: who read a newer one refuses it.
 * @param now milliseconds since 1970
 * @throws InbondError `bad-offer`, `not-on-roster`, `bad-signature`, `bad-message`
 */
export async function verifyOffer(
  compact: string,
  charter: Pick<SignedCharter, 'id' | 'payload'>,
  now: number,
): Promise<SignedOffer> {
  if (compact.length > LONGEST_OFFER) throw fault('bad-offer', 'an offer is longer than 512 KiB')
  const member = offeredBy(compact)
  const entry = charter.payload.members.find(one => one.id === member)
  if (entry === undefined) throw fault('not-on-roster', `${member}, who makes an offer, is not on the roster`)
  const signed: SignedOffer = await verify(offer, compact, entry.publicKey)
  const { payload } = signed
  if (payload.charter !== charter.id) throw fault('bad-offer', `the offer of ${member} is under another charter`)
  const [issuedAt, notAfter] = [Date.parse(payload.issuedAt), Date.parse(payload.notAfter)]
  if (issuedAt > now + CLOCK_TOLERANCE_MS) throw fault('bad-offer', `the offer of ${member} is from the future`)
  if (notAfter - issuedAt > LONGEST_OFFER_MS) throw fault('bad-offer', `the offer of ${member} is for too long`)
  if (notAfter <= now) throw fault('bad-offer', `the offer of ${member} ended at ${payload.notAfter}`)
  if (payload.terms?.coverage.some(one => !areInOrder(one.months))) {
    throw fault('bad-offer', `the offer of ${member} does not say month after month what its data cover`)
  }
  return signed
}

/** Whether ranges of months follow one another, and are not more than a manifest may cover. */
function areInOrder(ranges: readonly CoveredMonths[]): boolean {
  const numbered = ranges.map(({ from, to }) => ({ from: monthIndex(from), to: monthIndex(to) }))
  const covered = numbered.reduce((months, { from, to }) => months + to - from + 1, 0)
  return (
    covered <= MOST_MONTHS_COVERED &&
    numbered.every(({ from, to }, i) => from <= to && from > (numbered[i - 1]?.to ?? -1))
  )
}

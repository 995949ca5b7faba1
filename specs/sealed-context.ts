import type { CohortId, MemberId, RoundId } from './messages.ts'

/**
 * What is authenticated with a sealed share: which round, from whom, for whom, to which prekey, and beside which ciphertext.
 * A share that is uploaded again under another name, or in another round, does not open.
 */
export function shareContext(share: {
  round: RoundId
  dealer: MemberId
  custodian: MemberId
  prekey: string
  ciphertext: string
}): string {
  return [share.round, share.dealer, share.custodian, share.prekey, share.ciphertext].join('\n')
}

/** What is authenticated with a sealed opening. */
export function openingContext(opening: { round: RoundId; cohort: CohortId; custodian: MemberId }): string {
  return [opening.round, opening.cohort, opening.custodian].join('\n')
}

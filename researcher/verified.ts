import { wrapped } from '#party/command.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { describeAnswer } from './presentation.ts'
import type { Verified } from './verification.ts'

/** What `inbond verify` says of a release that holds. */

export const NOT_SHOWN = `
None of this shows that the figures are true: a member can declare what is not so. Nor that the recipient added up the contributions
again where no custodian did. And the federation is the one that you mean only if its fingerprint is.
`

/** In two sentences: what was checked, and on whose word the rest stands. */
export function summary(verified: Verified): string {
  const { answer, opened, custodians, recountedBy, recipient, log } = verified
  const shares = `${opened.length} of ${custodians} custodians (${opened.join(', ')})`
  const decrypted = `${shares} signed the shares of the key with which the encrypted sum of ${answer.cohort.length} members decrypts to exactly these figures`
  const added =
    recountedBy === null
      ? `That it is the sum of their contributions is the word of the recipient, ${recipient}`
      : `That it is the sum of their contributions is signed by ${recountedBy}, a custodian drawn by lot`
  return `${decrypted}. ${added}; everything signed is in the coordinator's log of ${log.size} entries, root ${log.root}.`
}

/**
 * The verdict, the two sentences, and the answer as its recipient saw it.
 * @param isExpected whether the reader said which federation it has to be
 */
export function describeVerified(verified: Verified, dataset: Dataset, isExpected: boolean): string {
  const { release, federation, federationName, recipient, answer } = verified
  const { releasedAt, note } = release.payload
  const whose = `released by ${recipient} on ${releasedAt.slice(0, 10)}, of ${federationName}`
  const compare = isExpected
    ? ''
    : `Its fingerprint is ${federation}. Compare it with the one that the secretariat and the members publish, ` +
      'or give it with --federation: anybody can make up a federation.'
  const said = note === null ? '' : `\n${recipient} says: ${note}\n`
  return `Verified: ${whose}.\n${wrapped(compare)}\n${wrapped(summary(verified))}${said}\n${describeAnswer(answer, dataset)}`
}

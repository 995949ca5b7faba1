import type { Adversary } from './adversary.ts'
import { reusedPrekeys, twoRounds } from './cheating-announcements.ts'
import { forkedCharter } from './cheating-charters.ts'
import { fewAgreements, inventedContribution, otherCohorts, otherShares } from './cheating-custody.ts'
import { concealedMember, shiftedSum } from './cheating-evidence.ts'
import { anotherRecipient, falsePrekeys } from './cheating-keys.ts'
import { concealedRounds } from './cheating-log.ts'
import { badCiphertext, copiedContribution, inconsistentDealing, lyingCustodian } from './cheating-members.ts'
import { changedCertificate, inventedResearcher } from './cheating-researchers.ts'
import type { World } from './world.ts'

type Party = Pick<World, 'federation' | 'history'>

/** Who may break the rules in a schedule, and how. One at a time; network and clocks do their part. */
const adversaries = {
  'two cohorts': ({ federation }) => otherCohorts(federation, 'KR', place => place % 2 === 1),
  'small cohort': ({ federation }) => otherCohorts(federation, 'BR', () => true),
  'few agreements': ({ federation }) => fewAgreements(federation),
  'invented contribution': ({ federation }) => inventedContribution(federation),
  'other shares': ({ federation }) => otherShares(federation),
  'reused prekeys': ({ federation }) => reusedPrekeys(federation),
  'two rounds': ({ federation }) => twoRounds(federation),
  'shifted sum': () => shiftedSum,
  'concealed member': ({ federation }) => concealedMember(federation),
  'concealed rounds': ({ federation }) => concealedRounds(federation),
  'copied contribution': ({ federation, history }) => copiedContribution(federation, history),
  'inconsistent dealing': ({ federation }) => inconsistentDealing(federation),
  'bad ciphertext': ({ federation }) => badCiphertext(federation),
  'lying custodian': ({ federation }) => lyingCustodian(federation),
  'false prekeys': ({ federation }) => falsePrekeys(federation),
  'another recipient': ({ federation }) => anotherRecipient(federation),
  'invented researcher': ({ federation }) => inventedResearcher(federation),
  'forked charter': ({ federation }) => forkedCharter(federation),
  'changed certificate': ({ federation }) => changedCertificate(federation),
} as const satisfies Record<string, (party: Party) => Adversary>

export type Cheat = keyof typeof adversaries
export const cheats = Object.keys(adversaries) as Cheat[]

export function adversaryOf(cheat: Cheat | null, party: Party): Adversary {
  return cheat === null ? {} : adversaries[cheat](party)
}

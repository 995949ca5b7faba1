import { SMALLEST_COHORT } from '#crypto/parameters.ts'
import { fingerprint, type PublicKey } from '#crypto/signature.ts'
import type { CharterBundle } from '../api.ts'
import { fault } from '../errors.ts'
import { type Charter, type CharterId, charter, confirmation, consent, type MemberId } from '../messages.ts'
import { claims, type Signed, verify } from '../signed.ts'
import {
  checkSuccession,
  type Demands,
  demandsOf,
  inWords,
  isFulfilled,
  outstanding,
  quorumBounds,
  type Several,
} from './succession.ts'

export type SignedCharter = Signed<Charter, CharterId>

/**
 * Checks what a charter says of itself: the coordinator's signature, a roster and custodians without repetition, a threshold
 * at which two cohorts of one round cannot both be opened without several custodians that break the charter, a quorum that no
 * two groups of members reach without a member in common.
 * @throws InbondError `bad-signature`, `bad-message`, `bad-charter`, `upgrade-needed`
 */
export async function verifyProposal(compact: string, coordinator: PublicKey): Promise<SignedCharter> {
  const signed: SignedCharter = await verify(charter, compact, coordinator)
  const { members, custodians, threshold, minimumCohort, quorum } = signed.payload
  if (signed.payload.coordinator !== coordinator) throw fault('bad-charter', 'the charter names another coordinator')
  const ids = members.map(one => one.id)
  if (hasRepetition(ids) || hasRepetition(members.map(one => one.publicKey))) {
    throw fault('bad-charter', 'the charter names a member or a key twice')
  }
  if (hasRepetition(custodians) || !custodians.every(id => ids.includes(id))) {
    throw fault('bad-charter', 'a custodian is not a member, or is named twice')
  }
  if (threshold < Math.ceil(custodians.length / 2) + 1 || threshold > custodians.length) {
    throw fault('bad-charter', `a threshold of ${threshold} of ${custodians.length} custodians protects too little`)
  }
  if (minimumCohort < SMALLEST_COHORT) throw fault('bad-charter', `a cohort of ${minimumCohort} protects nobody`)
  const { least, most } = quorumBounds(members.length)
  if (quorum !== null && (quorum < least || quorum > most)) {
    throw fault('bad-charter', `a quorum of ${quorum} of ${members.length} members is not between ${least} and ${most}`)
  }
  return signed
}

/**
 * Checks that a charter is in force: proposed well, and signed and confirmed as the charter before it demands.
 * @param previous the charter that was in force before, itself verified; undefined for the first one
 * @throws InbondError like `verifyProposal`, and `charter-pending`
 */
export async function verifyCharter(
  bundle: CharterBundle,
  coordinator: PublicKey,
  previous: SignedCharter | undefined,
): Promise<SignedCharter> {
  const signed = await verifyProposal(bundle.charter, coordinator)
  const { consents, confirmations } = await standingOf(signed, bundle, previous)
  if (!isFulfilled(consents)) throw fault('charter-pending', `the charter is not signed by ${inWords(consents)}`)
  if (confirmations.needed > 0) {
    throw fault('charter-pending', `the charter is not confirmed by ${inWords({ ...consents, quorum: confirmations })}`)
  }
  return signed
}

/**
 * Checks charters that follow one another, each by the rule of the one before.
 * @param bundles oldest first; where nothing is known, from the first charter on
 * @param federation fingerprint of the coordinator's key
 * @param known the one in force that the first of them follows
 * @returns them, in the same order
 * @throws InbondError `wrong-federation`, and like `verifyCharter`
 */
export async function verifyChain(
  bundles: readonly CharterBundle[],
  federation: string,
  known: SignedCharter | undefined,
): Promise<SignedCharter[]> {
  const verified: SignedCharter[] = []
  for (const bundle of bundles) {
    const { coordinator } = claims(charter, bundle.charter).payload
    const actual = await fingerprint(coordinator)
    if (actual !== federation) {
      throw fault('wrong-federation', `the charter is of the federation ${actual}, not of ${federation}`)
    }
    verified.push(await verifyCharter(bundle, coordinator, verified.at(-1) ?? known))
  }
  return verified
}

/** What a charter still needs. */
export interface Standing {
  readonly consents: Demands
  readonly confirmations: Several
}

/**
 * What a well proposed charter still needs after the messages that are there.
 * @param previous like that of `verifyCharter`
 * @throws InbondError `bad-charter` if it does not follow, or somebody signed another one; `bad-signature`, `bad-message`
 */
export async function standingOf(
  signed: SignedCharter,
  bundle: Omit<CharterBundle, 'charter'>,
  previous: SignedCharter | undefined,
): Promise<Standing> {
  checkSuccession(previous, signed.payload)
  const demands = demandsOf(previous?.payload, signed.payload)
  const consented = new Set<MemberId>()
  for (const { member, consent } of bundle.consents) {
    if (await isConsent(signed, member, consent)) consented.add(member)
  }
  const confirmed = new Set<MemberId>()
  for (const { member, confirmation } of bundle.confirmations) {
    if (await isConfirmation(signed, member, confirmation)) confirmed.add(member)
  }
  return { consents: outstanding(demands, consented), confirmations: outstanding(demands, confirmed).quorum }
}

/** Whether it is of somebody on the roster. @throws InbondError `bad-signature`, `bad-charter` for a false one */
async function isConsent(signed: SignedCharter, member: MemberId, compact: string): Promise<boolean> {
  const entry = signed.payload.members.find(one => one.id === member)
  if (!entry) return false
  const { payload } = await verify(consent, compact, entry.publicKey)
  if (payload.charter === signed.id && payload.member === member) return true
  throw fault('bad-charter', `the signature of ${member} is under another charter`)
}

async function isConfirmation(signed: SignedCharter, member: MemberId, compact: string): Promise<boolean> {
  const entry = signed.payload.members.find(one => one.id === member)
  if (!entry) return false
  const { payload } = await verify(confirmation, compact, entry.publicKey)
  const { previous } = signed.payload
  if (payload.charter === signed.id && payload.previous === previous && payload.member === member) return true
  throw fault('bad-charter', `the confirmation of ${member} is of another charter`)
}

function hasRepetition(items: readonly string[]): boolean {
  return new Set(items).size !== items.length
}

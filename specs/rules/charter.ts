import { SMALLEST_COHORT } from '#crypto/parameters.ts'
import type { PublicKey } from '#crypto/signature.ts'
import type { CharterBundle } from '../api.ts'
import { fault } from '../errors.ts'
import { type Charter, type CharterId, charter, consent, type MemberId } from '../messages.ts'
import { type Signed, verify } from '../signed.ts'

export type SignedCharter = Signed<Charter, CharterId>

/**
 * Checks what a charter says of itself: the coordinator's signature, a roster and custodians without repetition, a threshold
 * at which two cohorts of one round cannot both be opened without several custodians that break the charter.
 * @throws InbondError `bad-signature`, `bad-message`, `bad-charter`, `upgrade-needed`
 */
export async function verifyProposal(compact: string, coordinator: PublicKey): Promise<SignedCharter> {
  const signed: SignedCharter = await verify(charter, compact, coordinator)
  const { members, custodians, threshold, minimumCohort } = signed.payload
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
  return signed
}

/**
 * Checks that a charter is in force: proposed well, and signed by everybody on its roster.
 * @throws InbondError like `verifyProposal`, and `charter-pending`
 */
export async function verifyCharter(bundle: CharterBundle, coordinator: PublicKey): Promise<SignedCharter> {
  const signed = await verifyProposal(bundle.charter, coordinator)
  const missing = await unsigned(signed, bundle)
  if (missing.length > 0) throw fault('charter-pending', `the charter is not signed by ${missing.join(', ')}`)
  return signed
}

/** The members whose signature under a charter is still missing. @throws InbondError `bad-signature` for a false one */
export async function unsigned(signed: SignedCharter, bundle: CharterBundle): Promise<MemberId[]> {
  const missing: MemberId[] = []
  for (const { id, publicKey } of signed.payload.members) {
    const found = bundle.consents.find(one => one.member === id)
    if (!found) missing.push(id)
    else await verifyConsent(found.consent, signed.id, id, publicKey)
  }
  return missing
}

async function verifyConsent(compact: string, to: CharterId, member: MemberId, publicKey: PublicKey): Promise<void> {
  const { payload } = await verify(consent, compact, publicKey)
  if (payload.charter === to && payload.member === member) return
  throw fault('bad-charter', `the signature of ${member} is under another charter`)
}

function hasRepetition(items: readonly string[]): boolean {
  return new Set(items).size !== items.length
}

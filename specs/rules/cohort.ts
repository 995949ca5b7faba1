import { fault } from '../errors.ts'
import {
  agreement,
  type Cohort,
  type CohortId,
  cohort,
  type Manifest,
  type ManifestId,
  type MemberId,
  manifest,
} from '../messages.ts'
import { type Period, periodsBetween } from '../period.ts'
import { claims, type Signed, verify } from '../signed.ts'
import type { VerifiedRound } from './round.ts'

export type SignedCohort = Signed<Cohort, CohortId>
export type SignedManifest = Signed<Manifest, ManifestId>

/**
 * Checks that a cohort may be opened: of this round, of eligible members once each, as many as the query needs, and at least
 * the minimum without the recipient's own administration.
 * @throws InbondError `bad-cohort`, `bad-signature`, `bad-message`
 */
export async function verifyCohort(compact: string, round: VerifiedRound): Promise<SignedCohort> {
  const terms = round.charter.payload
  const signed: SignedCohort = await verify(cohort, compact, terms.coordinator)
  const { payload } = signed
  if (payload.round !== round.id) throw fault('bad-cohort', 'the cohort is of another round')
  const members = payload.manifests.map(one => one.member)
  const manifests = payload.manifests.map(one => one.manifest)
  if (new Set(members).size !== members.length || new Set(manifests).size !== manifests.length) {
    throw fault('bad-cohort', 'a member or a contribution is in the cohort twice')
  }
  const stranger = members.find(id => !round.round.eligible.includes(id))
  if (stranger !== undefined) throw fault('bad-cohort', `${stranger} is not eligible in this round`)
  const { need } = round.query.payload
  const needed = need === 'all' ? round.round.eligible.length : need.atLeast
  if (members.length < needed)
    throw fault('bad-cohort', `the query needs ${needed} members; the cohort has ${members.length}`)
  const counted = members.filter(id => id !== round.researcher.administration)
  if (counted.length < terms.minimumCohort) {
    throw fault(
      'bad-cohort',
      `a cohort needs ${terms.minimumCohort} members beside the recipient's own administration; it has ${counted.length}`,
    )
  }
  return signed
}

/**
 * Checks a manifest of a cohort: signed by the member that the cohort names, about this round and its months, with a share for each
 * custodian.
 * @throws InbondError `bad-cohort`, `bad-signature`, `bad-message`
 */
export async function verifyManifest(compact: string, round: VerifiedRound, of: SignedCohort): Promise<SignedManifest> {
  const { member } = claims(manifest, compact).payload
  const entry = round.charter.payload.members.find(one => one.id === member)
  if (!entry) throw fault('bad-cohort', `${member} is not on the roster`)
  const signed: SignedManifest = await verify(manifest, compact, entry.publicKey)
  const named = of.payload.manifests.find(one => one.member === member)
  if (named?.manifest !== signed.id) throw fault('bad-cohort', `the manifest of ${member} is not the one in the cohort`)
  if (signed.payload.round !== round.id) throw fault('bad-cohort', `the manifest of ${member} is of another round`)
  const expected = round.custodians.map(one => `${one.id} ${one.prekey}`).join()
  const actual = signed.payload.shares.map(one => `${one.custodian} ${one.prekey}`).join()
  if (actual !== expected || signed.payload.slots !== round.plan.slots) {
    throw fault('bad-cohort', `the manifest of ${member} does not fit the round`)
  }
  if (!coversEveryMonth(signed.payload.coverage, round.plan.months)) {
    throw fault('bad-cohort', `the manifest of ${member} does not say once of every month what its data cover`)
  }
  return signed
}

/** Whether coverage says once of every month of a question, in order: the pattern rule goes by it. */
export function coversEveryMonth(coverage: Manifest['coverage'], asked: Period | undefined): boolean {
  const months = coverage.map(one => one.period)
  if (new Set(months).size !== months.length) return false
  return (
    asked === undefined ||
    periodsBetween(asked).every((month, i, { length }) => month === months[i] && length === months.length)
  )
}

/**
 * The custodians that validly agreed to a cohort, each once.
 * @throws InbondError `bad-cohort`, `bad-signature`, `bad-message`
 */
export async function verifyAgreements(
  compacts: readonly string[],
  round: VerifiedRound,
  to: CohortId,
): Promise<MemberId[]> {
  const agreed = new Set<MemberId>()
  for (const compact of compacts) {
    const { custodian } = claims(agreement, compact).payload
    if (!round.custodians.some(one => one.id === custodian))
      throw fault('bad-cohort', `${custodian} is not a custodian of this round`)
    const entry = round.charter.payload.members.find(one => one.id === custodian)
    const { payload } = await verify(agreement, compact, entry?.publicKey ?? '')
    if (payload.round !== round.id || payload.cohort !== to) {
      throw fault('bad-cohort', `${custodian} agreed to another cohort`)
    }
    agreed.add(custodian)
  }
  return [...agreed]
}

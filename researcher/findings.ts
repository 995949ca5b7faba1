import type { Checkpoint } from '#crypto/checkpoint.ts'
import type { MemberId } from '#specs/messages.ts'
import type { ReleaseContent } from '#specs/release.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import type { SignedCohort, SignedManifest } from '#specs/rules/cohort.ts'
import type { SignedRelease } from '#specs/rules/release.ts'
import type { VerifiedRound } from '#specs/rules/round.ts'

/** What each step of a verification found, in a sentence for people. */

export function describeFile(bytes: Uint8Array) {
  return () => `${bytes.length} bytes, in the one form that a release has: another byte would be another file`
}

export function describeCharter({ payload }: SignedCharter): string {
  const { federation, epoch, members } = payload
  const first = `charter 1 of ${federation} is signed by its coordinator and by all members on its roster`
  if (epoch === 1) return `${first}, ${members.length} of them`
  return `${first}; ${epoch - 1} more followed, each signed and confirmed as the one before demands, to charter ${epoch} with ${members.length} members`
}

export function describeRound({ query, researcher, custodians }: VerifiedRound): string {
  const { name, sponsor, organisation } = researcher
  const who = `${name}${organisation === null ? '' : ` of ${organisation}`}, for whom ${sponsor} vouches`
  const asked = `${who}, signed the question "${query.payload.question.purpose}"`
  return `${asked}; the coordinator announced it, to be opened by ${custodians.length} custodians`
}

export function describeRelease(round: VerifiedRound) {
  return ({ payload }: SignedRelease) =>
    `${round.researcher.name} signed the hash of this content on ${payload.releasedAt.slice(0, 10)}, with the key of the question`
}

export function describeCohort({ charter: { payload } }: VerifiedRound) {
  return (cohort: SignedCohort) => {
    const members = cohort.payload.manifests.map(one => one.member)
    return `${members.length} members, at least the ${payload.minimumCohort} that the charter demands: ${members.join(', ')}`
  }
}

export function describeManifests(manifests: readonly SignedManifest[]): string {
  return `each of the ${manifests.length} members signed the hash of its encrypted contribution; no two are the same`
}

export function describeAgreements({ charter: { payload } }: VerifiedRound) {
  return (agreed: readonly MemberId[]) =>
    `${agreed.length} custodians signed that they open this cohort and no other, ${payload.threshold} must: ${agreed.join(', ')}`
}

export function describeShares(shares: readonly { readonly custodian: MemberId }[]): string {
  return `${shares.map(one => one.custodian).join(', ')} signed the hashes of these shares of the key`
}

export function describeSum({ ciphertext }: { readonly ciphertext: Uint8Array }): string {
  return `the coordinator signed the hash of the encrypted sum, ${ciphertext.length} bytes`
}

export function describeAdded({ researcher }: VerifiedRound) {
  return (custodian: MemberId | null) =>
    custodian === null
      ? `${researcher.name} gives its word that the contributions add up to this sum: the file does not prove it`
      : `${custodian}, drawn among the custodians, signed that the contributions add up to this sum`
}

export function describeKey({ charter: { payload } }: VerifiedRound, shares: number) {
  return ({ disagreeing }: { readonly disagreeing: readonly number[] }) => {
    const rest = disagreeing.length === 0 ? 'all of them fit' : `${disagreeing.length} of them do not fit`
    return `${payload.threshold} of the ${shares} shares give a short key that opens every chunk of the sum; ${rest}`
  }
}

export function describeLog({ size, root }: Checkpoint): string {
  const heads = 'the heads that charter, round and cohort name are beginnings of it'
  return `every message and the release are in the coordinator's log of ${size} entries, root ${root}; ${heads}`
}

export function describeFigures({ rows }: ReleaseContent) {
  return () => `the sum decrypts to exactly the figures of this answer: ${rows.length} rows`
}

export function describeToday({ size }: Checkpoint): string {
  return `the log that the coordinator shows today, of ${size} entries, begins with that one`
}

export function describeAddress(): string {
  return 'it is the release that the address speaks of'
}

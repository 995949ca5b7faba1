import { isoTime } from '#party/clock.ts'
import { policyChanges } from './policy-changes.ts'
import { type PolicyKeeper, type PolicyVersion, UnsignedPolicy } from './policy-in-force.ts'

/** What people read of the policies that were in force, and of one that waits. */

type Admission = Pick<PolicyVersion, 'admittedBy' | 'signedBy'>

/** Who let a policy follow the one before. */
export function admissionInWords({ admittedBy, signedBy }: Admission): string {
  const names = signedBy.join(', ')
  switch (admittedBy) {
    case 'stewards':
      return `signed by ${names}`
    case 'node':
      return `without the stewards, by the node's key${names === '' ? '' : `; signed by ${names}`}`
    case 'nobody':
      return 'nobody had to sign it'
  }
}

/** The policies that were in force, the first first, as `--json` has them. */
export function listedVersions({ versions }: Pick<PolicyKeeper, 'versions'>) {
  return versions.map(({ version, hash, since, admittedBy, signedBy }) => ({
    version,
    sha256: hash,
    since: isoTime(since),
    admittedBy,
    signedBy,
  }))
}

/** The policy of the file that waits for signatures, as `--json` has it; null where none does. */
export function waitingPolicy({ trouble }: Pick<PolicyKeeper, 'trouble'>) {
  if (!(trouble instanceof UnsignedPolicy)) return null
  const { succession, signedBy, signaturesNeeded, maySign } = trouble
  const changes = policyChanges(succession.follows.rules, succession.rules)
  return { sha256: succession.hash, changes, signedBy, signaturesNeeded, maySign }
}

/** How the policy in force stands, as `status --json` has it, after `inForce`. */
export function policyStanding(keeper: Pick<PolicyKeeper, 'trouble' | 'versions'>) {
  const last = keeper.versions.at(-1)
  return {
    policyVersion: last?.version ?? null,
    policySha256: last?.hash ?? null,
    policySince: last === undefined ? null : isoTime(last.since),
    policyAdmittedBy: last?.admittedBy ?? null,
    policySignedBy: last?.signedBy ?? [],
    policyTrouble: keeper.trouble?.message ?? null,
    policyWaits: waitingPolicy(keeper),
  }
}

/** What a person should look at, in sentences. */
export function concernsOfPolicy(standing: ReturnType<typeof policyStanding>): string[] {
  const { policyTrouble: trouble, policyVersion: version, policySince: since } = standing
  const concerns: string[] = []
  if (standing.policyWaits !== null) {
    concerns.push(`Another policy waits, and the one before stays in force: ${trouble}: inbond member policy sign DIR`)
  } else if (trouble !== null) {
    concerns.push(`The policy cannot be read, and the one before stays in force: ${trouble}.`)
  }
  if (standing.policyAdmittedBy === 'node' && version !== null && since !== null) {
    concerns.push(withoutStewards({ version, since }))
  }
  return concerns
}

/** Of a policy that came into force without the stewards who had to sign it. */
export function withoutStewards({ version, since }: { readonly version: number; readonly since: string }): string {
  return `Version ${version} of the policy came into force at ${since} without the stewards: the node's key signed in their place.`
}

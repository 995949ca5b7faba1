import type { RoundState } from '#specs/api.ts'
import type { MemberId } from '#specs/messages.ts'
import type { Need } from '#specs/query.ts'

/**
 * The life of a round, as a pure function of what is stored and what time it is:
 *
 *     open ──► closed ──► agreed ──► opened
 *       │         │          │
 *       └─────────┴──────────┴─────► void
 *
 * open: members contribute. closed: the cohort is fixed and custodians agree to it. agreed: t custodians signed the same cohort,
 * and open it to the recipient. opened: t openings and the sum are there; the recipient can read. void: it ended without.
 */
export interface RoundFacts {
  readonly state: RoundState
  readonly eligible: readonly MemberId[]
  readonly need: Need
  readonly minimumCohort: number
  /** The recipient's own administration does not count towards the minimum: it knows its own figures. */
  readonly recipientAdministration: MemberId | null
  readonly custodians: readonly MemberId[]
  readonly threshold: number
  /** Milliseconds since 1970, as all times here. */
  readonly opens: number
  readonly closes: number
  readonly ends: number
  readonly closedAt: number | null
  readonly contributed: readonly MemberId[]
  /** Those of the members who contributed that may be told about together beside the answers before (specs/rules/pattern.ts). */
  readonly fitting: (contributed: readonly MemberId[]) => readonly MemberId[]
  readonly refused: readonly MemberId[]
  readonly agreed: readonly MemberId[]
  /** Custodians that refuse to agree or to open. */
  readonly declined: readonly MemberId[]
  readonly opened: readonly MemberId[]
  readonly summed: boolean
  readonly cancelled: boolean
  /** Another charter is in force than the one that the round is under. */
  readonly superseded: boolean
  /** Why the researcher may not ask any more, once it was revoked. */
  readonly revoked: string | undefined
}

export type Step =
  | { readonly to: 'closed'; readonly cohort: readonly MemberId[]; readonly leftOut: readonly MemberId[] }
  | { readonly to: 'agreed' }
  | { readonly to: 'opened' }
  | { readonly to: 'void'; readonly reason: string }

/** Of a round or a query under a charter that is not in force any more. */
export const SUPERSEDED = 'another charter came into force; ask again'

/** The step that is due, or undefined while the round waits. Applied until it gives none. */
export function nextStep(round: RoundFacts, now: number): Step | undefined {
  if (round.state === 'opened' || round.state === 'void') return undefined
  if (round.cancelled) return { to: 'void', reason: 'the researcher withdrew the query' }
  // Under it somebody may take part who has left or whose key is lost. What t custodians agreed to is opened all the same.
  const isAgreed = round.state !== 'open' && round.agreed.length >= round.threshold
  if (round.superseded && !isAgreed) return { to: 'void', reason: SUPERSEDED }
  // What enough custodians agreed to may be opened already.
  if (round.revoked !== undefined && round.state !== 'agreed') return { to: 'void', reason: round.revoked }
  switch (round.state) {
    case 'open':
      return closing(round, now)
    case 'closed':
      if (round.agreed.length >= round.threshold) return { to: 'agreed' }
      return custodiansGone(round, round.agreed, 'agreed to the cohort', now)
    case 'agreed':
      if (round.opened.length >= round.threshold) return summing(round, now)
      return custodiansGone(round, round.opened, 'opened', now)
  }
}

/** A sum that cannot be made, because a stored contribution was lost, must not keep the recipient waiting for ever. */
function summing(round: RoundFacts, now: number): Step | undefined {
  if (round.summed) return { to: 'opened' }
  if (now < round.ends) return undefined
  return { to: 'void', reason: 'the coordinator could not add up the contributions; its operator knows why' }
}

function closing(round: RoundFacts, now: number): Step | undefined {
  const needed = round.need === 'all' ? round.eligible.length : round.need.atLeast
  // A refusal counts only in place of a contribution.
  const refused = round.refused.filter(id => round.eligible.includes(id) && !round.contributed.includes(id))
  if (round.eligible.length - refused.length < needed) {
    return {
      to: 'void',
      reason: `${list(refused)} refused, so that fewer than the ${needed} needed can contribute`,
    }
  }
  const outstanding = round.eligible.filter(id => !round.contributed.includes(id) && !refused.includes(id))
  if (outstanding.length > 0 && now < round.closes) return undefined
  if (round.contributed.length < needed) {
    return {
      to: 'void',
      reason: `${round.contributed.length} of the ${needed} members needed contributed in time; missing: ${list(outstanding)}`,
    }
  }
  const cohort = [...round.fitting(round.contributed)].sort()
  const leftOut = round.contributed.filter(id => !cohort.includes(id)).sort()
  if (cohort.length < needed) {
    return {
      to: 'void',
      reason: `${list(leftOut)} would stand apart from the others beside the answers to earlier questions, and without ${leftOut.length === 1 ? 'it' : 'them'} fewer than the ${needed} needed are left`,
    }
  }
  const counted = cohort.filter(id => id !== round.recipientAdministration)
  if (counted.length < round.minimumCohort) {
    return {
      to: 'void',
      reason: `a cohort needs ${round.minimumCohort} members beside the recipient's own administration; there are ${counted.length}`,
    }
  }
  return { to: 'closed', cohort, leftOut }
}

/** Custodians have as long for their part as members had for theirs, counted from the closing, and until `closes` in any case. */
export function custodyDeadline(round: Pick<RoundFacts, 'opens' | 'closes' | 'ends' | 'closedAt'>): number {
  const closedAt = round.closedAt ?? round.closes
  return Math.min(round.ends, Math.max(round.closes, closedAt + (round.closes - round.opens)))
}

function custodiansGone(round: RoundFacts, done: readonly MemberId[], what: string, now: number): Step | undefined {
  const possible = round.custodians.filter(id => done.includes(id) || !round.declined.includes(id))
  const tooFew = `${done.length} of the ${round.threshold} custodians needed ${what}`
  if (possible.length < round.threshold) {
    return { to: 'void', reason: `${tooFew}, and ${list(round.declined)} declined` }
  }
  if (now < custodyDeadline(round)) return undefined
  const absent = round.custodians.filter(id => !done.includes(id))
  return { to: 'void', reason: `${tooFew} in time; absent: ${list(absent)}` }
}

function list(ids: readonly MemberId[]): string {
  return ids.length === 0 ? 'nobody' : ids.join(', ')
}

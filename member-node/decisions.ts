import { asc, eq } from 'drizzle-orm'
import { z } from 'zod'
import { InbondError } from '#crypto/error.ts'
import type { IdentityKey } from '#crypto/signature.ts'
import { hash, LONGEST_REASON, type RoundId, roundId } from '#specs/messages.ts'
import { printable } from '#specs/printable.ts'
import { parseDuration } from '#specs/query.ts'
import { claims, kind, sign, verify } from '#specs/signed.ts'
import type { Database } from './node.ts'
import type { Policy } from './policy.ts'
import { decisions, type queue } from './schema.ts'

/** What a steward decides, signed with a key of its own, which is not the node's: it stays at home, and does not travel. */
export const decision = kind(
  'steward-decision',
  'any party',
  'A steward of a member approves or refuses a question that waits there.',
  z.strictObject({
    round: roundId,
    steward: printable.min(1).max(100),
    verdict: z.enum(['approve', 'refuse']),
    /** Of what was asked: another policy, or another reason to ask, takes another decision. */
    basis: hash,
    /** For whoever asked; of a refusal alone. */
    reason: printable.min(1).max(LONGEST_REASON).nullable(),
    at: z.iso.datetime({ precision: 3 }),
  }),
)
export type Decision = z.infer<typeof decision.schema>

export type Waiting = typeof queue.$inferSelect

/** How a question that takes a person stands. */
export type Standing =
  | { readonly state: 'waits' | 'expired' | 'approved'; readonly approvedBy: readonly string[] }
  | { readonly state: 'refused'; readonly approvedBy: readonly string[]; readonly reason: string }

/**
 * How a question stands by the decisions that count. One refusal is enough. Approvals are counted by person, and only those of what
 * is asked now. What was decided in time counts whenever it is read.
 * @param now milliseconds since 1970
 */
export function standingOf(waiting: Waiting, counted: readonly Decision[], now: number): Standing {
  const approving = counted.filter(one => one.verdict === 'approve' && one.basis === waiting.basis)
  const approvedBy = [...new Set(approving.map(one => one.steward))]
  const refused = counted.find(one => one.verdict === 'refuse')
  if (refused) return { state: 'refused', approvedBy, reason: refused.reason ?? 'without a reason' }
  if (approvedBy.length >= waiting.hands) return { state: 'approved', approvedBy }
  return { state: now >= waiting.expires ? 'expired' : 'waits', approvedBy }
}

/**
 * The decisions on a question that count by a policy: signed in time, with the key of somebody whom the policy names, by a deputy
 * not before its turn.
 */
export async function countedDecisions(db: Database, waiting: Waiting, rules: Policy): Promise<Decision[]> {
  const rows = db.select().from(decisions).where(eq(decisions.round, waiting.round)).orderBy(asc(decisions.id)).all()
  const counted: Decision[] = []
  for (const { compact } of rows) {
    const person = entitled(rules, claims(decision, compact).payload.steward)
    const read = person && (await verify(decision, compact, person.key).catch(unsigned))?.payload
    if (!read || read.round !== waiting.round) continue
    const at = Date.parse(read.at)
    if (at >= waiting.expires || (person.isDeputy && at < deputiesFrom(waiting, rules))) continue
    counted.push(read)
  }
  return counted
}

function unsigned(error: unknown): undefined {
  if (!(error instanceof InbondError)) throw error
}

/** When deputies may decide, in milliseconds since 1970. */
export function deputiesFrom(waiting: Waiting, rules: Policy): number {
  return waiting.since + parseDuration(rules.deputiesAfter)
}

/** Who of a policy has this name, if anybody. */
export function entitled(rules: Policy, name: string) {
  const steward = rules.stewards.find(one => one.name === name)
  if (steward) return { ...steward, isDeputy: false }
  const deputy = rules.deputies.find(one => one.name === name)
  return deputy && { ...deputy, isDeputy: true }
}

/** Writes a decision down. The same one may be written twice. */
export async function recordDecision(db: Database, key: IdentityKey, made: Decision): Promise<void> {
  const { compact } = await sign(key, decision, made)
  const { round, steward, verdict, basis, at } = made
  db.insert(decisions)
    .values({ round: round as RoundId, steward, verdict, basis, compact, decidedAt: Date.parse(at) })
    .onConflictDoNothing()
    .run()
}

import { and, eq } from 'drizzle-orm'
import { InbondError } from '#crypto/error.ts'
import type { IdentityKey } from '#crypto/signature.ts'
import { done } from '#specs/api.ts'
import { type CharterId, LONGEST_REASON, type Refusal, type RoundId, refusal } from '#specs/messages.ts'
import { inOneLine } from '#specs/printable.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { requireKeyUnder } from './charters.ts'
import { PolicyRefusal } from './consent.ts'
import type { Node } from './node.ts'
import { refusals } from './schema.ts'

type Step = Refusal['step']

/** A round of which a step is refused. */
export interface Refused {
  readonly id: RoundId
  /** As it is said to be; undefined where nothing says it. */
  readonly charter: CharterId | undefined
}

/**
 * Says, signed, that this node will not do a step of a round, and why: never a silence. The first reason stands.
 * @throws InbondError `not-on-roster` where the charter of the round names another key
 */
export async function refuse(
  node: Node,
  round: Refused,
  step: Step,
  error: unknown,
  signal?: AbortSignal,
): Promise<void> {
  const stored = node.db
    .select()
    .from(refusals)
    .where(and(eq(refusals.round, round.id), eq(refusals.step, step)))
    .get()
  const compact = stored?.compact ?? (await store(node, requireKeyUnder(node, round.charter), round.id, step, error))
  await node.connection.post(`/rounds/${round.id}/refusals`, { refusal: compact }, done, signal)
}

async function store(node: Node, key: IdentityKey, round: RoundId, step: Step, error: unknown): Promise<string> {
  // What went wrong inside is for this node's own log; the others learn only what is about the question.
  const known = error instanceof InbondError
  const code = known ? error.code : 'internal-error'
  const reason = known ? inOneLine(error.message, LONGEST_REASON) : 'the node failed inside; its operator knows'
  const policy = error instanceof PolicyRefusal ? error.policy : null
  const said = { protocol: PROTOCOL, round, member: node.id, step, code, reason, policy }
  const signed = await sign(key, refusal, said)
  node.db.insert(refusals).values({ round, step, compact: signed.compact, reason, createdAt: node.clock.now() }).run()
  return signed.compact
}

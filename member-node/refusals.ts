import { and, eq } from 'drizzle-orm'
import { InbondError } from '#crypto/error.ts'
import { done } from '#specs/api.ts'
import { LONGEST_REASON, type Refusal, type RoundId, refusal } from '#specs/messages.ts'
import { inOneLine } from '#specs/printable.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { PolicyRefusal } from './consent.ts'
import type { Node } from './node.ts'
import { refusals } from './schema.ts'

type Step = Refusal['step']

/** Says, signed, that this node will not do a step of a round, and why: never a silence. The first reason stands. */
export async function refuse(
  node: Node,
  round: RoundId,
  step: Step,
  error: unknown,
  signal?: AbortSignal,
): Promise<void> {
  const stored = node.db
    .select()
    .from(refusals)
    .where(and(eq(refusals.round, round), eq(refusals.step, step)))
    .get()
  const compact = stored?.compact ?? (await store(node, round, step, error))
  await node.connection.post(`/rounds/${round}/refusals`, { refusal: compact }, done, signal)
}

async function store(node: Node, round: RoundId, step: Step, error: unknown): Promise<string> {
  // What went wrong inside is for this node's own log; the others learn only what is about the question.
  const known = error instanceof InbondError
  const code = known ? error.code : 'internal-error'
  const reason = known ? inOneLine(error.message, LONGEST_REASON) : 'the node failed inside; its operator knows'
  const policy = error instanceof PolicyRefusal ? error.policy : null
  const said = { protocol: PROTOCOL, round, member: node.id, step, code, reason, policy }
  const signed = await sign(node.key, refusal, said)
  node.db.insert(refusals).values({ round, step, compact: signed.compact, reason, createdAt: node.clock.now() }).run()
  return signed.compact
}

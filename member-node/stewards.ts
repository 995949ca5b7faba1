import { type IdentityKey, needsPassphrase, readKeyFile } from '#crypto/signature.ts'
import { fault } from '#specs/errors.ts'
import { deputiesFrom, entitled, recordDecision } from './decisions.ts'
import { type Desk, findQueued, type QueuedQuestion, queuedQuestion } from './queue.ts'

/** What a steward says of a question: who, with which key, and why. */
export interface Verdict {
  readonly question: string
  readonly steward: string
  readonly key: IdentityKey
  readonly verdict: 'approve' | 'refuse'
  /** What whoever asked is told; of a refusal alone. */
  readonly reason: string | null
}

/**
 * Opens the key of a steward, which has a passphrase of its own, so that a name alone decides nothing.
 * @throws InbondError `bad-key-file`, `wrong-passphrase`
 */
export async function openStewardKey(text: string, passphrase: string | undefined): Promise<IdentityKey> {
  if (!needsPassphrase(text))
    throw fault('bad-key-file', 'a key of a steward is sealed with a passphrase; this one is not')
  return readKeyFile(text, passphrase)
}

/**
 * Writes down, signed, what a steward decides. The node acts on it when it looks the next time.
 * @throws InbondError `not-allowed` for somebody whom the policy does not name with this key, or a deputy before its turn;
 * `too-late` where the question is decided or its time is over; `not-found`
 */
export async function decide(desk: Desk, made: Verdict): Promise<QueuedQuestion> {
  const waiting = findQueued(desk, made.question)
  const { rules, hash } = await desk.policy()
  const person = entitled(rules, made.steward)
  if (person?.key !== made.key.publicKey) {
    throw fault('not-allowed', `the policy does not name ${made.steward} with this key`)
  }
  const before = await queuedQuestion(desk, waiting.round)
  if (before.state === 'expired') throw fault('too-late', `the time to decide was over at ${before.expires}`)
  if (before.state !== 'waits' && before.state !== 'approved')
    throw fault('too-late', `the question is ${before.state}`)
  const now = desk.clock.now()
  if (person.isDeputy && now < deputiesFrom(waiting, rules)) {
    throw fault('not-allowed', `${made.steward} is a deputy, and may decide from ${before.deputiesFrom}`)
  }
  if (waiting.policy !== hash) {
    throw fault(
      'not-allowed',
      'the policy is another one by now; the node judges the question anew within seconds if it runs',
    )
  }
  await recordDecision(desk.db, made.key, {
    round: waiting.round,
    steward: made.steward,
    verdict: made.verdict,
    basis: waiting.basis,
    reason: made.reason,
    at: new Date(now).toISOString(),
  })
  return queuedQuestion(desk, waiting.round)
}

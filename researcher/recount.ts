import { and, eq, isNull } from 'drizzle-orm'
import { done, type QueryStatus, queryStatus } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import type { MemberId, QueryId } from '#specs/messages.ts'
import { verifyRecount } from '#specs/rules/recount.ts'
import type { CheckedEvidence } from './evidence.ts'
import { patiently } from './patience.ts'
import { type Researcher, storedQuery } from './researcher.ts'
import * as schema from './schema.ts'

/**
 * Where the contributions are too many to fetch them all, a custodian adds them up again: the recipient reveals from which seed it
 * is drawn, waits, and compares. If nobody comes, it adds up itself.
 */

export const RECOUNT_FROM = 64 * 1024 * 1024

/** A large sum that the recipient has. */
export interface LargeSum {
  readonly id: QueryId
  readonly seed: Uint8Array
  readonly checked: CheckedEvidence
}

/**
 * Has a sum added up again.
 * @returns whether it was, and is to be fetched; false if it is there already, or if the custodian refused or did not come in time
 */
export async function hasRecount(
  researcher: Researcher,
  large: LargeSum,
  progress: (status: QueryStatus) => void,
  signal?: AbortSignal,
): Promise<boolean> {
  bindSeed(researcher, large)
  return large.checked.recount === null && (await isRecounted(researcher, large, progress, signal))
}

/**
 * The custodian that added up a sum again, if one did.
 * @throws InbondError `bad-evidence` if the sum is not what the contributions add up to
 */
export async function recountedBy(researcher: Researcher, large: LargeSum): Promise<MemberId | null> {
  bindSeed(researcher, large)
  const { round, sum, recount } = large.checked
  return recount === null ? null : verifyRecount(recount, round, sum, large.seed)
}

/** A coordinator that knows the seed could sign another sum, for which a custodian is drawn that it prefers. */
function bindSeed(researcher: Researcher, { id, checked }: LargeSum): void {
  const sum = checked.sum.id
  const unbound = and(eq(schema.queries.id, id), isNull(schema.queries.sum))
  researcher.db.update(schema.queries).set({ sum }).where(unbound).run()
  if (storedQuery(researcher, id).sum !== sum) {
    throw fault('bad-evidence', 'the coordinator shows another sum than the one for which a custodian was drawn')
  }
}

async function isRecounted(
  researcher: Researcher,
  large: LargeSum,
  progress: (status: QueryStatus) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { clock, connection } = researcher
  const { id, checked } = large
  const deadline = (await reveal(researcher, large, signal)) + checked.round.query.payload.closesAfter
  const ended = new AbortController()
  const late = new AbortController()
  const until = AbortSignal.any([late.signal, ...(signal ? [signal] : [])])
  void clock.wait(deadline - clock.now(), ended.signal).then(() => late.abort())
  try {
    for (let path = `/queries/${id}`; clock.now() < deadline; ) {
      const status = await patiently(researcher, until, () => connection.get(path, queryStatus, until))
      progress(status)
      if (status.recount?.state === 'refused') return false
      if (status.recount?.state === 'done') return true
      path = `/queries/${id}?since=${status.version}`
    }
    return false
  } catch (error) {
    if (late.signal.aborted && !signal?.aborted) return false
    throw error
  } finally {
    ended.abort()
  }
}

/** @returns when the coordinator first had the seed */
async function reveal(
  researcher: Researcher,
  { id, seed, checked }: LargeSum,
  signal: AbortSignal | undefined,
): Promise<number> {
  const body = { seed: Buffer.from(seed).toString('base64url') }
  await researcher.connection.post(`/rounds/${checked.round.id}/draw`, body, done, signal)
  const first = and(eq(schema.queries.id, id), isNull(schema.queries.revealedAt))
  researcher.db.update(schema.queries).set({ revealedAt: researcher.clock.now() }).where(first).run()
  return storedQuery(researcher, id).revealedAt as number
}

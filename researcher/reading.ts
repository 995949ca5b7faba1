import { and, eq, isNull } from 'drizzle-orm'
import { read as decrypt } from '#crypto/one-shot.ts'
import { loadSeal } from '#crypto/seal.ts'
import { chainTo } from '#party/charter-chain.ts'
import { forgetForGood } from '#party/database.ts'
import { answerEvidence, type QueryStatus } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import type { MemberId, RoundId } from '#specs/messages.ts'
import { type Answer, answerOf } from './answer.ts'
import { addUpAgain, type CheckedEvidence, checkEvidence, ciphertextBytes, sha256, unsealOpenings } from './evidence.ts'
import { followLog, lastCheckpoint } from './history.ts'
import { patiently } from './patience.ts'
import { hasRecount, recountedBy } from './recount.ts'
import { releasable } from './releasable.ts'
import { knownCharter, type Researcher, storedQuery } from './researcher.ts'
import * as schema from './schema.ts'

const APART = 'would stand apart beside the answers to earlier questions'
/** That it did not contribute would be the coordinator's word against it. */
const NOT_SHOWN = 'the coordinator shows neither a contribution nor a refusal'

/** How many contributions the recipient itself has added up again. */
export interface Added {
  readonly done: number
  readonly of: number
}

/** Told how a query stands, whenever that changes; and while the recipient itself is at work, how far it is. */
export type Progress = (status: QueryStatus, added?: Added) => void

/**
 * Fetches an opened round, checks every signature and that the log goes on from where it was, has the contributions added up again,
 * rebuilds the key, decrypts, and throws the key away.
 * @throws InbondError `sum-not-accepted`, `bad-evidence`, `log-not-extended`, and the codes of the rules in specs/rules
 */
export async function read(
  researcher: Researcher,
  opened: QueryStatus,
  progress: Progress,
  signal?: AbortSignal,
): Promise<Answer> {
  const id = opened.query
  const round = opened.round as RoundId
  const { compact, privateKey, seed, answer: readBefore } = storedQuery(researcher, id)
  // Two processes may follow the same query: the key went with the first answer.
  if (readBefore !== null) return JSON.parse(readBefore) as Answer
  if (privateKey === null || seed === null) throw fault('bad-evidence', 'the key of this query is gone')
  const first = await fetchEvidence(researcher, round, compact, signal)
  const total = await download(researcher, `/rounds/${round}/sum`, ciphertextBytes(first), signal)
  if (sha256(total) !== first.sum.payload.ciphertext) {
    throw fault('bad-evidence', 'the sum is not the one that the coordinator signed')
  }
  const isLarge = ciphertextBytes(first) * first.manifests.length >= researcher.recountFrom
  const checked =
    isLarge && (await hasRecount(researcher, { id, seed, checked: first }, progress, signal))
      ? await fetchEvidence(researcher, round, compact, signal)
      : first
  const seal = await loadSeal()
  const custodian = isLarge ? await recountedBy(researcher, { id, seed, checked }) : null
  if (custodian === null) {
    const fetched = (member: MemberId) =>
      download(researcher, `/rounds/${round}/contributions/${member}`, ciphertextBytes(checked), signal)
    const added = (contributions: number) =>
      isLarge ? progress(opened, { done: contributions, of: checked.manifests.length }) : undefined
    await addUpAgain(seal, checked, total, member => patiently(researcher, signal, () => fetched(member)), added)
  }
  const openings = await unsealOpenings(checked, privateKey)
  const { cells, disagreeing } = decrypt(seal, {
    roundId: Buffer.from(checked.round.id, 'hex'),
    sum: total,
    openings,
    threshold: checked.round.charter.payload.threshold,
    contributors: checked.manifests.length,
  })
  const fitting = openings.map(one => one.index).filter(index => !disagreeing.includes(index))
  const { refusals } = checked
  const { leftOut } = checked.cohort.payload
  const reasonOf = (member: MemberId) => refusals.get(member) ?? (leftOut.includes(member) ? APART : NOT_SHOWN)
  const answer = answerOf({ ...checked, reasonOf }, cells, fitting, { addedUpAgain: true, recountedBy: custodian })
  const charters = await chainTo(researcher.connection, checked.sent.charter, signal)
  const drawnFrom = custodian === null ? null : seed
  const content = releasable(checked, { charters, total, openings, seed: drawnFrom, rows: answer.rows })
  // Another process may have read it meanwhile, with other openings: the answer that was stored first stands.
  const changes = researcher.db.transaction(tx => {
    const written = tx
      .update(schema.queries)
      .set({ answer: JSON.stringify(answer), privateKey: null, seed: null })
      .where(and(eq(schema.queries.id, id), isNull(schema.queries.answer)))
      .run()
    if (written.changes === 1 && content !== null) tx.insert(schema.readings).values({ query: id, content }).run()
    return written.changes
  })
  forgetForGood(researcher.db)
  return changes === 1 ? answer : (JSON.parse(storedQuery(researcher, id).answer as string) as Answer)
}

/** Everything signed that an answer rests on, as far as the coordinator has it now, verified; and the log that has it all, followed. */
async function fetchEvidence(
  researcher: Researcher,
  round: RoundId,
  query: string,
  signal: AbortSignal | undefined,
): Promise<CheckedEvidence> {
  // Before the request: whatever is shown after it has to be at least as long.
  const before = lastCheckpoint(researcher.db)
  const evidence = await researcher.connection.get(`/rounds/${round}/answer`, answerEvidence, signal)
  const charter = await knownCharter(researcher, evidence.charter.charter)
  const checked = await checkEvidence(evidence, query, charter)
  await followLog(researcher, checked.log, before, signal)
  return checked
}

async function download(
  researcher: Researcher,
  path: string,
  bytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const whole = new Uint8Array(bytes)
  let at = 0
  for await (const chunk of await researcher.connection.stream(path, signal)) {
    if (at + chunk.length > bytes) throw fault('bad-evidence', `${path} is longer than the question allows`)
    whole.set(chunk, at)
    at += chunk.length
  }
  if (at !== bytes) throw fault('coordinator-unreachable', `${path} ended after ${at} of ${bytes} bytes`)
  return whole
}

import { eq } from 'drizzle-orm'
import { InbondError } from '#crypto/error.ts'
import { loadSeal } from '#crypto/seal.ts'
import { generateSealingKeyPair } from '#crypto/sealing.ts'
import { isoTime } from '#party/clock.ts'
import { forgetForGood } from '#party/database.ts'
import { done, type QueryStatus, queryReceipt, queryStatus } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { cancellation, certificate, type QueryId, query } from '#specs/messages.ts'
import type { QueryFile } from '#specs/query.ts'
import { drawOf, SEED_BYTES } from '#specs/rules/recount.ts'
import { checkPurpose } from '#specs/rules/researcher.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import type { Answer } from './answer.ts'
import { fetchCertificate } from './certificate.ts'
import { patiently } from './patience.ts'
import { describeEnd } from './presentation.ts'
import { type Progress, read } from './reading.ts'
import { fetchCharter, type Researcher, storedQuery } from './researcher.ts'
import * as schema from './schema.ts'

/** A signed query that has no round after this long is over. */
const EXPIRY_MS = 7 * 86_400_000

/**
 * Asks a question, follows it, reads and checks the answer: the whole of a researcher's work.
 * @throws InbondError `round-void` with the reason, `bad-evidence`, …; nothing is lost, `resume` goes on with the same query
 */
export async function run(
  researcher: Researcher,
  file: QueryFile,
  progress: Progress,
  signal?: AbortSignal,
): Promise<Answer> {
  const id = await prepare(researcher, file)
  return resume(researcher, id, progress, signal)
}

/** Sends a prepared query if it was not, waits until it is answered, and reads it; an answer that was read before is returned. */
export async function resume(
  researcher: Researcher,
  id: QueryId,
  progress: Progress,
  signal?: AbortSignal,
): Promise<Answer> {
  const stored = storedQuery(researcher, id)
  if (stored.answer !== null) return JSON.parse(stored.answer) as Answer
  if (stored.voidReason !== null) throw fault('round-void', `the query ended without an answer: ${stored.voidReason}`)
  await patiently(researcher, signal, () => send(researcher, id, signal))
  // Its tables take a fifth of a second to make: while the members are at work, not after.
  loadSeal().catch(() => undefined)
  for (let status: QueryStatus | undefined; ; ) {
    const opened = await follow(researcher, id, progress, status?.version, signal)
    status = opened
    try {
      return await patiently(researcher, signal, () => read(researcher, opened, progress, signal))
    } catch (error) {
      if (!isUnfinished(error, opened)) throw error
    }
  }
}

/** A key that is not accepted yet may be with one more opening. */
function isUnfinished(error: unknown, status: QueryStatus): boolean {
  const outstanding = status.custodians.some(one => one.state === 'agreed' || one.state === 'waiting')
  return error instanceof InbondError && error.code === 'sum-not-accepted' && outstanding
}

/**
 * Signs a query with a fresh key for its answer and remembers both; nothing leaves yet.
 * @throws InbondError `charter-pending`, `bad-query`, `not-sponsored`, `researcher-revoked`, `bad-certificate`
 */
export async function prepare(researcher: Researcher, file: QueryFile): Promise<QueryId> {
  const charter = await fetchCharter(researcher)
  const roster = charter.payload.members.length
  if (file.need !== 'all' && file.need.atLeast > roster) {
    throw fault('bad-query', `need: at least ${file.need.atLeast} members, but the federation has ${roster}`)
  }
  const asking = await fetchCertificate(researcher, charter)
  checkPurpose(file, claims(certificate, asking).payload)
  const recipient = await generateSealingKeyPair(researcher.randomness)
  const seed = researcher.randomness(SEED_BYTES)
  const now = researcher.clock.now()
  const signed = await sign<typeof query.schema, QueryId>(researcher.key, query, {
    protocol: PROTOCOL,
    charter: charter.id,
    certificate: asking,
    question: file.question,
    need: file.need,
    closesAfter: file.closesAfter,
    recipient: Buffer.from(recipient.publicKey).toString('base64url'),
    draw: drawOf(seed),
    nonce: Buffer.from(researcher.randomness(16)).toString('base64url'),
    askedAt: isoTime(now),
    expires: isoTime(now + EXPIRY_MS),
  })
  researcher.db
    .insert(schema.queries)
    .values({
      id: signed.id,
      compact: signed.compact,
      purpose: file.question.purpose,
      askedAt: now,
      privateKey: Buffer.from(recipient.privateKey),
      seed: Buffer.from(seed),
    })
    .run()
  return signed.id
}

async function send(researcher: Researcher, id: QueryId, signal: AbortSignal | undefined): Promise<void> {
  const stored = storedQuery(researcher, id)
  if (stored.sentAt !== null) return
  try {
    await researcher.connection.post('/queries', { query: stored.compact }, queryReceipt, signal)
  } catch (error) {
    if (isRefusedForGood(error)) end(researcher, id, (error as InbondError).message)
    throw error
  }
  researcher.db.update(schema.queries).set({ sentAt: researcher.clock.now() }).where(eq(schema.queries.id, id)).run()
}

/** The same bytes will never be taken: there is no use in following the query. */
function isRefusedForGood(error: unknown): boolean {
  const codes = [
    'bad-query',
    'unknown-dataset',
    'too-many-slots',
    'query-expired',
    'charter-superseded',
    'bad-certificate',
    'researcher-revoked',
    'wrong-federation',
    'upgrade-needed',
  ]
  return error instanceof InbondError && codes.includes(error.code)
}

/** Writes down why a query has no answer, and throws its key away. */
function end(researcher: Researcher, id: QueryId, voidReason: string): void {
  researcher.db
    .update(schema.queries)
    .set({ voidReason, privateKey: null, seed: null })
    .where(eq(schema.queries.id, id))
    .run()
  forgetForGood(researcher.db)
}

/**
 * Waits until a query is answered.
 * @param since the version of the status that is known already
 * @throws InbondError `round-void` with the reason
 */
async function follow(
  researcher: Researcher,
  id: QueryId,
  progress: Progress,
  since: string | undefined,
  signal: AbortSignal | undefined,
): Promise<QueryStatus> {
  for (let known = since; ; ) {
    const path = known === undefined ? `/queries/${id}` : `/queries/${id}?since=${known}`
    const status = await patiently(researcher, signal, () => researcher.connection.get(path, queryStatus, signal))
    if (status.version === known) continue
    known = status.version
    progress(status)
    if (status.state === 'opened') return status
    if (status.state === 'void') {
      const voidReason = describeEnd(status)
      end(researcher, id, voidReason)
      throw fault('round-void', `the query ended without an answer: ${voidReason}`)
    }
  }
}

/** Withdraws a query that is not opened yet. @throws InbondError `too-late`, `not-found` */
export async function cancel(researcher: Researcher, id: QueryId): Promise<void> {
  const stored = storedQuery(researcher, id)
  const signed = await sign(researcher.key, cancellation, { protocol: PROTOCOL, query: id })
  const body = { cancellation: signed.compact }
  await researcher.connection.post(`/queries/${id}/cancellation`, body, done).catch(error => {
    // A query without a receipt may have arrived all the same, so it is worth asking; if nobody answers, it need not wait.
    const neverArrived = stored.sentAt === null && error.code === 'coordinator-unreachable'
    // Nor does the coordinator know one that it lost.
    if (!neverArrived && error.code !== 'not-found') throw error
  })
  end(researcher, id, 'the researcher withdrew the query')
}

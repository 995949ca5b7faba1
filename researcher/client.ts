import { eq, max } from 'drizzle-orm'
import { InbondError } from '#crypto/error.ts'
import { read as decrypt } from '#crypto/one-shot.ts'
import type { Randomness } from '#crypto/sampling.ts'
import { loadSeal } from '#crypto/seal.ts'
import { generateSealingKeyPair } from '#crypto/sealing.ts'
import type { IdentityKey } from '#crypto/signature.ts'
import { type Clock, isoTime } from '#party/clock.ts'
import { type Connection, type Coordinates, type Fetch, mayPass } from '#party/connection.ts'
import { forgetForGood, type PartyDatabase } from '#party/database.ts'
import { meetCoordinator } from '#party/invitation.ts'
import { answerEvidence, done, type QueryStatus, queryReceipt, queryStatus } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { cancellation, PROTOCOL, type QueryId, query, type RoundId, sign } from '#specs/messages.ts'
import type { QueryFile } from '#specs/query.ts'
import { type SignedCharter, verifyCharter } from '#specs/rules/charter.ts'
import { type Answer, coverageRanges, rowsOf, unitsOf } from './answer.ts'
import {
  ADD_UP_AGAIN_BELOW,
  addUpAgain,
  type CheckedEvidence,
  checkEvidence,
  ciphertextBytes,
  sha256,
  unsealOpenings,
} from './evidence.ts'
import * as schema from './schema.ts'

/** A researcher: its identity, its memory, and its way to the coordinator. */
export interface Researcher {
  readonly key: IdentityKey
  readonly certificate: string
  readonly db: PartyDatabase<typeof schema>
  readonly to: Coordinates
  readonly connection: Connection
  readonly fetch: Fetch
  readonly clock: Clock
  readonly randomness: Randomness
}

/** A signed query that has no round after this long is over. */
const EXPIRY_MS = 7 * 86_400_000
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000

/**
 * Asks a question, follows it, reads and checks the answer: the whole of a researcher's work.
 * @throws InbondError `round-void` with the reason, `bad-evidence`, …; nothing is lost, `resume` goes on with the same query
 */
export async function run(
  researcher: Researcher,
  file: QueryFile,
  progress: (status: QueryStatus) => void,
  signal?: AbortSignal,
): Promise<Answer> {
  const id = await prepare(researcher, file)
  return resume(researcher, id, progress, signal)
}

/** Sends a prepared query if it was not, waits until it is answered, and reads it; an answer that was read before is returned. */
export async function resume(
  researcher: Researcher,
  id: QueryId,
  progress: (status: QueryStatus) => void,
  signal?: AbortSignal,
): Promise<Answer> {
  const stored = storedQuery(researcher, id)
  if (stored.answer !== null) return JSON.parse(stored.answer) as Answer
  if (stored.voidReason !== null) throw fault('round-void', `the query ended without an answer: ${stored.voidReason}`)
  await patiently(researcher, signal, () => send(researcher, id, signal))
  for (let status: QueryStatus | undefined; ; ) {
    status = await follow(researcher, id, progress, status?.version, signal)
    try {
      const round = status.round as RoundId
      return await patiently(researcher, signal, () => read(researcher, id, round, signal))
    } catch (error) {
      if (!isUnfinished(error, status)) throw error
    }
  }
}

/** A key that is not accepted yet may be with one more opening. */
function isUnfinished(error: unknown, status: QueryStatus): boolean {
  const outstanding = status.custodians.some(one => one.state === 'agreed' || one.state === 'waiting')
  return error instanceof InbondError && error.code === 'sum-not-accepted' && outstanding
}

/** Signs a query with a fresh key for its answer and remembers both; nothing leaves yet. */
export async function prepare(researcher: Researcher, file: QueryFile): Promise<QueryId> {
  const charter = await fetchCharter(researcher)
  const roster = charter.payload.members.length
  if (file.need !== 'all' && file.need.atLeast > roster) {
    throw fault('bad-query', `need: at least ${file.need.atLeast} members, but the federation has ${roster}`)
  }
  const recipient = await generateSealingKeyPair(researcher.randomness)
  const now = researcher.clock.now()
  const signed = await sign<typeof query.schema, QueryId>(researcher.key, query, {
    protocol: PROTOCOL,
    charter: charter.id,
    certificate: researcher.certificate,
    question: file.question,
    need: file.need,
    closesAfter: file.closesAfter,
    recipient: Buffer.from(recipient.publicKey).toString('base64url'),
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
    })
    .run()
  return signed.id
}

/** The charter in force, with every signature under it verified; never one older than a researcher has seen. */
export async function fetchCharter(researcher: Researcher): Promise<SignedCharter> {
  const federation = await meetCoordinator(researcher.to, researcher.fetch)
  if (federation.inForce === null) throw fault('charter-pending', 'the federation has no charter in force yet')
  const charter = await verifyCharter(federation.inForce, federation.publicKey)
  const newest =
    researcher.db
      .select({ epoch: max(schema.charters.epoch) })
      .from(schema.charters)
      .get()?.epoch ?? 0
  const { epoch } = charter.payload
  if (epoch < newest)
    throw fault('bad-charter', `the coordinator shows charter ${epoch}; charter ${newest} was in force before`)
  researcher.db.insert(schema.charters).values({ epoch, id: charter.id }).onConflictDoNothing().run()
  return charter
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
    'wrong-federation',
    'upgrade-needed',
  ]
  return error instanceof InbondError && codes.includes(error.code)
}

/** Writes down why a query has no answer, and throws its key away. */
function end(researcher: Researcher, id: QueryId, voidReason: string): void {
  researcher.db.update(schema.queries).set({ voidReason, privateKey: null }).where(eq(schema.queries.id, id)).run()
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
  progress: (status: QueryStatus) => void,
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
      const voidReason = status.reason ?? 'no reason was given'
      end(researcher, id, voidReason)
      throw fault('round-void', `the query ended without an answer: ${voidReason}`)
    }
  }
}

/** Tries again what may pass by itself, for as long as it takes. */
async function patiently<T>(
  researcher: Researcher,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      return await attempt()
    } catch (error) {
      if (!mayPass(error)) throw error
      await researcher.clock.wait(pause, signal)
      signal?.throwIfAborted()
    }
  }
}

/**
 * Fetches an opened round, checks every signature, adds the contributions up again where they are small, rebuilds the key,
 * decrypts, and throws the key away.
 * @throws InbondError `sum-not-accepted`, `bad-evidence`, and the codes of the rules in specs/rules
 */
async function read(researcher: Researcher, id: QueryId, round: RoundId, signal?: AbortSignal): Promise<Answer> {
  const { compact, privateKey, answer: readBefore } = storedQuery(researcher, id)
  // Two processes may follow the same query: the key went with the first answer.
  if (readBefore !== null) return JSON.parse(readBefore) as Answer
  if (privateKey === null) throw fault('bad-evidence', 'the key of this query is gone')
  const evidence = await researcher.connection.get(`/rounds/${round}/answer`, answerEvidence, signal)
  const federation = await meetCoordinator(researcher.to, researcher.fetch)
  const charter = await verifyCharter(evidence.charter, federation.publicKey)
  const checked = await checkEvidence(evidence, compact, charter)
  const seal = await loadSeal()
  const total = await download(researcher, `/rounds/${round}/sum`, ciphertextBytes(checked), signal)
  if (sha256(total) !== checked.ciphertext)
    throw fault('bad-evidence', 'the sum is not the one that the coordinator signed')
  const small = ciphertextBytes(checked) * checked.manifests.length < ADD_UP_AGAIN_BELOW
  if (small) {
    await addUpAgain(seal, checked, total, member =>
      download(researcher, `/rounds/${round}/contributions/${member}`, ciphertextBytes(checked), signal),
    )
  }
  const openings = await unsealOpenings(checked, privateKey)
  const { cells, disagreeing } = decrypt(seal, {
    roundId: Buffer.from(checked.round.id, 'hex'),
    sum: total,
    openings,
    threshold: charter.payload.threshold,
    contributors: checked.manifests.length,
  })
  const fitting = openings.map(one => one.index).filter(index => !disagreeing.includes(index))
  const answer = describe(checked, cells, fitting, small)
  researcher.db
    .update(schema.queries)
    .set({ answer: JSON.stringify(answer), privateKey: null })
    .where(eq(schema.queries.id, id))
    .run()
  forgetForGood(researcher.db)
  return answer
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

function describe(
  checked: CheckedEvidence,
  cells: BigInt64Array,
  fitting: readonly number[],
  addedUpAgain: boolean,
): Answer {
  const { round, cohort, manifests, openings } = checked
  const { question } = round.query.payload
  const terms = round.charter.payload
  const members = cohort.payload.manifests.map(one => one.member)
  const coverageOf = (id: string) => manifests.find(one => one.payload.member === id)?.payload.coverage ?? []
  const indexOf = (id: string) => round.custodians.find(one => one.id === id)?.index ?? 0
  const custodians = openings.map(one => one.custodian)
  return {
    query: round.query.id,
    round: round.id,
    purpose: question.purpose,
    cohort: members,
    missing: round.round.eligible
      .filter(id => !members.includes(id))
      .map(member => ({ member, reason: checked.refusals.get(member) ?? 'did not contribute in time' })),
    coverage: Object.fromEntries(members.map(id => [id, coverageRanges(coverageOf(id))])),
    units: unitsOf(round.plan, question, terms.currency),
    rows: rowsOf(round.plan, question, cells),
    notes: terms.members.filter(one => members.includes(one.id)).flatMap(one => deviations(one.id, one.conventions)),
    evidence: {
      charter: round.charter.id,
      cohort: cohort.id,
      openedBy: custodians.filter(id => fitting.includes(indexOf(id))),
      disagreeing: custodians.filter(id => !fitting.includes(indexOf(id))),
      addedUpAgain,
    },
  }
}

/** Where a member's figures are made otherwise than international merchandise trade statistics recommend. */
function deviations(member: string, made: SignedCharter['payload']['members'][number]['conventions']): string[] {
  return [
    made.importValuation === 'CIF' ? [] : [`${member} values imports ${made.importValuation}`],
    made.exportValuation === 'FOB' ? [] : [`${member} values exports ${made.exportValuation}`],
    made.tradeSystem === 'general' ? [] : [`${member} counts by the ${made.tradeSystem} trade system`],
  ].flat()
}

/** Withdraws a query that is not opened yet. @throws InbondError `too-late`, `not-found` */
export async function cancel(researcher: Researcher, id: QueryId): Promise<void> {
  const stored = storedQuery(researcher, id)
  const signed = await sign(researcher.key, cancellation, { protocol: PROTOCOL, query: id })
  const body = { cancellation: signed.compact }
  await researcher.connection.post(`/queries/${id}/cancellation`, body, done).catch(error => {
    // A query without a receipt may have arrived all the same, so it is worth asking; if nobody answers, it need not wait.
    const neverArrived = ['not-found', 'coordinator-unreachable'].includes(error.code)
    if (stored.sentAt !== null || !neverArrived) throw error
  })
  end(researcher, id, 'the researcher withdrew the query')
}

/** A query by its id, or by the first digits of it. @throws InbondError `not-found` */
export function storedQuery(researcher: Pick<Researcher, 'db'>, id: string) {
  if (!/^[0-9a-f]{4,64}$/.test(id)) {
    throw fault('not-found', `"${id}" is not the id of a query; its first four digits or more will do`)
  }
  const all = researcher.db.select().from(schema.queries).all()
  const found = all.filter(one => one.id.startsWith(id))
  if (found.length === 1) return found[0] as (typeof found)[number]
  throw fault(
    'not-found',
    found.length === 0 ? `there is no query ${id} here` : `${id} is the beginning of several queries`,
  )
}

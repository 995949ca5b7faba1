import { createHash } from 'node:crypto'
import { eq } from 'drizzle-orm'
import { InbondError } from '#crypto/error.ts'
import { CHUNK_BYTES, chunksFor } from '#crypto/parameters.ts'
import { cohortBundle, done, type WorkItem } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { type RoundId, recount, round as roundKind } from '#specs/messages.ts'
import { type SignedCohort, type SignedManifest, verifyCohort, verifyManifest } from '#specs/rules/cohort.ts'
import { type SignedSum, verifyDraw, verifySum } from '#specs/rules/recount.ts'
import { type VerifiedRound, verifyRound } from '#specs/rules/round.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { charterOf } from './charters.ts'
import { keyIn } from './keyring.ts'
import type { Node } from './node.ts'
import { requireMemoryOf } from './restored.ts'
import { agreements, recounts } from './schema.ts'

/**
 * The drawn custodian's part: fetch what the members of a cohort contributed, add it up, and sign the hash of that, whatever the
 * coordinator signed. Stored before it is sent, at most once a round, and the same again if asked again.
 */

/** Before what was too much at once is asked for again. */
const PAUSE_MS = 10_000

export type Recounting = Extract<WorkItem, { kind: 'recount' }>

/**
 * Adds up a round again, having verified everything that says which one and that this custodian was drawn.
 * @throws InbondError `bad-evidence`, `bad-cohort`, `bad-round`, `no-charter`, `restored-since`; the caller turns these into a refusal
 */
export async function addUpAgain(node: Node, asked: Recounting, signal?: AbortSignal): Promise<void> {
  const round = await verifyRound(asked, charterOf(node, claims(roundKind, asked.round).payload.charter), undefined)
  const stored = node.db.select().from(recounts).where(eq(recounts.round, round.id)).get()
  const compact = stored?.compact ?? (await makeRecount(node, round, asked, signal))
  await node.connection.post(`/rounds/${round.id}/recounts`, { recount: compact }, done, signal)
}

async function makeRecount(
  node: Node,
  round: VerifiedRound,
  asked: Recounting,
  signal: AbortSignal | undefined,
): Promise<string> {
  const opens = Date.parse(round.round.opens)
  requireMemoryOf(node, round.id, opens)
  const cohort = await verifyCohort(asked.cohort, round)
  checkAgreed(node, round.id, cohort)
  const sum = await verifySum(asked.sum, round, cohort)
  checkDrawn(node, round, sum, asked.seed)
  const manifests = await fetchManifests(node, round, cohort, signal)
  const ciphertext = await hashOfSum(node, round, manifests, signal)
  const payload = { protocol: PROTOCOL, round: round.id, sum: sum.id, custodian: node.id, ciphertext } as const
  const { compact } = await sign(keyIn(node, round), recount, payload)
  node.db.insert(recounts).values({ round: round.id, compact, opens, createdAt: node.clock.now() }).run()
  return compact
}

/** One that was absent then knows of none. */
function checkAgreed(node: Node, id: RoundId, cohort: SignedCohort): void {
  const agreed = node.db.select().from(agreements).where(eq(agreements.round, id)).get()
  if (agreed && agreed.cohort !== cohort.id) {
    throw fault('bad-cohort', 'this custodian agreed to another cohort of the round')
  }
}

/** Whoever could have any custodian add up again would choose the one that it has an understanding with. */
function checkDrawn(node: Node, round: VerifiedRound, sum: SignedSum, seed: string): void {
  const drawn = verifyDraw(Buffer.from(seed, 'base64url'), round, sum.id)
  if (drawn !== node.id) throw fault('bad-evidence', `${drawn} was drawn to add up the round again, not ${node.id}`)
}

async function fetchManifests(
  node: Node,
  round: VerifiedRound,
  cohort: SignedCohort,
  signal: AbortSignal | undefined,
): Promise<SignedManifest[]> {
  const sent = await node.connection.get(`/cohorts/${cohort.id}`, cohortBundle, signal)
  const manifests = await Promise.all(sent.manifests.map(compact => verifyManifest(compact, round, cohort)))
  const members = new Set(manifests.map(one => one.payload.member))
  const expected = cohort.payload.manifests.length
  if (members.size === expected && manifests.length === expected) return manifests
  throw fault('bad-cohort', 'there is not one manifest of every member of the cohort')
}

/** SHA-256, in hex. Two ciphertexts are in memory, however many members there are. */
async function hashOfSum(
  node: Node,
  round: VerifiedRound,
  manifests: readonly SignedManifest[],
  signal: AbortSignal | undefined,
): Promise<string> {
  const bytes = chunksFor(round.plan.slots) * CHUNK_BYTES
  const [sum, contribution] = [shared(bytes), shared(bytes)]
  for (const [i, manifest] of manifests.entries()) {
    const into = i === 0 ? sum : contribution
    await unhurried(node, signal, () => fetchCiphertext(node, round.id, manifest, into, signal))
    if (i > 0) await node.addUp({ sum, contribution })
  }
  return createHash('sha256').update(sum).digest('hex')
}

/** Memory that the adding thread has too, so that nothing is copied on the way. */
function shared(bytes: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(bytes))
}

/** Of thousands of members more ciphertexts come than there are requests in a minute; what was added up must not be lost by it. */
async function unhurried(node: Node, signal: AbortSignal | undefined, attempt: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof InbondError) || error.code !== 'too-many-requests') throw error
      await node.clock.wait(PAUSE_MS, signal)
      signal?.throwIfAborted()
    }
  }
}

async function fetchCiphertext(
  node: Node,
  id: RoundId,
  { payload: { member, ciphertext } }: SignedManifest,
  into: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const path = `/rounds/${id}/contributions/${member}`
  const hash = createHash('sha256')
  let at = 0
  for await (const part of await node.connection.stream(path, signal)) {
    if (at + part.length > into.length) throw fault('bad-evidence', `${path} is longer than the question allows`)
    into.set(part, at)
    hash.update(part)
    at += part.length
  }
  if (at !== into.length) throw fault('coordinator-unreachable', `${path} ended after ${at} of ${into.length} bytes`)
  if (hash.digest('hex') !== ciphertext) {
    throw fault('bad-evidence', `the coordinator sent another contribution of ${member} than the one that it signed`)
  }
}

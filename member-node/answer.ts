import { createHash } from 'node:crypto'
import { existsSync, openAsBlob } from 'node:fs'
import { rm } from 'node:fs/promises'
import { count, eq, gt } from 'drizzle-orm'
import { CHUNK_BYTES, chunksFor } from '#crypto/parameters.ts'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import { contributionHead } from '#specs/bodies.ts'
import { fault } from '#specs/errors.ts'
import { type ManifestId, manifest, type RoundId } from '#specs/messages.ts'
import type { VerifiedRound } from '#specs/rules/round.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { type Announcement, isCleared, verifyAnnouncement } from './announcements.ts'
import type { ComputationResult } from './computation.ts'
import { ciphertextFile, type Node } from './node.ts'
import { objection } from './policy.ts'
import { contributions } from './schema.ts'

const DAY_MS = 86_400_000

type StoredContribution = Pick<typeof contributions.$inferSelect, 'manifest' | 'sealedShares'>

/**
 * The path from a question to one contribution: verified, allowed, computed, encrypted, stored, and only then sent. Asked
 * again, the node sends what it stored.
 * @throws InbondError `policy-refused`, `cell-too-large`, and whatever makes the announcement unacceptable; the caller turns
 * these into a refusal that says so
 */
export async function answer(node: Node, announced: Announcement, signal?: AbortSignal): Promise<void> {
  const round = await verifyAnnouncement(node, announced, signal)
  const contribution = storedContribution(node, round.id) ?? (await contribute(node, round))
  await send(node, round.id, contribution, signal)
}

async function contribute(node: Node, round: VerifiedRound): Promise<StoredContribution> {
  if (!round.round.eligible.includes(node.id)) throw fault('bad-round', `${node.id} is not eligible in this round`)
  await checkPolicy(node, round)
  const result = await encryptedCells(node, round)
  await checkNotOver(node, round.id)
  return store(node, round, result)
}

/** What was encrypted for a round that became void in the meantime would stay for ever. */
async function checkNotOver(node: Node, id: RoundId): Promise<void> {
  if (!isCleared(node, id)) return
  await rm(ciphertextFile(node, id), { force: true })
  throw fault('too-late', 'the round ended while this node encrypted its cells')
}

async function checkPolicy(node: Node, round: VerifiedRound): Promise<void> {
  const since = gt(contributions.createdAt, node.clock.now() - DAY_MS)
  const answered = node.db.select({ rounds: count() }).from(contributions).where(since).get()?.rounds ?? 0
  const reason = objection(await node.policy(), round, answered)
  if (reason !== undefined) throw fault('policy-refused', reason)
}

/** The one place where the administration's data is read: see computation.ts, which runs in a thread of its own. */
function encryptedCells(node: Node, round: VerifiedRound): Promise<ComputationResult> {
  return node.compute({
    question: round.query.payload.question,
    asOf: Date.parse(round.round.asOf),
    round: round.id,
    dealer: node.id,
    custodians: round.custodians,
    threshold: round.charter.payload.threshold,
    bound: round.bound,
    output: ciphertextFile(node, round.id),
  })
}

async function store(node: Node, round: VerifiedRound, result: ComputationResult): Promise<StoredContribution> {
  const sealedShares = Buffer.from(result.sealedShares)
  const signed = await sign<typeof manifest.schema, ManifestId>(node.key, manifest, {
    protocol: PROTOCOL,
    round: round.id,
    member: node.id,
    slots: result.slots,
    ciphertext: result.ciphertext,
    shares: round.custodians.map(({ id, prekey }, i) => ({
      custodian: id,
      prekey,
      sealed: createHash('sha256').update(sealedShare(sealedShares, i)).digest('hex'),
    })),
    coverage: [...result.coverage],
    alone: (await node.policy()).alone,
  })
  const row = { manifest: signed.compact, sealedShares }
  node.db
    .insert(contributions)
    .values({ round: round.id, manifestId: signed.id, ...row, createdAt: node.clock.now() })
    .run()
  return row
}

function sealedShare(all: Buffer, position: number): Buffer {
  return all.subarray(position * SEALED_BYTES, (position + 1) * SEALED_BYTES)
}

function storedContribution(node: Node, id: RoundId): StoredContribution | undefined {
  return node.db.select().from(contributions).where(eq(contributions.round, id)).get()
}

async function send(node: Node, id: RoundId, contribution: StoredContribution, signal?: AbortSignal): Promise<void> {
  const head = contributionHead(contribution.manifest, [contribution.sealedShares])
  const body = new Blob([Buffer.from(head), await storedCiphertext(node, id, contribution)])
  await node.connection.put(`/rounds/${id}/contribution`, body, signal)
}

/** @throws InbondError `file-not-readable`: an upload that ends early is then the connection's doing, and is made again */
async function storedCiphertext(node: Node, id: RoundId, contribution: StoredContribution): Promise<Blob> {
  const { slots } = claims(manifest, contribution.manifest).payload
  const path = ciphertextFile(node, id)
  if (existsSync(path)) {
    const file = await openAsBlob(path)
    if (file.size === chunksFor(slots) * CHUNK_BYTES) return file
  }
  throw fault('file-not-readable', 'this node made its contribution before, and has lost the ciphertext')
}

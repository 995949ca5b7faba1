import { createHash } from 'node:crypto'
import { existsSync, openAsBlob } from 'node:fs'
import { rm } from 'node:fs/promises'
import { eq } from 'drizzle-orm'
import { CHUNK_BYTES, chunksFor } from '#crypto/parameters.ts'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import { contributionHead } from '#specs/bodies.ts'
import { fault } from '#specs/errors.ts'
import { type ManifestId, manifest, type RoundId } from '#specs/messages.ts'
import type { VerifiedRound } from '#specs/rules/round.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { type Announcement, isCleared, verifyAnnouncement } from './announcements.ts'
import type { ComputationResult } from './computation.ts'
import { type Consent, consentTo, stillHolds } from './consent.ts'
import { keyIn } from './keyring.ts'
import { ciphertextFile, type Node } from './node.ts'
import { requireMemoryOf } from './restored.ts'
import { contributions } from './schema.ts'

type StoredContribution = Pick<typeof contributions.$inferSelect, 'manifest' | 'sealedShares'>

/**
 * The path from a question to one contribution: verified, allowed, computed, encrypted, stored, and only then sent. Asked
 * again, the node sends what it stored.
 * @returns `waits` if a person has to allow it first: then nothing was computed or sent
 * @throws InbondError `policy-refused`, `cell-too-large`, `restored-since`, and whatever makes the announcement unacceptable; the caller turns
 * these into a refusal that says so
 */
export async function answer(node: Node, announced: Announcement, signal?: AbortSignal): Promise<'sent' | 'waits'> {
  const round = await verifyAnnouncement(node, announced, signal)
  const contribution = storedContribution(node, round.id) ?? (await contribute(node, round))
  if (contribution === 'waits') return contribution
  await send(node, round.id, contribution, signal)
  return 'sent'
}

async function contribute(node: Node, round: VerifiedRound): Promise<StoredContribution | 'waits'> {
  requireMemoryOf(node, round.id)
  if (!round.round.eligible.includes(node.id)) throw fault('bad-round', `${node.id} is not eligible in this round`)
  for (;;) {
    const consent = await consentTo(node, round)
    if (consent === 'waits') return consent
    const result = await encryptedCells(node, round, consent)
    await checkNotOver(node, round.id)
    const stored = result && (await store(node, round, consent, result))
    if (stored) return stored
  }
}

/** What was encrypted for a round that became void in the meantime would stay for ever. */
async function checkNotOver(node: Node, id: RoundId): Promise<void> {
  if (!isCleared(node, id)) return
  await rm(ciphertextFile(node, id), { force: true })
  throw fault('too-late', 'the round ended while this node encrypted its cells')
}

/**
 * The one place where the administration's data is read: see computation.ts, which runs in a thread of its own.
 * @returns undefined if the records are other ones than the consent was for
 */
function encryptedCells(
  node: Node,
  round: VerifiedRound,
  { examined }: Consent,
): Promise<ComputationResult | undefined> {
  const task = {
    question: round.query.payload.question,
    asOf: Date.parse(round.round.asOf),
    round: round.id,
    dealer: node.id,
    custodians: round.custodians,
    threshold: round.charter.payload.threshold,
    bound: round.bound,
    ...(examined === undefined ? {} : { examined }),
    output: ciphertextFile(node, round.id),
  }
  return node.compute(task).catch(error => {
    if (error.code !== 'records-changed') throw error
    return undefined
  })
}

/** @returns undefined if another answer was stored meanwhile, beside which the consent is to be given anew */
async function store(
  node: Node,
  round: VerifiedRound,
  consent: Consent,
  result: ComputationResult,
): Promise<StoredContribution | undefined> {
  const sealedShares = Buffer.from(result.sealedShares)
  const signed = await sign<typeof manifest.schema, ManifestId>(keyIn(node, round), manifest, {
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
    alone: consent.policy.rules.alone,
    policy: consent.policy.hash,
  })
  const row = { manifest: signed.compact, sealedShares }
  return node.db.transaction(tx => {
    if (!stillHolds(node, round.id, consent)) return undefined
    tx.insert(contributions)
      .values({ round: round.id, manifestId: signed.id, ...row, createdAt: node.clock.now() })
      .run()
    return row
  })
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

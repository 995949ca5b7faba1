import { createHash, randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { and, eq } from 'drizzle-orm'
import { checkChunk } from '#crypto/packing.ts'
import { CHUNK_BYTES, chunksFor } from '#crypto/parameters.ts'
import type { Clock } from '#party/clock.ts'
import { keepFile } from '#party/keep-file.ts'
import { BodyReader, contributionHead } from '#specs/bodies.ts'
import { fault } from '#specs/errors.ts'
import { type Manifest, type ManifestId, type MemberId, manifest, type RoundId } from '#specs/messages.ts'
import { coversEveryMonth } from '#specs/rules/cohort.ts'
import type { Signed } from '#specs/signed.ts'
import type { Context, Member } from './context.ts'
import { contributions, rounds } from './schema.ts'
import { type RoundTerms, termsOf, verifyIn } from './terms.ts'

/** A member whose upload stands still for this long has left; what it sent is thrown away, and it may begin again. */
const IDLE_MS = 30_000

export function roundFolder(context: Context, id: RoundId): string {
  return join(context.uploads, id)
}

/** Named by its manifest, so that another contribution of the same member never takes its place. */
export function contributionFile(context: Context, id: RoundId, manifest: ManifestId): string {
  return join(roundFolder(context, id), `${manifest}.contribution`)
}

export function sumFile(context: Context, id: RoundId): string {
  return join(roundFolder(context, id), 'sum')
}

/**
 * Takes a contribution straight to disk, chunk by chunk, and counts it once it is whole, intact and durable. The same
 * contribution may be sent again.
 * @throws InbondError `not-found`, `not-on-roster`, `too-late`, `differs-from-stored`, and whatever is wrong with the body
 */
export async function takeContribution(
  context: Context,
  member: Member,
  id: RoundId,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const terms = termsOfRound(context, id)
  if (!terms.eligible.includes(member.id)) throw fault('not-on-roster', `${member.id} is not eligible in this round`)
  using _ = begin(context, `${id} ${member.id}`)
  const reader = new BodyReader(unlessIdle(body, context.clock))
  await reader.takeMagic()
  const sent = await reader.takeManifest()
  const signed: Signed<Manifest, ManifestId> = await verifyIn(context.db, id, member.id, manifest, sent)
  if (isStored(context, id, member.id, signed)) return
  requireOpen(context, id)
  checkManifest(signed.payload, member.id, id, terms)
  await mkdir(roundFolder(context, id), { recursive: true })
  const part = join(roundFolder(context, id), `${randomUUID()}.part`)
  try {
    await writeContribution(part, reader, signed, terms.slots)
    keep(context, id, member.id, signed, part)
  } finally {
    await rm(part, { force: true })
  }
}

/** Of one member to one round at once: the first may be one whose end nobody has noticed yet. */
const MOST_AT_ONCE = 3
const underWay = new WeakMap<Context, Map<string, number>>()

/** Counts an upload until it is disposed of. @throws InbondError `too-many-requests` */
function begin(context: Context, upload: string): Disposable {
  const counts = underWay.get(context) ?? new Map<string, number>()
  underWay.set(context, counts)
  const count = counts.get(upload) ?? 0
  if (count >= MOST_AT_ONCE)
    throw fault('too-many-requests', `${MOST_AT_ONCE} uploads of this contribution are under way`)
  counts.set(upload, count + 1)
  return {
    [Symbol.dispose]: () => {
      const left = (counts.get(upload) ?? 1) - 1
      if (left > 0) counts.set(upload, left)
      else counts.delete(upload)
    },
  }
}

function termsOfRound(context: Context, id: RoundId): RoundTerms {
  const row = context.db.select().from(rounds).where(eq(rounds.id, id)).get()
  if (!row) throw fault('not-found', `there is no round ${id}`)
  return termsOf(context.db, row)
}

function requireOpen(context: Context, id: RoundId): void {
  const run = context.db.select().from(rounds).where(eq(rounds.id, id)).get()
  if (run?.state === 'open' && context.clock.now() < run.closes) return
  const state = run?.state === 'open' ? 'its time is over' : run?.state
  throw fault('too-late', `the round does not take contributions any more (${state})`)
}

function isStored(context: Context, id: RoundId, member: MemberId, signed: Signed<Manifest, ManifestId>): boolean {
  const stored = context.db
    .select()
    .from(contributions)
    .where(and(eq(contributions.round, id), eq(contributions.member, member)))
    .get()
  if (stored && stored.manifestId !== signed.id) {
    throw fault('differs-from-stored', `${member} contributed something else to this round before`)
  }
  return stored !== undefined
}

function checkManifest(sent: Manifest, member: MemberId, id: RoundId, terms: RoundTerms): void {
  if (sent.round !== id || sent.member !== member) throw fault('bad-body', 'the manifest is of another round or member')
  if (sent.slots !== terms.slots) {
    throw fault('bad-body', `the question has ${terms.slots} slots, the manifest ${sent.slots}`)
  }
  const expected = terms.custodians.map(one => `${one.id} ${one.prekey}`)
  const actual = sent.shares.map(share => `${share.custodian} ${share.prekey}`)
  if (expected.join() !== actual.join()) {
    throw fault('bad-body', 'the sealed shares are not for the custodians and prekeys of this round')
  }
  if (!coversEveryMonth(sent.coverage, terms.months)) {
    throw fault('bad-body', 'the manifest does not say once of every month what its data cover')
  }
}

async function writeContribution(
  path: string,
  reader: BodyReader,
  { compact, payload }: Signed<Manifest, ManifestId>,
  slots: number,
): Promise<void> {
  await using file = await open(path, 'w')
  const shares: Uint8Array[] = []
  for (const { custodian, sealed } of payload.shares) {
    const share = await reader.takeSealedShare()
    if (createHash('sha256').update(share).digest('hex') !== sealed) {
      throw fault('bad-body', `the sealed share for ${custodian} is not the one that the manifest names`)
    }
    shares.push(share)
  }
  // Unlike write, writeFile does not leave off where the disk is full; it goes on behind what was written before.
  await file.writeFile(contributionHead(compact, shares))
  const hash = createHash('sha256')
  for (let chunk = 0; chunk < chunksFor(slots); chunk++) {
    const bytes = await reader.take(CHUNK_BYTES)
    checkChunk(bytes)
    hash.update(bytes)
    await file.writeFile(bytes)
  }
  if (!(await reader.atEnd())) throw fault('bad-body', 'the body is longer than the contribution')
  if (hash.digest('hex') !== payload.ciphertext)
    throw fault('bad-body', 'the ciphertext is not the one that the manifest names')
  await file.sync()
}

/**
 * Nothing else happens between these steps, so that a contribution that has a row has its file. A file without a row, left by a
 * process that was killed between them, is written again with the same bytes, or goes with the round.
 */
function keep(context: Context, id: RoundId, member: MemberId, signed: Signed<Manifest, ManifestId>, part: string) {
  // The same bytes may have arrived twice at once.
  if (isStored(context, id, member, signed)) return
  requireOpen(context, id)
  const { ciphertext } = signed.payload
  const copy = and(eq(contributions.round, id), eq(contributions.ciphertext, ciphertext))
  if (context.db.select().from(contributions).where(copy).get()) {
    throw fault('differs-from-stored', 'this ciphertext was contributed to this round under another name')
  }
  const whole = contributionFile(context, id, signed.id)
  keepFile(part, whole)
  try {
    store(context, id, member, signed)
  } catch (error) {
    rmSync(whole, { force: true })
    throw error
  }
}

function store(context: Context, id: RoundId, member: MemberId, signed: Signed<Manifest, ManifestId>): void {
  const receivedAt = context.clock.now()
  const { ciphertext, slots } = signed.payload
  const bytes = chunksFor(slots) * CHUNK_BYTES
  context.db.transaction(tx => {
    tx.insert(contributions)
      .values({ round: id, member, manifestId: signed.id, manifest: signed.compact, ciphertext, bytes, receivedAt })
      .run()
    context.log.append(tx, manifest.typ, signed.id, receivedAt)
  })
  context.tell({ msg: 'contribution counted', round: id, party: member, bytes })
}

/** @throws InbondError `truncated-body` for a body that stands still */
export async function* unlessIdle(body: AsyncIterable<Uint8Array>, clock: Clock): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]()
  for (;;) {
    const moved = new AbortController()
    const idle = clock.wait(IDLE_MS, moved.signal).then(() => 'idle' as const)
    const next = await Promise.race([chunks.next(), idle]).finally(() => moved.abort())
    if (next === 'idle') throw fault('truncated-body', `the upload stood still for ${IDLE_MS / 1000} seconds`)
    if (next.done) return
    yield next.value
  }
}

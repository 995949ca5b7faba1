import { createHash } from 'node:crypto'
import { and, eq, inArray, isNotNull, isNull, lt, lte, or } from 'drizzle-orm'
import { open as sumShares } from '#crypto/one-shot.ts'
import { packShare, unpackShare } from '#crypto/packing.ts'
import { generateSealingKeyPair, seal, unseal } from '#crypto/sealing.ts'
import type { Share } from '#crypto/shamir.ts'
import { isoTime } from '#party/clock.ts'
import { forgetForGood } from '#party/database.ts'
import { done, prekeyIds } from '#specs/api.ts'
import { BodyReader } from '#specs/bodies.ts'
import { fault } from '#specs/errors.ts'
import {
  agreement,
  type CharterId,
  LONGEST_PREKEY_MS,
  opening,
  prekey,
  type RoundId,
  voidStatement,
} from '#specs/messages.ts'
import {
  type SignedCohort,
  type SignedManifest,
  verifyAgreements,
  verifyCohort,
  verifyManifest,
} from '#specs/rules/cohort.ts'
import type { RoundCustodian, VerifiedRound } from '#specs/rules/round.ts'
import { openingContext, shareContext } from '#specs/sealed-context.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { type Announcement, recallRound, verifyAnnouncement } from './announcements.ts'
import { requireKeyUnder } from './charters.ts'
import { keyIn, withEitherKey } from './keyring.ts'
import { checkAgainstLedger, noteCohort, requireNamed, requireSharedHistory } from './ledger.ts'
import type { Node } from './node.ts'
import { requireMemoryOf } from './restored.ts'
import {
  agreements,
  contributions,
  endedCustodies,
  openings,
  prekeys,
  seenPrekeys,
  shares,
  voidStatements,
} from './schema.ts'

/**
 * The custodian's side: publish prekeys; receive the shares of a cohort and agree to it; open it. Each at most once a round,
 * each stored before it is sent, and the stored message again if asked again. The tables' constraints hold even if this code
 * were wrong.
 */

/** Makes and publishes single-use keys; their private halves are stored first. */
export async function publishPrekeys(node: Node, wanted: number, signal?: AbortSignal): Promise<void> {
  const made: (typeof prekeys.$inferInsert)[] = []
  for (let stock = unpublished(node).length; stock < wanted; stock++) made.push(await makePrekey(node))
  if (made.length > 0) node.db.insert(prekeys).values(made).run()
  const batch = unpublished(node).slice(0, wanted)
  await node.connection.post('/prekeys', { prekeys: batch.map(one => one.compact) }, done, signal)
  const ids = batch.map(one => one.id)
  node.db.update(prekeys).set({ publishedAt: node.clock.now() }).where(inArray(prekeys.id, ids)).run()
}

/**
 * Withdraws published prekeys whose private halves are not here, as after a restore: a round that named one would miss this
 * custodian. The coordinator then asks for new ones.
 */
export async function withdrawLostPrekeys(node: Node, signal?: AbortSignal): Promise<void> {
  const published = await withEitherKey(node, connection => connection.get('/prekeys', prekeyIds, signal))
  const held = new Set(
    node.db
      .select({ id: prekeys.id })
      .from(prekeys)
      .where(isNotNull(prekeys.privateKey))
      .all()
      .map(one => one.id),
  )
  const lost = published.prekeys.filter(id => !held.has(id))
  if (lost.length === 0) return
  await withEitherKey(node, connection => connection.post('/prekeys/withdrawals', { prekeys: lost }, done, signal))
}

async function makePrekey(node: Node): Promise<typeof prekeys.$inferInsert> {
  const notAfter = node.clock.now() + LONGEST_PREKEY_MS
  const pair = await generateSealingKeyPair(node.randomness)
  const signed = await sign(node.key, prekey, {
    protocol: PROTOCOL,
    federation: node.federation,
    custodian: node.id,
    publicKey: Buffer.from(pair.publicKey).toString('base64url'),
    notAfter: isoTime(notAfter),
  })
  return { id: signed.id, compact: signed.compact, notAfter, privateKey: Buffer.from(pair.privateKey) }
}

/**
 * One made while this machine's clock was ahead lasts too long to be accepted, until that time has come; one that was signed with a key
 * that was replaced since is accepted no more.
 */
function unpublished(node: Node) {
  const acceptable = lte(prekeys.notAfter, node.clock.now() + LONGEST_PREKEY_MS)
  return node.db
    .select()
    .from(prekeys)
    .where(and(isNull(prekeys.publishedAt), isNotNull(prekeys.privateKey), acceptable))
    .all()
    .filter(one => claims(prekey, one.compact).kid === node.key.fingerprint)
}

/**
 * Receives the shares of a cohort and agrees to it, once it is sure that it holds a valid share of every dealer.
 * @throws InbondError `bad-cohort`, `bad-seal`, `bad-share`, `prekey-used`, `restored-since`; the caller turns these into a refusal
 */
export async function agree(
  node: Node,
  announced: Announcement & { readonly cohort: string },
  signal?: AbortSignal,
): Promise<void> {
  const round = await verifyAnnouncement(node, announced, signal)
  const cohort = await verifyCohort(announced.cohort, round)
  const stored = node.db.select().from(agreements).where(eq(agreements.round, round.id)).get()
  if (stored && stored.cohort !== cohort.id)
    throw fault('bad-cohort', 'this custodian agreed to another cohort of the round')
  const compact = stored?.compact ?? (await receiveAndAgree(node, round, cohort, signal))
  await node.connection.post(`/rounds/${round.id}/agreements`, { agreement: compact }, done, signal)
}

async function receiveAndAgree(
  node: Node,
  round: VerifiedRound,
  cohort: SignedCohort,
  signal: AbortSignal | undefined,
): Promise<string> {
  requireMemoryOf(node, round.id)
  checkOwnContribution(node, round, cohort)
  const privateKey = bindPrekey(node, round)
  const { received, manifests } = await receiveShares(node, round, cohort, privateKey, signal)
  await checkAgainstLedger(node, round, cohort, manifests, signal)
  const signed = await sign(keyIn(node, round), agreement, {
    protocol: PROTOCOL,
    round: round.id,
    cohort: cohort.id,
    custodian: node.id,
  })
  node.db.transaction(tx => {
    requireNotGivenUp(tx, round.id)
    requireCustody(tx, round)
    requireSharedHistory(tx, cohort)
    requireNamed(tx, round)
    noteCohort(tx, round, cohort, manifests)
    for (const share of received)
      tx.insert(shares)
        .values({ round: round.id, ...share })
        .run()
    tx.insert(agreements)
      .values({
        round: round.id,
        cohort: cohort.id,
        cohortCompact: cohort.compact,
        compact: signed.compact,
        createdAt: node.clock.now(),
      })
      .run()
  })
  return signed.compact
}

/** The constraint of the table says the same; this gives the reason. @throws InbondError `bad-cohort` */
function requireCustody(tx: Pick<Node['db'], 'select'>, { charter }: VerifiedRound): void {
  const ended = tx.select().from(endedCustodies).where(eq(endedCustodies.charter, charter.id)).get()
  if (ended) throw fault('bad-cohort', 'this custodian signed a charter that changes the custodians')
}

/** A cohort that names this member with something that it never sent would be somebody else's. */
function checkOwnContribution(node: Node, round: VerifiedRound, cohort: SignedCohort): void {
  const named = cohort.payload.manifests.find(one => one.member === node.id)
  const own = node.db.select().from(contributions).where(eq(contributions.round, round.id)).get()
  if (named && named.manifest !== own?.manifestId) {
    throw fault('bad-cohort', `the cohort names a contribution of ${node.id} that it did not make`)
  }
}

function ownPlace(node: Node, round: VerifiedRound): RoundCustodian {
  const own = round.custodians.find(one => one.id === node.id)
  if (!own) throw fault('bad-round', `${node.id} is not a custodian of this round`)
  return own
}

/** Binds the round's prekey to it and returns the private half. */
function bindPrekey(node: Node, round: VerifiedRound): Uint8Array {
  const { prekey: id } = ownPlace(node, round)
  const row = node.db.select().from(prekeys).where(eq(prekeys.id, id)).get()
  if (!row?.privateKey)
    throw fault('prekey-used', 'this custodian does not hold the private half of the prekey any more')
  if (row.round !== null && row.round !== round.id) throw fault('prekey-used', 'the prekey serves another round')
  node.db.update(prekeys).set({ round: round.id }).where(eq(prekeys.id, id)).run()
  return row.privateKey
}

async function receiveShares(
  node: Node,
  round: VerifiedRound,
  cohort: SignedCohort,
  privateKey: Uint8Array,
  signal: AbortSignal | undefined,
) {
  const { index } = ownPlace(node, round)
  const position = round.custodians.findIndex(one => one.id === node.id)
  const reader = new BodyReader(await node.connection.stream(`/rounds/${round.id}/shares`, signal))
  const received: Pick<typeof shares.$inferInsert, 'dealer' | 'ciphertext' | 'sealed'>[] = []
  const manifests: SignedManifest[] = []
  while (!(await reader.atEnd())) {
    const manifest = await verifyManifest(await reader.takeManifest(), round, cohort)
    const { payload } = manifest
    // At once, or a stream that repeats itself for ever would be kept for ever.
    if (received.some(one => one.dealer === payload.member)) {
      throw fault('bad-cohort', `there is more than one share of ${payload.member}`)
    }
    const sealed = Buffer.from(await reader.takeSealedShare())
    const expected = payload.shares[position]?.sealed
    if (sha256(sealed) !== expected) {
      throw fault('bad-cohort', `the share of ${payload.member} is not the one that its manifest names`)
    }
    const share = { dealer: payload.member, ciphertext: payload.ciphertext, sealed }
    await openShare(node, round, index, privateKey, share)
    received.push(share)
    manifests.push(manifest)
  }
  if (received.length !== cohort.payload.manifests.length) {
    throw fault('bad-cohort', 'there is not one share of every dealer in the cohort')
  }
  if (new Set(received.map(one => one.ciphertext)).size !== received.length) {
    throw fault('bad-cohort', 'two members of the cohort contributed the same ciphertext')
  }
  return { received, manifests }
}

/** @throws InbondError `bad-seal`, `bad-share` */
async function openShare(
  node: Node,
  round: VerifiedRound,
  index: number,
  privateKey: Uint8Array,
  share: Pick<typeof shares.$inferSelect, 'dealer' | 'ciphertext' | 'sealed'>,
): Promise<Share> {
  const { dealer, ciphertext } = share
  const { prekey: id } = ownPlace(node, round)
  const context = shareContext({ round: round.id, dealer, custodian: node.id, prekey: id, ciphertext })
  return { index, residues: unpackShare(await unseal('inbond/share/v1', privateKey, context, share.sealed)) }
}

/**
 * Opens an agreed cohort to the recipient, once enough custodians signed the same one. One transaction stores the sealed
 * opening and forgets shares and prekey; then it is sent.
 * @throws InbondError `bad-cohort`, `not-found`, `prekey-used`, `restored-since`
 */
export async function open(
  node: Node,
  asked: { readonly round: RoundId; readonly agreements: readonly string[] },
  signal?: AbortSignal,
): Promise<void> {
  const stored = node.db.select().from(openings).where(eq(openings.round, asked.round)).get()
  const { compact, sealed } = stored ?? (await makeOpening(node, asked))
  const body = { opening: compact, sealed: sealed.toString('base64url') }
  await node.connection.post(`/rounds/${asked.round}/openings`, body, done, signal)
}

async function makeOpening(node: Node, asked: { readonly round: RoundId; readonly agreements: readonly string[] }) {
  requireMemoryOf(node, asked.round)
  const round = await recallRound(node, asked.round)
  const agreed = node.db.select().from(agreements).where(eq(agreements.round, round.id)).get()
  if (!agreed) throw fault('bad-cohort', 'this custodian did not agree to a cohort of the round')
  const signers = await verifyAgreements(asked.agreements, round, agreed.cohort)
  const { threshold } = round.charter.payload
  if (signers.length < threshold) {
    throw fault('bad-cohort', `${signers.length} custodians agreed to the cohort; ${threshold} must`)
  }
  const privateKey = bindPrekey(node, round)
  const sum = await sumOfShares(node, round, privateKey)
  const context = openingContext({ round: round.id, cohort: agreed.cohort, custodian: node.id })
  const recipient = new Uint8Array(Buffer.from(round.query.payload.recipient, 'base64url'))
  const packed = packShare(sum.residues)
  const sealed = Buffer.from(await seal('inbond/opening/v1', recipient, context, packed, node.randomness))
  sum.residues.fill(0)
  const signed = await sign(keyIn(node, round), opening, {
    protocol: PROTOCOL,
    round: round.id,
    cohort: agreed.cohort,
    custodian: node.id,
    sealed: sha256(sealed),
    share: sha256(packed),
  })
  packed.fill(0)
  const row = { compact: signed.compact, sealed }
  node.db.transaction(tx => {
    requireNotGivenUp(tx, round.id)
    tx.insert(openings)
      .values({ round: round.id, ...row, createdAt: node.clock.now() })
      .run()
    tx.delete(shares).where(eq(shares.round, round.id)).run()
    tx.update(prekeys).set({ privateKey: null }).where(eq(prekeys.round, round.id)).run()
  })
  forgetForGood(node.db)
  return row
}

async function sumOfShares(node: Node, round: VerifiedRound, privateKey: Uint8Array): Promise<Share> {
  const { index } = ownPlace(node, round)
  const stored = node.db.select().from(shares).where(eq(shares.round, round.id)).all()
  const opened: Share[] = []
  for (const share of stored) opened.push(await openShare(node, round, index, privateKey, share))
  const sum = sumShares(index, opened)
  for (const share of opened) share.residues.fill(0)
  return sum
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The constraints of the tables say the same; this gives the reason. @throws InbondError `too-late` */
function requireNotGivenUp(tx: Pick<Node['db'], 'select'>, id: RoundId): void {
  const stated = tx.select().from(voidStatements).where(eq(voidStatements.round, id)).get()
  if (stated) throw fault('too-late', 'this custodian signed that it never opens the round')
}

/**
 * Says, signed, that this custodian never opened a void round and never will. One transaction stores the statement and forgets shares
 * and prekey; then it is sent. One that was restored may have opened it, and says nothing: a round that too few give up counts for ever.
 * @param under the charter of the round, which this custodian may not have seen
 * @throws InbondError `bad-cohort` if it opened the round, `restored-since`, `not-on-roster`
 */
export async function giveUp(
  node: Node,
  id: RoundId,
  under: CharterId | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const stored = node.db.select().from(voidStatements).where(eq(voidStatements.round, id)).get()
  const compact = stored?.compact ?? (await makeVoidStatement(node, id, under))
  await node.connection.post(`/rounds/${id}/void-statements`, { statement: compact }, done, signal)
}

async function makeVoidStatement(node: Node, id: RoundId, under: CharterId | undefined): Promise<string> {
  const payload = { protocol: PROTOCOL, round: id, custodian: node.id } as const
  const { compact } = await sign(requireKeyUnder(node, under), voidStatement, payload)
  node.db.transaction(tx => {
    const opened = tx.select().from(openings).where(eq(openings.round, id)).get()
    if (opened) throw fault('bad-cohort', 'this custodian opened the round')
    requireMemoryOf({ db: tx }, id)
    tx.insert(voidStatements).values({ round: id, compact, createdAt: node.clock.now() }).run()
    forgetSecrets(tx, id)
  })
  forgetForGood(node.db)
  return compact
}

/** Forgets what it holds for a round that is over: shares, and the private half of the prekey, bound or not. */
export function forgetRound(node: Node, id: RoundId): void {
  node.db.transaction(tx => forgetSecrets(tx, id))
  forgetForGood(node.db)
}

function forgetSecrets(tx: Pick<Node['db'], 'delete' | 'select' | 'update'>, id: RoundId): void {
  tx.delete(shares).where(eq(shares.round, id)).run()
  const named = tx.select({ id: seenPrekeys.prekey }).from(seenPrekeys).where(eq(seenPrekeys.round, id))
  tx.update(prekeys).set({ privateKey: null }).where(inArray(prekeys.id, named)).run()
}

/** Forgets the private halves of prekeys past their time, whether or not a share ever came. */
export function forgetOldPrekeys(node: Node): void {
  const isOver = or(lt(prekeys.notAfter, node.clock.now()), inArray(prekeys.id, replacedPrekeys(node)))
  const old = and(isNotNull(prekeys.privateKey), isOver)
  if (node.db.update(prekeys).set({ privateKey: null }).where(old).run().changes > 0) forgetForGood(node.db)
}

/** Bound to no round, and signed with a key that was replaced: no round is announced with them any more, and none agreed to. */
function replacedPrekeys(node: Node): string[] {
  if (node.keys.replaced.length === 0) return []
  const unbound = and(isNotNull(prekeys.privateKey), isNull(prekeys.round))
  const rows = node.db.select().from(prekeys).where(unbound).all()
  return rows.filter(one => claims(prekey, one.compact).kid !== node.key.fingerprint).map(one => one.id)
}

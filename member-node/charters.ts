import { and, asc, desc, eq, isNotNull } from 'drizzle-orm'
import { fingerprint, type IdentityKey, type PublicKey } from '#crypto/signature.ts'
import { type Followed, followCharters } from '#party/charter-chain.ts'
import type { Connection } from '#party/connection.ts'
import { type CharterBundle, charterBundle, done } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { type Charter, type CharterId, charter, confirmation } from '#specs/messages.ts'
import { type SignedCharter, standingOf, verifyProposal } from '#specs/rules/charter.ts'
import { inWords, isFulfilled } from '#specs/rules/succession.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { UNCERTAINTY_MS } from './backup.ts'
import { withEitherKey } from './keyring.ts'
import { readSoFar } from './log-mirror.ts'
import type { Database, Node } from './node.ts'
import { recallSignatures } from './restored.ts'
import { charterSignatures, charters, confirmations, restorations } from './schema.ts'

type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0]
type Memory = { readonly db: Database | Transaction }

/** The charter in force as this node knows it: stored only after every signature that it needs was verified. */
export function charterInForce(node: Memory): SignedCharter | undefined {
  const row = node.db
    .select()
    .from(charters)
    .where(isNotNull(charters.inForceAt))
    .orderBy(desc(charters.epoch))
    .limit(1)
    .get()
  return row && stored(row)
}

/** @throws InbondError `no-charter` */
export function requireCharter(node: Pick<Node, 'db'>): SignedCharter {
  const charter = charterInForce(node)
  if (charter) return charter
  throw fault('no-charter', 'this node knows of no charter in force')
}

/** A charter that was in force when a round was announced. @throws InbondError `no-charter` */
export function charterOf(node: Pick<Node, 'db'>, id: CharterId): SignedCharter {
  const row = node.db
    .select()
    .from(charters)
    .where(and(eq(charters.id, id), isNotNull(charters.inForceAt)))
    .get()
  if (row) return stored(row)
  throw fault('no-charter', `this node does not know the charter ${id} to be in force`)
}

/**
 * The key with which this node speaks of a round: the one that the charter of the round names, whichever is in force by now; of a charter
 * that it does not know, the one in force.
 * @returns undefined where the charter does not name this member, or with a key that this node does not have
 */
export function keyUnder(node: Pick<Node, 'db' | 'key' | 'keys'>, id: CharterId | undefined): IdentityKey | undefined {
  if (id === undefined) return node.key
  const isCalled = and(eq(charters.id, id), isNotNull(charters.inForceAt))
  const row = node.db.select().from(charters).where(isCalled).get()
  if (!row) return node.key
  const { payload } = stored(row)
  return node.keys.isNamedBy(payload) ? node.keys.under(payload) : undefined
}

/** @throws InbondError `not-on-roster` where there is none */
export function requireKeyUnder(
  node: Pick<Node, 'db' | 'id' | 'key' | 'keys'>,
  id: CharterId | undefined,
): IdentityKey {
  const key = keyUnder(node, id)
  if (key) return key
  throw fault('not-on-roster', `the charter of the round does not name ${node.id} with a key that this node has`)
}

/**
 * The terms of the charter in force, with the members of every charter before it, too: a member that was given another key is there
 * with both.
 * @throws InbondError `no-charter`
 */
export function termsSoFar(node: Pick<Node, 'db'>): Pick<Charter, 'coordinator' | 'members'> {
  const { coordinator } = requireCharter(node).payload
  const members = chartersSoFar(node)
    .reverse()
    .flatMap(one => one.members)
  return { coordinator, members }
}

/** All that were in force, as far as this node knows, the first one first. */
export function chartersSoFar(node: Memory): Charter[] {
  const inForce = isNotNull(charters.inForceAt)
  const rows = node.db.select().from(charters).where(inForce).orderBy(asc(charters.epoch)).all()
  return rows.map(row => stored(row).payload)
}

/** When this node took note of the charter that put another key in the place of this one, in milliseconds since 1970. */
export function replacedSince(node: Memory, publicKey: PublicKey): number | undefined {
  const inForce = isNotNull(charters.inForceAt)
  const rows = node.db.select().from(charters).where(inForce).orderBy(asc(charters.epoch)).all()
  const last = rows.findLastIndex(row => stored(row).payload.members.some(one => one.publicKey === publicKey))
  return last === -1 ? undefined : (rows[last + 1]?.inForceAt ?? undefined)
}

/** When this node took note of a charter in force, in milliseconds since 1970. */
export function inForceSince(node: Memory, id: CharterId): number {
  const row = node.db.select().from(charters).where(eq(charters.id, id)).get()
  return row?.inForceAt ?? 0
}

function stored(row: { id: CharterId; compact: string }): SignedCharter {
  return { id: row.id, compact: row.compact, payload: claims(charter, row.compact).payload } as SignedCharter
}

/** What a node is under the charter in force. */
export type Place =
  /** No charter is in force, or none that names this member yet. */
  | 'awaited'
  | 'member'
  /** A charter left it out. */
  | 'left'
  /** The charter in force has another key in its place. */
  | 'replaced'

/** @param charter the one in force, or another one that somebody says is */
export function placeOf(
  node: Pick<Node, 'db' | 'id' | 'keys'>,
  charter: Charter | undefined = charterInForce(node)?.payload,
): Place {
  if (charter && node.keys.isNamedBy(charter)) return 'member'
  const wasMember = chartersSoFar(node).some(one => node.keys.isNamedBy(one))
  if (!wasMember) return 'awaited'
  return charter?.members.some(one => one.id === node.id) ? 'replaced' : 'left'
}

/**
 * Checks that a proposed charter may be signed by this node: from its coordinator, following the charter in force, with this node on
 * the roster under its own key: the one in force, or the one that waits.
 * @throws InbondError `bad-charter`, `bad-signature`, `wrong-federation`
 */
export async function checkProposal(
  node: Pick<Node, 'db' | 'id' | 'keys' | 'federation' | 'currency'>,
  bundle: CharterBundle,
) {
  const proposal = await readProposal(node, bundle)
  const { keys } = node
  if (!keys.isNamedBy(proposal.payload) || keys.replaced.includes(keys.under(proposal.payload))) {
    throw fault('bad-charter', `the charter does not name ${node.id} with its own key`)
  }
  if (proposal.payload.currency !== node.currency) {
    throw fault(
      'bad-charter',
      `the charter has values in ${proposal.payload.currency}; this node imports ${node.currency}`,
    )
  }
  const current = charterInForce(node)
  const { consents } = await standingOf(proposal, bundle, current)
  checkNotConfirmed(node, proposal)
  return { proposal, current, missing: consents }
}

async function readProposal(node: Pick<Node, 'federation'>, bundle: CharterBundle): Promise<SignedCharter> {
  const claim = claims(charter, bundle.charter).payload
  if ((await fingerprint(claim.coordinator)) !== node.federation) {
    throw fault('wrong-federation', 'the charter is of another federation than the one that this node was invited to')
  }
  return verifyProposal(bundle.charter, claim.coordinator)
}

/** @throws InbondError `bad-charter` where this node confirmed another charter in its place */
function checkNotConfirmed(node: Memory, { id, payload }: SignedCharter): void {
  const confirmed = payload.previous === null ? undefined : ownConfirmation(node, payload.previous)
  if (confirmed && confirmed.charter !== id) {
    throw fault('bad-charter', 'this node has confirmed another charter after the one in force')
  }
}

function ownConfirmation(node: Memory, previous: CharterId) {
  return node.db.select().from(confirmations).where(eq(confirmations.previous, previous)).get()
}

/**
 * Confirms a charter that has every signature it needs by the rule of the one in force, whether this member signed it or not: the only
 * one after that. Stored before it is sent, and the same confirmation if asked again.
 * @throws InbondError `no-charter`, `bad-charter`, `charter-pending`, `bad-signature`, `wrong-federation`
 */
export async function confirmCharter(node: Node, id: CharterId, signal?: AbortSignal): Promise<void> {
  const current = charterInForce(node)
  if (current === undefined) throw fault('no-charter', 'this node knows of no charter in force')
  const bundle = await node.connection.get(`/charters/${id}`, charterBundle, signal)
  const proposal = await readProposal(node, bundle)
  if (proposal.id !== id) throw fault('bad-charter', 'the coordinator sent another charter than the one asked for')
  await recallSignatures(node, current, signal)
  const { consents } = await standingOf(proposal, bundle, current)
  if (!isFulfilled(consents)) throw fault('charter-pending', `the charter is not signed by ${inWords(consents)}`)
  const message = { protocol: PROTOCOL, charter: id, previous: current.id, member: node.id } as const
  const { compact } =
    ownConfirmation(node, current.id) ?? (await sign(node.keys.under(proposal.payload), confirmation, message))
  node.db.transaction(tx => {
    checkNotConfirmed({ db: tx }, proposal)
    if (ownConfirmation({ db: tx }, current.id)) return
    tx.insert(confirmations).values({ previous: current.id, charter: id, compact }).run()
  })
  await node.connection.post('/confirmations', { confirmation: compact }, done, signal)
}

/**
 * Follows the coordinator to the charter that it says is in force, from the one that this node knows, through every one between them.
 * Whether this member signed them or not: the rule of its own charter decides. A coordinator that is behind gets back what it lost.
 * @throws InbondError `bad-charter`, `wrong-federation`, `bad-signature`, `charter-pending`
 */
export async function learnCharter(node: Node, id: CharterId, signal?: AbortSignal): Promise<void> {
  const current = charterInForce(node)
  if (current?.id === id) {
    await findOwnKey(node, current)
    return node.keys.follow(current.payload)
  }
  const later = chartersAfter(node, id)
  if (later !== undefined) return giveBack(node, later, signal)
  const ask = (connection: Connection) => followCharters(connection, node.federation, id, current, signal)
  const followed = await withEitherKey(node, ask)
  for (const { charter } of followed) await findOwnKey(node, charter)
  node.db.transaction(tx => {
    // Another process may have followed it meanwhile.
    if (charterInForce({ db: tx })?.id !== current?.id) return
    if (beginsAnew(node, followed)) noteForgetting(node, tx)
    for (const one of followed) keep(node, tx, one)
  })
  for (const { charter } of followed) node.keys.follow(charter.payload)
}

/** Another process may have made the key that a charter in force names. */
async function findOwnKey({ id, keys }: Node, { payload }: SignedCharter): Promise<void> {
  const isOnRoster = payload.members.some(one => one.id === id)
  if (isOnRoster && !keys.isNamedBy(payload)) await keys.read()
}

/** Whether these charters are the first with a key of this node, after others that have another key of its member. */
function beginsAnew(node: Node, followed: readonly Followed[]): boolean {
  const earlier = chartersSoFar(node)
  const all = [...earlier, ...followed.map(one => one.charter.payload)]
  const first = all.findIndex(one => node.keys.isNamedBy(one))
  const hadAnother = all.slice(0, first).some(one => one.members.some(member => member.id === node.id))
  return first >= earlier.length && hadAnother
}

/** What was said with the key before is as lost here as what came after a backup. */
function noteForgetting({ clock }: Node, tx: Transaction): void {
  const at = clock.now()
  const { history } = readSoFar({ db: tx })
  tx.insert(restorations)
    .values({ at, takesPartFrom: at + UNCERTAINTY_MS, history, logSize: 0 })
    .run()
}

function keep(node: Node, tx: Transaction, { charter, signatures }: Followed): void {
  const { id, compact, payload } = charter
  const own = node.keys.isNamedBy(payload)
  const signed = signatures.consents.find(one => own && one.member === node.id)
  const confirmed = signatures.confirmations.find(one => own && one.member === node.id)
  const inForceAt = node.clock.now()
  tx.insert(charters)
    .values({ id, epoch: payload.epoch, compact, consent: signed?.consent ?? null, inForceAt })
    .onConflictDoUpdate({ target: charters.id, set: { inForceAt } })
    .run()
  tx.insert(charterSignatures).values({ charter: id, signatures }).onConflictDoNothing().run()
  // A node that was restored from an older backup does not remember what it confirmed.
  const { previous } = payload
  if (confirmed && previous !== null && !ownConfirmation({ db: tx }, previous)) {
    tx.insert(confirmations).values({ previous, charter: id, compact: confirmed.confirmation }).run()
  }
}

/** The charters in force after an earlier one, oldest first; undefined if it is not an earlier one of this node's. */
function chartersAfter(node: Pick<Node, 'db'>, id: CharterId) {
  const all = node.db.select().from(charters).where(isNotNull(charters.inForceAt)).orderBy(asc(charters.epoch)).all()
  const position = all.findIndex(one => one.id === id)
  return position === -1 ? undefined : all.slice(position + 1)
}

async function giveBack(node: Node, later: readonly { id: CharterId; compact: string }[], signal?: AbortSignal) {
  for (const { id, compact } of later) {
    const row = node.db.select().from(charterSignatures).where(eq(charterSignatures.charter, id)).get()
    if (!row) throw fault('bad-charter', 'the coordinator shows an older charter than the one in force here')
    await node.connection.post('/charters', { charter: compact, ...row.signatures }, done, signal)
  }
}

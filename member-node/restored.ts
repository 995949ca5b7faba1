import { and, desc, eq, isNull } from 'drizzle-orm'
import type { IdentityKey, PublicKey } from '#crypto/signature.ts'
import { LogReader } from '#party/log-reader.ts'
import { charterBundle } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { type CharterId, charter, confirmation, consent, type RoundId } from '#specs/messages.ts'
import { type SignedCharter, verifyProposal } from '#specs/rules/charter.ts'
import { demandsOf } from '#specs/rules/succession.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { followLog, readSoFar } from './log-mirror.ts'
import type { Node } from './node.ts'
import {
  charters,
  confirmations,
  endedCustodies,
  logEntries,
  prekeys,
  restorations,
  rounds,
  seenPrekeys,
} from './schema.ts'

/**
 * A node that was restored from a backup has forgotten what it did between that and the restore, and one that begins with another key of its
 * member all that was done with the one before. In rounds of before it says nothing new;
 * what it answered, confirmed and signed then it finds in the coordinator's log (also ledger.ts). A directory that was copied by other means
 * looks like one that was stopped, and does none of this.
 */

type Memory = { readonly db: Pick<Node['db'], 'select'> }

/**
 * Makes sure that whatever this node said in a round before, it knows. The constraints of the tables say the same; this gives the reason.
 * @param opens milliseconds since 1970, where the node need not have written the round down
 * @throws InbondError `restored-since`
 */
export function requireMemoryOf({ db }: Memory, id: RoundId, opens = openingOf(db, id)): void {
  const forgets = lastRestoration({ db })
  if (forgets === undefined || opens >= forgets.takesPartFrom || namesNewPrekey(db, id)) return
  throw fault('restored-since', 'this node was restored, or began with another key, after the round opened')
}

/** The one from which on a node takes part again. */
export function lastRestoration({ db }: Memory) {
  return db.select().from(restorations).orderBy(desc(restorations.takesPartFrom)).limit(1).get()
}

/** One that this node does not know it may have forgotten. */
function openingOf(db: Memory['db'], id: RoundId): number {
  return db.select({ opens: rounds.opens }).from(rounds).where(eq(rounds.id, id)).get()?.opens ?? 0
}

/** Nobody could have announced a round with a prekey that was not made yet. */
function namesNewPrekey(db: Memory['db'], id: RoundId): boolean {
  return (
    db
      .select({ id: prekeys.id })
      .from(seenPrekeys)
      .innerJoin(prekeys, eq(prekeys.id, seenPrekeys.prekey))
      .where(and(eq(seenPrekeys.round, id), eq(prekeys.isLost, false)))
      .get() !== undefined
  )
}

/**
 * The index in the log from which on there may be what this node has forgotten; undefined for a node that has forgotten nothing. Another history
 * than the one that it had read at the backup it compares from the beginning.
 */
export function forgottenFrom({ db }: Memory): number | undefined {
  const { history } = readSoFar({ db })
  const rows = db.select().from(restorations).all()
  if (rows.length === 0) return undefined
  return Math.min(...rows.map(one => (one.history === history ? one.logSize : 0)))
}

/** Reads all that the coordinator has in its log by now. @throws InbondError `log-not-extended`, and like `LogReader.checkpoint` */
export async function followNewest(node: Node, coordinator: PublicKey, signal?: AbortSignal): Promise<void> {
  await followLog(node, await new LogReader(node.connection).checkpoint(coordinator, signal), signal)
}

/**
 * Takes note of what this node signed after the charter in force and has forgotten: which one it confirmed, and whether it handed its custody
 * over. Ed25519 makes the same signature of the same message again, so the node knows under which ids the log has them, if it has.
 * @throws InbondError `log-not-extended`, `bad-charter` where a charter that it signed cannot be had
 */
export async function recallSignatures(node: Node, current: SignedCharter, signal?: AbortSignal): Promise<void> {
  if (forgottenFrom(node) === undefined) return
  await followNewest(node, current.payload.coordinator, signal)
  for (const id of proposalsIn(node)) {
    // It may have signed with a key that waited for this very charter.
    for (const key of node.keys.all) await recallSignaturesOf(node, key, current, id, signal)
  }
}

async function recallSignaturesOf(
  node: Node,
  key: IdentityKey,
  current: SignedCharter,
  id: CharterId,
  signal: AbortSignal | undefined,
): Promise<void> {
  const said = { protocol: PROTOCOL, charter: id, member: node.id } as const
  const confirmed = await sign(key, confirmation, { ...said, previous: current.id })
  if (isLogged(node, confirmation, confirmed.id)) keepConfirmation(node, current.id, id, confirmed.compact)
  const consented = await sign(key, consent, said)
  if (isLogged(node, consent, consented.id)) await recallHandover(node, current, id, signal)
}

/** Charters in the log that are not in force here. Also those of before the backup: it may have signed them since. */
function proposalsIn({ db }: Memory): CharterId[] {
  const isCharter = and(eq(logEntries.history, readSoFar({ db }).history), eq(logEntries.typ, charter.typ))
  const rows = db
    .select({ id: logEntries.message })
    .from(logEntries)
    .leftJoin(charters, eq(charters.id, logEntries.message))
    .where(and(isCharter, isNull(charters.inForceAt)))
    .all()
  return rows.map(one => one.id as CharterId)
}

/** Also in a history that this node left: it signed it all the same. */
function isLogged({ db }: Memory, { typ }: { readonly typ: string }, message: string): boolean {
  const isThis = and(eq(logEntries.typ, typ), eq(logEntries.message, message))
  return db.select().from(logEntries).where(isThis).get() !== undefined
}

function keepConfirmation(node: Node, previous: CharterId, id: CharterId, compact: string): void {
  node.db.transaction(tx => {
    if (tx.select().from(confirmations).where(eq(confirmations.previous, previous)).get()) return
    tx.insert(confirmations).values({ previous, charter: id, compact }).run()
  })
}

async function recallHandover(node: Node, current: SignedCharter, id: CharterId, signal?: AbortSignal): Promise<void> {
  const bundle = await node.connection.get(`/charters/${id}`, charterBundle, signal).catch(cause => {
    if (cause.code !== 'not-found') throw cause
    throw fault('bad-charter', 'the coordinator does not show a charter that this node signed', cause)
  })
  const signed = await verifyProposal(bundle.charter, current.payload.coordinator)
  if (signed.id !== id) throw fault('bad-charter', 'the coordinator sent another charter than the one asked for')
  if (signed.payload.previous !== current.id) return
  if (demandsOf(current.payload, signed.payload).custodians.needed === 0) return
  node.db.insert(endedCustodies).values({ charter: current.id, next: id }).onConflictDoNothing().run()
}

import { and, desc, eq, isNotNull } from 'drizzle-orm'
import { fingerprint } from '#crypto/signature.ts'
import { type CharterBundle, charterBundle, done } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { type Charter, type CharterId, charter, consent, type MemberId } from '#specs/messages.ts'
import { type SignedCharter, unsigned, verifyCharter, verifyProposal } from '#specs/rules/charter.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import type { Node } from './node.ts'
import { charters } from './schema.ts'

/** The charter in force as this node knows it: stored only after every signature under it was verified. */
export function charterInForce(node: Pick<Node, 'db'>): SignedCharter | undefined {
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

function stored(row: { id: CharterId; compact: string }): SignedCharter {
  return { id: row.id, compact: row.compact, payload: claims(charter, row.compact).payload } as SignedCharter
}

/**
 * Checks that a proposed charter may be signed by this node: from its coordinator, with this node on the roster under its own
 * key, and not older than what it signed before.
 * @throws InbondError `bad-charter`, `bad-signature`, `wrong-federation`
 */
export async function checkProposal(
  node: Pick<Node, 'db' | 'id' | 'key' | 'federation' | 'currency'>,
  bundle: CharterBundle,
) {
  const claim = claims(charter, bundle.charter).payload
  if ((await fingerprint(claim.coordinator)) !== node.federation) {
    throw fault('wrong-federation', 'the charter is of another federation than the one that this node was invited to')
  }
  const proposal = await verifyProposal(bundle.charter, claim.coordinator)
  const own = proposal.payload.members.find(one => one.id === node.id)
  if (own?.publicKey !== node.key.publicKey)
    throw fault('bad-charter', `the charter does not name ${node.id} with its own key`)
  if (proposal.payload.currency !== node.currency) {
    throw fault(
      'bad-charter',
      `the charter has values in ${proposal.payload.currency}; this node imports ${node.currency}`,
    )
  }
  const current = charterInForce(node)
  const expected = (current?.payload.epoch ?? 0) + 1
  if (proposal.payload.epoch !== expected || proposal.payload.previous !== (current?.id ?? null)) {
    throw fault('bad-charter', `the charter does not follow the one in force (epoch ${expected - 1})`)
  }
  return { proposal, missing: await unsigned(proposal, bundle) }
}

/** Signs a checked proposal: stored before it is sent, and the same signature if asked again. */
export async function signCharter(node: Node, proposal: SignedCharter): Promise<void> {
  const before = node.db.select().from(charters).where(eq(charters.id, proposal.id)).get()
  const compact = before?.consent ?? (await sign(node.key, consent, consentOf(node.id, proposal.id))).compact
  node.db
    .insert(charters)
    .values({ id: proposal.id, epoch: proposal.payload.epoch, compact: proposal.compact, consent: compact })
    .onConflictDoNothing()
    .run()
  await node.connection.post('/consents', { consent: compact }, done)
}

function consentOf(member: MemberId, id: CharterId) {
  return { protocol: PROTOCOL, charter: id, member } as const
}

/**
 * Takes note that a charter which this node signed is in force. Its signature under the charter is proof enough that it did: a node
 * that was restored from an older backup does not remember.
 * @throws InbondError `bad-charter` if it did not sign it or it is older than the one it knows, `charter-pending`
 */
export async function learnCharter(node: Node, id: CharterId, signal?: AbortSignal): Promise<void> {
  const current = charterInForce(node)
  if (current?.id === id) return
  const bundle = await node.connection.get(`/charters/${id}`, charterBundle, signal)
  const claim: Charter = claims(charter, bundle.charter).payload
  if ((await fingerprint(claim.coordinator)) !== node.federation)
    throw fault('wrong-federation', 'the charter in force is of another federation')
  const { payload, compact, id: verified } = await verifyCharter(bundle, claim.coordinator)
  if (verified !== id) throw fault('bad-charter', 'the coordinator sent another charter than the one asked for')
  const own = payload.members.find(one => one.id === node.id)
  const signed = bundle.consents.find(one => one.member === node.id)
  if (own?.publicKey !== node.key.publicKey || !signed)
    throw fault('bad-charter', 'the charter in force was not signed by this node')
  if (payload.epoch <= (current?.payload.epoch ?? 0))
    throw fault('bad-charter', 'the charter is older than the one in force')
  const inForceAt = node.clock.now()
  node.db
    .insert(charters)
    .values({ id, epoch: payload.epoch, compact, consent: signed.consent, inForceAt })
    .onConflictDoUpdate({ target: charters.id, set: { inForceAt } })
    .run()
}

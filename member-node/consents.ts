import { eq } from 'drizzle-orm'
import { done } from '#specs/api.ts'
import { type CharterId, consent, type MemberId } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { demandsOf } from '#specs/rules/succession.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { charterInForce, inForceSince } from './charters.ts'
import { requireLogged } from './ledger.ts'
import { followLog, readSoFar } from './log-mirror.ts'
import type { Node } from './node.ts'
import { recallSignatures } from './restored.ts'
import { charters, endedCustodies } from './schema.ts'

/**
 * A member's signature under a charter.
 *
 * Custodians that take over know the cohorts of earlier ones from the log alone. So nobody signs a charter that names the head of another
 * history than its own; and of the custodians in force, t of whom must sign such a change, each signs only if every cohort that it
 * agreed to is under the head that the charter names, and agrees to none under the old charter any more. t custodians agreed to a
 * cohort that can be opened, so that at least 2t − m did both: a cohort is hidden from the new custodians only if all these lie.
 */

/**
 * Signs a checked proposal: stored before it is sent, and the same signature if asked again.
 * @throws InbondError `log-not-extended`, `bad-charter` where the log that the charter names lacks a cohort that this custodian agreed to
 */
export async function signCharter(node: Node, proposal: SignedCharter, signal?: AbortSignal): Promise<void> {
  const before = node.db.select().from(charters).where(eq(charters.id, proposal.id)).get()
  const compact = before?.consent ?? (await makeConsent(node, proposal, signal))
  await node.connection.post('/consents', { consent: compact }, done, signal)
}

async function makeConsent(node: Node, proposal: SignedCharter, signal: AbortSignal | undefined): Promise<string> {
  const { id, payload, compact } = proposal
  const current = charterInForce(node)
  if (current) await requireSameLog(node, current, proposal, signal)
  if (current) await recallSignatures(node, current, signal)
  const signed = await sign(node.keys.under(payload), consent, consentOf(node.id, id))
  node.db.transaction(tx => {
    if (current && endsCustody(node, current, proposal)) {
      requireLogged(tx, payload.logHead)
      tx.insert(endedCustodies).values({ charter: current.id, next: id }).onConflictDoNothing().run()
    }
    const row = { id, epoch: payload.epoch, compact, consent: signed.compact }
    tx.insert(charters).values(row).onConflictDoNothing().run()
  })
  return signed.compact
}

function consentOf(member: MemberId, id: CharterId) {
  return { protocol: PROTOCOL, charter: id, member } as const
}

/** Unless a person has accepted another history since: the charter in force then names a log that is lost. */
async function requireSameLog(node: Node, current: SignedCharter, next: SignedCharter, signal?: AbortSignal) {
  if (inForceSince(node, current.id) >= readSoFar(node).since) await followLog(node, current.payload.logHead, signal)
  await followLog(node, next.payload.logHead, signal)
}

function endsCustody(node: Pick<Node, 'id' | 'keys'>, { payload }: SignedCharter, next: SignedCharter): boolean {
  const isOwn = node.keys.isNamedBy(payload)
  return isOwn && payload.custodians.includes(node.id) && demandsOf(payload, next.payload).custodians.needed > 0
}

import { messageId } from '#crypto/signature.ts'
import { type CharterBundle, charterBundle } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { type CharterId, charter } from '#specs/messages.ts'
import { type SignedCharter, verifyChain } from '#specs/rules/charter.ts'
import { claims } from '#specs/signed.ts'
import type { Connection } from './connection.ts'

/** Of charters that are followed at once: a coordinator could otherwise go on for ever. */
const LONGEST_CHAIN = 1000

/** A charter in force, with the messages that put it there. */
export interface Followed {
  readonly charter: SignedCharter
  readonly signatures: Omit<CharterBundle, 'charter'>
}

/**
 * Goes from the charter in force that a party knows to a later one, through every one between them, each verified by the rule of the one
 * before: never back, never sideways, none left out. Who knows none begins with the first.
 * @param federation fingerprint of the coordinator's key
 * @param known the newest that was verified here before
 * @returns those that follow it, oldest first
 * @throws InbondError `bad-charter`, `wrong-federation`, and what `verifyChain` throws
 */
export async function followCharters(
  connection: Pick<Connection, 'get'>,
  federation: string,
  to: CharterId,
  known: SignedCharter | undefined,
  signal?: AbortSignal,
): Promise<Followed[]> {
  const bundles = (await fetchBack(connection, to, known, signal)).reverse()
  const verified = await verifyChain(bundles, federation, known)
  return verified.map((charter, i) => {
    const { consents, confirmations } = bundles[i] as CharterBundle
    return { charter, signatures: { consents, confirmations } }
  })
}

/** All charters to this one, the first one first, for others to verify: they are not verified here. */
export async function chainTo(
  connection: Pick<Connection, 'get'>,
  bundle: CharterBundle,
  signal?: AbortSignal,
): Promise<CharterBundle[]> {
  const { previous } = claims(charter, bundle.charter).payload
  if (previous === null) return [bundle]
  return [bundle, ...(await fetchBack(connection, previous, undefined, signal))].reverse()
}

async function fetchBack(
  connection: Pick<Connection, 'get'>,
  to: CharterId,
  known: SignedCharter | undefined,
  signal: AbortSignal | undefined,
): Promise<CharterBundle[]> {
  const oldest = known?.payload.epoch ?? 0
  const bundles: CharterBundle[] = []
  let next: CharterId | null = to
  while (next !== null && next !== known?.id) {
    const bundle: CharterBundle = await connection.get(`/charters/${next}`, charterBundle, signal)
    if (messageId(bundle.charter) !== next) {
      throw fault('bad-charter', 'the coordinator sent another charter than the one asked for')
    }
    const { epoch, previous } = claims(charter, bundle.charter).payload
    if (epoch <= oldest) {
      throw fault('bad-charter', `a charter of epoch ${epoch} does not follow the one in force here (epoch ${oldest})`)
    }
    bundles.push(bundle)
    if (bundles.length > LONGEST_CHAIN) throw fault('bad-charter', 'the charter follows too many others')
    next = previous
  }
  if (next === null && known !== undefined) {
    throw fault('bad-charter', `the charter does not follow the one in force here (epoch ${oldest})`)
  }
  return bundles
}

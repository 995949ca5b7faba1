import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { mayPass } from '#party/connection.ts'
import { done } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { enrolment } from '#specs/messages.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { placeOf, replacedSince, requireCharter } from './charters.ts'
import type { Node } from './node.ts'

/**
 * Another identity key for a member that still has its own: the coordinator takes the new one on the word of the one in force, members
 * sign a charter that names it, and when that is in force the node goes by it, with everything that it has. Until then both are stored, and
 * the one that waits signs that charter and nothing else.
 */

/** The longest round lasts 14 days: with one more, what is left to say of it was said. */
const KEPT_MS = 15 * 86_400_000

/**
 * Makes a key to take the place of the one in force, stores it, and enrols it. While one waits it is that one, enrolled again.
 * @returns the key that waits for a charter
 * @throws InbondError `no-charter`, `not-on-roster`, `already-enrolled` where another key of this member waits, and like `Connection.post`
 */
export async function rotateKey(node: Node, signal?: AbortSignal): Promise<IdentityKey> {
  const { keys } = node
  await keys.read()
  const { payload } = requireCharter(node)
  if (placeOf(node) !== 'member')
    throw fault('not-on-roster', `the charter in force does not name ${node.id} with this key`)
  const before = keys.waiting
  const key = before ?? (await keys.add(await generateIdentityKey()))
  const { name, conventions } = payload.members.find(one => one.id === node.id) as (typeof payload.members)[number]
  const { compact } = await sign(key, enrolment, {
    protocol: PROTOCOL,
    role: 'member',
    federation: node.federation,
    invitation: null,
    publicKey: key.publicKey,
    id: node.id,
    name,
    conventions,
  })
  try {
    await node.connection.post('/keys', { enrolment: compact }, done, signal)
  } catch (error) {
    // One that broke off may have arrived.
    if (before === undefined && !signal?.aborted && !mayPass(error)) await keys.forget([key])
    throw error
  }
  return key
}

/** Deletes keys that were replaced so long ago that every round under a charter which names them is over. */
export async function forgetReplacedKeys(node: Node): Promise<void> {
  const now = node.clock.now()
  const isOver = ({ publicKey }: IdentityKey) => now > (replacedSince(node, publicKey) ?? now) + KEPT_MS
  const over = node.keys.replaced.filter(isOver)
  if (over.length === 0) return
  await node.keys.forget(over).catch(error => {
    // Whoever starts the node next knows the passphrase that they have by now.
    if (error.code !== 'wrong-passphrase') throw error
  })
}

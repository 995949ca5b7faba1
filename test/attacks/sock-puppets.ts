import { charterInForce, learnCharter } from '#member-node/charters.ts'
import { consent, conventions, type MemberId } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import { seededIdentityKey } from '../randomness.ts'
import type { Attack } from './attack.ts'
import { signCharter } from './cheating.ts'
import type { Scene } from './scene.ts'

/**
 * The coordinator adds two members that do not exist, and makes them custodians beside VN: in their cohort the sum is VN's own. It
 * signs the charter in their names, puts it in force, in its own database, and tells VN so. Whoever joins must be let in by everybody
 * who is there.
 */
async function surround(scene: Scene): Promise<unknown> {
  const puppets = await Promise.all(
    ['PA', 'PB'].map(async id => ({ id: id as MemberId, key: await seededIdentityKey(`puppet ${id}`) })),
  )
  const vn = scene.node('VN')
  const { payload } = charterInForce(vn) as SignedCharter
  const roster = [
    ...payload.members,
    ...puppets.map(({ id, key }) => ({ id, name: id, publicKey: key.publicKey, conventions: conventions.parse({}) })),
  ]
  const { id: charter } = await signCharter(scene, [], { members: roster, custodians: ['PA', 'PB', 'VN'], quorum: 4 })
  const { $client } = scene.coordinator.db
  for (const { id, key } of puppets) {
    const signed = await sign(key, consent, { protocol: PROTOCOL, charter, member: id })
    $client.prepare('INSERT INTO consents VALUES (?, ?, ?, 0)').run(charter, id, signed.compact)
  }
  $client.prepare('UPDATE charters SET in_force_at = 0 WHERE id = ?').run(charter)
  await learnCharter(vn, charter)
  return charterInForce(vn)?.payload.custodians
}

export const attacks: readonly Attack[] = [
  {
    row: 2,
    name: 'the coordinator surrounds a member with sock puppets in a charter that nobody else signed',
    attempt: surround,
    holds: { refused: 'charter-pending', saying: /not signed by BR, FR, JP, KR, VN/ },
    protection: [
      edit('specs/rules/charter.ts', '  if (!isFulfilled(consents)) throw', '  if (consents === undefined) throw'),
      edit('specs/rules/charter.ts', 'if (confirmations.needed > 0) {', 'if (confirmations === undefined) {'),
    ],
    fails: { has: ['PA', 'PB', 'VN'] },
  },
]

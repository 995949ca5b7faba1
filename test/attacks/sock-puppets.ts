import { charterInForce, learnCharter } from '#member-node/charters.ts'
import { consent, conventions, type MemberId } from '#specs/messages.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import { seededIdentityKey } from '../randomness.ts'
import type { Attack } from './attack.ts'
import { signCharter } from './cheating.ts'
import type { Scene } from './scene.ts'

/**
 * The coordinator writes a charter of VN and two members that do not exist, and signs it in their names: in their cohort the sum is
 * VN's own. It puts the charter in force, in its own database, and tells VN so. A charter that VN did not sign must count for
 * nothing there, whoever else signed it.
 */
async function surround(scene: Scene): Promise<unknown> {
  const puppets = await Promise.all(
    ['PA', 'PB'].map(async id => ({ id: id as MemberId, key: await seededIdentityKey(`puppet ${id}`) })),
  )
  const vn = scene.node('VN')
  const roster = [
    ...puppets.map(({ id, key }) => ({ id, name: id, publicKey: key.publicKey, conventions: conventions.parse({}) })),
    { id: vn.id, name: 'Customs of VN', publicKey: vn.key.publicKey, conventions: conventions.parse({}) },
  ]
  const { id: charter } = await signCharter(scene, [], { members: roster, custodians: ['PA', 'PB', 'VN'] })
  const { $client } = scene.coordinator.db
  for (const { id, key } of puppets) {
    const signed = await sign(key, consent, { protocol: PROTOCOL, charter, member: id })
    $client.prepare('INSERT INTO consents VALUES (?, ?, ?, 0)').run(charter, id, signed.compact)
  }
  $client.prepare('UPDATE charters SET in_force_at = 0 WHERE id = ?').run(charter)
  await learnCharter(vn, charter)
  return charterInForce(vn)?.payload.members.map(one => one.id)
}

export const attacks: readonly Attack[] = [
  {
    row: 2,
    name: 'the coordinator surrounds a member with sock puppets in a charter that the member did not sign',
    attempt: surround,
    holds: { refused: 'charter-pending', saying: /not signed by VN/ },
    protection: [
      edit('specs/rules/charter.ts', 'if (!found) missing.push(id)', 'if (!found) continue'),
      edit(
        'member-node/charters.ts',
        'own?.publicKey !== node.key.publicKey || !signed)',
        'own?.publicKey !== node.key.publicKey)',
      ),
      edit('member-node/charters.ts', 'consent: signed.consent, inForceAt })', "consent: '', inForceAt })"),
    ],
    fails: { has: ['PA', 'PB', 'VN'] },
  },
]

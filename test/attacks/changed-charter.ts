import { charterInForce, learnCharter } from '#member-node/charters.ts'
import { edit } from '../edits.ts'
import type { Attack } from './attack.ts'
import { signCharter } from './cheating.ts'
import { MEMBERS, type Scene } from './scene.ts'

/**
 * The coordinator has friends among the custodians, and wants them to be enough. It writes the next charter, with three custodians who
 * all are its friends, and puts under it the signatures that everybody gave to the charter in force. A signature must count
 * under the very charter that was signed. (What nodes confirm stands beside it: they would not confirm this one.)
 */
async function replaceCustodians(scene: Scene): Promise<unknown> {
  const { id } = await signCharter(scene, MEMBERS, { custodians: ['BR', 'FR', 'JP'] })
  const { $client } = scene.coordinator.db
  $client
    .prepare('INSERT INTO consents (charter, member, compact, received_at) SELECT ?, member, compact, 0 FROM consents')
    .run(id)
  await learnCharter(scene.node('VN'), id)
  return charterInForce(scene.node('VN'))?.payload.custodians
}

export const attacks: readonly Attack[] = [
  {
    row: 6,
    name: 'the coordinator changes a charter that everybody signed',
    attempt: replaceCustodians,
    holds: { refused: 'bad-charter', saying: /under another charter/ },
    protection: [
      edit(
        'specs/rules/charter.ts',
        'if (payload.charter === signed.id && payload.member === member) return true',
        'if (payload.member === member) return true',
      ),
      edit('specs/rules/charter.ts', 'if (confirmations.needed > 0) {', 'if (confirmations === undefined) {'),
    ],
    fails: { has: ['BR', 'FR', 'JP'] },
  },
]

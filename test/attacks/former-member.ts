import { checkProposal } from '#member-node/charters.ts'
import { signCharter as consentTo } from '#member-node/consents.ts'
import { publishPrekeys } from '#member-node/custody.ts'
import type { FederationInfo } from '#specs/api.ts'
import { edit } from '../edits.ts'
import type { Attack } from './attack.ts'
import { signCharter } from './cheating.ts'
import { MEMBERS, type Scene } from './scene.ts'

const REMAINING = MEMBERS.filter(id => id !== 'JP')

/** All but JP agree on a charter without it, and it is in force. */
export async function withoutJp(scene: Scene): Promise<void> {
  await signCharter(scene, REMAINING)
  const { researcher, coordinator } = scene.federation
  const { proposed } = (await (
    await coordinator.app.request(`${researcher.to.url}/federation`)
  ).json()) as FederationInfo
  for (const id of REMAINING) {
    const { proposal } = await checkProposal(scene.node(id), proposed as NonNullable<typeof proposed>)
    await consentTo(scene.node(id), proposal)
  }
  scene.node('JP').stopped = true
  await scene.federation.settle()
}

/**
 * JP left the federation and kept its key, under which the coordinator knows it. It wants its prekeys to be named in further
 * rounds, and shares to be sealed to them. Who is not on the roster in force must not be able to.
 */
async function goOn(scene: Scene): Promise<unknown> {
  await withoutJp(scene)
  await publishPrekeys(scene.node('JP'), 4)
  return 'prekeys taken'
}

export const attacks: readonly Attack[] = [
  {
    row: 7,
    name: 'a former custodian goes on to publish prekeys',
    attempt: goOn,
    holds: { refused: 'not-on-roster', saying: /JP is not on the roster of the charter in force/ },
    protection: [
      edit('coordinator/http.ts', 'if (isMember(context, member)) return member', 'if (member) return member'),
    ],
    fails: { has: 'prekeys taken' },
  },
]

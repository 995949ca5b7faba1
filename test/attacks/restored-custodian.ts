import { agree, giveUp } from '#member-node/custody.ts'
import { backUp, restore } from '../backups.ts'
import { edit } from '../edits.ts'
import { step } from '../steps.ts'
import type { Attack } from './attack.ts'
import { closedRound, onlySharesOf, signCohort } from './cheating.ts'
import { MEMBERS, type Scene } from './scene.ts'

/** KR was backed up before it agreed to a cohort. The round was opened, and then KR was restored: it does not know that it agreed. */

/**
 * The coordinator shows it another cohort, without VN. A restored custodian says nothing new in a round of before, and could not receive
 * shares: backups do not have the private halves of prekeys.
 */
async function agreeAgain(scene: Scene): Promise<unknown> {
  const closed = await closedRound(scene)
  const backup = await backUp(scene.federation, 'KR')
  await step(scene.federation, 'agree')
  await step(scene.federation, 'open')
  const node = await restore(scene.federation, 'KR', backup)
  const others = MEMBERS.filter(one => one !== 'VN')
  const other = await signCohort(scene, closed, others)
  scene.between = (_, direct) => async (url, init) => {
    if (url.endsWith('/agreements')) return Response.json({}, { status: 201 })
    const answer = await direct(url, init)
    return url.endsWith('/shares') ? onlySharesOf(others, answer) : answer
  }
  await agree(node, { ...closed.announced, cohort: other.compact })
  return 'an agreement of KR to another cohort'
}

/** The coordinator wants the cohort not to count any more, and asks who never opened it. */
async function giveUpWhatIsOpen(scene: Scene): Promise<unknown> {
  const { id } = await closedRound(scene)
  const backup = await backUp(scene.federation, 'KR')
  await step(scene.federation, 'agree')
  await step(scene.federation, 'open')
  const node = await restore(scene.federation, 'KR', backup)
  scene.between = () => async () => Response.json({}, { status: 201 })
  await giveUp(node, id, undefined)
  return 'the word of KR that it never opened the round'
}

const says = edit('member-node/restored.ts', "throw fault('restored-since'", "void fault('restored-since'")
const tableOf = (table: string) =>
  edit(
    'member-node/migrations/0003_trust-constraints.sql',
    `${table}_not_forgotten\` BEFORE INSERT ON \`${table}\` WHEN `,
    `${table}_not_forgotten\` BEFORE INSERT ON \`${table}\` WHEN 0 AND `,
  )
const forgets = { refused: 'restored-since', saying: /restored, or began with another key, after the round opened/ }

export const attacks: readonly Attack[] = [
  {
    row: 15,
    name: 'the coordinator has a custodian agree again that was restored from a backup',
    attempt: agreeAgain,
    holds: forgets,
    protection: [
      says,
      tableOf('agreements'),
      edit('member-node/backup.ts', "['UPDATE prekeys SET private_key = NULL', 'DELETE FROM shares']", '[]'),
    ],
    fails: { has: 'an agreement of KR to another cohort' },
  },
  {
    row: 15,
    name: 'the coordinator has a restored custodian say that it never opened a round',
    attempt: giveUpWhatIsOpen,
    holds: forgets,
    protection: [says, tableOf('void_statements')],
    fails: { has: 'the word of KR that it never opened the round' },
  },
]

import { checkProposal } from '#member-node/charters.ts'
import { signCharter as consentTo } from '#member-node/consents.ts'
import { agree } from '#member-node/custody.ts'
import type { Policy } from '#member-node/policy.ts'
import { cohort, consent } from '#specs/messages.ts'
import { edit } from '../edits.ts'
import { pose, step } from '../steps.ts'
import type { Attack } from './attack.ts'
import { closedAs, closedRound, signCharter } from './cheating.ts'
import { HOUR, QUESTION, type Scene } from './scene.ts'

/**
 * The coordinator wants an overlapping question answered again, with another cohort. Custodians know the cohorts before from the log, so
 * it has the custodians changed, and shows the new ones a log without the first cohort. Too few of the old ones may help it.
 */

const CUSTODIANS = ['BR', 'FR', 'JP']

async function consentOf(scene: Scene, id: string, charter: string): Promise<void> {
  const node = scene.node(id)
  await consentTo(node, (await checkProposal(node, { charter, consents: [], confirmations: [] })).proposal)
}

/** The charter names the log as it was before the cohort. */
async function proposeFromBefore(scene: Scene): Promise<unknown> {
  const logHead = scene.coordinator.log.head()
  const { round, query } = await pose(scene.federation, QUESTION)
  await step(scene.federation, 'contribute')
  await scene.pass(0)
  await agree(scene.node('BR'), closedAs(scene, round, query).announced)
  const { compact } = await signCharter(scene, CUSTODIANS.concat('KR', 'VN'), { custodians: CUSTODIANS, logHead })
  await consentOf(scene, 'BR', compact)
  return 'the signature of BR'
}

/** Custodians that have signed are asked to agree to a cohort that their successors are not shown. */
async function agreeAfterwards(scene: Scene): Promise<unknown> {
  const { announced } = await closedRound(scene)
  const logHead = scene.coordinator.log.head()
  const { compact } = await signCharter(scene, CUSTODIANS.concat('KR', 'VN'), { custodians: CUSTODIANS, logHead })
  await consentOf(scene, 'BR', compact)
  await agree(scene.node('BR'), announced)
  return 'the agreement of BR'
}

/** The same id stands in the log before, as something else. Whoever reads the log for the first time must find the cohort all the same. */
async function logTwice(scene: Scene): Promise<unknown> {
  for (const node of scene.federation.nodes.values()) node.rules = { ...(node.rules as Policy), alone: false }
  const { log, db } = scene.coordinator
  const append = log.append.bind(log)
  log.append = (tx, typ, message, at) => {
    if (typ === cohort.typ) append(tx, consent.typ, message, at)
    append(tx, typ, message, at)
  }
  await closedRound(scene)
  db.$client.exec("DROP TRIGGER rounds_one_void_certificate; UPDATE rounds SET void_certificate = 'none'")
  scene.node('VN').stopped = true
  const { round, query } = await pose(scene.federation, QUESTION)
  await step(scene.federation, 'contribute')
  await scene.pass(HOUR + 1000)
  await agree(scene.node('BR'), closedAs(scene, round, query).announced)
  return 'the agreement of BR'
}

export const attacks: readonly Attack[] = [
  {
    row: 4,
    name: 'the coordinator has custodians replaced from before a cohort that they agreed to',
    attempt: proposeFromBefore,
    holds: { refused: 'bad-charter', saying: /agreed to a cohort that the log does not have which the charter names/ },
    protection: [edit('member-node/consents.ts', 'requireLogged(tx, payload.logHead)', 'tx.select()')],
    fails: { has: 'the signature of BR' },
  },
  {
    row: 4,
    name: 'the coordinator has a custodian agree that has signed the charter of its successors',
    attempt: agreeAfterwards,
    holds: { refused: 'bad-cohort', saying: /signed a charter that changes the custodians/ },
    protection: [
      edit('member-node/custody.ts', 'requireCustody(tx, round)', ''),
      edit(
        'member-node/migrations/0003_trust-constraints.sql',
        '`rounds`.`charter` = `ended_custodies`.`charter`',
        '`rounds`.`charter` = `ended_custodies`.`next`',
      ),
    ],
    fails: { has: 'the agreement of BR' },
  },
  {
    row: 4,
    name: 'the coordinator hides a cohort behind another entry of the log',
    attempt: logTwice,
    holds: { refused: 'exposes-members', saying: /would tell VN apart/ },
    protection: [
      edit('member-node/migrations/0005_entries-by-kind.sql', '(`history`,`typ`,`message`)', '(`history`,`message`)'),
    ],
    fails: { has: 'the agreement of BR' },
  },
]

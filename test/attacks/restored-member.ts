import { charterInForce } from '#coordinator/context.ts'
import { checkProposal, confirmCharter } from '#member-node/charters.ts'
import { signCharter as consentTo } from '#member-node/consents.ts'
import { agree, withdrawLostPrekeys } from '#member-node/custody.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { type CharterId, charter } from '#specs/messages.ts'
import { backUp, restore } from '../backups.ts'
import { edit } from '../edits.ts'
import { pose, step } from '../steps.ts'
import type { Attack } from './attack.ts'
import { closedAs, closedRound, signCharter } from './cheating.ts'
import { HOUR, MEMBERS, QUESTION, type Scene } from './scene.ts'

/**
 * A member was restored from a backup, and does not know what it did between that and the restore. Whoever does know would have it do
 * the same again in another way. The member finds in the log what it did.
 */

const SINCE = HOUR / 10

async function loseAndRestore(scene: Scene, id: string, backup: string) {
  const node = await restore(scene.federation, id, backup)
  await withdrawLostPrekeys(node)
  await scene.pass(SINCE)
  await scene.federation.settle()
  return node
}

/** A researcher asks for all imports of two months, and after the restore of VN for those of one, beside which a single trader is left. */
const MONTHS = ['{ from: 2021-01, to: 2021-02 }', '2021-01']
const asked = (period: string | undefined) => QUESTION.replace('flow: import', `flow: import, period: ${period}`)

function guard(scene: Scene): void {
  const traders = ['01,A', '01,B', '01,C', '02,D']
  const records = traders.map(one => one.split(',')).map(([m, t]) => `import,2021-${m},010121,sea,${t},1`)
  scene.federation.load('VN', ['flow,period,hs6,transport,trader,value', ...records, ''].join('\n'))
  const open = presets.open as Policy
  scene.node('VN').rules = { ...open, overlap: { records: 3, traders: 2, days: 30, otherwise: 'refused' } }
}

async function subtract(scene: Scene): Promise<unknown> {
  guard(scene)
  const backup = await backUp(scene.federation, 'VN')
  await pose(scene.federation, asked(MONTHS[0]))
  await scene.federation.settle()
  const node = await loseAndRestore(scene, 'VN', backup)
  await pose(scene.federation, asked(MONTHS[1]))
  await step(scene.federation, 'contribute', ['VN'])
  const { refused } = node.journal.at(-1) ?? {}
  if (refused !== undefined) throw refused
  return 'what one trader imported'
}

/** So that VN does not find its first answer, the second round names a head of before it. Those who agreed to the first must not agree. */
async function subtractUnderAnOldHead(scene: Scene): Promise<unknown> {
  const head = scene.coordinator.log.head()
  await pose(scene.federation, QUESTION)
  await scene.federation.settle()
  await scene.pass(SINCE)
  const newest = scene.coordinator.log.head
  scene.coordinator.log.head = () => head
  const { round, query } = await pose(scene.federation, QUESTION)
  scene.coordinator.log.head = newest
  await step(scene.federation, 'contribute')
  await scene.pass(0)
  await agree(scene.node('BR'), closedAs(scene, round, query).announced)
  return 'the agreement of BR'
}

/** Two charters after the same one, each signed by all: KR confirms the second one, too. */
async function confirmAgain(scene: Scene): Promise<unknown> {
  const backup = await backUp(scene.federation, 'KR')
  const ids: CharterId[] = []
  for (const day of ['01', '02']) {
    const { id, compact } = await propose(scene, { proposedAt: `2030-01-${day}T00:00:00.000Z` })
    ids.push(id)
    for (const member of MEMBERS) await sign(scene, member, compact)
  }
  const [first, second] = ids as [CharterId, CharterId]
  await confirmCharter(scene.node('KR'), second)
  const node = await restore(scene.federation, 'KR', backup)
  scene.between = (_, direct) => async (url, init) =>
    url.endsWith('/confirmations') ? Response.json({}, { status: 201 }) : direct(url, init)
  await confirmCharter(node, first)
  return 'a second confirmation of KR'
}

/** As the coordinator would, but beside other proposals. */
async function propose(scene: Scene, change: object) {
  const { db, log } = scene.coordinator
  const signed = await signCharter(scene, MEMBERS, {
    epoch: 2,
    previous: charterInForce(db)?.id,
    threshold: 4,
    ...change,
  })
  db.transaction(tx => log.append(tx, charter.typ, signed.id, 0))
  return signed
}

async function sign(scene: Scene, member: string, proposed: string): Promise<void> {
  const node = scene.node(member)
  const bundle = { charter: proposed, consents: [], confirmations: [] }
  await consentTo(node, (await checkProposal(node, bundle)).proposal)
}

/** KR signed the charter of its successors, who do not see what is agreed to from then on. It is asked to agree all the same. */
async function agreeAfterHandover(scene: Scene): Promise<unknown> {
  const backup = await backUp(scene.federation, 'KR')
  const logHead = scene.coordinator.log.head()
  const { id, compact } = await propose(scene, { custodians: ['BR', 'FR', 'JP'], threshold: 3, logHead })
  await sign(scene, 'KR', compact)
  scene.coordinator.db.$client.prepare('UPDATE charters SET withdrawn_at = 1 WHERE id = ?').run(id)
  const node = await loseAndRestore(scene, 'KR', backup)
  const { announced } = await closedRound(scene)
  await agree(node, announced)
  return 'the agreement of KR'
}

export const attacks: readonly Attack[] = [
  {
    row: 15,
    name: 'a researcher asks a restored member beside what it has forgotten',
    attempt: subtract,
    holds: { refused: 'policy-refused', saying: /beside what this member answered before/ },
    protection: [
      edit('member-node/ledger.ts', '  await learnCohorts(node, coordinator, gte(logEntries.index, from), signal)\n'),
    ],
    fails: { has: 'what one trader imported' },
  },
  {
    row: 15,
    name: 'the coordinator names a head from before what a restored member has forgotten',
    attempt: subtractUnderAnOldHead,
    holds: {
      refused: 'bad-round',
      saying: /agreed before to a cohort that the log does not have which the round names/,
    },
    protection: [edit('member-node/custody.ts', '    requireNamed(tx, round)\n')],
    fails: { has: 'the agreement of BR' },
  },
  {
    row: 15,
    name: 'the coordinator has a restored member confirm another charter',
    attempt: confirmAgain,
    holds: { refused: 'bad-charter', saying: /confirmed another charter after the one in force/ },
    protection: [edit('member-node/charters.ts', '  await recallSignatures(node, current, signal)\n')],
    fails: { has: 'a second confirmation of KR' },
  },
  {
    row: 15,
    name: 'the coordinator has a restored custodian agree that has signed the charter of its successors',
    attempt: agreeAfterHandover,
    holds: { refused: 'bad-cohort', saying: /signed a charter that changes the custodians/ },
    protection: [edit('member-node/announcements.ts', '    await recallSignatures(node, round.charter, signal)\n')],
    fails: { has: 'the agreement of KR' },
  },
]

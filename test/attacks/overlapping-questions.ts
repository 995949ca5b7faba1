import type { Policy } from '#member-node/policy.ts'
import { edit } from '../edits.ts'
import { pose, roundRow, step } from '../steps.ts'
import type { Attack } from './attack.ts'
import { HOUR, QUESTION, type Scene } from './scene.ts'

/**
 * Two answers to one question, of which one is without VN, or from before VN revised its data, give VN away by subtraction. The coordinator does
 * not go by the pattern rule itself: it closes whatever cohort it likes. The custodians must refuse the second one.
 */
function onlyTogether(scene: Scene): void {
  for (const node of scene.federation.nodes.values()) node.rules = { ...(node.rules as Policy), alone: false }
}

/** As if no cohort before had to be looked at. */
function forgetEarlierRounds(scene: Scene): void {
  scene.coordinator.db.$client.exec(`
    DROP TRIGGER IF EXISTS rounds_one_void_certificate;
    UPDATE rounds SET void_certificate = 'none' WHERE cohort IS NOT NULL`)
}

async function askAgain(scene: Scene): Promise<string> {
  forgetEarlierRounds(scene)
  const { round } = await pose(scene.federation, QUESTION)
  await scene.federation.settle()
  await scene.pass(HOUR + 1000)
  await scene.federation.settle()
  return roundRow(scene.federation, round).state
}

async function withoutOne(scene: Scene): Promise<unknown> {
  onlyTogether(scene)
  await scene.federation.ask(QUESTION)
  scene.node('VN').stopped = true
  return askAgain(scene)
}

async function afterOneRevised(scene: Scene): Promise<unknown> {
  onlyTogether(scene)
  await scene.federation.ask(QUESTION)
  scene.federation.load('VN', 'flow,period,hs6,transport,value\nimport,2020-01,010121,sea,3.00\n')
  return askAgain(scene)
}

/** A cohort without VN stands in the log as if it had been agreed to: then the same is asked once more. */
async function afterAnInvention(scene: Scene): Promise<unknown> {
  onlyTogether(scene)
  await scene.federation.ask(QUESTION)
  scene.node('VN').stopped = true
  forgetEarlierRounds(scene)
  const { round } = await pose(scene.federation, QUESTION)
  await step(scene.federation, 'contribute')
  await scene.pass(HOUR + 1000)
  // No custodian is asked to agree to it.
  const { $client } = scene.coordinator.db
  $client
    .prepare("UPDATE rounds SET state = 'void', reason = 'hidden', void_certificate = 'none' WHERE id = ?")
    .run(round)
  return askAgain(scene)
}

const protection = [
  edit('member-node/custody.ts', '  await checkAgainstLedger(node, round, cohort, manifests, signal)\n'),
]

export const attacks: readonly Attack[] = [
  {
    row: 4,
    name: 'the coordinator asks the same again without one member',
    attempt: withoutOne,
    holds: { has: 'void' },
    protection,
    fails: { has: 'opened' },
  },
  {
    row: 4,
    name: 'the coordinator asks the same again after one member revised its data',
    attempt: afterOneRevised,
    holds: { has: 'void' },
    protection,
    fails: { has: 'opened' },
  },
  {
    row: 4,
    name: 'the coordinator asks the same again without one member, after it wrote into the log that this was agreed to before',
    attempt: afterAnInvention,
    holds: { has: 'void' },
    protection: [edit('specs/rules/pattern.ts', 'one.isAgreed && ')],
    fails: { has: 'opened' },
  },
]

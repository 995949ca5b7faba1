import { agree, open } from '#member-node/custody.ts'
import type { Fetch } from '#party/connection.ts'
import { agreement, opening } from '#specs/messages.ts'
import { claims } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import { step } from '../steps.ts'
import type { Attack } from './attack.ts'
import { agreementOf, closedRound, onlySharesOf, signCohort } from './cheating.ts'
import { MEMBERS, type Scene } from './scene.ts'

/** Two cohorts of one round, with VN and without it, would give VN away by subtraction. The coordinator signs both. */
const WITHOUT_VN = MEMBERS.filter(id => id !== 'VN')

/** Takes what custodians sign for itself, and hands out shares of some dealers alone. */
function taking(dealers: readonly string[], sent: { agreements: string[]; openings: string[] }) {
  return (_: string, direct: Fetch): Fetch =>
    async (url, init) => {
      const body = typeof init?.body === 'string' ? JSON.parse(init.body) : {}
      if (url.endsWith('/shares')) return onlySharesOf(dealers, await direct(url, init))
      if (url.endsWith('/agreements')) sent.agreements.push(body.agreement)
      else if (url.endsWith('/openings')) sent.openings.push(body.opening)
      else return direct(url, init)
      return Response.json({}, { status: 201 })
    }
}

/** It shows KR the one and then the other, and wants both signed. A custodian must agree once a round. */
async function agreeTwice(scene: Scene): Promise<unknown> {
  const closed = await closedRound(scene)
  const other = await signCohort(scene, closed, WITHOUT_VN)
  const sent = { agreements: [], openings: [] }
  scene.between = taking(MEMBERS, sent)
  await agree(scene.node('KR'), closed.announced)
  scene.between = taking(WITHOUT_VN, sent)
  await agree(scene.node('KR'), { ...closed.announced, cohort: other.compact })
  return new Set(sent.agreements.map(compact => claims(agreement, compact).payload.cohort)).size
}

/**
 * BR and FR sign whatever it wants. JP agreed to the cohort of everybody, and VN to another one: with BR and FR three of the four
 * that it takes. It shows VN the agreement of JP as the fourth. Agreements to another cohort must not count.
 */
async function mixAgreements(scene: Scene): Promise<unknown> {
  const closed = await closedRound(scene)
  const members = ['BR', 'JP', 'KR', 'VN']
  const other = await signCohort(scene, closed, members)
  await step(scene.federation, 'agree', ['JP'])
  const ofJp = scene.node('JP').db.$client.prepare('SELECT compact FROM agreements').pluck().get() as string
  const bought = await Promise.all(['BR', 'FR'].map(id => agreementOf(scene, id, closed.id, other.id)))
  const sent: { agreements: string[]; openings: string[] } = { agreements: [], openings: [] }
  scene.between = taking(members, sent)
  await agree(scene.node('VN'), { ...closed.announced, cohort: other.compact })
  await open(scene.node('VN'), { round: closed.id, agreements: [...bought, ...sent.agreements, ofJp] })
  return sent.openings.some(compact => claims(opening, compact).payload.cohort === other.id)
}

const CUSTODY = 'member-node/custody.ts'

export const attacks: readonly Attack[] = [
  {
    row: 3,
    name: 'the coordinator has a custodian agree to two cohorts of a round',
    attempt: agreeTwice,
    holds: { refused: 'bad-cohort', saying: /agreed to another cohort of the round/ },
    // Beside it stands the rule on overlapping cohorts, which the second one breaks as well.
    protection: [
      edit('member-node/ledger.ts', 'if (isHidden) throw', 'if (isHidden === null) throw'),
      edit(
        'member-node/ledger.ts',
        'counting.some(one => one.query === round.query.id)',
        'counting.some(one => one.query === null)',
      ),
      edit(CUSTODY, 'if (stored && stored.cohort !== cohort.id)', 'if (stored === null)'),
      edit(CUSTODY, 'stored?.compact ?? (await receiveAndAgree(', '(await receiveAndAgree('),
      edit(
        CUSTODY,
        '.values({ round: round.id, ...share })',
        '.values({ round: round.id, ...share }).onConflictDoNothing()',
      ),
      edit(
        'member-node/migrations/0000_first.sql',
        'CREATE TABLE `agreements` (\n\t`round` text PRIMARY KEY NOT NULL,',
        'CREATE TABLE `agreements` (\n\t`round` text NOT NULL,',
      ),
      edit(
        'member-node/migrations/0001_at-most-once.sql',
        'WHEN EXISTS (SELECT 1 FROM `agreements` WHERE `round` = NEW.`round`)',
        'WHEN 0',
      ),
    ],
    fails: { has: 2 },
  },
  {
    row: 3,
    name: 'the coordinator has a custodian open a cohort with agreements to another one',
    attempt: mixAgreements,
    holds: { refused: 'bad-cohort', saying: /JP agreed to another cohort/ },
    protection: [edit('specs/rules/cohort.ts', ' || payload.cohort !== to) {', ') {')],
    fails: { has: true },
  },
]

import { edit } from '../edits.ts'
import { dealInconsistently } from '../simulation/cheating-members.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene, TOTAL } from './scene.ts'

/**
 * VN has the computation of its own node in its hands, and seals for BR something else than for the others: to spoil the answer, or to
 * make BR look like a liar. The opening of BR then disagrees, which accuses nobody, and four others must be found that fit.
 */
async function deceive(scene: Scene): Promise<unknown> {
  const node = scene.node('VN')
  Object.assign(node, { compute: dealInconsistently(node.compute) })
  const { rows, evidence } = await scene.federation.ask(QUESTION)
  const { openedBy, disagreeing } = evidence
  return { isRight: rows.length === 1 && rows[0]?.['sum(value)'] === TOTAL, openedBy, disagreeing }
}

export const attacks: readonly Attack[] = [
  {
    row: 11,
    name: 'a member deals one custodian another share than the others',
    attempt: deceive,
    holds: { has: { isRight: true, openedBy: ['FR', 'JP', 'KR', 'VN'], disagreeing: ['BR'] } },
    protection: [
      edit(
        'crypto/one-shot.ts',
        'of subsets(sealed.openings, sealed.threshold)) {',
        'of [sealed.openings.slice(0, sealed.threshold)]) {',
      ),
    ],
    fails: { refused: 'sum-not-accepted', saying: /./ },
  },
]

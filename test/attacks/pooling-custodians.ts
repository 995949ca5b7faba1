import { edit } from '../edits.ts'
import type { Attack } from './attack.ts'
import { closedRound, contributionOf, decrypt, sharesFor } from './cheating.ts'
import { FIGURES, type Scene } from './scene.ts'

/**
 * Three custodians break the charter, in which four open, and pool their private halves with the coordinator, which has every
 * contribution. They want the figures of VN alone. Three shares of a key must say nothing about it.
 */
export async function pool(scene: Scene, custodians: readonly string[]): Promise<unknown> {
  const closed = await closedRound(scene)
  const shares = await sharesFor(scene, closed, 'VN', custodians)
  return decrypt([contributionOf(scene, closed.id, 'VN')], closed.announced.query, shares)
}

export const attacks: readonly Attack[] = [
  {
    row: 13,
    name: 'the coordinator and one custodian fewer than it takes read one contribution',
    attempt: scene => pool(scene, ['BR', 'FR', 'JP']),
    holds: { refused: 'sum-not-accepted', saying: /no 3 of the 3 openings give a key/ },
    protection: [edit('crypto/one-shot.ts', 'deal(key, dealing.threshold, ', 'deal(key, dealing.threshold - 1, ')],
    fails: { has: FIGURES.VN },
  },
]

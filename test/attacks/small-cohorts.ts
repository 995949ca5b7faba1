import { edit } from '../edits.ts'
import type { Attack } from './attack.ts'
import { closedRound, contributionOf, decrypt, leadThrough, recipientKeyOf, signCohort, unsealed } from './cheating.ts'
import { FIGURES, type Scene } from './scene.ts'

/**
 * The coordinator invented the researcher, and so has the key to the answer. Everybody contributed. It tells the custodians that the
 * cohort is VN alone, or VN and BR, which pools its figures with it. Custodians must refuse what is smaller than the charter's
 * minimum, each by itself.
 */
async function read(scene: Scene, members: readonly string[]): Promise<unknown> {
  const closed = await closedRound(scene)
  const cohort = await signCohort(scene, closed, members)
  const openings = await leadThrough(scene, closed, cohort)
  const shares = await unsealed(scene, closed, cohort.id, openings, recipientKeyOf(scene, closed.query))
  return decrypt(
    members.map(id => contributionOf(scene, closed.id, id)),
    closed.announced.query,
    shares,
  )
}

const minimum = edit('specs/rules/cohort.ts', 'counted.length < terms.minimumCohort', 'counted.length < 0')

export const attacks: readonly Attack[] = [
  {
    row: 2,
    name: 'a coordinator that invented the researcher opens a cohort of one',
    attempt: scene => read(scene, ['VN']),
    holds: { refused: 'bad-cohort', saying: /needs 3 members .* it has 1/ },
    protection: [minimum],
    fails: { has: FIGURES.VN },
  },
  {
    row: 2,
    name: 'a coordinator that invented the researcher opens a cohort of two, one of which tells it its figures',
    attempt: scene => read(scene, ['BR', 'VN']),
    holds: { refused: 'bad-cohort', saying: /needs 3 members .* it has 2/ },
    protection: [minimum],
    fails: { has: '21.25' },
  },
]

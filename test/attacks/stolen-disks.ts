import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { edit } from '../edits.ts'
import { step } from '../steps.ts'
import type { Attack } from './attack.ts'
import { closedRound, contributionOf, decrypt, prekeyOf, sharesFor } from './cheating.ts'
import { FIGURES, MEMBERS, type Scene } from './scene.ts'

/**
 * A thief has the disks of everybody, after a round was opened, and among them the coordinator's, with every contribution and every
 * sealed share. It wants the figures of VN in that round. What opened the shares must be gone.
 */
async function open(scene: Scene): Promise<unknown> {
  const closed = await closedRound(scene)
  await step(scene.federation, 'agree')
  await step(scene.federation, 'open')
  const shares = await sharesFor(scene, closed, 'VN', MEMBERS)
  return decrypt([contributionOf(scene, closed.id, 'VN')], closed.announced.query, shares)
}

/** The thief reads what the databases deleted or overwrote: every byte of every file. Nothing of the private halves must be left. */
async function dig(scene: Scene): Promise<unknown> {
  const closed = await closedRound(scene)
  await step(scene.federation, 'agree')
  const halves = MEMBERS.map(id => prekeyOf(scene, closed, id) as Buffer)
  await step(scene.federation, 'open')
  const { directory } = scene.federation
  const files = readdirSync(directory, { recursive: true }).map(file => join(directory, String(file)))
  const found = files.filter(file => statSync(file).isFile()).map(file => readFileSync(file))
  return halves.filter(half => found.some(bytes => bytes.includes(half))).length
}

export const attacks: readonly Attack[] = [
  {
    row: 14,
    name: 'a thief of all disks opens a contribution of a round that is over',
    attempt: open,
    holds: { refused: 'bad-seal', saying: /no private half any more/ },
    protection: [
      edit(
        'member-node/custody.ts',
        '    tx.update(prekeys).set({ privateKey: null }).where(eq(prekeys.round, round.id)).run()\n',
      ),
    ],
    fails: { has: FIGURES.VN },
  },
  {
    row: 14,
    name: 'a thief of all disks finds private halves where a database had them before',
    attempt: dig,
    holds: { has: 0 },
    protection: [edit('party/database.ts', 'wal_checkpoint(TRUNCATE)', 'wal_checkpoint(PASSIVE)')],
    fails: { has: MEMBERS.length },
  },
]

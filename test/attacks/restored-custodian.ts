import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeKeyFile } from '#crypto/signature.ts'
import { backupContents } from '#member-node/backup.ts'
import { agree } from '#member-node/custody.ts'
import { makeBackup } from '#party/backup.ts'
import { completeDirectory } from '#party/directory.ts'
import { restoreBackup } from '#party/restore.ts'
import { conventions } from '#specs/messages.ts'
import { edit } from '../edits.ts'
import { openNode } from '../federation.ts'
import { step } from '../steps.ts'
import type { Attack } from './attack.ts'
import { closedRound, onlySharesOf, signCohort } from './cheating.ts'
import { MEMBERS, type Scene } from './scene.ts'

/**
 * KR was backed up after it had contributed to a round and before it agreed to its cohort. The round was opened, and then KR was
 * restored: its ledger does not know that it agreed. The coordinator shows it another cohort, without VN. A restored custodian must
 * not be able to receive shares for a round of before: backups do not have the private halves of prekeys.
 */
async function agreeAgain(scene: Scene): Promise<unknown> {
  const closed = await closedRound(scene)
  const { id, key, directory, federation, connection, clock, randomness } = scene.node('KR')
  mkdirSync(join(directory, 'keys'))
  writeFileSync(join(directory, 'keys', 'identity'), await writeKeyFile(key, undefined))
  const coordinator = { url: scene.federation.researcher.to.url, federation }
  const made = conventions.parse({})
  const role = 'member'
  await completeDirectory(directory, {
    role,
    id,
    name: id,
    coordinator,
    currency: 'USD',
    policy: 'open',
    conventions: made,
  })
  const { signal } = new AbortController()
  const options = { withRecords: true, now: 0, signal, progress: () => undefined }
  const backup = join(scene.federation.directory, 'backup of KR')
  await makeBackup(directory, backup, backupContents, options)
  await step(scene.federation, 'agree')
  await step(scene.federation, 'open')
  const restored = join(scene.federation.directory, 'KR restored')
  await restoreBackup(backup, restored, backupContents, signal)
  const node = openNode(restored, { id, key, federation, connection, clock, randomness })
  try {
    const others = MEMBERS.filter(one => one !== 'VN')
    const other = await signCohort(scene, closed, others)
    scene.between = (_, direct) => async (url, init) => {
      if (url.endsWith('/agreements')) return Response.json({}, { status: 201 })
      const answer = await direct(url, init)
      return url.endsWith('/shares') ? onlySharesOf(others, answer) : answer
    }
    await agree(node, { ...closed.announced, cohort: other.compact })
    return 'an agreement of KR to another cohort'
  } finally {
    node.db.$client.close()
  }
}

export const attacks: readonly Attack[] = [
  {
    row: 15,
    name: 'the coordinator has a custodian agree again that was restored from a backup',
    attempt: agreeAgain,
    holds: { refused: 'prekey-used', saying: /does not hold the private half/ },
    protection: [
      edit('member-node/backup.ts', "['UPDATE prekeys SET private_key = NULL', 'DELETE FROM shares']", '[]'),
    ],
    fails: { has: 'an agreement of KR to another cohort' },
  },
]

import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { edit } from '../edits.ts'
import { startCoordinator } from '../federation.ts'
import { pose, roundRow, step } from '../steps.ts'
import type { Attack } from './attack.ts'
import { HOUR, QUESTION, type Scene } from './scene.ts'

/**
 * The coordinator keeps two histories: in one a question was answered, in the other it never was. To those who know of the answer it shows
 * the other one, as if it had been restored from a backup. The round must not be completed: a node refuses a head that does not
 * extend the log that it has read.
 */
async function forget(scene: Scene): Promise<unknown> {
  const { federation } = scene
  const copy = mkdtempSync(join(tmpdir(), 'inbond-history-'))
  const { key, db } = scene.coordinator
  db.$client.pragma('wal_checkpoint(TRUNCATE)')
  cpSync(federation.directory, copy, { recursive: true })
  await federation.ask(QUESTION)
  const other = startCoordinator(copy, key, federation.clock, error => void federation.errors.push(error))
  Object.assign(federation, { coordinator: other })
  try {
    // Prekeys that served in the other history are refused in any case.
    other.context.db.$client.exec('DELETE FROM prekeys')
    await step(federation, 'prekeys')
    const { round } = await pose(federation, QUESTION)
    await federation.settle()
    await scene.pass(HOUR)
    return roundRow(federation, round).state
  } finally {
    db.$client.close()
    rmSync(copy, { recursive: true, force: true })
  }
}

export const attacks: readonly Attack[] = [
  {
    row: 19,
    name: 'the coordinator shows a history in which an answer was never given',
    attempt: forget,
    holds: { has: 'void' },
    protection: [
      edit(
        'member-node/log-mirror.ts',
        '    if (head.size <= read.size) {',
        '    if (head.size > 0) return\n    if (head.size <= read.size) {',
      ),
      edit('member-node/custody.ts', '    requireSharedHistory(tx, cohort)\n'),
    ],
    fails: { has: 'opened' },
  },
]

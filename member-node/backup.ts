import { join } from 'node:path'
import type { BackupContents } from '#party/backup.ts'
import { CLOCK_TOLERANCE_MS } from '#specs/messages.ts'
import { config } from './config.ts'

/** A round that the lost node saw may have opened by its clock and this much, and its clock may have differed from this machine's by as much. */
export const UNCERTAINTY_MS = 2 * CLOCK_TOLERANCE_MS

/**
 * What a node's backup holds: see schema.ts for the tables. Private halves of prekeys and the shares sealed to them are withheld:
 * contributions must become unreadable when a round is over. Its ledger of what it contributed, agreed to and opened stays. What it did
 * after that is forgotten, so a restored node knows since when: see restored.ts.
 */
export const backupContents: BackupContents = {
  config,
  database: 'node.sqlite',
  migrations: join(import.meta.dirname, 'migrations'),
  withheld: ['UPDATE prekeys SET private_key = NULL', 'DELETE FROM shares'],
  restored: [
    'UPDATE prekeys SET is_lost = 1',
    `INSERT INTO restorations (at, takes_part_from, history, log_size)
     SELECT @now, @now + ${UNCERTAINTY_MS}, coalesce(max(history), 1), coalesce(max(size), 0)
     FROM log_reading WHERE history = (SELECT max(history) FROM log_reading)`,
  ],
  files: [
    `SELECT 'outbox/' || round || '.ciphertext'
     FROM contributions JOIN rounds ON rounds.id = round WHERE cleared_at IS NULL`,
  ],
  records: 'warehouse.sqlite',
}

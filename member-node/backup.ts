import { join } from 'node:path'
import type { BackupContents } from '#party/backup.ts'
import { config } from './config.ts'

/**
 * What a node's backup holds: see schema.ts for the tables. Private halves of prekeys and the shares sealed to them are withheld:
 * contributions must become unreadable when a round is over. A restored custodian takes no part in rounds that were under
 * way, and its ledger of what it contributed, agreed to and opened stays.
 */
export const backupContents: BackupContents = {
  config,
  database: 'node.sqlite',
  migrations: join(import.meta.dirname, 'migrations'),
  withheld: ['UPDATE prekeys SET private_key = NULL', 'DELETE FROM shares'],
  files: [
    `SELECT 'outbox/' || round || '.ciphertext'
     FROM contributions JOIN rounds ON rounds.id = round WHERE cleared_at IS NULL`,
  ],
  records: 'warehouse.sqlite',
}

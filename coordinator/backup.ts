import { join } from 'node:path'
import type { BackupContents } from '#party/backup.ts'
import { config } from './config.ts'

/**
 * What a coordinator's backup holds: see schema.ts for the tables. Prekeys that no round uses are withheld, because they may be
 * used after the backup: announced again they would be refused, and custodians send new ones. So are open invitations: one
 * that was redeemed after the backup would work a second time.
 */
export const backupContents: BackupContents = {
  config,
  database: 'coordinator.sqlite',
  migrations: join(import.meta.dirname, 'migrations'),
  withheld: ['DELETE FROM prekeys WHERE round IS NULL', 'DELETE FROM invitations WHERE redeemed_by IS NULL'],
  restored: [],
  files: [
    `SELECT 'uploads/' || round || '/' || manifest_id || '.contribution'
     FROM contributions JOIN rounds ON rounds.id = round WHERE state <> 'void'`,
    "SELECT 'uploads/' || id || '/sum' FROM rounds WHERE sum IS NOT NULL AND state <> 'void'",
  ],
}

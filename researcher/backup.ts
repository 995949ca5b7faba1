import { join } from 'node:path'
import type { BackupContents } from '#party/backup.ts'
import { config } from './config.ts'

/**
 * What a researcher's backup holds: see schema.ts for the tables. The key to an answer that was not read yet is withheld: it must be
 * gone once the answer is read. After a restore such a query has to be asked again.
 */
export const backupContents: BackupContents = {
  config,
  database: 'researcher.sqlite',
  migrations: join(import.meta.dirname, 'migrations'),
  withheld: [
    `UPDATE queries SET private_key = NULL, seed = NULL, void_reason = 'the key to its answer was not in the backup'
     WHERE private_key IS NOT NULL`,
  ],
  restored: [],
  files: [],
}

import { join } from 'node:path'
import { systemClock } from '#party/clock.ts'
import { type CommonOptions, passphraseOf, type Terminal } from '#party/command.ts'
import { openDatabase } from '#party/database.ts'
import { openDirectory } from '#party/directory.ts'
import { type Config, config } from './config.ts'
import type { ContextOptions } from './context.ts'
import * as schema from './schema.ts'

const MIGRATIONS = join(import.meta.dirname, 'migrations')

/** Opens a coordinator's directory for as long as `work` takes. */
export async function withCoordinator<T>(
  path: string,
  options: CommonOptions,
  terminal: Terminal,
  work: (parts: ContextOptions, config: Config) => T | Promise<T>,
): Promise<T> {
  const { config: settings, key } = await openDirectory(path, config, await passphraseOf(options, terminal))
  const db = openDatabase(join(path, 'coordinator.sqlite'), schema, MIGRATIONS)
  const { name, currency } = settings
  try {
    return await work({ db, key, name, currency, uploads: join(path, 'uploads'), clock: systemClock }, settings)
  } finally {
    db.$client.close()
  }
}

import { FAULTS } from './faults.ts'

/** Loaded into real processes with NODE_OPTIONS=--import, before anything of theirs. */
if (process.env[FAULTS] !== undefined) {
  await import('./commits.ts')
  await import('./sends.ts')
  await import('./files.ts')
  await import('./clock.ts')
}

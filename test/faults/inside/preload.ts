import { FAULTS } from './faults.ts'

/**
 * Loaded into real processes with NODE_OPTIONS=--import, before anything of theirs. `./inbond` also runs Node.js once without a
 * script, to learn its version.
 */
if (process.argv[1] !== undefined && process.env[FAULTS] !== undefined) {
  await import('./commits.ts')
  await import('./sends.ts')
  await import('./files.ts')
  await import('./clock.ts')
}

import { statfsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Tests that need programs from outside npm (nginx, squid): `npm run test:proxies`. */
const PROXIES = 'test/proxies/**/*.test.ts'
/** Tests that look at the memory of their process, or at what happens when something is loaded for the first time. */
const ALONE = ['crypto/seal.test.ts', 'test/fuzz/decoders.test.ts', 'test/simulation/faults.test.ts']

/** A file system in memory, if there is one with room for all: tests end processes, never machines, and need not wait for a disk. */
function temporaryDirectory(): { TMPDIR?: string } {
  const inMemory = '/dev/shm'
  try {
    const { bavail, bsize } = statfsSync(inMemory)
    return bavail * bsize > 4 * 2 ** 30 ? { TMPDIR: inMemory } : {}
  } catch {
    return {}
  }
}

/** What takes longest, first: begun last, it would run alone at the end. Nobody knows how long tests took in a fresh clone. */
const LONGEST = [
  'test/simulation/',
  'test/docs.test.ts',
  'test/processes/',
  'test/faults/',
  'test/ledger.test.ts',
  'test/attacks/',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex(part => moduleId.includes(`/${part}`))
      return found === -1 ? LONGEST.length : found
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    env: temporaryDirectory(),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        // To load the product anew for each file takes a third of the time.
        test: {
          name: 'normal',
          isolate: false,
          include: ['**/*.test.ts'],
          exclude: [PROXIES, ...ALONE, '**/node_modules/**'],
        },
      },
      { extends: true, test: { name: 'alone', include: ALONE } },
      { extends: true, test: { name: 'proxies', include: [PROXIES] } },
    ],
  },
})

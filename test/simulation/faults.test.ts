import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { effort, seed } from '../effort.ts'
import type { Federation } from '../federation.ts'
import { type Snapshot, takeSnapshot } from '../snapshot.ts'
import { foundFederation, ROOT } from './members.ts'
import { memoryInUse, watchWebAssembly } from './memory.ts'
import { run } from './run.ts'
import { losses, type Schedule, schedules } from './schedule.ts'

/**
 * Hostile schedules: messages are lost, cut, repeated and overtaken, parties crash and stay away, clocks jump; and nobody cheats.
 * A failure prints the seed, which replays it (`INBOND_TEST_SEED=… npx vitest run test/simulation`), and the shrunk schedule, which
 * `run` takes as it is.
 */
const sealBytes = watchWebAssembly()
const memory = () => ({ heap: memoryInUse(), seal: sealBytes() })
/** By then every kind of cache is full. */
const WARM_UP = 40
/** Less than one contribution with its shares for each of the runs after that. */
const MOST_GROWTH_BYTES = 2 ** 24

let federation: Federation
let snapshot: Snapshot

beforeAll(async () => {
  federation = await foundFederation()
  snapshot = takeSnapshot(federation)
})
afterAll(() => federation[Symbol.dispose]())

test('without a fault every question is answered by everybody', async () => {
  const question = { at: 0, need: '{ atLeast: 3 }', closes: '1h', large: false, withdrawn: null } as const
  const usual = { moves: [], sums: [], recounts: false, refusing: null, reforms: [], cheat: null }
  const schedule: Schedule = { questions: [question, question], ...usual }
  const { asked } = await run(snapshot, schedule, ROOT)
  expect(asked.map(one => one.answer?.cohort)).toEqual(Array(2).fill(['BR', 'FR', 'JP', 'KR']))
})

test(
  'every invariant holds after any faults',
  async () => {
    const numRuns = effort(48, 2000)
    let runs = 0
    let questions = 0
    let answers = 0
    let base = { heap: 0, seal: 0 }
    const holds = fc.asyncProperty(schedules(), async schedule => {
      const { asked } = await run(snapshot, schedule, ROOT)
      questions += asked.length
      answers += asked.filter(one => one.answer !== undefined).length
      if (++runs === WARM_UP) base = memory()
    })
    await fc.assert(holds, { numRuns, seed })
    // Otherwise most of the protocol was not reached.
    expect(answers / questions).toBeGreaterThan(0.4)
    expect(base.seal).toBeGreaterThan(2 ** 20)
    expect(memory().seal, "SEAL's heap").toBe(base.seal)
    expect(memory().heap - base.heap, 'heap').toBeLessThan(MOST_GROWTH_BYTES)
  },
  effort(900_000, 7_200_000),
)

test(
  'every invariant holds where members are restored from backups',
  async () => {
    const holds = fc.asyncProperty(losses(), schedule => run(snapshot, schedule, ROOT).then(() => undefined))
    await fc.assert(holds, { numRuns: effort(8, 1000), seed })
  },
  effort(300_000, 7_200_000),
)

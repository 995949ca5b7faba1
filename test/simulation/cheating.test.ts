import fc from 'fast-check'
import { afterAll, beforeAll, test } from 'vitest'
import { effort, seed } from '../effort.ts'
import type { Federation } from '../federation.ts'
import { type Snapshot, takeSnapshot } from '../snapshot.ts'
import { cheats } from './adversaries.ts'
import { foundFederation, MEMBERS, ROOT } from './members.ts'
import { run } from './run.ts'
import { schedules } from './schedule.ts'

/** The same schedules beside somebody who breaks the rules: nobody has to get an answer, and whoever does gets a right one. */
let federation: Federation
let snapshot: Snapshot

beforeAll(async () => {
  federation = await foundFederation()
  snapshot = takeSnapshot(federation)
})
afterAll(() => federation[Symbol.dispose]())

test('a coordinator that dies while it makes two sums takes both with it', async () => {
  const question = { at: 0, need: '{ atLeast: 3 }', closes: '1h', large: false, withdrawn: null } as const
  const refusing = MEMBERS[3] ?? null
  await run(
    snapshot,
    {
      ...{ questions: [question, question], moves: [], sums: ['dies'], recounts: false, reforms: [] },
      ...{ refusing, cheat: 'two cohorts' },
    },
    ROOT,
  )
})

test(
  'every invariant holds beside any adversary',
  async () => {
    const holds = fc.asyncProperty(schedules(fc.constantFrom(...cheats)), async schedule => {
      await run(snapshot, schedule, ROOT)
    })
    await fc.assert(holds, { numRuns: effort(30, 1000), seed })
  },
  effort(900_000, 7_200_000),
)

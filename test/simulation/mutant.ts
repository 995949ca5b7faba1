import { loadEdited } from '../edits.ts'
import { mutations } from './mutations.ts'

/**
 * Runs schedules on the product with one mutation, which no file of the working tree has: `node mutant.ts NAME SEED RUNS`. Prints
 * the invariants that broke, each with what was wrong, as JSON.
 */
const [, , name, seed, runs] = process.argv
const mutation = mutations.find(one => one.name === name)
if (!mutation) throw new Error(`there is no mutation "${name}"`)

const { edits } = mutation
loadEdited(() => edits)

const { default: fc } = await import('fast-check')
const { takeSnapshot } = await import('../snapshot.ts')
const { BrokenInvariant } = await import('./invariants.ts')
const { foundFederation, ROOT } = await import('./members.ts')
const { run } = await import('./run.ts')
const { schedules } = await import('./schedule.ts')

const usual = { at: 0, need: '{ atLeast: 3 }', closes: '1h', large: false, withdrawn: null } as const
const first = [mutation.first ?? {}].flat().map(one => ({
  ...{ questions: [usual], moves: [], sums: [], recounts: false, refusing: null, reforms: [] },
  ...one,
  cheat: mutation.cheat,
}))
using federation = await foundFederation()
const snapshot = takeSnapshot(federation)
const holds = fc.asyncProperty(schedules(fc.constant(mutation.cheat)), schedule =>
  run(snapshot, schedule, ROOT).then(() => undefined),
)
const result = await fc.check(holds, {
  numRuns: Math.max(Number(runs), first.length),
  seed: Number(seed),
  examples: first.map(one => [one]),
  endOnFailure: true,
})
const error = result.errorInstance
const broken = error instanceof BrokenInvariant ? error.failed : result.failed ? [String(error)] : []
process.stdout.write(JSON.stringify({ broken, runs: result.numRuns }))

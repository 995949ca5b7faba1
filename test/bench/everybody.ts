import { systemClock } from '#party/clock.ts'
import type { Bench, Family } from './bench.ts'
import { Roster } from './roster.ts'

/** As many members as the World Customs Organization has. */
const ROSTER = 186
const SMALL_ROSTER = 18
const IDLE_SECONDS = 30
const MEGABYTE = 1e6

async function roster(bench: Bench): Promise<void> {
  const large = bench.use(new Roster())
  bench.says(`${ROSTER} members enrol, import, and sign`)
  await large.found(ROSTER)
  if (bench.wants('roster-idle')) await waiting(bench, large)
  if (!(['roster-cpu', 'roster-memory', 'roster-tenfold'] as const).some(bench.wants)) return
  const small = bench.use(new Roster())
  bench.says(`${SMALL_ROSTER} members enrol, import, and sign`)
  await small.found(SMALL_ROSTER)
  await bench.repeat(`a round of ${ROSTER} members`, async () => {
    const few = await small.ask()
    const many = await large.ask()
    bench.record('roster-cpu', many.cpu)
    bench.record('roster-memory', large.coordinator.peakMemory() / MEGABYTE)
    bench.record('roster-tenfold', (10 * (many.cpu / ROSTER)) / (few.cpu / SMALL_ROSTER))
    bench.note('roster-cpu', `${many.wall.toFixed(0)} s by the clock, which the members here share`)
  })
}

async function waiting(bench: Bench, { coordinator }: Roster): Promise<void> {
  await bench.repeat(`${ROSTER} members wait`, async () => {
    const before = coordinator.processorTime()
    await systemClock.wait(IDLE_SECONDS * 1000, bench.signal)
    bench.record('roster-idle', (coordinator.processorTime() - before) * (60 / IDLE_SECONDS))
  })
}

export const everybody: Family = {
  ids: ['roster-cpu', 'roster-memory', 'roster-tenfold', 'roster-idle'],
  runs: 3,
  measure: roster,
}

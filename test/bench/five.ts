import { answerOf, Federation, until } from '../processes/federation.ts'
import { type Bench, type Family, timed } from './bench.ts'
import { checkAnswer, csvOf, MAP } from './declarations.ts'
import { queryFile, type Slots } from './questions.ts'

/** Five members, a coordinator and a researcher, each a process that `./inbond` starts. */

const RECORDS = 2000
const MEGABYTE = 1e6

async function start(bench: Bench) {
  bench.says('five members enrol')
  const federation = await bench.make(Federation.create())
  bench.says('five members import')
  for (const id of federation.ids) await federation.load(id, csvOf(id, RECORDS), MAP)
  await federation.startMembers()
  const coordinator = federation.database('coordinator')
  bench.finally(() => coordinator.close())
  const ready = coordinator.prepare('SELECT count(DISTINCT custodian) FROM prekeys').pluck()
  await until(
    () => ready.get() === federation.ids.length,
    () => 'prekeys of every custodian',
  )
  return { federation, coordinator }
}

/** Asks once. All times in seconds. */
async function ask({ federation, coordinator }: Awaited<ReturnType<typeof start>>, slots: Slots) {
  const file = queryFile(slots)
  const { result: asking, wall } = await timed(async () => {
    const running = federation.ask(file)
    await running.ended
    return running
  })
  const answer = answerOf(await asking.ended)
  checkAnswer(answer, file, federation.ids, RECORDS)
  const researcher = federation.database('researcher')
  const askedAt = researcher.prepare('SELECT asked_at FROM queries WHERE id = ?').pluck().get(answer.query) as number
  researcher.close()
  const contributedAt = coordinator.prepare('SELECT min(received_at) FROM contributions WHERE round = ?').pluck()
  return {
    command: wall,
    answered: (asking.stdoutAt - askedAt) / 1000,
    first: ((contributedAt.get(answer.round) as number) - askedAt) / 1000,
  }
}

async function small(bench: Bench): Promise<void> {
  const parties = await start(bench)
  await bench.repeat('a round of 10,000 cells', async run => {
    const { command, answered, first } = await ask(parties, 10_000)
    bench.record('round', answered)
    bench.record('round-command', command)
    bench.record('round-first', first)
    if (run === 1) bench.note('round', `${answered.toFixed(2)} s with members that have just started`)
  })
}

async function large(bench: Bench): Promise<void> {
  const parties = await start(bench)
  const { federation } = parties
  await bench.repeat('2,000,000 slots', async () => {
    const { command } = await ask(parties, 2_000_000)
    bench.record('large-round', command)
    bench.record('large-coordinator', federation.peakMemory('coordinator') / MEGABYTE)
    const peaks = federation.ids.map(id => federation.peakMemory(id) / MEGABYTE)
    bench.record('large-member', Math.max(...peaks))
  })
}

export const five: readonly Family[] = [
  { ids: ['round', 'round-command', 'round-first'], runs: 7, measure: small },
  { ids: ['large-round', 'large-coordinator', 'large-member'], runs: 3, measure: large },
]

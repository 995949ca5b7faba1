import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createContext } from '#coordinator/app.ts'
import { config } from '#coordinator/config.ts'
import { proposeCharter } from '#coordinator/governance.ts'
import * as schema from '#coordinator/schema.ts'
import { checkProposal, signCharter } from '#member-node/charters.ts'
import { type Observer, work } from '#member-node/work.ts'
import { systemClock } from '#party/clock.ts'
import { openDatabase } from '#party/database.ts'
import { openDirectory } from '#party/directory.ts'
import { meetCoordinator } from '#party/invitation.ts'
import { enrolMember, loadRecords, type TestNode } from '../federation.ts'
import { answerOf, CommandLine, freePort, ROOT, type Running, until } from '../processes/federation.ts'
import { type Bench, type Family, timed } from './bench.ts'
import { checkAnswer, csvOf } from './declarations.ts'
import { queryFile } from './questions.ts'

/**
 * A coordinator and a researcher as processes, and a roster of members within this one. The members are the product's own, with
 * keys, databases and records of their own, and ask for work over HTTP as `inbond member start` does.
 */

const ROSTER = 186
const SMALL_ROSTER = 18
const RECORDS = 300
const SLOTS = 100_000
const IDLE_SECONDS = 30
const MEGABYTE = 1e6
/** Of a round; far beyond the target, so that a slow one is measured too. */
const DEADLINE_MS = 900_000

class Roster implements AsyncDisposable {
  readonly #line = new CommandLine()
  readonly #ending = new AbortController()
  readonly #members: TestNode[] = []
  #working: Promise<unknown> = Promise.resolve()
  #coordinator: Running | undefined

  get coordinator(): Running {
    if (this.#coordinator === undefined) throw new Error('the coordinator was not started')
    return this.#coordinator
  }

  async found(members: number): Promise<void> {
    const [directory, port] = [this.#line.path('coordinator'), await freePort()]
    await this.#line.succeed('coordinator', 'init', directory, '--name', 'Measurement', '--port', String(port))
    this.#coordinator = this.#line.start(['coordinator', 'start', directory])
    await this.#coordinator.says(/is ready/)
    const invitation = (await this.#line.succeed('coordinator', 'invite', directory, '--researcher', 'Ada')).trim()
    await this.#line.succeed(
      'researcher',
      'init',
      this.#line.path('researcher'),
      '--name',
      'Ada',
      '--invite',
      invitation,
    )
    await this.#enrol(directory, members)
    this.#working = Promise.all(this.#members.map(node => work(node, OBSERVER, this.#ending.signal)))
    this.#working.catch(() => undefined)
    await this.#untilReady(directory)
  }

  /** As the commands `invite` and `charter propose` do it, beside the running coordinator. */
  async #enrol(directory: string, members: number): Promise<void> {
    const { config: settings, key } = await openDirectory(directory, config, undefined)
    const { name, currency, url } = settings
    const db = openDatabase(join(directory, 'coordinator.sqlite'), schema, join(ROOT, 'coordinator/migrations'))
    try {
      const context = createContext({
        db,
        key,
        name,
        currency,
        uploads: join(directory, 'uploads'),
        clock: systemClock,
      })
      for (let i = 0; i < members; i++) {
        const node = await enrolMember(context, url, this.#line.directory, systemClock, `M${100 + i}`)
        loadRecords(node.directory, csvOf(node.id, RECORDS), systemClock, { from: '2020-01', to: '2020-12' })
        this.#members.push(node)
      }
      await proposeCharter(context, {})
      const { proposed } = await meetCoordinator({ url, federation: key.fingerprint })
      if (proposed === null) throw new Error('there is no proposed charter')
      for (const node of this.#members) await signCharter(node, (await checkProposal(node, proposed)).proposal)
    } finally {
      db.$client.close()
    }
  }

  /** Until everybody knows the charter and every custodian has published its prekeys. */
  async #untilReady(directory: string): Promise<void> {
    await until(
      () => this.#members.every(node => node.db.$client.prepare(CHARTER_KNOWN).pluck().get() === 1),
      () => 'everybody to verify the charter',
      DEADLINE_MS,
    )
    const db = openDatabase(join(directory, 'coordinator.sqlite'), schema, join(ROOT, 'coordinator/migrations'))
    try {
      const custodians = db.$client.prepare('SELECT count(DISTINCT custodian) FROM prekeys').pluck()
      await until(
        () => custodians.get() === 5,
        () => 'prekeys of every custodian',
      )
    } finally {
      db.$client.close()
    }
  }

  /** Asks once. All times in seconds; the processor's is the coordinator's. */
  async ask(): Promise<{ cpu: number; wall: number }> {
    const query = queryFile(SLOTS)
    const file = this.#line.write('query.yaml', query)
    const before = processorTime(this.coordinator)
    const { result, wall } = await timed(() =>
      this.#line.run(['query', 'run', file, '--as', this.#line.path('researcher'), '--json']),
    )
    const cpu = processorTime(this.coordinator) - before
    const ids = this.#members.map(node => node.id)
    checkAnswer(answerOf(result), query, ids, RECORDS)
    return { cpu, wall }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort()
    await this.#line[Symbol.asyncDispose]()
    await this.#working.catch(() => undefined)
    for (const node of this.#members) node.db.$client.close()
  }
}

const CHARTER_KNOWN = 'SELECT count(*) FROM charters WHERE in_force_at IS NOT NULL'

/** A refusal ends the round, with its reason. */
const OBSERVER: Observer = { done: () => undefined, refused: () => undefined, failed: () => undefined }

/** What a process has used of the processor, in seconds. Linux counts in hundredths, whatever the machine. */
function processorTime({ pid }: Running): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

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
    const before = processorTime(coordinator)
    await systemClock.wait(IDLE_SECONDS * 1000, bench.signal)
    bench.record('roster-idle', (processorTime(coordinator) - before) * (60 / IDLE_SECONDS))
  })
}

export const everybody: Family = {
  ids: ['roster-cpu', 'roster-memory', 'roster-tenfold', 'roster-idle'],
  runs: 3,
  measure: roster,
}

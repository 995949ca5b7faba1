import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { config } from '#coordinator/config.ts'
import { createContext } from '#coordinator/context.ts'
import { proposeCharter } from '#coordinator/proposals.ts'
import * as schema from '#coordinator/schema.ts'
import { checkProposal } from '#member-node/charters.ts'
import type { ComputationResult } from '#member-node/computation.ts'
import { signCharter } from '#member-node/consents.ts'
import { sponsor } from '#member-node/researchers.ts'
import { type Observer, work } from '#member-node/work.ts'
import { systemClock } from '#party/clock.ts'
import { openDatabase } from '#party/database.ts'
import { openDirectory } from '#party/directory.ts'
import { meetCoordinator } from '#party/invitation.ts'
import { Thread } from '#party/thread.ts'
import { enrolMember, loadRecords, type TestNode, VOUCHING } from '../federation.ts'
import { answerOf, CommandLine, freePort, ROOT, type Running, until } from '../processes/federation.ts'
import { timed } from './bench.ts'
import { checkAnswer, csvOf } from './declarations.ts'
import type { MembersTask } from './member-worker.ts'
import { queryFile } from './questions.ts'

/**
 * A coordinator and a researcher as processes, and a roster of members within this one. The members are the product's own, with
 * keys, databases and records of their own, and ask for work over HTTP as `inbond member start` does. They compute one after the
 * other, in one thread beside this one.
 */

const RECORDS = 300
const SLOTS = 100_000
const memberCalled = (i: number) => `M${100 + i}`
/** Of what all members do before they can be asked; 186 of them check each other's signatures. */
const DEADLINE_MS = 300_000

export class Roster implements AsyncDisposable {
  readonly #line = new CommandLine()
  readonly #ending = new AbortController()
  readonly #members: TestNode[] = []
  readonly #thread = new Thread<MembersTask, ComputationResult>(new URL('./member-worker.ts', import.meta.url))
  readonly #refusals: unknown[] = []
  #founding: Promise<void> = Promise.resolve()
  #working: Promise<unknown> = Promise.resolve()
  #coordinator: Running | undefined

  get coordinator(): Running {
    if (this.#coordinator === undefined) throw new Error('the coordinator was not started')
    return this.#coordinator
  }

  /** Enrols `members`, lets them sign, and lets them ask for work. */
  found(members: number): Promise<void> {
    this.#founding = this.#found(members)
    return this.#founding
  }

  async #found(members: number): Promise<void> {
    const [directory, port] = [this.#line.path('coordinator'), await freePort()]
    await this.#line.succeed('coordinator', 'init', directory, '--name', 'Measurement', '--port', String(port))
    this.#coordinator = this.#line.start(['coordinator', 'start', directory])
    await this.#coordinator.says(/is ready/)
    const asked = ['--researcher', 'Ada', '--sponsor', memberCalled(0)]
    const invitation = (await this.#line.succeed('coordinator', 'invite', directory, ...asked)).trim()
    const fingerprint = await this.#line.succeed(
      'researcher',
      'init',
      this.#line.path('researcher'),
      '--name',
      'Ada',
      '--invite',
      invitation,
    )
    const custodians = await this.#enrol(directory, members)
    await sponsor(this.#members[0] as TestNode, fingerprint.trim(), VOUCHING)
    const refused: Observer['refused'] = (_, error) => void this.#refusals.push(error)
    const observer: Observer = { refused, done: () => undefined, failed: () => undefined }
    this.#working = Promise.all(this.#members.map(node => work(node, observer, this.#ending.signal)))
    this.#working.catch(() => undefined)
    await this.#untilReady(directory, custodians)
  }

  /** As the commands `invite` and `charter propose` do it, beside the running coordinator. Returns the number of custodians. */
  async #enrol(directory: string, members: number): Promise<number> {
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
        this.#ending.signal.throwIfAborted()
        const node = await enrolMember(context, url, this.#line.directory, systemClock, memberCalled(i))
        loadRecords(node.directory, csvOf(node.id, RECORDS), systemClock, { from: '2020-01', to: '2020-12' })
        const warehouse = join(node.directory, 'warehouse.sqlite')
        this.#members.push({ ...node, compute: task => this.#thread.run({ task, warehouse }) })
      }
      const { payload } = await proposeCharter(context, {})
      const { proposed } = await meetCoordinator({ url, federation: key.fingerprint })
      if (proposed === null) throw new Error('there is no proposed charter')
      for (const node of this.#members) await signCharter(node, (await checkProposal(node, proposed)).proposal)
      return payload.custodians.length
    } finally {
      db.$client.close()
    }
  }

  /** Until everybody knows the charter and every custodian has published its prekeys. */
  async #untilReady(directory: string, custodians: number): Promise<void> {
    await until(
      () =>
        this.#ending.signal.aborted ||
        this.#members.every(node => node.db.$client.prepare(CHARTER_KNOWN).pluck().get() === 1),
      () => 'everybody to verify the charter',
      DEADLINE_MS,
    )
    const db = openDatabase(join(directory, 'coordinator.sqlite'), schema, join(ROOT, 'coordinator/migrations'))
    try {
      const ready = db.$client.prepare('SELECT count(DISTINCT custodian) FROM prekeys').pluck()
      await until(
        () => this.#ending.signal.aborted || ready.get() === custodians,
        () => 'prekeys of every custodian',
        DEADLINE_MS,
      )
    } finally {
      db.$client.close()
    }
  }

  /** Asks once. All times in seconds; the processor's is the coordinator's. */
  async ask(): Promise<{ cpu: number; wall: number }> {
    const query = queryFile(SLOTS)
    const file = this.#line.write('query.yaml', query)
    const before = this.coordinator.processorTime()
    const { result, wall } = await timed(() =>
      this.#line.run(['query', 'run', file, '--as', this.#line.path('researcher'), '--json']),
    )
    const cpu = this.coordinator.processorTime() - before
    if (this.#refusals.length > 0) throw new Error('a member refused', { cause: this.#refusals[0] })
    const ids = this.#members.map(node => node.id)
    checkAnswer(answerOf(result), query, ids, RECORDS)
    return { cpu, wall }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort()
    await this.#line[Symbol.asyncDispose]()
    await Promise.allSettled([this.#founding, this.#working])
    await this.#thread.close()
    for (const node of this.#members) node.db.$client.close()
    // Whoever was enrolling may have made its directory once more.
    rmSync(this.#line.directory, { recursive: true, force: true })
  }
}

const CHARTER_KNOWN = 'SELECT count(*) FROM charters WHERE in_force_at IS NOT NULL'

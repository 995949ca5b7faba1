import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { parse, stringify } from 'yaml'
import type { Answer } from '#researcher/answer.ts'
import { isOfAParty, runHere } from './here.ts'

/**
 * A federation as its users run it: every party that runs is an operating-system process, every step is a command of `./inbond`.
 * Nothing here waits for a fixed time: readiness and progress are looked for until they are there, or until a deadline that fails
 * the test.
 */

export const ROOT = join(import.meta.dirname, '..', '..')
const PROGRAM = join(ROOT, 'inbond')
const DEADLINE_MS = 45_000
const LOOK_EVERY_MS = 10

export interface Finished {
  /** Exit status; null if a signal ended it. */
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Surroundings {
  readonly environment?: Readonly<Record<string, string>>
}

/** A running `./inbond …`, in a process group of its own, so that nothing of it outlives a test. */
export class Running {
  readonly args: readonly string[]
  stdout = ''
  stderr = ''
  /** When standard output last grew, in milliseconds since 1970. */
  stdoutAt = Number.NaN
  readonly ended: Promise<Finished>
  #finished: Finished | undefined
  readonly #child: ChildProcess

  constructor(args: readonly string[], { environment = {} }: Surroundings = {}) {
    this.args = args
    const assigned = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
    this.#child = spawn('env', ['-u', 'INBOND_PASSPHRASE', ...assigned, PROGRAM, ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child.stdout?.setEncoding('utf8').on('data', text => {
      this.stdout += text
      this.stdoutAt = Date.now()
    })
    this.#child.stderr?.setEncoding('utf8').on('data', text => {
      this.stderr += text
    })
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', (status, signal) => {
        this.#finished = { status, signal, stdout: this.stdout, stderr: this.stderr }
        resolve(this.#finished)
      })
    })
  }

  get finished(): Finished | undefined {
    return this.#finished
  }

  get pid(): number {
    return this.#child.pid as number
  }

  /** The most memory that it ever held while it runs, in bytes. */
  peakMemory(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1024
  }

  /** What it has used of the processor so far, in seconds. Linux counts in hundredths, whatever the machine. */
  processorTime(): number {
    const [, fields = ''] = /\) (.*)$/s.exec(readFileSync(`/proc/${this.pid}/stat`, 'utf8')) ?? []
    const [user, system] = fields.split(' ').slice(11, 13).map(Number) as [number, number]
    return (user + system) / 100
  }

  /** Signals the whole process group; nothing happens if it is gone. */
  send(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  /** Ends it like a power cut. */
  async kill(): Promise<Finished> {
    this.send('SIGKILL')
    return this.ended
  }

  /** Waits until standard error matches. */
  says(pattern: RegExp): Promise<void> {
    return until(
      () => {
        if (pattern.test(this.stderr)) return true
        if (this.#finished) throw new Error(`${this} ended before it said ${pattern}:\n${this.stderr}`)
        return false
      },
      () => `${this} to say ${pattern}; it said:\n${this.stderr}`,
    )
  }

  toString(): string {
    return `inbond ${this.args.join(' ')}`
  }
}

/** Looks until `look` holds. @throws Error at the deadline */
export async function until(
  look: () => boolean | Promise<boolean>,
  what: () => string,
  deadline = DEADLINE_MS,
): Promise<void> {
  const end = Date.now() + deadline
  while (!(await look())) {
    if (Date.now() > end) throw new Error(`waited ${deadline} ms in vain for ${what()}`)
    await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS))
  }
}

/** Of every command, or as its words have it. A command that has one is a process. */
export type Environment =
  | Readonly<Record<string, string>>
  | ((args: readonly string[]) => Readonly<Record<string, string>> | undefined)

export interface FederationOptions {
  /** Ids of the members; five unless said otherwise. */
  readonly members?: readonly string[]
  readonly currency?: string
  readonly threshold?: number
  readonly environment?: Environment
  /** Puts something between the parties and the coordinator: told its address, returns the one that the parties are to use. */
  readonly front?: (url: string) => Promise<string>
  /** Parties that run show their metrics. */
  readonly metrics?: boolean
}

const MEMBERS = ['BR', 'FR', 'JP', 'KR', 'VN']

/**
 * The command line in a temporary directory, and whatever runs there. Disposing of it kills and removes all of it. What is
 * started, or has an environment of its own, is a process; a command that is run to its end is one of this process otherwise.
 */
export class CommandLine {
  readonly directory = mkdtempSync(join(tmpdir(), 'inbond-processes-'))
  /** Every process that was started, in order. */
  readonly history: Running[] = []
  readonly #started = new Set<Running>()
  readonly #environment: Environment | undefined

  constructor(environment?: Environment) {
    this.#environment = environment
  }

  path(...names: string[]): string {
    return join(this.directory, ...names)
  }

  write(name: string, text: string | Uint8Array): string {
    const path = this.path(name)
    writeFileSync(path, text)
    return path
  }

  /** Starts a command and lets it run. */
  start(args: readonly string[], { environment }: Surroundings = {}): Running {
    const running = new Running(args, { environment: { ...this.#environmentOf(args), ...environment } })
    this.#started.add(running)
    this.history.push(running)
    void running.ended.then(
      () => this.#started.delete(running),
      () => this.#started.delete(running),
    )
    return running
  }

  /** Runs a command to its end, whatever that is. */
  run(args: readonly string[], surroundings?: Surroundings): Promise<Finished> {
    const isProcess = this.#environmentOf(args) !== undefined || !isOfAParty(args)
    return isProcess ? this.start(args, surroundings).ended : runHere(args, surroundings?.environment)
  }

  #environmentOf(args: readonly string[]): Readonly<Record<string, string>> | undefined {
    return typeof this.#environment === 'function' ? this.#environment(args) : this.#environment
  }

  /** Runs a command that must succeed; returns its standard output. */
  async succeed(...args: string[]): Promise<string> {
    const { status, signal, stdout, stderr } = await this.run(args)
    if (status !== 0) throw new Error(`inbond ${args.join(' ')} ended with ${status ?? signal}:\n${stderr}`)
    return stdout
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = [...this.#started]
    for (const running of left) running.send('SIGKILL')
    await Promise.allSettled(left.map(running => running.ended))
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** A coordinator, members and one researcher, each a directory and, except the researcher, a process that is running. */
export class Federation {
  readonly line: CommandLine
  readonly ids: readonly string[]
  readonly url: string
  readonly #processes = new Map<string, Running>()
  readonly #metricsPorts = new Map<string, number>()

  private constructor(line: CommandLine, ids: readonly string[], url: string) {
    this.line = line
    this.ids = ids
    this.url = url
  }

  /** Enrols everybody and signs the charter; members do not run yet. */
  static async create(options: FederationOptions = {}): Promise<Federation> {
    const line = new CommandLine(options.environment)
    try {
      const port = await freePort()
      const ids = options.members ?? MEMBERS
      const federation = new Federation(line, ids, `http://127.0.0.1:${port}`)
      await federation.#found(port, options)
      return federation
    } catch (error) {
      await line[Symbol.asyncDispose]()
      throw error
    }
  }

  async #found(
    port: number,
    { currency = 'USD', threshold, front = async url => url, metrics = false }: FederationOptions,
  ): Promise<void> {
    const { line } = this
    if (metrics) for (const party of ['coordinator', ...this.ids]) this.#metricsPorts.set(party, await freePort())
    const url = await front(this.url)
    const terms = ['--port', String(port), '--url', url, '--currency', currency, ...this.#metricsOption('coordinator')]
    await line.succeed('coordinator', 'init', this.of('coordinator'), '--name', 'Test of processes', ...terms)
    await this.startCoordinator()
    const enrolling = this.enrolResearcher('researcher', 'Ada')
    await Promise.all([...this.ids.map(id => this.#enrolMember(id)), enrolling])
    const charter = threshold === undefined ? [] : ['--threshold', String(threshold)]
    await line.succeed('coordinator', 'charter', 'propose', this.of('coordinator'), ...charter)
    await Promise.all(this.ids.map(id => line.succeed('member', 'charter', 'sign', this.of(id), '--yes')))
    await this.sponsor(await enrolling)
  }

  async #enrolMember(id: string): Promise<void> {
    const invite = (await this.line.succeed('coordinator', 'invite', this.of('coordinator'), '--member', id)).trim()
    const named = ['--id', id, '--name', `Customs of ${id}`, '--invite', invite]
    await this.line.succeed('member', 'init', this.of(id), ...named, '--policy', 'open', ...this.#metricsOption(id))
  }

  #metricsOption(party: string): string[] {
    const port = this.#metricsPorts.get(party)
    return port === undefined ? [] : ['--metrics-port', String(port)]
  }

  /** A researcher that asks the first member to vouch for it. Returns the fingerprint of its key. */
  async enrolResearcher(directory: string, name: string): Promise<string> {
    const asked = ['--researcher', name, '--sponsor', this.ids[0] as string]
    const invite = (await this.line.succeed('coordinator', 'invite', this.of('coordinator'), ...asked)).trim()
    return (
      await this.line.succeed('researcher', 'init', this.of(directory), '--name', name, '--invite', invite)
    ).trim()
  }

  /** The first member vouches for a researcher. */
  async sponsor(fingerprint: string): Promise<void> {
    const node = this.of(this.ids[0] as string)
    await this.line.succeed('member', 'researcher', 'sponsor', node, fingerprint, '--purpose', 'research')
  }

  /** The directory of a party. */
  of(party: string): string {
    return this.line.path(party)
  }

  /** The running process of a party. */
  process(party: string): Running {
    const running = this.#processes.get(party)
    if (!running) throw new Error(`${party} was not started`)
    return running
  }

  /** What a running party shows its operator at `path`. */
  async operator(party: string, path: '/metrics' | '/readyz' = '/metrics'): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.#metricsPorts.get(party)}${path}`)
    if (!response.ok) throw new Error(`${path} of ${party}: status ${response.status}`)
    return response.text()
  }

  /** Starts a party's service, and does not wait until it is ready. */
  launch(party: string, ...options: string[]): Running {
    const room = party === 'coordinator' ? 'coordinator' : 'member'
    const running = this.line.start([room, 'start', this.of(party), ...options])
    this.#processes.set(party, running)
    return running
  }

  async startCoordinator(...options: string[]): Promise<Running> {
    const running = this.launch('coordinator', ...options)
    await until(
      async () => {
        if (running.finished) throw new Error(`the coordinator ended:\n${running.stderr}`)
        const answer = await fetch(`${this.url}/readyz`).catch(() => undefined)
        return answer?.ok === true
      },
      () => `the coordinator; it said:\n${running.stderr}`,
    )
    return running
  }

  async startMember(id: string, ...options: string[]): Promise<Running> {
    const running = this.launch(id, ...options)
    await running.says(/"msg":"started"/)
    return running
  }

  startParty(party: string): Promise<Running> {
    return party === 'coordinator' ? this.startCoordinator() : this.startMember(party)
  }

  async startMembers(ids: readonly string[] = this.ids): Promise<void> {
    await Promise.all(ids.map(id => this.startMember(id)))
  }

  /** Waits until every custodian has learned the charter and published prekeys; a member that is stopped before holds up every round. */
  async untilPrekeys(custodians: number): Promise<void> {
    const database = this.database('coordinator')
    const published = database.prepare('SELECT count(DISTINCT custodian) FROM prekeys').pluck()
    await until(
      () => published.get() === custodians,
      () => `prekeys of ${custodians} custodians`,
    ).finally(() => database.close())
  }

  /** Changes a party's config.yaml: its next process reads it. */
  configure(party: string, change: Readonly<Record<string, unknown>>): void {
    const file = join(this.of(party), 'config.yaml')
    writeFileSync(file, stringify({ ...parse(readFileSync(file, 'utf8')), ...change }))
  }

  /** Imports CSV text through a map; the year 2020 is complete. */
  async load(id: string, csv: string, map: string): Promise<void> {
    mkdirSync(this.line.path('files'), { recursive: true })
    const file = this.line.write(join('files', `${id}.csv`), csv)
    const mapping = this.line.write(join('files', `${id}.yaml`), map)
    const complete = ['--complete', '2020-01..2020-12']
    await this.line.succeed('member', 'import', this.of(id), 'declarations', file, '--map', mapping, ...complete)
  }

  /** Begins to ask; the answer is the standard output. */
  ask(yaml: string, ...options: string[]): Running {
    const file = this.line.write(`query-${++this.#asked}.yaml`, yaml)
    return this.line.start(['query', 'run', file, '--as', this.of('researcher'), '--json', ...options])
  }
  #asked = 0

  /** Reads a party's database beside the party. */
  database(party: string): Database.Database {
    const file = { coordinator: 'coordinator.sqlite', researcher: 'researcher.sqlite' }[party] ?? 'node.sqlite'
    return new Database(join(this.of(party), file), { readonly: true, timeout: 5_000 })
  }

  /** The most memory that a running party ever held, in bytes. */
  peakMemory(party: string): number {
    return this.process(party).peakMemory()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.line[Symbol.asyncDispose]()
  }
}

/** The answer of a finished `query run --json` or `query follow --json`. */
export function answerOf(finished: Finished): Answer {
  if (finished.status !== 0) throw new Error(`no answer, status ${finished.status}:\n${finished.stderr}`)
  return JSON.parse(finished.stdout) as Answer
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

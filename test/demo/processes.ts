import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { basename, join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')
const INBOND = join(ROOT, 'inbond')
const PRELOAD = join(ROOT, 'party', 'preload.ts')
/** A party that was asked to stop and does not is killed after this long. */
const PATIENCE_MS = 8_000

/** The commands of `./inbond` as processes of this machine, none of which outlives `stopAll`. */
export class Processes {
  readonly #services = new Map<string, ChildProcess>()
  readonly #signal: AbortSignal

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /** Runs a command to its end and returns what it printed. @throws Error with what it said if it fails */
  run(args: readonly string[], progress?: (line: string) => void): Promise<string> {
    return this.#run(INBOND, args, progress)
  }

  /** Runs a program of the demonstration in the same way. */
  runProgram(file: string, args: readonly string[]): Promise<string> {
    return this.#run(process.execPath, ['--import', PRELOAD, join(import.meta.dirname, file), ...args])
  }

  async #run(program: string, args: readonly string[], progress?: (line: string) => void): Promise<string> {
    this.#signal.throwIfAborted()
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], signal: this.#signal })
    const out = collect(child.stdout)
    const err = collect(child.stderr, progress)
    const [status] = (await once(child, 'close')) as [number | null]
    if (status === 0) return out.text()
    throw new Error(`${basename(program)} ${args.slice(0, 3).join(' ')} … ended with status ${status}\n${err.text()}`)
  }

  /** Starts a command that serves until it is stopped. */
  start(name: string, args: readonly string[]): void {
    this.#signal.throwIfAborted()
    const child = spawn(INBOND, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const said = collect(child.stderr)
    child.once('exit', status => {
      if (this.#services.get(name) === child && status !== 0)
        process.stderr.write(`${name} ended by itself:\n${said.text()}`)
    })
    this.#services.set(name, child)
  }

  async stop(name: string): Promise<void> {
    const child = this.#services.get(name)
    this.#services.delete(name)
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
    await once(child, 'exit')
    clearTimeout(timer)
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#services.keys()].map(name => this.stop(name)))
  }
}

/** Keeps the end of what a stream says. */
function collect(stream: NodeJS.ReadableStream, line?: (text: string) => void): { text(): string } {
  const parts: string[] = []
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    parts.push(text)
    if (line) for (const one of text.split('\n')) if (one.trim() !== '') line(one)
  })
  return { text: () => parts.join('') }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

/** Does `work` for every item, at most `width` at once: a machine has so many cores. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items]
  const lane = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: width }, lane))
}

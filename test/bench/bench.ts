import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMet, type Row, type RowId, rows } from './rows.ts'

/** Rows that are measured together, because they need the same preparation. */
export interface Family {
  readonly ids: readonly RowId[]
  /** How often it is measured, unless the command line says otherwise. */
  readonly runs: number
  readonly measure: (bench: Bench) => Promise<void>
}

export interface Result extends Row {
  /** The median of `runs`. */
  readonly value: number
  readonly min: number
  readonly max: number
  readonly runs: number
  readonly verdict: 'met' | 'missed'
  /** The machine's load over the last minute when it was measured. */
  readonly load: number
  readonly note?: string
}

export interface Wishes {
  readonly runs: number
  readonly signal: AbortSignal
  readonly wants: (id: RowId) => boolean
  readonly says: (text: string) => void
}

/** What a family works with while it measures. */
export class Bench {
  readonly runs: number
  readonly signal: AbortSignal
  /** Whether a row is to be measured; one that is not may be all the same. */
  readonly wants: (id: RowId) => boolean
  readonly #says: (text: string) => void
  readonly #resources: AsyncDisposableStack
  readonly #values = new Map<RowId, number[]>()
  readonly #notes = new Map<RowId, string>()

  constructor({ runs, signal, wants, says }: Wishes, resources: AsyncDisposableStack) {
    this.runs = runs
    this.signal = signal
    this.wants = wants
    this.#says = says
    this.#resources = resources
  }

  /** Says what happens now. @throws the reason of an abort */
  says(text: string): void {
    this.signal.throwIfAborted()
    this.#says(text)
  }

  /** Does `work` as often as the family is to be measured. */
  async repeat(what: string, work: (run: number) => Promise<void>): Promise<void> {
    for (let run = 1; run <= this.runs; run++) {
      this.says(`${what}, ${run} of ${this.runs}`)
      await work(run)
      // Whatever arrived while the thread was busy, such as Ctrl-C.
      await new Promise(resolve => setImmediate(resolve))
    }
  }

  record(id: RowId, value: number): void {
    this.#values.set(id, [...(this.#values.get(id) ?? []), value])
  }

  note(id: RowId, text: string): void {
    this.#notes.set(id, text)
  }

  /** Disposes of `resource` when the family is measured, or measuring is given up. */
  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    return this.#resources.use(resource)
  }

  /** The same for what is still being made; it is waited for. */
  async make<T extends AsyncDisposable | Disposable>(making: Promise<T>): Promise<T> {
    this.#resources.defer(async () => {
      await using _ = await making.catch(() => undefined)
    })
    return making
  }

  /** Does `work` when the family is measured, or measuring is given up. */
  finally(work: () => void): void {
    this.#resources.defer(work)
  }

  /** A temporary directory. */
  folder(): string {
    const path = mkdtempSync(join(tmpdir(), 'inbond-bench-'))
    this.finally(() => rmSync(path, { recursive: true, force: true }))
    return path
  }

  result(id: RowId): Result {
    const row: Row = rows.find(one => one.id === id) as Row
    const values = (this.#values.get(id) ?? []).toSorted((a, b) => a - b)
    if (values.length === 0) throw new Error(`${id} was not measured`)
    const value = median(values)
    const note = this.#notes.get(id)
    return {
      ...row,
      value,
      min: values[0] as number,
      max: values.at(-1) as number,
      runs: values.length,
      verdict: isMet(row.target, value) ? 'met' : 'missed',
      load: loadavg()[0] as number,
      ...(note === undefined ? {} : { note }),
    }
  }
}

/** Of values in order. */
function median(values: readonly number[]): number {
  const middle = values.length / 2
  return ((values[Math.ceil(middle) - 1] as number) + (values[Math.floor(middle)] as number)) / 2
}

/**
 * Measures a family and gives up everything that it used, even where it fails or is interrupted.
 * @throws the reason of an abort, or what went wrong
 */
export async function measure(family: Family, wishes: Wishes): Promise<Bench> {
  const { signal } = wishes
  const resources = new AsyncDisposableStack()
  const bench = new Bench(wishes, resources)
  const interrupted = Promise.withResolvers<never>()
  const interrupt = () => interrupted.reject(signal.reason)
  signal.addEventListener('abort', interrupt)
  try {
    await Promise.race([family.measure(bench), interrupted.promise])
    return bench
  } finally {
    signal.removeEventListener('abort', interrupt)
    await resources.disposeAsync()
  }
}

/** How long `work` took by the clock and on the processor, in seconds. */
export async function timed<T>(work: () => T | Promise<T>): Promise<{ result: T; wall: number; cpu: number }> {
  const before = process.cpuUsage()
  const started = performance.now()
  const result = await work()
  const wall = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(before)
  return { result, wall, cpu: (user + system) / 1e6 }
}

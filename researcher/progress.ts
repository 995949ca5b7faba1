import type { Clock } from '#party/clock.ts'
import type { QueryStatus } from '#specs/api.ts'
import { describeProgress } from './presentation.ts'

const REDRAW_MS = 1000

/** Shows progress on standard error: redrawn in place on a screen, a line for each change elsewhere. */
export class Progress {
  readonly #clock: Clock
  readonly #write: (text: string) => void
  readonly #columns: number | undefined
  #status: QueryStatus | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(clock: Clock, write: (text: string) => void, columns: number | undefined) {
    this.#clock = clock
    this.#write = write
    this.#columns = columns
  }

  show(status: QueryStatus): void {
    this.#status = status
    if (this.#columns === undefined) {
      this.#write(`${describeProgress(status, this.#clock.now())}\n`)
      return
    }
    this.#timer ??= setInterval(() => this.#redraw(), REDRAW_MS).unref()
    this.#redraw()
  }

  #redraw(): void {
    if (!this.#status) return
    // A line that wraps could not be redrawn.
    const line = describeProgress(this.#status, this.#clock.now()).slice(0, (this.#columns ?? 80) - 1)
    this.#write(`\r\u001b[K${line}`)
  }

  end(): void {
    clearInterval(this.#timer)
    if (this.#columns !== undefined && this.#status) this.#write('\n')
  }
}

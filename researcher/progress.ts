import type { Clock } from '#party/clock.ts'
import type { QueryStatus } from '#specs/api.ts'
import { describeProgress } from './presentation.ts'

const REDRAW_MS = 1000

/** Shows progress on standard error: redrawn in place on a screen, a line for each change elsewhere. */
export class Progress {
  readonly #clock: Clock
  readonly #write: (text: string) => void
  readonly #interactive: boolean
  #status: QueryStatus | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(clock: Clock, write: (text: string) => void, interactive: boolean) {
    this.#clock = clock
    this.#write = write
    this.#interactive = interactive
  }

  show(status: QueryStatus): void {
    this.#status = status
    if (!this.#interactive) {
      this.#write(`${describeProgress(status, this.#clock.now())}\n`)
      return
    }
    this.#timer ??= setInterval(() => this.#redraw(), REDRAW_MS).unref()
    this.#redraw()
  }

  #redraw(): void {
    if (this.#status) this.#write(`\r\u001b[K${describeProgress(this.#status, this.#clock.now())}`)
  }

  end(): void {
    clearInterval(this.#timer)
    if (this.#interactive && this.#status) this.#write('\n')
  }
}

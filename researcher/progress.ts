import type { Clock } from '#party/clock.ts'
import type { QueryStatus } from '#specs/api.ts'
import { describeProgress } from './presentation.ts'
import type { Added } from './reading.ts'

const REDRAW_MS = 1000

/** Shows progress on standard error: redrawn in place on a screen, a line for each change elsewhere. */
export class Progress {
  readonly #clock: Clock
  readonly #write: (text: string) => void
  readonly #columns: number | undefined
  #status: QueryStatus | undefined
  #added: Added | undefined
  #timer: NodeJS.Timeout | undefined
  #isUnanswered = false

  constructor(clock: Clock, write: (text: string) => void, columns: number | undefined) {
    this.#clock = clock
    this.#write = write
    this.#columns = columns
  }

  show(status: QueryStatus, added?: Added): void {
    this.#status = status
    this.#added = added
    if (this.#columns === undefined) {
      if (added === undefined || isWorthALine(added)) this.#write(`${this.#text()}\n`)
      return
    }
    this.#timer ??= setInterval(() => this.#redraw(), REDRAW_MS).unref()
    this.#redraw()
  }

  /** Says once that the coordinator does not answer, and once that it does again. @param reason undefined when it does */
  showUnanswered(reason: string | undefined): void {
    if (this.#isUnanswered === (reason !== undefined)) return
    this.#isUnanswered = reason !== undefined
    const line = reason === undefined ? 'the coordinator answers again' : `${reason}; it is tried again`
    this.#write(this.#columns === undefined ? `${line}\n` : `\r\u001b[K${line}\n`)
  }

  #text(): string {
    return this.#status ? describeProgress(this.#status, this.#clock.now(), this.#added) : ''
  }

  #redraw(): void {
    // A line that wraps could not be redrawn.
    const line = this.#text().slice(0, (this.#columns ?? 80) - 1)
    this.#write(`\r\u001b[K${line}`)
  }

  end(): void {
    clearInterval(this.#timer)
    if (this.#columns !== undefined && this.#status) this.#write('\n')
  }
}

/** The first, the last, and about ten between. */
function isWorthALine({ done, of }: Added): boolean {
  return done === 1 || done === of || done % Math.ceil(of / 10) === 0
}

import type { Clock } from '#party/clock.ts'

/** A clock that stands still until a test moves it. */
export class TestClock implements Clock {
  #now: number
  readonly #waiting = new Set<{ until: number; wake: () => void }>()

  constructor(start = Date.parse('2026-01-01T00:00:00.000Z')) {
    this.#now = start
  }

  now = (): number => this.#now

  wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      if (signal?.aborted) return resolve()
      const entry = {
        until: this.#now + milliseconds,
        wake: () => {
          this.#waiting.delete(entry)
          signal?.removeEventListener('abort', entry.wake)
          resolve()
        },
      }
      signal?.addEventListener('abort', entry.wake)
      this.#waiting.add(entry)
    })
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds
    for (const entry of [...this.#waiting]) if (entry.until <= this.#now) entry.wake()
  }
}

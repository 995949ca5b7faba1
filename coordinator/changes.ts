import type { Clock } from '#party/clock.ts'

/** Wakes whoever waits for something to happen: the long polls. */
export class Changes {
  readonly #waiting = new Set<AbortController>()

  announce(): void {
    for (const waiting of this.#waiting) waiting.abort()
    this.#waiting.clear()
  }

  /** Resolves at the next `announce`, after `milliseconds`, or when `signal` aborts. */
  async wait(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController()
    this.#waiting.add(woken)
    await clock.wait(milliseconds, AbortSignal.any([woken.signal, signal]))
    this.#waiting.delete(woken)
  }
}

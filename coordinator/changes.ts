import type { Clock } from '#party/clock.ts'

/** Wakes whoever waits for something to happen: the long polls. */
export class Changes {
  readonly #waiting = new Set<AbortController>()
  #ended = false

  /** The service ends: nobody waits any more. */
  get ended(): boolean {
    return this.#ended
  }

  announce(): void {
    for (const waiting of this.#waiting) waiting.abort()
    this.#waiting.clear()
  }

  /** Wakes everybody, and lets nobody wait from now on. */
  end(): void {
    this.#ended = true
    this.announce()
  }

  /** Resolves at the next `announce`, after `milliseconds`, or when `signal` aborts. */
  async wait(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.#ended) return
    const woken = new AbortController()
    this.#waiting.add(woken)
    await clock.wait(milliseconds, AbortSignal.any([woken.signal, signal]))
    this.#waiting.delete(woken)
  }
}

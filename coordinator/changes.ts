import type { Clock } from '#party/clock.ts'

/** Who waits. A contribution gives no member anything to do until the round closes; its researcher sees it. */
export type Audience = 'members' | 'researchers'

/** Wakes whoever waits for something to happen: the long polls. */
export class Changes {
  readonly #waiting = new Map<AbortController, Audience>()
  #ended = false

  /** The service ends: nobody waits any more. */
  get ended(): boolean {
    return this.#ended
  }

  announce(to: Audience | 'everybody'): void {
    for (const [waiting, audience] of this.#waiting) {
      if (to !== 'everybody' && to !== audience) continue
      this.#waiting.delete(waiting)
      waiting.abort()
    }
  }

  /** Wakes everybody, and lets nobody wait from now on. */
  end(): void {
    this.#ended = true
    this.announce('everybody')
  }

  /** Resolves at the next `announce` to them, after `milliseconds`, or when `signal` aborts. */
  async wait(audience: Audience, clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.#ended) return
    const woken = new AbortController()
    this.#waiting.set(woken, audience)
    await clock.wait(milliseconds, AbortSignal.any([woken.signal, signal]))
    this.#waiting.delete(woken)
  }
}

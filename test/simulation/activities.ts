import type { Clock } from '#party/clock.ts'
import type { TestClock } from '../clock.ts'

/**
 * Counts the threads of work that go on now. One that waits for the network or for its clock does not: when none is left,
 * nothing happens before the schedule says what. So a run is the same whatever the machine does meanwhile.
 */
export class Activities {
  #running = 0
  #quiet: (() => void) | undefined

  begin(): void {
    this.#running++
  }

  end(): void {
    this.#running--
    if (this.#running === 0) this.#quiet?.()
  }

  async untilQuiet(): Promise<void> {
    if (this.#running > 0) await new Promise<void>(resolve => (this.#quiet = resolve))
    this.#quiet = undefined
  }
}

/** A clock for each party, which may be wrong. */
export class Clocks {
  readonly #right: TestClock
  readonly #activities: Activities
  readonly #errors = new Map<string, number>()
  readonly #lives = new Map<string, number>()

  constructor(right: TestClock, activities: Activities) {
    this.#right = right
    this.#activities = activities
  }

  /** The clock of the coordinator, whose work is never waited for by anybody else than the schedule. */
  ofCoordinator(): Clock {
    return { now: () => this.#right.now() + this.#errorOf('coordinator'), wait: this.#right.wait.bind(this.#right) }
  }

  of(who: string): Clock {
    return {
      now: () => this.#right.now() + this.#errorOf(who),
      wait: async (milliseconds, signal) => {
        const life = this.#livesOf(who)
        this.#activities.end()
        await this.#right.wait(milliseconds, signal)
        if (this.#livesOf(who) !== life) await new Promise(() => undefined)
        this.#activities.begin()
      },
    }
  }

  #errorOf(who: string): number {
    return this.#errors.get(who) ?? 0
  }

  #livesOf(who: string): number {
    return this.#lives.get(who) ?? 0
  }

  /** The party's process ends: whatever waited never goes on. */
  forget(who: string): void {
    this.#lives.set(who, this.#livesOf(who) + 1)
  }

  jump(who: string, milliseconds: number): void {
    this.#errors.set(who, this.#errorOf(who) + milliseconds)
  }

  correct(): void {
    this.#errors.clear()
  }
}

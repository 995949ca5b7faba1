import { InbondError } from '#crypto/error.ts'
import type { Answer } from '#researcher/answer.ts'
import { cancel, prepare, resume } from '#researcher/client.ts'
import { storedQuery } from '#researcher/researcher.ts'
import type { QueryId } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { questionFile } from './members.ts'
import type { Question } from './schedule.ts'
import type { World } from './world.ts'

/** A question as whoever asked it follows it, for as long as it takes. */
export class Asked {
  readonly question: Question
  id: QueryId | undefined
  answer: Answer | undefined
  /** Why there was none when the researcher looked last. */
  error: InbondError | undefined
  readonly #world: World
  #follows = false
  #triedAt = -1
  #leaving = new AbortController()

  constructor(world: World, question: Question) {
    this.#world = world
    this.question = question
  }

  get hasEnded(): boolean {
    if (this.answer !== undefined) return true
    return this.id !== undefined && storedQuery(this.#world.federation.researcher, this.id).voidReason !== null
  }

  /** Whether there is a reason to look again. */
  get mayFollow(): boolean {
    return !this.#follows && this.#triedAt !== this.#world.version && !this.hasEnded
  }

  /** Asks, or looks again after what was asked. */
  async follow(): Promise<void> {
    const { researcher } = this.#world.federation
    this.#follows = true
    this.#triedAt = this.#world.version
    this.#leaving = new AbortController()
    const { signal } = this.#leaving
    const act = async () => {
      try {
        this.id ??= await prepare(researcher, parseQueryFile(questionFile(this.question)))
        this.answer = await resume(researcher, this.id, () => undefined, signal)
      } finally {
        this.#follows = false
      }
    }
    await this.#world.begin(act, error => {
      this.error = error
    })
  }

  /** The researcher's process ended. */
  crash(): void {
    this.#follows = false
    this.#triedAt = -1
  }

  async withdraw(): Promise<void> {
    const { id } = this
    if (id === undefined || this.hasEnded) return
    this.#leaving.abort(new InbondError('shutting-down', 'the researcher interrupts'))
    await new Promise(resolve => setImmediate(resolve))
    await this.#world.activities.untilQuiet()
    const { researcher } = this.#world.federation
    await this.#world.begin(
      () => cancel(researcher, id),
      error => {
        this.error = error
      },
    )
  }
}

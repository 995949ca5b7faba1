/**
 * The last results of a function of something that never changes, by its id: signed documents are read at every step of a round,
 * and by every member that asks for work.
 */
export class Remembered<Id extends string, Result> {
  readonly #results = new Map<Id, Result>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  /** @param make is asked the first time, and again once `most` others were asked for since */
  get(id: Id, make: () => Result): Result {
    const known = this.#results.get(id)
    const result = known ?? make()
    this.#results.delete(id)
    this.#results.set(id, result)
    for (const oldest of this.#results.keys()) {
      if (this.#results.size <= this.#most) break
      this.#results.delete(oldest)
    }
    return result
  }
}

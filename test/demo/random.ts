import { createHash } from 'node:crypto'

const WORDS = 2 ** 32

/**
 * Draws that are the same for everybody who makes them: the generator sfc32 (Chris Doty-Humphrey, PractRand), seeded with
 * SHA-256 of a text. What is computed from its words uses only the arithmetic that IEEE 754 fixes to the last bit; `Math.exp`
 * and its kin may differ from one engine to the next.
 */
export class Draws {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: string) {
    const hash = createHash('sha256').update(seed).digest()
    this.#a = hash.readInt32LE(0)
    this.#b = hash.readInt32LE(4)
    this.#c = hash.readInt32LE(8)
  }

  /** 32 bits. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** From 0 to just below 1. */
  uniform(): number {
    return this.word() / WORDS
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.uniform() * limit)
  }

  chance(probability: number): boolean {
    return this.uniform() < probability
  }

  /** About a standard normal variable, within ±4.9: eight uniform ones added up (Irwin and Hall). */
  normal(): number {
    let sum = 0
    for (let i = 0; i < 4; i++) {
      const word = this.word()
      sum += (word & 0xffff) + (word >>> 16)
    }
    const mean = 262_140
    const deviation = 53_509.9
    return (sum - mean) / deviation
  }

  /** `median` × 2^(`spread` × a normal variable). */
  logNormal(median: number, spread: number): number {
    return median * powerOfTwo(spread * this.normal())
  }

  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items]
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const moved = result[i] as T
      result[i] = result[j] as T
      result[j] = moved
    }
    return result
  }
}

/** 2^x by a Taylor series and doubling. */
export function powerOfTwo(x: number): number {
  const whole = Math.floor(x)
  const t = (x - whole) * Math.LN2
  let result = 1
  for (let term = 14; term > 0; term--) result = 1 + (t / term) * result
  for (let i = 0; i < whole; i++) result *= 2
  for (let i = 0; i > whole; i--) result /= 2
  return result
}

/** Items to draw from, each as often as its weight says. */
export class Weighted<T> {
  readonly #items: readonly T[]
  readonly #upTo: Float64Array

  constructor(weights: Iterable<readonly [item: T, weight: number]>) {
    const present = [...weights].filter(([, weight]) => weight > 0)
    this.#items = present.map(([item]) => item)
    this.#upTo = new Float64Array(present.length)
    let total = 0
    for (const [i, [, weight]] of present.entries()) {
      total += weight
      this.#upTo[i] = total
    }
  }

  get total(): number {
    return this.#upTo.at(-1) ?? 0
  }

  draw(draws: Draws): T {
    const wanted = draws.uniform() * this.total
    let [low, high] = [0, this.#items.length - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#upTo[middle] as number) > wanted) high = middle
      else low = middle + 1
    }
    return this.#items[low] as T
  }
}

/** The first item twice as often as the second, three times as often as the third, and so on. */
export function zipf<T>(items: readonly T[]): Weighted<T> {
  return new Weighted(items.map((item, rank) => [item, 1 / (rank + 1)] as const))
}

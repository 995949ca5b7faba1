import { beforeAll, describe, expect, test } from 'vitest'
import { Aggregator, contribute, smallestNoiseBudget } from '#crypto/one-shot.ts'
import { packShare, unpackWords } from '#crypto/packing.ts'
import { CELLS_PER_CHUNK, contributionBound, PLAINTEXT_MODULUS } from '#crypto/parameters.ts'
import { centredBinomial, publicPolynomial, type Randomness } from '#crypto/sampling.ts'
import { loadSeal, type Seal, WORDS_PER_POLYNOMIAL } from '#crypto/seal.ts'
import { addShare, emptyShare, interpolate, type Share } from '#crypto/shamir.ts'
import { isLong, seed } from '#test/effort.ts'
import { seededRandomness } from '#test/randomness.ts'
import * as second from './second-reader/drawing.ts'
import { unpackChunk, unpackShare } from './second-reader/packing.ts'
import { t } from './second-reader/parameters.ts'
import * as sharing from './second-reader/sharing.ts'
import { noiseBudget, numerator, smallestBudget } from './second-reader/sum.ts'
import { transform } from './second-reader/transform.ts'

/** Noise of real sums, up to 1,000 contributors: as SEAL measures it, as the second reader computes it, and as it was drawn. */

const SEED = isLong ? `noise ${seed}` : 'noise'
const THRESHOLD = 2
const CUSTODIANS = [1, 2]

let seal: Seal
beforeAll(async () => {
  seal = await loadSeal()
})

/** One chunk of one cohort to which members are added; every cell is at plus or minus the bound. */
class Cohort implements Disposable {
  readonly roundId: Uint8Array
  readonly cells: BigInt64Array
  /** Of all errors as they were drawn. */
  readonly errors = new Int32Array(CELLS_PER_CHUNK)
  readonly openings: Share[]
  readonly #bound: bigint
  readonly #seed: string
  readonly #aggregator: Aggregator
  sum: Uint8Array | undefined
  size = 0

  constructor(roster: number) {
    this.#seed = `${SEED} ${roster}`
    this.#bound = contributionBound(roster)
    this.#aggregator = new Aggregator(seal)
    this.roundId = seededRandomness(this.#seed)(32)
    this.cells = new BigInt64Array(CELLS_PER_CHUNK).map((_, i) => (i % 2 === 0 ? this.#bound : -this.#bound))
    this.openings = CUSTODIANS.map(emptyShare)
  }

  grow(size: number): void {
    const chunks = this.sum === undefined ? [] : [this.sum]
    for (; this.size < size; this.size++) {
      const own = `${this.#seed} ${this.size}`
      const dealing = { roundId: this.roundId, bound: this.#bound, threshold: THRESHOLD, custodians: CUSTODIANS }
      const { randomness, drawn } = recorded(own)
      const { ciphertext, shares } = contribute(seal, dealing, this.cells, randomness)
      chunks.push(...ciphertext)
      for (const [i, share] of shares.entries()) addShare(this.openings[i] as Share, share)
      // The last draw is for a second chunk that is not there.
      const errors = centredBinomial(() => drawn.at(-2) as Uint8Array)
      for (const [i, error] of errors.entries()) this.errors[i] = (this.errors[i] as number) + error
    }
    this.sum = new Uint8Array(this.#aggregator.sum(chunks))
  }

  [Symbol.dispose](): void {
    this.#aggregator[Symbol.dispose]()
  }
}

/** Randomness that keeps what it gave. */
function recorded(own: string): { randomness: Randomness; drawn: Uint8Array[] } {
  const drawn: Uint8Array[] = []
  const source = seededRandomness(own)
  const randomness = (bytes: number) => {
    const given = source(bytes)
    drawn.push(given.slice())
    return given
  }
  return { randomness, drawn }
}

function budgetOfSeal({ roundId, openings, sum }: Cohort): number {
  const key = BigUint64Array.from(interpolate(openings), k => (k < 0 ? PLAINTEXT_MODULUS : 0n) + BigInt(k))
  using decryptor = seal.decryptor(new Uint32Array(key.buffer))
  unpackWords(sum as Uint8Array, decryptor.halves)
  publicPolynomial(roundId, 0, decryptor.halves.subarray(2 * WORDS_PER_POLYNOMIAL))
  return decryptor.decrypt().noiseBudget
}

function noiseOfSecondReader({ roundId, openings, sum }: Cohort): bigint[] {
  const received = openings.map(({ index, residues }) => ({
    custodian: index,
    residues: unpackShare(packShare(residues)),
  }))
  const key = transform(sharing.interpolate(received))
  return numerator(unpackChunk(sum as Uint8Array), second.publicPolynomial(roundId, 0), key)
}

function expectNoise(cohort: Cohort): void {
  const { size } = cohort
  const noise = noiseOfSecondReader(cohort)
  expect(noise).toEqual(
    Array.from(cohort.errors, (error, i) => t * BigInt(error) + BigInt(size) * (cohort.cells[i] as bigint)),
  )
  const measured = budgetOfSeal(cohort)
  expect(measured).toBe(noiseBudget(noise))
  expect(smallestNoiseBudget(size)).toBe(smallestBudget(size))
  expect(measured).toBeGreaterThanOrEqual(smallestNoiseBudget(size))
  // The largest of n errors is within 6.5 standard deviations but once in three million sums, and beyond 2.5 as surely.
  const deviation = Math.sqrt(10.5 * size)
  const budgetAt = (deviations: number) => 79 - Math.log2(Number(t) * (deviations * deviation + 0.5))
  expect(measured).toBeGreaterThanOrEqual(Math.floor(budgetAt(6.5)))
  expect(measured).toBeLessThanOrEqual(Math.ceil(budgetAt(2.5)))
}

describe(`the noise (${SEED})`, () => {
  test.each([3, 4, 10])('of %i contributors whose cells together are the largest', size => {
    using cohort = new Cohort(size)
    cohort.grow(size)
    expectNoise(cohort)
  })

  test('of 3 to 1,000 contributors of a roster of 1,000', () => {
    using cohort = new Cohort(1000)
    for (const size of [3, 5, 50, 186, 300, 1000]) {
      cohort.grow(size)
      expectNoise(cohort)
    }
  }, 300_000)

  test('must leave a budget, whatever the roster, by either form of the formula', () => {
    const all = Array.from({ length: 4096 }, (_, i) => i + 1)
    expect(all.map(smallestNoiseBudget)).toEqual(all.map(smallestBudget))
    expect(Math.min(...all.map(smallestNoiseBudget))).toBe(1)
  })
})

import { describe, expect, test } from 'vitest'
import { Aggregator, contribute, open } from '#crypto/one-shot.ts'
import { decodeCells, encodeCells } from '#crypto/packing.ts'
import { CELLS_PER_CHUNK, contributionBound, PLAINTEXT_MODULUS } from '#crypto/parameters.ts'
import { loadSeal } from '#crypto/seal.ts'
import { interpolate } from '#crypto/shamir.ts'
import { seededRandomness } from '../randomness.ts'
import { publicPolynomial } from '../vectors/second-reader/drawing.ts'
import { unpackChunk } from '../vectors/second-reader/packing.ts'
import { centred, power } from '../vectors/second-reader/parameters.ts'
import { numerator } from '../vectors/second-reader/sum.ts'
import { transform } from '../vectors/second-reader/transform.ts'

/**
 * A mistake that looks like the usual way: to pack cells into slots, the values of a polynomial modulo t, and not into its
 * coefficients. Every coefficient then is anywhere below t, and sums of them wrap around t. What has wrapped is in the error that the
 * recipient computes beside the answer: it has an answer of two members, and wants the figure of each.
 *
 * It tries every way in which the sum can be made of two figures, and sees with which of them the wraps explain the error best. What it
 * learns is measured in bits: how much more likely the true figures are to it than before. All of it on real ciphertexts.
 */

const t = PLAINTEXT_MODULUS
const roundId = new Uint8Array(32).fill(7)
/** Figures that the recipient has to choose from: 0 up to the sum. */
const SUM = 2 ** 12 - 1
const BITS_TO_LEARN = Math.log2(SUM + 1)
/** Of the sum of two errors: twice that of a binomial distribution of 42 coins. */
const VARIANCE = 2 * 10.5
const FIGURES = [1, 617, 1203, 2048, 3330]

/** The coefficients of a cell of 1. */
type Packing = readonly bigint[]

/** Slot 0: the polynomial that is 1 at a 2n-th root of unity and 0 at the others has its powers as coefficients, backwards, over n. */
function slots(): Packing {
  const n = BigInt(CELLS_PER_CHUNK)
  const root = [3n, 5n, 7n, 11n, 13n]
    .map(base => power(base, (t - 1n) / (2n * n), t))
    .find(x => power(x, n, t) === t - 1n)
  if (root === undefined) throw new Error('there is no root of unity modulo t')
  const inverse = power(root, t - 2n, t)
  const coefficients = [power(n, t - 2n, t)]
  while (coefficients.length < CELLS_PER_CHUNK) coefficients.push(((coefficients.at(-1) as bigint) * inverse) % t)
  return coefficients
}

/** As the product does it. */
function coefficients(): Packing {
  return [...decodeCells(encodeCells(BigInt64Array.of(1n)))]
}

const packed = (figure: number, packing: Packing) =>
  BigInt64Array.from(packing, coefficient => centred(BigInt(figure) * coefficient, t))

/** What a recipient has beside the answer: the sum of two members' errors, and whatever has wrapped. */
async function errorOf(figures: readonly number[], packing: Packing, bound: bigint, seed: string): Promise<number[]> {
  const seal = await loadSeal()
  const dealing = { roundId, bound, threshold: 2, custodians: [1, 2] }
  const made = figures.map((figure, i) => {
    const { ciphertext, shares } = contribute(seal, dealing, packed(figure, packing), seededRandomness(`${seed} ${i}`))
    return { ciphertext: Buffer.concat([...ciphertext]), shares }
  })
  using aggregator = new Aggregator(seal)
  const sum = unpackChunk(aggregator.sum(made.map(one => one.ciphertext)))
  const openings = [1, 2].map((index, i) =>
    open(
      index,
      made.map(one => one.shares[i] as ReturnType<typeof open>),
    ),
  )
  const key = transform([...interpolate(openings)].map(BigInt))
  return numerator(sum, publicPolynomial(roundId, 0), key).map(value => Number((value - centred(value, t)) / t))
}

/** Bits that the recipient learns about the first figure, of which it knows only the sum with the other; and what it takes it for. */
function learnt(error: readonly number[], figure: number, packing: Packing): { bits: number; guess: number } {
  const turns = packing.map(coefficient => Number(coefficient) / Number(t))
  const turned = (times: number, turn: number) => times * turn - Math.round(times * turn)
  const scores = new Float64Array(SUM + 1)
  for (const [i, turn] of turns.entries()) {
    const whole = turned(SUM, turn)
    for (let one = 0; one <= SUM; one++) {
      const wraps = Math.round(turned(one, turn) + turned(SUM - one, turn) - whole)
      scores[one] = (scores[one] as number) - ((error[i] as number) - wraps) ** 2 / (2 * VARIANCE)
    }
  }
  const best = scores.reduce((most, score) => Math.max(most, score))
  const likelihoods = scores.map(score => Math.exp(score - best))
  const all = likelihoods.reduce((sum, one) => sum + one)
  const bits = BITS_TO_LEARN + Math.log2((likelihoods[figure] as number) / all)
  return { bits, guess: scores.indexOf(best) }
}

async function measure(packing: Packing, bound: bigint) {
  const results: { bits: number; isRight: boolean }[] = []
  for (const figure of FIGURES) {
    const error = await errorOf([figure, SUM - figure], packing, bound, `figure ${figure}`)
    const { bits, guess } = learnt(error, figure, packing)
    // A sum does not say whose figure is which, but the wraps do not either.
    results.push({ bits, isRight: guess === figure || guess === SUM - figure })
  }
  const bits = results.reduce((sum, one) => sum + one.bits, 0) / results.length
  return { bits, right: results.filter(one => one.isRight).length }
}

const tell = (what: string, { bits, right }: Awaited<ReturnType<typeof measure>>) =>
  process.stderr.write(
    `${what}: ${bits.toFixed(1)} of ${BITS_TO_LEARN} bits learnt, ${right} of ${FIGURES.length} figures found\n`,
  )

describe('what the recipient of a sum learns about the figures in it', () => {
  test('is nearly all, if cells are packed into slots', async () => {
    const result = await measure(slots(), (t - 1n) / 2n)
    tell('slots', result)
    expect(result.right).toBe(FIGURES.length)
    // All but the one bit that says whose figure is which.
    expect(result.bits).toBeGreaterThan(BITS_TO_LEARN - 2)
  })

  test('is nothing, as cells are packed', async () => {
    const result = await measure(coefficients(), contributionBound(3))
    tell('coefficients', result)
    expect(result.bits).toBeCloseTo(0, 9)
  })

  test('and the error is the same whatever the figures are', async () => {
    const error = (figure: number) =>
      errorOf([figure, SUM - figure], coefficients(), contributionBound(3), 'the same keys')
    expect(await error(1)).toEqual(await error(2048))
    const mistaken = (figure: number) => errorOf([figure, SUM - figure], slots(), (t - 1n) / 2n, 'the same keys')
    expect(await mistaken(1)).not.toEqual(await mistaken(2048))
  })
})

test('cells that are packed into slots are beyond the bound of every member', async () => {
  await expect(errorOf([617, 1203], slots(), contributionBound(3), 'beyond')).rejects.toMatchObject({
    code: 'cell-too-large',
  })
})

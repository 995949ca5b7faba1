import { beforeAll, describe, expect, test } from 'vitest'
import { contribute, open } from '#crypto/one-shot.ts'
import { packShare } from '#crypto/packing.ts'
import { contributionBound } from '#crypto/parameters.ts'
import { loadSeal, type Seal } from '#crypto/seal.ts'
import type { Share } from '#crypto/shamir.ts'
import { effort, isLong, seed } from '#test/effort.ts'
import { expectCentredBinomial } from '#test/goodness-of-fit.ts'
import { seededRandomness } from '#test/randomness.ts'
import { publicPolynomial } from './second-reader/drawing.ts'
import { unpackCiphertext, unpackShare } from './second-reader/packing.ts'
import { n, type RingElement, t } from './second-reader/parameters.ts'
import { interpolate } from './second-reader/sharing.ts'
import { aggregate, numerator } from './second-reader/sum.ts'
import { transform } from './second-reader/transform.ts'

/**
 * What the recipient can compute of real contributions, with the second reader: the sum of the keys, and the sum of the errors. The
 * normal run draws from a fixed seed, so that it cannot fail by chance; the long one from a new seed, and fails once in a billion.
 */

const CHUNKS = effort(6, 40)
const DEVIATIONS = effort(3.09, 6)
const COINS = 42
const SEED = isLong ? `distribution ${seed}` : 'distribution'
const THRESHOLD = 3
const CUSTODIANS = [1, 2, 3]

let seal: Seal
beforeAll(async () => {
  seal = await loadSeal()
})

/** A cohort in one round, every cell of it at plus or minus the bound. */
function contributionsOf(contributors: number) {
  const roundId = seededRandomness(`${SEED} round of ${contributors}`)(32)
  const bound = contributionBound(contributors)
  const cells = new BigInt64Array(CHUNKS * n).map((_, i) => (i % 2 === 0 ? bound : -bound))
  const dealing = { roundId, bound, threshold: THRESHOLD, custodians: CUSTODIANS }
  const sent = Array.from({ length: contributors }, (_, j) => {
    const { ciphertext, shares } = contribute(seal, dealing, cells, seededRandomness(`${SEED} ${j} of ${contributors}`))
    return { ciphertext: new Uint8Array(Buffer.concat([...ciphertext])), shares }
  })
  return { roundId, cells, sent }
}

/** Key and errors of the sum of a cohort, as they follow from sum, openings and result. */
function seenByRecipient(contributors: number) {
  const { roundId, cells, sent } = contributionsOf(contributors)
  const openings = CUSTODIANS.map((custodian, i) => {
    const sum = open(
      custodian,
      sent.map(({ shares }) => shares[i] as Share),
    )
    return { custodian, residues: unpackShare(packShare(sum.residues)) }
  })
  const key = interpolate(openings)
  const transformedKey = transform(key)
  const errors = unpackCiphertext(aggregate(sent.map(one => one.ciphertext))).flatMap((chunk: RingElement, at) =>
    numerator(chunk, publicPolynomial(roundId, at), transformedKey).map((value, i) => {
      const rest = value - BigInt(contributors) * (cells[at * n + i] as bigint)
      if (rest % t !== 0n) throw new Error(`coefficient ${i} of chunk ${at} is no multiple of t`)
      return Number(rest / t)
    }),
  )
  return { key: key.map(Number), errors }
}

describe.each([1, 3, 10])('of a sum of %i contributions at the bound', contributors => {
  test(
    `key and error are exactly binomial (${SEED})`,
    () => {
      const { key, errors } = seenByRecipient(contributors)
      expect([key.length, errors.length]).toEqual([n, CHUNKS * n])
      expectCentredBinomial(key, COINS * contributors, DEVIATIONS)
      expectCentredBinomial(errors, COINS * contributors, DEVIATIONS)
    },
    effort(60_000, 600_000),
  )
})

test('the errors do not depend on the cells', () => {
  const randomness = () => seededRandomness(`${SEED} the same`)
  const dealing = {
    roundId: new Uint8Array(32),
    bound: contributionBound(3),
    threshold: THRESHOLD,
    custodians: CUSTODIANS,
  }
  const sums = [0n, 1n, dealing.bound, -dealing.bound].map(cell => {
    const { ciphertext } = contribute(seal, dealing, new BigInt64Array(n).fill(cell), randomness())
    const [chunk] = unpackCiphertext(new Uint8Array(Buffer.concat([...ciphertext])))
    return { cell, chunk: chunk as RingElement }
  })
  // The same key and errors: what differs between two ciphertexts is the transform of the difference of their cells.
  const [first, ...others] = sums as [(typeof sums)[0], ...typeof sums]
  for (const { cell, chunk } of others) {
    const zero: RingElement = [new Array<bigint>(n).fill(0n), new Array<bigint>(n).fill(0n)]
    const difference = chunk.map((limb, l) => limb.map((word, i) => word - (first.chunk[l as 0 | 1][i] as bigint)))
    const coefficients = numerator(difference as unknown as RingElement, zero, zero)
    expect(new Set(coefficients)).toEqual(new Set([cell]))
  }
})

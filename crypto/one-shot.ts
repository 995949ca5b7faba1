import { cryptoError, expectLength } from './error.ts'
import { alignedChunk, checkCells, decodeCells, encodeCells, packWords, unpackWords } from './packing.ts'
import {
  BINOMIAL_ETA,
  CELLS_PER_CHUNK,
  CHUNK_BYTES,
  CIPHERTEXT_PRIMES,
  chunksFor,
  PLAINTEXT_MODULUS,
} from './parameters.ts'
import { centredBinomial, publicPolynomial, type Randomness } from './sampling.ts'
import { type Pair, POLYNOMIALS_PER_PAIR, type Seal, WORDS_PER_POLYNOMIAL } from './seal.ts'
import { addShare, agrees, checkIndices, deal, emptyShare, interpolate, type Share } from './shamir.ts'

/**
 * The one-shot sum: contribute, aggregate, open, read (specs/one-shot-sum.md).
 *
 * One-shot private aggregation after Karthikeyan and Polychroniadou, "OPA" (IACR ePrint 2024/723), with the BGV scheme of
 * SEAL as the key-homomorphic encryption: ciphertexts under different keys and a common polynomial `a` add up to a
 * ciphertext under the sum of the keys.
 */

const HALVES_PER_POLYNOMIAL = WORDS_PER_POLYNOMIAL * 2

export interface Dealing {
  /** 32 bytes: the SHA-256 of the signed round document. */
  readonly roundId: Uint8Array
  /** See `contributionBound`. */
  readonly bound: bigint
  readonly threshold: number
  /** The numbers of the custodians in the charter, from 1. */
  readonly custodians: readonly number[]
}

export interface Contribution {
  /** Packed ciphertext, one or two chunks of 40,960 bytes at a time; each is computed when it is asked for. */
  readonly ciphertext: Iterable<Uint8Array>
  /** The one-time key's share for each custodian, in the order of `custodians`. */
  readonly shares: readonly Share[]
}

/**
 * Encrypts `cells` under a fresh key and splits the key. The key lives only inside this call and its iterator.
 * @param cells any number of signed integers; the last chunk is filled up with zeros
 * @throws InbondError `cell-too-large` before anything is drawn or encrypted
 */
export function contribute(seal: Seal, dealing: Dealing, cells: BigInt64Array, randomness: Randomness): Contribution {
  checkCells(cells, dealing.bound)
  const key = centredBinomial(randomness)
  const shares = deal(key, dealing.threshold, dealing.custodians, randomness)
  return { ciphertext: encrypt(seal, dealing, key, cells, randomness), shares }
}

/** c = -a·k + t·e + m for each chunk, two chunks at a time. Overwrites `key` when done. */
function* encrypt(
  seal: Seal,
  dealing: Dealing,
  key: Int8Array,
  cells: BigInt64Array,
  randomness: Randomness,
): Generator<Uint8Array> {
  using publicTimesKey = seal.pair('ntt')
  using message = seal.pair('ntt')
  using error = seal.pair('coefficients')
  using factor = seal.factor(residuesModuloT(key))
  key.fill(0)
  const chunks = chunksFor(cells.length)
  for (let first = 0; first < chunks; first += POLYNOMIALS_PER_PAIR) {
    for (let position = 0; position < POLYNOMIALS_PER_PAIR; position++) {
      const chunk = first + position
      const at = position * HALVES_PER_POLYNOMIAL
      publicPolynomial(dealing.roundId, chunk, publicTimesKey.halves.subarray(at, at + HALVES_PER_POLYNOMIAL))
      const chunkCells = cells.subarray(chunk * CELLS_PER_CHUNK, (chunk + 1) * CELLS_PER_CHUNK)
      message.halves.set(seal.transformPlain(encodeCells(chunkCells)), at)
      writeError(centredBinomial(randomness), error.halves.subarray(at, at + HALVES_PER_POLYNOMIAL))
    }
    error.load().transform().add(message.load()).subtract(publicTimesKey.load().multiply(factor))
    const packed = packWords(error.save())
    yield chunks - first === 1 ? packed.subarray(0, CHUNK_BYTES) : packed
  }
}

/** A short polynomial as residues modulo t, so that SEAL lifts it centred. */
function residuesModuloT(coefficients: Int8Array | Int32Array): Uint32Array {
  const words = new BigUint64Array(CELLS_PER_CHUNK)
  for (let i = 0; i < CELLS_PER_CHUNK; i++) {
    const value = coefficients[i] as number
    words[i] = value < 0 ? PLAINTEXT_MODULUS + BigInt(value) : BigInt(value)
  }
  return new Uint32Array(words.buffer)
}

/** t·e modulo each prime, for every e that the binomial distribution can give: 2 × 43 words, looked up at e + 21. */
const ERROR_TABLES = CIPHERTEXT_PRIMES.map(prime => {
  const words = BigUint64Array.from({ length: 2 * BINOMIAL_ETA + 1 }, (_, i) => {
    const product = (PLAINTEXT_MODULUS * BigInt(i - BINOMIAL_ETA)) % BigInt(prime)
    return product < 0n ? product + BigInt(prime) : product
  })
  return new Uint32Array(words.buffer)
})

function writeError(error: Int8Array, halves: Uint32Array): void {
  ERROR_TABLES.forEach((table, limb) => {
    const at = limb * CELLS_PER_CHUNK * 2
    for (let i = 0; i < CELLS_PER_CHUNK; i++) {
      const entry = 2 * ((error[i] as number) + BINOMIAL_ETA)
      halves[at + 2 * i] = table[entry] as number
      halves[at + 2 * i + 1] = table[entry + 1] as number
    }
  })
  error.fill(0)
}

/** Adds up packed ciphertexts of the same chunks. One aggregator serves a whole round, `sum` after `sum`. */
export class Aggregator {
  readonly #sum: Pair
  readonly #next: Pair

  constructor(seal: Seal) {
    this.#sum = seal.pair('ntt')
    this.#next = seal.pair('ntt')
  }

  /**
   * @param contributions at least one; each the same one or two packed chunks of another member
   * @returns the packed sum, as long as each contribution
   * @throws InbondError `bad-length`, `bad-residue`
   */
  sum(contributions: Iterable<Uint8Array>): Uint8Array {
    let length: number | undefined
    for (const packed of contributions) {
      expectLength('a contribution', packed, length ?? packed.length)
      if (length === undefined) loadPacked(this.#sum, packed)
      else {
        loadPacked(this.#next, packed)
        this.#sum.add(this.#next)
      }
      length = packed.length
    }
    if (length === undefined) throw cryptoError('bad-length', 'there is no contribution to add up')
    return packWords(this.#sum.save()).subarray(0, length)
  }

  /**
   * Adds a whole packed ciphertext to a running sum, in place: of many members, two are in memory.
   * @param sum whole packed chunks
   * @throws InbondError `bad-length`, `bad-residue`; the running sum is of no use then
   */
  addTo(sum: Uint8Array, contribution: Uint8Array): void {
    expectLength('a contribution', contribution, sum.length)
    const step = POLYNOMIALS_PER_PAIR * CHUNK_BYTES
    for (let at = 0; at < sum.length; at += step) {
      sum.set(this.sum([sum, contribution].map(packed => packed.subarray(at, at + step))), at)
    }
  }

  [Symbol.dispose](): void {
    this.#sum[Symbol.dispose]()
    this.#next[Symbol.dispose]()
  }
}

function loadPacked(pair: Pair, packed: Uint8Array): void {
  if (packed.length !== CHUNK_BYTES) expectLength('a pair of chunks', packed, POLYNOMIALS_PER_PAIR * CHUNK_BYTES)
  for (let at = 0; at < packed.length; at += CHUNK_BYTES) {
    const window = pair.halves.subarray((at / CHUNK_BYTES) * HALVES_PER_POLYNOMIAL)
    unpackWords(alignedChunk(packed.subarray(at, at + CHUNK_BYTES)), window)
  }
  // What an earlier, refused contribution left behind a single chunk would be refused again.
  pair.halves.fill(0, (packed.length / CHUNK_BYTES) * HALVES_PER_POLYNOMIAL)
  pair.load()
}

/** Sums a custodian's shares, all at its own index. Only this sum ever leaves the custodian. */
export function open(index: number, shares: Iterable<Share>): Share {
  const sum = emptyShare(index)
  for (const share of shares) addShare(sum, share)
  return sum
}

export interface Sealed {
  readonly roundId: Uint8Array
  /** The packed sum of the cohort's contributions, whole chunks. */
  readonly sum: Uint8Array
  readonly openings: readonly Share[]
  readonly threshold: number
  /** |S|, the size of the cohort. */
  readonly contributors: number
}

export interface Reading {
  /** As many as fit into the chunks of `sum`; the recipient cuts them to the cells of its query. */
  readonly cells: BigInt64Array
  /** Indices of openings that do not lie on the accepted key's polynomial. Accuses nobody: see specs/one-shot-sum.md. */
  readonly disagreeing: readonly number[]
}

/**
 * Rebuilds the sum of the keys and decrypts. Every subset of `threshold` openings is tried until one gives a key that is
 * short enough to be a sum of `contributors` keys and opens every chunk with the noise budget that such a sum leaves.
 * @throws InbondError `sum-not-accepted` if no subset does, `bad-share`, `bad-length`, `bad-residue`
 */
export function read(seal: Seal, sealed: Sealed): Reading {
  // Without a chunk there is nothing that a wrong key could fail on.
  if (sealed.sum.length === 0 || sealed.sum.length % CHUNK_BYTES !== 0) {
    throw cryptoError('bad-length', 'the sum is not a whole number of chunks, one at least')
  }
  checkIndices(sealed.openings.map(opening => opening.index))
  for (const subset of subsets(sealed.openings, sealed.threshold)) {
    const cells = readWith(seal, sealed, subset)
    if (cells === undefined) continue
    const others = sealed.openings.filter(opening => !subset.includes(opening))
    return { cells, disagreeing: others.filter(other => !agrees(subset, other)).map(other => other.index) }
  }
  throw cryptoError(
    'sum-not-accepted',
    `no ${sealed.threshold} of the ${sealed.openings.length} openings give a key that opens the sum of ${sealed.contributors} contributions`,
  )
}

function readWith(seal: Seal, sealed: Sealed, subset: readonly Share[]): BigInt64Array | undefined {
  const key = interpolate(subset)
  const longest = BINOMIAL_ETA * sealed.contributors
  if (key.some(coefficient => Math.abs(coefficient) > longest)) return undefined
  using decryptor = seal.decryptor(residuesModuloT(key))
  key.fill(0)
  const chunks = sealed.sum.length / CHUNK_BYTES
  const cells = new BigInt64Array(chunks * CELLS_PER_CHUNK)
  for (let chunk = 0; chunk < chunks; chunk++) {
    const packed = alignedChunk(sealed.sum.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES))
    unpackWords(packed, decryptor.halves)
    publicPolynomial(sealed.roundId, chunk, decryptor.halves.subarray(HALVES_PER_POLYNOMIAL))
    const { noiseBudget, halves } = decryptor.decrypt()
    if (noiseBudget < smallestNoiseBudget(sealed.contributors)) return undefined
    cells.set(decodeCells(halves), chunk * CELLS_PER_CHUNK)
  }
  return cells
}

/**
 * The noise budget, in bits, that an intact sum of `contributors` ciphertexts must still have: log2 Q is 80, of which one bit
 * is the sign, and the noise is at most t·(21·contributors + 1/2). One bit less is accepted, for SEAL's rounding; never 0,
 * which is what SEAL reports for any wrong key.
 */
export function smallestNoiseBudget(contributors: number): number {
  const bits = Math.log2(Number(PLAINTEXT_MODULUS) * (BINOMIAL_ETA * contributors + 0.5))
  return Math.max(1, Math.floor(79 - bits) - 1)
}

function* subsets<T>(items: readonly T[], size: number, from = 0): Generator<T[]> {
  if (size === 0) {
    yield []
    return
  }
  for (let i = from; i <= items.length - size; i++) {
    for (const rest of subsets(items, size - 1, i + 1)) yield [items[i] as T, ...rest]
  }
}

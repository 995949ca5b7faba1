import { createHash } from 'node:crypto'
import { expectLength } from './error.ts'
import {
  BINOMIAL_ETA,
  BITS_PER_SHARE_WORD,
  BYTES_PER_WORD,
  CELLS_PER_CHUNK,
  CIPHERTEXT_PRIMES,
  SHARE_PRIME,
} from './parameters.ts'

/** A source of uniformly random bytes: the platform's CSPRNG in production, a fixed stream where vectors are made. */
export type Randomness = (bytes: number) => Uint8Array

const LABEL = new TextEncoder().encode('inbond/a/v1')
const ROUND_ID_BYTES = 32

/** SHAKE128 (FIPS 202) over label ‖ roundId ‖ chunk ‖ limb, the last two as u32 little endian. */
function expand(roundId: Uint8Array, chunk: number, limb: number, bytes: number): Uint8Array {
  const position = new Uint8Array(8)
  const view = new DataView(position.buffer)
  view.setUint32(0, chunk, true)
  view.setUint32(4, limb, true)
  const hash = createHash('shake128', { outputLength: bytes })
  return hash.update(LABEL).update(roundId).update(position).digest()
}

/**
 * The public polynomial a of a chunk of a round, uniform in R_Q and in NTT form, written as halves (2 limbs × n words).
 * Uniform below each prime by rejection; every party derives the same words from the round's id.
 * @param roundId 32 bytes
 * @throws InbondError `bad-length`
 */
export function publicPolynomial(roundId: Uint8Array, chunk: number, halves: Uint32Array): void {
  expectLength('a round id', roundId, ROUND_ID_BYTES)
  CIPHERTEXT_PRIMES.forEach((prime, limb) => {
    const target = halves.subarray(limb * CELLS_PER_CHUNK * 2, (limb + 1) * CELLS_PER_CHUNK * 2)
    let accepted = 0
    // Fewer than 3 words in 10^7 are not below their prime: one request is nearly always enough. A longer one has the same prefix.
    for (let words = CELLS_PER_CHUNK; accepted < CELLS_PER_CHUNK; words += 64) {
      accepted = acceptWords(expand(roundId, chunk, limb, words * BYTES_PER_WORD), prime, target)
    }
  })
}

/** Writes the words below `prime`, in order, until `target` is full. Returns how many were written. */
function acceptWords(stream: Uint8Array, prime: number, target: Uint32Array): number {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length)
  const primeHigh = Math.floor(prime / 2 ** 32)
  const primeLow = prime % 2 ** 32
  let written = 0
  for (let at = 0; at < stream.length && written < CELLS_PER_CHUNK; at += BYTES_PER_WORD) {
    const low = view.getUint32(at, true)
    const high = view.getUint8(at + 4)
    if (high > primeHigh || (high === primeHigh && low >= primeLow)) continue
    target[2 * written] = low
    target[2 * written + 1] = high
    written++
  }
  return written
}

function popcount(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555)
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333)
  return (((x + (x >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24
}

/** Bytes of randomness for one polynomial: two words of 32 bits a coefficient, of which 21 bits each are used. */
export const BINOMIAL_BYTES = CELLS_PER_CHUNK * 8

/**
 * n coefficients of the centred binomial distribution, eta = 21: the difference of two sums of 21 fair bits.
 * The number of steps does not depend on the values drawn.
 */
export function centredBinomial(randomness: Randomness): Int8Array {
  const bytes = randomness(BINOMIAL_BYTES)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const mask = 2 ** BINOMIAL_ETA - 1
  const coefficients = new Int8Array(CELLS_PER_CHUNK)
  for (let i = 0; i < CELLS_PER_CHUNK; i++) {
    const plus = view.getUint32(8 * i, true) & mask
    const minus = view.getUint32(8 * i + 4, true) & mask
    coefficients[i] = popcount(plus) - popcount(minus)
  }
  bytes.fill(0)
  return coefficients
}

/** n residues uniform below p = 67108859, by masking words of 32 bits to 26 and rejecting. */
export function uniformResidues(randomness: Randomness): Int32Array {
  const residues = new Int32Array(CELLS_PER_CHUNK)
  let written = 0
  while (written < CELLS_PER_CHUNK) {
    const bytes = randomness((CELLS_PER_CHUNK - written) * 4)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    for (let at = 0; at < bytes.length; at += 4) {
      const word = view.getUint32(at, true) & (2 ** BITS_PER_SHARE_WORD - 1)
      if (word < SHARE_PRIME) residues[written++] = word
    }
    bytes.fill(0)
  }
  return residues
}

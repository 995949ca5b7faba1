import { cryptoError, expectLength } from './error.ts'
import {
  BITS_PER_SHARE_WORD,
  CELLS_PER_CHUNK,
  CHUNK_BYTES,
  CIPHERTEXT_PRIMES,
  PLAINTEXT_MODULUS,
  SHARE_BYTES,
  SHARE_PRIME,
} from './parameters.ts'

/**
 * Words of 40 bits (ring elements) and of 26 bits (key shares), packed little endian; and cells as residues modulo t.
 * A 64-bit word of SEAL's is two "halves" of 32 bits, low first, here as everywhere in crypto/.
 */

/** Four words of 40 bits are five of 32. `packed` holds 5 bytes a word and must start at a multiple of 4. */
export function unpackWords(packed: Uint8Array, halves: Uint32Array): void {
  const source = new Uint32Array(packed.buffer, packed.byteOffset, packed.length / 4)
  for (let from = 0, to = 0; from < source.length; from += 5, to += 8) {
    const a = source[from] as number
    const b = source[from + 1] as number
    const c = source[from + 2] as number
    const d = source[from + 3] as number
    const e = source[from + 4] as number
    halves[to] = a
    halves[to + 1] = b & 0xff
    halves[to + 2] = (b >>> 8) | (c << 24)
    halves[to + 3] = (c >>> 8) & 0xff
    halves[to + 4] = (c >>> 16) | (d << 16)
    halves[to + 5] = (d >>> 16) & 0xff
    halves[to + 6] = (d >>> 24) | (e << 8)
    halves[to + 7] = e >>> 24
  }
}

/** The inverse of `unpackWords`: words below 2^40 as halves to 5 bytes a word. */
export function packWords(halves: Uint32Array): Uint8Array {
  const target = new Uint32Array((halves.length / 8) * 5)
  for (let from = 0, to = 0; from < halves.length; from += 8, to += 5) {
    const w1 = halves[from + 2] as number
    const w2 = halves[from + 4] as number
    const w3 = halves[from + 6] as number
    target[to] = halves[from] as number
    target[to + 1] = (halves[from + 1] as number) | (w1 << 8)
    target[to + 2] = (w1 >>> 24) | ((halves[from + 3] as number) << 8) | (w2 << 16)
    target[to + 3] = (w2 >>> 16) | ((halves[from + 5] as number) << 16) | (w3 << 24)
    target[to + 4] = (w3 >>> 8) | ((halves[from + 7] as number) << 24)
  }
  return new Uint8Array(target.buffer)
}

/** A packed chunk at an address that `unpackWords` accepts: itself, or a copy. @throws InbondError `bad-length` */
export function alignedChunk(chunk: Uint8Array): Uint8Array {
  expectLength('a chunk', chunk, CHUNK_BYTES)
  // Not slice(): a Buffer's is a view at the same address.
  return chunk.byteOffset % 4 === 0 ? chunk : new Uint8Array(chunk)
}

/** n residues below 2^26 to 13,312 bytes. */
export function packShare(residues: Int32Array): Uint8Array {
  const bytes = new Uint8Array(SHARE_BYTES)
  let at = 0
  let held = 0
  let bits = 0
  for (const residue of residues) {
    held += residue * 2 ** bits
    bits += BITS_PER_SHARE_WORD
    while (bits >= 8) {
      bytes[at++] = held & 0xff
      held = Math.floor(held / 256)
      bits -= 8
    }
  }
  return bytes
}

/** The inverse of `packShare`. @throws InbondError `bad-length`, or `bad-share` for a residue that is not below p */
export function unpackShare(bytes: Uint8Array): Int32Array {
  expectLength('a key share', bytes, SHARE_BYTES)
  const residues = new Int32Array(CELLS_PER_CHUNK)
  let at = 0
  let held = 0
  let bits = 0
  for (let i = 0; i < CELLS_PER_CHUNK; i++) {
    while (bits < BITS_PER_SHARE_WORD) {
      held += (bytes[at++] as number) * 2 ** bits
      bits += 8
    }
    const residue = held % 2 ** BITS_PER_SHARE_WORD
    if (residue >= SHARE_PRIME) throw cryptoError('bad-share', `residue ${i} of a key share is not below its prime`)
    residues[i] = residue
    held = Math.floor(held / 2 ** BITS_PER_SHARE_WORD)
    bits -= BITS_PER_SHARE_WORD
  }
  return residues
}

/**
 * Checks that no cell is beyond the bound at which a sum over the roster could wrap modulo t.
 * @param bound the largest absolute value allowed, see `contributionBound`
 * @throws InbondError `cell-too-large` (without the value: it is the member's secret)
 */
export function checkCells(cells: BigInt64Array, bound: bigint): void {
  for (const cell of cells) {
    if (cell > bound || cell < -bound) {
      throw cryptoError('cell-too-large', `a cell exceeds the bound of ${bound} that keeps the joint sum exact`)
    }
  }
}

/**
 * Cells in (-t/2, t/2) as residues modulo t, x or t - |x|, padded with zeros to one chunk.
 * @returns n words as halves
 */
export function encodeCells(cells: BigInt64Array): Uint32Array {
  const words = new BigUint64Array(CELLS_PER_CHUNK)
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i] as bigint
    words[i] = cell < 0n ? cell + PLAINTEXT_MODULUS : cell
  }
  return new Uint32Array(words.buffer)
}

/** The inverse of `encodeCells`: n words below t to n signed integers in (-t/2, t/2). */
export function decodeCells(halves: Uint32Array): BigInt64Array {
  const cells = new BigInt64Array(halves.buffer.slice(halves.byteOffset, halves.byteOffset + halves.byteLength))
  for (let i = 0; i < cells.length; i++) {
    const word = cells[i] as bigint
    if (word > PLAINTEXT_MODULUS / 2n) cells[i] = word - PLAINTEXT_MODULUS
  }
  return cells
}

/** @throws InbondError `bad-length`, or `bad-residue` if a word of a packed chunk is not below its prime */
export function checkChunk(chunk: Uint8Array): void {
  const halves = new Uint32Array(HALVES_PER_LIMB * CIPHERTEXT_PRIMES.length)
  unpackWords(alignedChunk(chunk), halves)
  checkResidues(halves)
}

const HALVES_PER_LIMB = CELLS_PER_CHUNK * 2
const primeHalves = CIPHERTEXT_PRIMES.map(prime => ({ low: prime % 2 ** 32, high: Math.floor(prime / 2 ** 32) }))

/**
 * @param halves polynomials over Q, one after the other, each limb by limb
 * @throws InbondError `bad-residue` if a word is not below its prime
 */
export function checkResidues(halves: Uint32Array): void {
  for (let start = 0; start < halves.length; start += HALVES_PER_LIMB) {
    const { low, high } = primeHalves[(start / HALVES_PER_LIMB) % primeHalves.length] as { low: number; high: number }
    for (let at = start; at < start + HALVES_PER_LIMB; at += 2) {
      const word = halves[at + 1] as number
      if (word >= high && (word > high || (halves[at] as number) >= low)) {
        throw cryptoError('bad-residue', 'a word of a ring element is not below its prime')
      }
    }
  }
}

import { number } from './drawing.ts'
import {
  CHUNK_BYTES,
  centred,
  mod,
  n,
  p,
  q,
  Refusal,
  type RingElement,
  requireLength,
  SHARE_BITS,
  SHARE_BYTES,
  t,
  WORD_BYTES,
} from './parameters.ts'

/** "Cells are coefficients", and the packed chunk and share of "Contribute", in specs/one-shot-sum.md. */

function writeWords(words: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(words.length * WORD_BYTES)
  words.forEach((word, i) => {
    bytes.writeUIntLE(Number(word), i * WORD_BYTES, WORD_BYTES)
  })
  return bytes
}

export function packChunk(element: RingElement): Uint8Array {
  return new Uint8Array(Buffer.concat(element.map(writeWords)))
}

export function unpackChunk(chunk: Uint8Array): RingElement {
  requireLength(chunk, CHUNK_BYTES)
  const bytes = Buffer.from(chunk)
  const limb = (prime: bigint, index: number) =>
    Array.from({ length: n }, (_, i) => {
      const word = BigInt(bytes.readUIntLE((index * n + i) * WORD_BYTES, WORD_BYTES))
      if (word >= prime) throw new Refusal('bad-residue', `word ${i} of limb ${index}`)
      return word
    })
  return [limb(q[0], 0), limb(q[1], 1)]
}

/** A ciphertext is its chunks in order; at least one. */
export function unpackCiphertext(ciphertext: Uint8Array): RingElement[] {
  if (ciphertext.length === 0 || ciphertext.length % CHUNK_BYTES !== 0) {
    throw new Refusal('bad-length', `${ciphertext.length} bytes are no chunks`)
  }
  return Array.from({ length: ciphertext.length / CHUNK_BYTES }, (_, i) =>
    unpackChunk(ciphertext.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES)),
  )
}

/** The residues are the 26-bit digits of one little-endian number; 4 of them are 13 bytes. */
export function packShare(residues: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(SHARE_BYTES)
  residues.forEach((residue, i) => {
    for (let bit = 0; bit < SHARE_BITS; bit++) {
      const b = SHARE_BITS * i + bit
      if ((residue >> BigInt(bit)) & 1n) bytes[b >> 3] = (bytes[b >> 3] as number) | (1 << (b & 7))
    }
  })
  return bytes
}

export function unpackShare(bytes: Uint8Array): bigint[] {
  requireLength(bytes, SHARE_BYTES)
  return Array.from({ length: n }, (_, i) => {
    const from = SHARE_BITS * i
    const holding = number(bytes.subarray(from >> 3, ((from + SHARE_BITS - 1) >> 3) + 1))
    const residue = (holding >> BigInt(from & 7)) % 2n ** BigInt(SHARE_BITS)
    if (residue >= p) throw new Refusal('bad-share', `residue ${i}`)
    return residue
  })
}

/** The largest absolute value that a member of a roster of this size may contribute to a cell. */
export function cellBound(roster: number): bigint {
  return (t - 1n) / 2n / BigInt(roster)
}

export function checkCells(cells: readonly bigint[], roster: number): void {
  const bound = cellBound(roster)
  if (cells.some(cell => cell > bound || cell < -bound)) throw new Refusal('cell-too-large', `beyond ${bound}`)
}

export function encodeCells(cells: readonly bigint[]): bigint[] {
  return cells.map(cell => mod(cell, t))
}

export function decodeCells(residues: readonly bigint[]): bigint[] {
  return residues.map(residue => centred(residue, t))
}

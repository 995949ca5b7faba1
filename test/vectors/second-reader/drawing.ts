import { createHash } from 'node:crypto'
import { eta, n, p, q, Refusal, type RingElement, requireLength, SHARE_BITS, WORD_BYTES } from './parameters.ts'

/** "The public polynomial" and "Drawing" of specs/one-shot-sum.md. */

/** Gives as many bytes as are asked for. */
export type Source = (bytes: number) => Uint8Array

export function u32le(x: number): Uint8Array {
  return Uint8Array.of(x & 0xff, (x >>> 8) & 0xff, (x >>> 16) & 0xff, x >>> 24)
}

/** A little-endian number. */
export function number(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n)
}

/** Request number i for b bytes gives the first b bytes of SHAKE128(seed ‖ u32le(i)). */
export function fromSeed(seed: string): Source {
  let request = 0
  return bytes => shake128([Buffer.from(seed), u32le(request++)], bytes)
}

function shake128(parts: readonly Uint8Array[], bytes: number): Buffer {
  const hash = createHash('shake128', { outputLength: bytes })
  return hash.update(Buffer.concat(parts)).digest()
}

export function publicPolynomial(roundId: Uint8Array, chunk: number): RingElement {
  requireLength(roundId, 32)
  const limb = (prime: bigint, index: number) => {
    const parts = [Buffer.from('inbond/a/v1'), roundId, u32le(chunk), u32le(index)]
    // More words than are needed: that 100 of them are dropped does not happen.
    const stream = shake128(parts, (n + 100) * WORD_BYTES)
    const words = Array.from({ length: n + 100 }, (_, i) => BigInt(stream.readUIntLE(i * WORD_BYTES, WORD_BYTES)))
    return words.filter(word => word < prime).slice(0, n)
  }
  return [limb(q[0], 0), limb(q[1], 1)]
}

function ones(word: number): number {
  return [...word.toString(2)].filter(digit => digit === '1').length
}

/** Keys and errors. */
export function centredBinomial(source: Source): bigint[] {
  const bytes = Buffer.from(source(8 * n))
  const low = (at: number) => bytes.readUInt32LE(at) % 2 ** eta
  return Array.from({ length: n }, (_, i) => BigInt(ones(low(8 * i)) - ones(low(8 * i + 4))))
}

/** One blinding polynomial of a sharing. */
export function uniformResidues(source: Source): bigint[] {
  const residues: bigint[] = []
  while (residues.length < n) {
    const bytes = Buffer.from(source(4 * (n - residues.length)))
    for (let at = 0; at < bytes.length; at += 4) {
      const residue = BigInt(bytes.readUInt32LE(at) % 2 ** SHARE_BITS)
      if (residue < p) residues.push(residue)
    }
  }
  return residues
}

/** Hands out prepared bytes, request by request. */
export function fromRequests(requests: readonly Uint8Array[]): Source {
  let request = 0
  return bytes => {
    const prepared = requests[request++]
    if (prepared?.length !== bytes) throw new Refusal('bad-length', `request ${request} is not for ${bytes} bytes`)
    return prepared
  }
}

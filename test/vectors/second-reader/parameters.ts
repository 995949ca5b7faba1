/** "Parameters" of specs/one-shot-sum.md. */

export const n = 4096
export const q = [1099511390209n, 1099511480321n] as const
export const Q = q[0] * q[1]
export const t = 1152921504606830593n
export const eta = 21
export const p = 67108859n
export const psi = [188538203n, 870088n] as const

export const WORD_BYTES = 5
export const CHUNK_BYTES = 2 * n * WORD_BYTES
export const SHARE_BITS = 26
export const SHARE_BYTES = (n * SHARE_BITS) / 8
export const SEALED_BYTES = 1120 + SHARE_BYTES + 16

/** One residue polynomial over each of the two primes. */
export type RingElement = readonly [readonly bigint[], readonly bigint[]]

export class Refusal extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export function requireLength(bytes: Uint8Array, expected: number): void {
  if (bytes.length !== expected) throw new Refusal('bad-length', `${bytes.length} bytes, not ${expected}`)
}

/** The representative from 0 to modulus - 1. */
export function mod(x: bigint, modulus: bigint): bigint {
  const rest = x % modulus
  return rest < 0n ? rest + modulus : rest
}

/** The representative nearest to 0. */
export function centred(x: bigint, modulus: bigint): bigint {
  const rest = mod(x, modulus)
  return 2n * rest > modulus ? rest - modulus : rest
}

export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (let square = mod(base, modulus), left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

/** bits(x): the length of x > 0 in binary. */
export function bits(x: bigint): number {
  return x === 0n ? 0 : x.toString(2).length
}

export function largest(values: readonly bigint[]): bigint {
  return values.reduce((most, value) => (value > most ? value : -value > most ? -value : most), 0n)
}

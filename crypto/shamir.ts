import { cryptoError } from './error.ts'
import { CELLS_PER_CHUNK, SHARE_PRIME } from './parameters.ts'
import { type Randomness, uniformResidues } from './sampling.ts'

/**
 * Shamir secret sharing (Shamir, "How to share a secret", CACM 22(11), 1979) over Z_p, coefficient by coefficient of a
 * polynomial of n coefficients. Shares add up: the sum of shares at an index is the share of the sum.
 */
export interface Share {
  /** The point of evaluation: the custodian's number in the charter, from 1. Point 0 is the secret itself. */
  readonly index: number
  /** n residues below p. */
  readonly residues: Int32Array
}

function modulo(x: number): number {
  const rest = x % SHARE_PRIME
  return rest < 0 ? rest + SHARE_PRIME : rest
}

/** @throws InbondError `bad-share` for an index that is 0, too large or used twice */
export function checkIndices(indices: readonly number[]): void {
  for (const index of indices) {
    if (!Number.isInteger(index) || index < 1 || index >= SHARE_PRIME) {
      throw cryptoError('bad-share', `${index} is not the number of a custodian; they count from 1`)
    }
  }
  if (new Set(indices).size !== indices.length) throw cryptoError('bad-share', 'two shares carry the same index')
}

/**
 * Splits a short secret polynomial so that `threshold` shares rebuild it and fewer say nothing.
 * @param secret n small signed coefficients
 * @throws InbondError `bad-share` for an index that is 0, too large or used twice, or a threshold that does not fit
 */
export function deal(
  secret: Int8Array,
  threshold: number,
  indices: readonly number[],
  randomness: Randomness,
): Share[] {
  checkIndices(indices)
  // A threshold of 1, or one that is no number, would make every share the secret itself.
  if (!Number.isInteger(threshold) || threshold < 2 || threshold > indices.length) {
    throw cryptoError(
      'bad-share',
      `no key is shared among ${indices.length} custodians with a threshold of ${threshold}`,
    )
  }
  const blinding = Array.from({ length: threshold - 1 }, () => uniformResidues(randomness))
  const shares = indices.map(index => {
    const residues = new Int32Array(CELLS_PER_CHUNK)
    for (let i = 0; i < CELLS_PER_CHUNK; i++) {
      let value = 0
      for (let k = blinding.length - 1; k >= 0; k--)
        value = ((value + (blinding[k]?.[i] as number)) * index) % SHARE_PRIME
      residues[i] = modulo(value + (secret[i] as number))
    }
    return { index, residues }
  })
  for (const coefficients of blinding) coefficients.fill(0)
  return shares
}

/** Adds `share` to `sum` in place; both are at the same index. */
export function addShare(sum: Share, share: Share): void {
  if (sum.index !== share.index) throw cryptoError('bad-share', 'shares at different indices do not add up')
  for (let i = 0; i < CELLS_PER_CHUNK; i++) {
    sum.residues[i] = ((sum.residues[i] as number) + (share.residues[i] as number)) % SHARE_PRIME
  }
}

/** The share of zero at an index, to add shares to. */
export function emptyShare(index: number): Share {
  checkIndices([index])
  return { index, residues: new Int32Array(CELLS_PER_CHUNK) }
}

/** x^(p-2) is the inverse of x in Z_p (Fermat); products of two residues stay below 2^52. */
function inverse(x: number): number {
  let result = 1
  let base = modulo(x)
  for (let exponent = SHARE_PRIME - 2; exponent > 0; exponent = Math.floor(exponent / 2)) {
    if (exponent % 2 === 1) result = (result * base) % SHARE_PRIME
    base = (base * base) % SHARE_PRIME
  }
  return result
}

/** Lagrange coefficients that evaluate at `point` the polynomial known at `indices`. */
function lagrange(indices: readonly number[], point: number): number[] {
  return indices.map(i => {
    let coefficient = 1
    for (const j of indices) {
      if (j !== i) coefficient = (coefficient * ((modulo(point - j) * inverse(i - j)) % SHARE_PRIME)) % SHARE_PRIME
    }
    return coefficient
  })
}

function evaluate(shares: readonly Share[], point: number): Int32Array {
  const weights = lagrange(
    shares.map(share => share.index),
    point,
  )
  const values = new Int32Array(CELLS_PER_CHUNK)
  for (let i = 0; i < CELLS_PER_CHUNK; i++) {
    let value = 0
    for (let s = 0; s < shares.length; s++) {
      value = (value + (weights[s] as number) * ((shares[s] as Share).residues[i] as number)) % SHARE_PRIME
    }
    values[i] = value
  }
  return values
}

/**
 * Rebuilds the secret from shares at distinct indices, lifted to (-p/2, p/2).
 * @throws InbondError `bad-share` for an index that is 0, too large or used twice
 */
export function interpolate(shares: readonly Share[]): Int32Array {
  checkIndices(shares.map(share => share.index))
  const secret = evaluate(shares, 0)
  for (let i = 0; i < CELLS_PER_CHUNK; i++) {
    const value = secret[i] as number
    if (value > SHARE_PRIME / 2) secret[i] = value - SHARE_PRIME
  }
  return secret
}

/** Whether `share` lies on the polynomial that `basis` (threshold many shares) determines. */
export function agrees(basis: readonly Share[], share: Share): boolean {
  const expected = evaluate(basis, share.index)
  return expected.every((value, i) => value === share.residues[i])
}

/**
 * Constants of protocol version 1 (specs/one-shot-sum.md). They are never fields of a message: a message that could
 * choose its own parameters could choose weak ones.
 */

/** Ring degree n, and so the number of cells in one chunk. */
export const CELLS_PER_CHUNK = 4096

/** The two primes of the ciphertext modulus Q (80 bits); each is 1 modulo 2n, so that R_Q has a number-theoretic transform. */
export const CIPHERTEXT_PRIMES = [1099511390209, 1099511480321] as const

/** SEAL keeps the last prime of a modulus chain for key switching. Nothing here switches keys; it only has to exist. */
export const SPARE_PRIME = 536813569

/** Plaintext modulus t, 60 bits: exact signed sums in (-2^59, 2^59). */
export const PLAINTEXT_MODULUS = 1152921504606830593n

/** Half-width of the centred binomial distribution of keys and errors; its standard deviation is sqrt(21/2), about 3.24. */
export const BINOMIAL_ETA = 21

/** The largest prime below 2^26: the field in which keys are shared. Products of two residues stay exact in a number. */
export const SHARE_PRIME = 67108859

export const BYTES_PER_WORD = 5
export const BITS_PER_SHARE_WORD = 26

/** One packed ring element: two limbs of n words of 40 bits, so 10 bytes a cell. */
export const CHUNK_BYTES = CIPHERTEXT_PRIMES.length * CELLS_PER_CHUNK * BYTES_PER_WORD

/** One packed Shamir share of a key: n words of 26 bits. */
export const SHARE_BYTES = (CELLS_PER_CHUNK * BITS_PER_SHARE_WORD) / 8

/** Limits of a federation: a cohort must hide a member among others, and keys of 4,096 members fit the share field. */
export const SMALLEST_COHORT = 3
export const LARGEST_ROSTER = 4096

/**
 * The largest absolute value that one member may contribute to a cell: below it no sum over the roster can wrap modulo t,
 * and then the error that the recipient can compute says nothing about the data.
 */
export function contributionBound(rosterSize: number): bigint {
  return (PLAINTEXT_MODULUS - 1n) / 2n / BigInt(rosterSize)
}

export function chunksFor(cells: number): number {
  return Math.ceil(cells / CELLS_PER_CHUNK)
}

import { mod, n, power, psi, q, type RingElement } from './parameters.ts'

/** "Transform" of specs/one-shot-sum.md: word i is the value at psi^(2·brv(i) + 1). */

/** i < 2^12 with its bits in reverse order. */
export function reversed(i: number): number {
  return Number.parseInt([...i.toString(2).padStart(12, '0')].reverse().join(''), 2)
}

/**
 * A polynomial modulo x^2m - r² is known by its rests modulo x^m - r and x^m + r. Splitting x^n + 1 so, again and again, makes a
 * tree; the node k of it (the root is 1, below k are 2k and 2k + 1) splits with r = psi^brv(k), and word i is its i-th leaf.
 */
const roots = q.map((prime, limb) =>
  Array.from({ length: n }, (_, k) => power(psi[limb] as bigint, BigInt(reversed(k)), prime)),
)
const inverseRoots = roots.map((row, limb) => row.map(root => power(root, (q[limb] as bigint) - 2n, q[limb] as bigint)))

function split(coefficients: readonly bigint[], limb: number): bigint[] {
  const prime = q[limb] as bigint
  const values = coefficients.map(value => mod(value, prime))
  for (let m = n / 2; m >= 1; m /= 2) {
    for (let block = 0; block < n / (2 * m); block++) {
      const root = roots[limb]?.[n / (2 * m) + block] as bigint
      for (let i = 2 * m * block; i < 2 * m * block + m; i++) {
        const low = values[i] as bigint
        const high = (values[i + m] as bigint) * root
        values[i] = (low + high) % prime
        values[i + m] = mod(low - high, prime)
      }
    }
  }
  return values
}

function join(words: readonly bigint[], limb: number): bigint[] {
  const prime = q[limb] as bigint
  const values = [...words]
  for (let m = 1; m < n; m *= 2) {
    for (let block = 0; block < n / (2 * m); block++) {
      const inverseRoot = inverseRoots[limb]?.[n / (2 * m) + block] as bigint
      for (let i = 2 * m * block; i < 2 * m * block + m; i++) {
        const [left, right] = [values[i] as bigint, values[i + m] as bigint]
        values[i] = (left + right) % prime
        values[i + m] = mod((left - right) * inverseRoot, prime)
      }
    }
  }
  // Each of the 12 levels left a factor of 2.
  const scale = power(BigInt(n), prime - 2n, prime)
  return values.map(value => (value * scale) % prime)
}

/** Coefficients, of any size and sign, to words. */
export function transform(coefficients: readonly bigint[]): RingElement {
  return [split(coefficients, 0), split(coefficients, 1)]
}

/** Words to the coefficients modulo each prime. */
export function transformBack(words: RingElement): RingElement {
  return [join(words[0], 0), join(words[1], 1)]
}

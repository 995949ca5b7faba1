import { createHash } from 'node:crypto'

/** Encapsulation of ML-KEM-768 with given randomness (FIPS 203): node:crypto does it only with its own. */

const n = 256
const q = 3329
const k = 3

type Polynomial = readonly number[]

function shake(name: 'shake128' | 'shake256', input: readonly Uint8Array[], length: number): Buffer {
  return createHash(name, { outputLength: length }).update(Buffer.concat(input)).digest()
}

function mod(x: number): number {
  return ((x % q) + q) % q
}

function reversed(i: number): number {
  return Number.parseInt([...i.toString(2).padStart(7, '0')].reverse().join(''), 2)
}

const powers = [1]
for (let i = 1; i < n; i++) powers.push(((powers[i - 1] as number) * 17) % q)
const zeta = (exponent: number) => powers[exponent] as number

/** Algorithm 9. */
function transform(polynomial: Polynomial): Polynomial {
  const f = [...polynomial]
  for (let length = 128, i = 1; length >= 2; length /= 2) {
    for (let start = 0; start < n; start += 2 * length, i++) {
      for (let j = start; j < start + length; j++) {
        const [low, high] = [f[j] as number, zeta(reversed(i)) * (f[j + length] as number)]
        f[j] = mod(low + high)
        f[j + length] = mod(low - high)
      }
    }
  }
  return f
}

/** Algorithm 10. */
function transformBack(words: Polynomial): Polynomial {
  const f = [...words]
  for (let length = 2, i = 127; length <= 128; length *= 2) {
    for (let start = 0; start < n; start += 2 * length, i--) {
      for (let j = start; j < start + length; j++) {
        const [left, right] = [f[j] as number, f[j + length] as number]
        f[j] = mod(left + right)
        f[j + length] = mod(zeta(reversed(i)) * (right - left))
      }
    }
  }
  return f.map(x => (x * 3303) % q)
}

/** Algorithms 11 and 12, summed over the places of two vectors. */
function product(a: readonly Polynomial[], b: readonly Polynomial[]): Polynomial {
  const at = (polynomials: readonly Polynomial[], j: number, i: number) => polynomials[j]?.[i] as number
  return Array.from({ length: n }, (_, i) => {
    const even = i - (i % 2)
    let sum = 0
    for (let j = 0; j < k; j++) {
      const [a0, a1, b0, b1] = [at(a, j, even), at(a, j, even + 1), at(b, j, even), at(b, j, even + 1)]
      const gamma = zeta(2 * reversed(i >> 1) + 1)
      sum += i % 2 === 0 ? a0 * b0 + mod(a1 * b1) * gamma : a0 * b1 + a1 * b0
    }
    return mod(sum)
  })
}

/** Algorithm 7: an entry of the matrix. */
function uniform(rho: Uint8Array, column: number, row: number): Polynomial {
  const stream = shake('shake128', [rho, Uint8Array.of(column, row)], 3 * n)
  const found: number[] = []
  for (let at = 0; at < stream.length; at += 3) {
    const [x, y, z] = [...stream.subarray(at, at + 3)] as [number, number, number]
    found.push(...[x + 256 * (y % 16), (y >> 4) + 16 * z].filter(value => value < q))
  }
  return found.slice(0, n)
}

function bit(bytes: Uint8Array, i: number): number {
  return ((bytes[i >> 3] as number) >> (i & 7)) & 1
}

/** Algorithm 8 with η = 2, of PRF number `which`. */
function short(seed: Uint8Array, which: number): Polynomial {
  const bytes = shake('shake256', [seed, Uint8Array.of(which)], 128)
  return Array.from({ length: n }, (_, i) => {
    const [a, b, c, d] = [0, 1, 2, 3].map(j => bit(bytes, 4 * i + j)) as [number, number, number, number]
    return mod(a + b - c - d)
  })
}

function add(...polynomials: readonly Polynomial[]): Polynomial {
  return Array.from({ length: n }, (_, i) => mod(polynomials.reduce((sum, one) => sum + (one[i] as number), 0)))
}

/** Algorithm 5, of the coefficients compressed to d bits. */
function compressed(polynomial: Polynomial, d: number): Buffer {
  const bytes = Buffer.alloc((n * d) / 8)
  polynomial.forEach((x, i) => {
    const value = Math.floor((x * 2 ** d + q / 2) / q) % 2 ** d
    for (let j = 0; j < d; j++) {
      const place = i * d + j
      bytes[place >> 3] = (bytes[place >> 3] as number) | (((value >> j) & 1) << (place & 7))
    }
  })
  return bytes
}

/** Algorithm 6 with d = 12; throws where a coefficient is not below q. */
function decoded(bytes: Uint8Array): Polynomial {
  return Array.from({ length: n }, (_, i) => {
    let value = 0
    for (let j = 0; j < 12; j++) value += bit(bytes, 12 * i + j) * 2 ** j
    if (value >= q) throw new Error(`coefficient ${i} of the encapsulation key`)
    return value
  })
}

/** Algorithms 14 and 17. @param m 32 random bytes */
export function encapsulate(key: Uint8Array, m: Uint8Array): { readonly secret: Buffer; readonly ciphertext: Buffer } {
  const t = [0, 1, 2].map(i => decoded(key.subarray(384 * i, 384 * (i + 1))))
  const rho = key.subarray(384 * k)
  const hashed = createHash('sha3-512').update(m).update(createHash('sha3-256').update(key).digest()).digest()
  const [secret, r] = [hashed.subarray(0, 32), hashed.subarray(32)]
  const y = [0, 1, 2].map(i => transform(short(r, i)))
  const u = [0, 1, 2].map(i => {
    const column = [0, 1, 2].map(j => uniform(rho, i, j))
    return add(transformBack(product(column, y)), short(r, k + i))
  })
  const message = Array.from({ length: n }, (_, i) => bit(m, i) * Math.ceil(q / 2))
  const v = add(transformBack(product(t, y)), short(r, 2 * k), message)
  return { secret, ciphertext: Buffer.concat([...u.map(one => compressed(one, 10)), compressed(v, 4)]) }
}

import { centredBinomial, publicPolynomial, type Source } from './drawing.ts'
import { checkCells, packChunk, unpackCiphertext } from './packing.ts'
import { bits, centred, largest, mod, n, power, Q, q, Refusal, type RingElement, t } from './parameters.ts'
import { agrees, checkCustodians, deal, interpolate, type Share } from './sharing.ts'
import { transform, transformBack } from './transform.ts'

/** "Contribute", "Aggregate" and "Read" of specs/one-shot-sum.md. */

function combine(elements: readonly RingElement[], word: (words: readonly bigint[]) => bigint): RingElement {
  const limb = (index: 0 | 1) =>
    Array.from({ length: n }, (_, i) => mod(word(elements.map(one => one[index][i] as bigint)), q[index]))
  return [limb(0), limb(1)]
}

/** c = t·e + m - a∘k for one chunk. */
export function encryptChunk(
  a: RingElement,
  transformedKey: RingElement,
  error: readonly bigint[],
  cells: readonly bigint[],
): RingElement {
  const content = transform(error.map((e, i) => t * e + (cells[i] ?? 0n)))
  return combine([content, a, transformedKey], ([x, y, z]) => (x as bigint) - (y as bigint) * (z as bigint))
}

export interface Dealing {
  readonly roundId: Uint8Array
  readonly roster: number
  readonly threshold: number
  readonly custodians: readonly number[]
}

export function contribute(dealing: Dealing, cells: readonly bigint[], source: Source) {
  checkCells(cells, dealing.roster)
  const key = centredBinomial(source)
  const shares = deal(key, dealing.threshold, dealing.custodians, source)
  const transformedKey = transform(key)
  const chunks: Uint8Array[] = []
  for (let chunk = 0; chunk * n < cells.length; chunk++) {
    const own = cells.slice(chunk * n, (chunk + 1) * n)
    const a = publicPolynomial(dealing.roundId, chunk)
    chunks.push(packChunk(encryptChunk(a, transformedKey, centredBinomial(source), own)))
  }
  return { ciphertext: new Uint8Array(Buffer.concat(chunks)), shares }
}

/** C = Σ c_j, word by word. */
export function aggregate(ciphertexts: readonly Uint8Array[]): Uint8Array {
  const all = ciphertexts.map(unpackCiphertext)
  const [first] = all
  if (!first) throw new Refusal('bad-length', 'nothing to add up')
  if (all.some(one => one.length !== first.length)) throw new Refusal('bad-length', 'not the same number of chunks')
  const sums = first.map((_, chunk) =>
    combine(
      all.map(one => one[chunk] as RingElement),
      words => words.reduce((sum, word) => sum + word, 0n),
    ),
  )
  return new Uint8Array(Buffer.concat(sums.map(packChunk)))
}

/** q₀·(q₀⁻¹ mod q₁): 0 modulo q₀ and 1 modulo q₁. */
const second = q[0] * power(q[0], q[1] - 2n, q[1])

/** N of one chunk: the coefficients of C + a∘K, centred modulo Q. */
export function numerator(sum: RingElement, a: RingElement, transformedKey: RingElement): bigint[] {
  const opened = combine([sum, a, transformedKey], ([x, y, z]) => (x as bigint) + (y as bigint) * (z as bigint))
  const [low, high] = transformBack(opened)
  return low.map((x, i) => centred(x + ((high[i] as bigint) - x) * second, Q))
}

/** Of N; 79 is the length of Q less the sign. */
export function noiseBudget(coefficients: readonly bigint[]): number {
  return Math.max(0, bits(Q) - 1 - bits(largest(coefficients)))
}

export function smallestBudget(contributors: number): number {
  return Math.max(1, 79 - bits(t * BigInt(42 * contributors + 1)))
}

function* choices<T>(items: readonly T[], size: number): Generator<T[]> {
  if (size === 0) yield []
  else
    for (const [i, item] of items.entries()) {
      for (const rest of choices(items.slice(i + 1), size - 1)) yield [item, ...rest]
    }
}

export interface Sum {
  readonly roundId: Uint8Array
  readonly sum: Uint8Array
  readonly openings: readonly Share[]
  readonly threshold: number
  readonly contributors: number
}

/** Every chunk with its N, or undefined where the key is too long or a budget too small. */
function readWith({ roundId, contributors }: Sum, chunks: readonly RingElement[], choice: readonly Share[]) {
  const key = interpolate(choice)
  if (largest(key) > BigInt(21 * contributors)) return undefined
  const transformedKey = transform(key)
  const read: bigint[][] = []
  for (const [chunk, sum] of chunks.entries()) {
    const coefficients = numerator(sum, publicPolynomial(roundId, chunk), transformedKey)
    if (noiseBudget(coefficients) < smallestBudget(contributors)) return undefined
    read.push(coefficients)
  }
  return read
}

export function read(sealed: Sum): { readonly cells: bigint[]; readonly disagreeing: readonly number[] } {
  const chunks = unpackCiphertext(sealed.sum)
  checkCustodians(sealed.openings.map(opening => opening.custodian))
  for (const choice of choices(sealed.openings, sealed.threshold)) {
    const numerators = readWith(sealed, chunks, choice)
    if (!numerators) continue
    const others = sealed.openings.filter(opening => !choice.includes(opening) && !agrees(choice, opening))
    return {
      cells: numerators.flat().map(value => centred(value, t)),
      disagreeing: others.map(other => other.custodian),
    }
  }
  throw new Refusal('sum-not-accepted', 'no choice of openings fits')
}

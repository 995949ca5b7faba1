import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { effort } from '#test/effort.ts'
import { seededRandomness } from '#test/randomness.ts'
import { loadSealWithMemory } from '#test/seal-memory.ts'
import { Aggregator, contribute, open, read } from './one-shot.ts'
import { CELLS_PER_CHUNK, CIPHERTEXT_PRIMES, contributionBound, PLAINTEXT_MODULUS } from './parameters.ts'
import { publicPolynomial, type Randomness } from './sampling.ts'
import { type Pair, type Seal, WORDS_PER_POLYNOMIAL } from './seal.ts'
import type { Share } from './shamir.ts'

let seal: Seal
let memory: { readonly buffer: ArrayBuffer }

beforeAll(async () => {
  const loaded = await loadSealWithMemory()
  seal = loaded.seal
  memory = loaded.memory
})

/** The smallest complete round: two members, one chunk, two of three custodians. */
function smallRound(randomness: Randomness): void {
  const dealing = { roundId: randomness(32), bound: contributionBound(2), threshold: 2, custodians: [1, 2, 3] }
  const members = [3n, 4n].map(cell => {
    const { ciphertext, shares } = contribute(seal, dealing, BigInt64Array.of(cell), randomness)
    return { ciphertext: [...ciphertext][0] as Uint8Array, shares }
  })
  using aggregator = new Aggregator(seal)
  const { cells } = read(seal, {
    roundId: dealing.roundId,
    sum: aggregator.sum(members.map(({ ciphertext }) => ciphertext)),
    openings: [0, 2].map(i =>
      open(
        i + 1,
        members.map(({ shares }) => shares[i] as Share),
      ),
    ),
    threshold: dealing.threshold,
    contributors: members.length,
  })
  expect(cells[0]).toBe(7n)
}

interface Handle {
  isDeleted(): boolean
}

/** Runs `work` and returns the objects of SEAL that it made and did not give back. The bindings make each by `Object.create`. */
function leftBehind(work: () => void): Handle[] {
  const made: Handle[] = []
  const create = Object.create
  Object.create = (prototype: object | null, properties?: PropertyDescriptorMap) => {
    const object = properties === undefined ? create(prototype) : create(prototype, properties)
    if (properties?.$$ !== undefined) made.push(object)
    return object
  }
  try {
    work()
  } finally {
    Object.create = create
  }
  expect(made.length).toBeGreaterThan(0)
  return made.filter(handle => !handle.isDeleted())
}

describe('the memory of SEAL', () => {
  // Some 11 MB of it are free in the beginning: one lost polynomial a round, of 32 KiB, uses them up in 350 rounds.
  const rounds = effort(400, 2000)

  it(`does not grow over ${rounds} rounds`, () => {
    const randomness = seededRandomness('memory')
    for (let i = 0; i < 20; i++) smallRound(randomness)
    const before = memory.buffer.byteLength
    for (let i = 0; i < rounds; i++) smallRound(randomness)
    expect(memory.buffer.byteLength).toBe(before)
  }, 120_000)

  it('is given back object by object', () => {
    expect(leftBehind(() => smallRound(seededRandomness('objects')))).toEqual([])
  })

  it('is given back when a ciphertext is refused, too large or not read to its end', () => {
    const randomness = seededRandomness('refused')
    const dealing = { roundId: randomness(32), bound: 10n, threshold: 2, custodians: [1, 2, 3] }
    const cells = new BigInt64Array(5 * CELLS_PER_CHUNK)
    const tooLarge = BigInt64Array.of(11n)
    const contribution = () => contribute(seal, dealing, cells, randomness)
    expect(
      leftBehind(() => {
        expect(() => contribute(seal, dealing, tooLarge, randomness)).toThrow(
          expect.objectContaining({ code: 'cell-too-large' }),
        )
        for (const _ of contribution().ciphertext) break
        const { ciphertext, shares } = contribution()
        const [sum] = ciphertext as Iterable<Uint8Array> & [Uint8Array]
        const sealed = {
          roundId: dealing.roundId,
          sum: sum as Uint8Array,
          openings: shares,
          threshold: 2,
          contributors: 1,
        }
        read(seal, sealed)
        const wrong = (sum as Uint8Array).slice()
        wrong[0] = (wrong[0] as number) ^ 1
        expect(() => read(seal, { ...sealed, sum: wrong })).toThrow(
          expect.objectContaining({ code: 'sum-not-accepted' }),
        )
        expect(() => read(seal, { ...sealed, sum: wrong.fill(255) })).toThrow(
          expect.objectContaining({ code: 'bad-residue' }),
        )
        using aggregator = new Aggregator(seal)
        expect(() => aggregator.sum([wrong])).toThrow(expect.objectContaining({ code: 'bad-residue' }))
      }),
    ).toEqual([])
  })
})

describe('the calculator for ring elements', () => {
  const PAIR_WORDS = 2 * WORDS_PER_POLYNOMIAL
  let left: Pair
  let right: Pair

  beforeAll(() => {
    left = seal.pair('ntt')
    right = seal.pair('ntt')
  })
  afterAll(() => {
    left[Symbol.dispose]()
    right[Symbol.dispose]()
  })

  function primeAt(word: number): bigint {
    return BigInt(CIPHERTEXT_PRIMES[Math.floor(word / CELLS_PER_CHUNK) % 2] as number)
  }

  /** Two uniform ring elements, with 0 and q - 1 among the words. */
  function elements(seed: string): BigUint64Array {
    const words = new BigUint64Array(PAIR_WORDS)
    for (const [chunk, at] of [0, WORDS_PER_POLYNOMIAL].entries()) {
      const polynomial = words.subarray(at, at + WORDS_PER_POLYNOMIAL)
      publicPolynomial(
        seededRandomness(seed)(32),
        chunk,
        new Uint32Array(polynomial.buffer, polynomial.byteOffset, 2 * WORDS_PER_POLYNOMIAL),
      )
    }
    for (const at of [0, 5000, 9000, 16000]) words[at] = at % 2000 === 0 ? primeAt(at) - 1n : 0n
    return words
  }

  function load(pair: Pair, words: BigUint64Array): Pair {
    pair.halves.set(new Uint32Array(words.buffer))
    return pair.load()
  }

  function words(halves: Uint32Array): BigUint64Array {
    return new BigUint64Array(halves.slice().buffer)
  }

  it('stays whole after more refusals than its stack has room for exceptions', () => {
    const good = elements('good')
    const bad = good.slice()
    bad[5000] = primeAt(5000)
    for (let i = 0; i < 5000; i++) {
      expect(() => load(left, bad)).toThrow(expect.objectContaining({ code: 'bad-residue' }))
    }
    expect(words(load(left, good).save())).toEqual(good)
  })

  it('adds and subtracts word by word, modulo each prime', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, two) => {
        const [x, y] = [elements(one), elements(`${two}.`)]
        const sum = words(load(left, x).add(load(right, y)).save())
        expect(sum).toEqual(x.map((word, i) => (word + (y[i] as bigint)) % primeAt(i)))
        const difference = words(load(left, x).subtract(right).save())
        expect(difference).toEqual(x.map((word, i) => (word + primeAt(i) - (y[i] as bigint)) % primeAt(i)))
      }),
      { numRuns: 10 },
    )
  })

  it('multiplies word by word with a transformed short polynomial', () => {
    const short = new BigUint64Array(CELLS_PER_CHUNK).map((_, i) =>
      i % 3 === 0 ? BigInt(i % 22) : PLAINTEXT_MODULUS - 21n,
    )
    const halves = new Uint32Array(short.buffer)
    const transformed = words(seal.transformPlain(halves))
    const x = elements('factor')
    using factor = seal.factor(halves)
    const product = words(load(left, x).multiply(factor).save())
    expect(product).toEqual(x.map((word, i) => (word * (transformed[i % WORDS_PER_POLYNOMIAL] as bigint)) % primeAt(i)))
  })

  it('multiplies polynomials modulo x^n + 1 by multiplying transforms', () => {
    // x^k·x^(n-k) = x^n = -1, whatever the order of the transform.
    const monomial = (k: number) => {
      const coefficients = new BigUint64Array(CELLS_PER_CHUNK)
      coefficients[k] = 1n
      return new Uint32Array(coefficients.buffer)
    }
    fc.assert(
      fc.property(fc.integer({ min: 1, max: CELLS_PER_CHUNK - 1 }), k => {
        const x = words(seal.transformPlain(monomial(k)))
        const y = words(seal.transformPlain(monomial(CELLS_PER_CHUNK - k)))
        expect(x.map((word, i) => (word * (y[i] as bigint)) % primeAt(i))).toEqual(x.map((_, i) => primeAt(i) - 1n))
      }),
      { numRuns: 10 },
    )
  })

  it('transforms a lifted plaintext and the same coefficients modulo each prime to the same words', () => {
    const values = new BigInt64Array(CELLS_PER_CHUNK).map((_, i) => (i % 2 === 0 ? 1n : -1n) * BigInt(i) ** 4n)
    const residues = BigUint64Array.from(values, value => (value < 0n ? value + PLAINTEXT_MODULUS : value))
    const coefficients = new BigUint64Array(PAIR_WORDS).map((_, i) => {
      const rest = (values[i % CELLS_PER_CHUNK] as bigint) % primeAt(i)
      return rest < 0n ? rest + primeAt(i) : rest
    })
    using pair = seal.pair('coefficients')
    const transformed = words(load(pair, coefficients).transform().save())
    const lifted = words(seal.transformPlain(new Uint32Array(residues.buffer)))
    expect(transformed.subarray(0, WORDS_PER_POLYNOMIAL)).toEqual(lifted)
    expect(transformed.subarray(WORDS_PER_POLYNOMIAL)).toEqual(lifted)
  })

  it('refuses a word that is not below its prime, and works on afterwards', () => {
    fc.assert(
      fc.property(fc.nat(PAIR_WORDS - 1), fc.bigInt({ min: 0n, max: 2n ** 24n }), (at, above) => {
        const x = elements('refused')
        const wrong = x.slice()
        wrong[at] = primeAt(at) + above
        expect(() => load(left, wrong)).toThrow(expect.objectContaining({ code: 'bad-residue' }))
        expect(words(load(left, x).save())).toEqual(x)
      }),
      { numRuns: 20 },
    )
  })
})

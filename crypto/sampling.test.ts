import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { effort, isLong, seed } from '#test/effort.ts'
import { chiSquare, expectCentredBinomial } from '#test/goodness-of-fit.ts'
import { seededRandomness } from '#test/randomness.ts'
import { BINOMIAL_ETA, CELLS_PER_CHUNK, CIPHERTEXT_PRIMES, SHARE_PRIME } from './parameters.ts'
import { BINOMIAL_BYTES, centredBinomial, publicPolynomial, uniformResidues } from './sampling.ts'

const roundIds = fc.uint8Array({ minLength: 32, maxLength: 32 })
const chunks = fc.oneof(fc.nat(100), fc.integer({ min: 0, max: 2 ** 32 - 1 }))

/** The words of one limb each. */
function polynomial(roundId: Uint8Array, chunk: number): BigUint64Array[] {
  const words = new BigUint64Array(CIPHERTEXT_PRIMES.length * CELLS_PER_CHUNK)
  publicPolynomial(roundId, chunk, new Uint32Array(words.buffer))
  return CIPHERTEXT_PRIMES.map((_, limb) => words.subarray(limb * CELLS_PER_CHUNK, (limb + 1) * CELLS_PER_CHUNK))
}

/** Every 5-byte word of a SHAKE128 output of `words` words, whether below the prime or not. */
function stream(roundId: Uint8Array, chunk: number, limb: number, words: number): bigint[] {
  const position = Buffer.alloc(8)
  position.writeUInt32LE(chunk, 0)
  position.writeUInt32LE(limb, 4)
  const hash = createHash('shake128', { outputLength: 5 * words })
  const bytes = hash.update('inbond/a/v1').update(roundId).update(position).digest()
  return Array.from({ length: words }, (_, i) => BigInt(bytes.readUIntLE(5 * i, 5)))
}

describe('the public polynomial', () => {
  it('is the words below each prime of a longer SHAKE128 output, in order', () => {
    fc.assert(
      fc.property(roundIds, chunks, fc.integer({ min: 2, max: 1000 }), (roundId, chunk, more) => {
        CIPHERTEXT_PRIMES.forEach((prime, limb) => {
          const accepted = stream(roundId, chunk, limb, CELLS_PER_CHUNK + more).filter(word => word < BigInt(prime))
          expect([...(polynomial(roundId, chunk)[limb] as BigUint64Array)]).toEqual(accepted.slice(0, CELLS_PER_CHUNK))
        })
      }),
      { numRuns: 20 },
    )
  })

  // Found by search: fewer than one word in four million is dropped.
  it.each([
    { chunk: 719, limb: 0, word: 683 },
    { chunk: 156, limb: 1, word: 140 },
  ])('skips word $word of limb $limb of chunk $chunk of round 0, and asks for more', ({ chunk, limb, word }) => {
    const roundId = new Uint8Array(32)
    const longer = stream(roundId, chunk, limb, CELLS_PER_CHUNK + 1)
    expect(longer[word]).toBeGreaterThanOrEqual(BigInt(CIPHERTEXT_PRIMES[limb] as number))
    expect([...(polynomial(roundId, chunk)[limb] as BigUint64Array)]).toEqual(longer.filter((_, i) => i !== word))
  })

  it('is the same each time, and another for another round or chunk', () => {
    fc.assert(
      fc.property(roundIds, chunks, fc.nat(255), (roundId, chunk, bit) => {
        const once = polynomial(roundId, chunk)
        expect(polynomial(roundId, chunk)).toEqual(once)
        expect(polynomial(roundId, (chunk + 1) % 2 ** 32)).not.toEqual(once)
        const otherRound = roundId.slice()
        otherRound[bit >> 3] = (otherRound[bit >> 3] as number) ^ (1 << (bit & 7))
        expect(polynomial(otherRound, chunk)).not.toEqual(once)
      }),
      { numRuns: 20 },
    )
  })

  it('is uniform below its primes', () => {
    CIPHERTEXT_PRIMES.forEach((prime, limb) => {
      const bins = new Array<number>(64).fill(0)
      for (let chunk = 0; chunk < 8; chunk++) {
        for (const word of polynomial(new Uint8Array(32), chunk)[limb] as BigUint64Array) {
          expect(word < BigInt(prime)).toBe(true)
          const bin = Number((word * 64n) / BigInt(prime))
          bins[bin] = (bins[bin] as number) + 1
        }
      }
      expect(chiSquare(bins, new Array<number>(64).fill((8 * CELLS_PER_CHUNK) / 64))).toBeLessThan(103.4) // 63 degrees
    })
  })

  it('has no round whose id is not 32 bytes long', () => {
    for (const length of [0, 31, 33]) {
      expect(() => polynomial(new Uint8Array(length), 0)).toThrow(expect.objectContaining({ code: 'bad-length' }))
    }
  })
})

describe('the centred binomial distribution', () => {
  // A fixed seed cannot fail by chance; a new one, in the long run, fails once in a billion.
  const [polynomials, deviations] = effort([32, 3.09], [1000, 6])
  const name = isLong ? `binomial ${seed}` : 'binomial'

  it(`has the exact shape, and with it mean 0 and variance 21/2 (${name})`, () => {
    const randomness = seededRandomness(name)
    const values = Array.from({ length: polynomials }, () => [...centredBinomial(randomness)]).flat()
    expectCentredBinomial(values, 2 * BINOMIAL_ETA, deviations)
    const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / values.length
    const variance = BINOMIAL_ETA / 2
    expect(Math.abs(moment(1))).toBeLessThan((deviations + 1) * Math.sqrt(variance / values.length))
    expect(Math.abs(moment(2) - variance)).toBeLessThan((deviations + 1) * variance * Math.sqrt(2 / values.length))
  })

  it('is the difference of the bits of two words of 21 bits', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.nat(CELLS_PER_CHUNK - 1), (eight, at) => {
        const bits = (from: number) => {
          const word = new DataView(eight.buffer, eight.byteOffset).getUint32(from, true) % 2 ** 21
          return [...word.toString(2)].filter(bit => bit === '1').length
        }
        const [plus, minus] = [bits(0), bits(4)]
        const bytes = new Uint8Array(BINOMIAL_BYTES)
        bytes.set(eight, 8 * at)
        const coefficients = centredBinomial(() => bytes)
        expect(coefficients[at]).toBe(plus - minus)
        expect(coefficients.filter(coefficient => coefficient !== 0).length).toBe(plus === minus ? 0 : 1)
      }),
    )
  })

  it('reaches both ends and no further', () => {
    const halves = (low: number, high: number) => () =>
      new Uint8Array(new Uint32Array(BINOMIAL_BYTES / 4).map((_, i) => (i % 2 === 0 ? low : high)).buffer)
    expect(new Set(centredBinomial(halves(0xffffffff, 0)))).toEqual(new Set([BINOMIAL_ETA]))
    expect(new Set(centredBinomial(halves(0, 0xffffffff)))).toEqual(new Set([-BINOMIAL_ETA]))
  })

  it('leaves no copy of the random bytes behind', () => {
    const bytes = seededRandomness('forgotten')(BINOMIAL_BYTES)
    centredBinomial(() => bytes)
    expect(bytes.every(byte => byte === 0)).toBe(true)
  })
})

describe('residues modulo p', () => {
  it('are uniform below p', () => {
    const randomness = seededRandomness('residues')
    const bins = new Array<number>(64).fill(0)
    for (let i = 0; i < 8; i++) {
      for (const residue of uniformResidues(randomness)) {
        expect(residue >= 0 && residue < SHARE_PRIME).toBe(true)
        const bin = Math.floor((residue * 64) / SHARE_PRIME)
        bins[bin] = (bins[bin] as number) + 1
      }
    }
    expect(chiSquare(bins, new Array<number>(64).fill((8 * CELLS_PER_CHUNK) / 64))).toBeLessThan(103.4) // 63 degrees
  })

  it('skip what is not below p and ask for as many again', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(CELLS_PER_CHUNK - 1), { maxLength: 20 }),
        fc.integer({ min: SHARE_PRIME, max: 2 ** 26 - 1 }),
        (positions, rejected) => {
          const asked: number[] = []
          const residues = uniformResidues(bytes => {
            asked.push(bytes)
            const words = new Uint32Array(bytes / 4).fill(SHARE_PRIME - 1)
            if (asked.length === 1) for (const position of positions) words[position] = rejected
            return new Uint8Array(words.buffer)
          })
          expect(asked).toEqual([4 * CELLS_PER_CHUNK, ...(positions.length > 0 ? [4 * positions.length] : [])])
          expect(residues.every(residue => residue === SHARE_PRIME - 1)).toBe(true)
        },
      ),
    )
  })
})

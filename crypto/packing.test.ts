import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandomness } from '#test/randomness.ts'
import {
  alignedChunk,
  checkCells,
  checkChunk,
  decodeCells,
  encodeCells,
  packShare,
  packWords,
  unpackShare,
  unpackWords,
} from './packing.ts'
import {
  BYTES_PER_WORD,
  CELLS_PER_CHUNK,
  CHUNK_BYTES,
  CIPHERTEXT_PRIMES,
  contributionBound,
  PLAINTEXT_MODULUS,
  SHARE_BYTES,
  SHARE_PRIME,
} from './parameters.ts'
import { uniformResidues } from './sampling.ts'

const word40 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 40n - 1n }),
  fc.constantFrom(0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 40n - 1n),
)
const groupsOfFour = fc
  .integer({ min: 1, max: 50 })
  .chain(groups => fc.array(word40, { minLength: 4 * groups, maxLength: 4 * groups }))

/** 5 bytes a word, least significant first: the definition, one byte at a time. */
function littleEndian(words: readonly bigint[], bytes: number): number[] {
  return words.flatMap(word => Array.from({ length: bytes }, (_, i) => Number((word >> BigInt(8 * i)) & 0xffn)))
}

function share(seed: string): Int32Array {
  return uniformResidues(seededRandomness(seed))
}

describe('words of 40 bits', () => {
  it('are packed as five little-endian bytes each, and come back', () => {
    fc.assert(
      fc.property(groupsOfFour, words => {
        const halves = new Uint32Array(BigUint64Array.from(words).buffer)
        const packed = packWords(halves)
        expect([...packed]).toEqual(littleEndian(words, BYTES_PER_WORD))
        const unpacked = new Uint32Array(halves.length)
        unpackWords(packed, unpacked)
        expect(unpacked).toEqual(halves)
      }),
    )
  })

  it('come back from any chunk of bytes', () => {
    fc.assert(
      fc.property(fc.string(), seed => {
        const chunk = seededRandomness(seed)(CHUNK_BYTES)
        const halves = new Uint32Array((CHUNK_BYTES / BYTES_PER_WORD) * 2)
        unpackWords(chunk, halves)
        expect(packWords(halves)).toEqual(chunk)
      }),
      { numRuns: 20 },
    )
  })

  it('are read from any address, from a Buffer too', () => {
    const chunk = seededRandomness('address')(CHUNK_BYTES)
    for (const kind of [Uint8Array, Buffer]) {
      for (let offset = 0; offset < 8; offset++) {
        const memory = kind.from(new Uint8Array(offset + CHUNK_BYTES)).subarray(offset)
        memory.set(chunk)
        const halves = new Uint32Array((CHUNK_BYTES / BYTES_PER_WORD) * 2)
        unpackWords(alignedChunk(memory), halves)
        expect(packWords(halves)).toEqual(chunk)
      }
    }
  })

  it('are refused if the chunk has another length', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 * CHUNK_BYTES }).filter(length => length !== CHUNK_BYTES),
        length => {
          expect(() => alignedChunk(new Uint8Array(length))).toThrow(expect.objectContaining({ code: 'bad-length' }))
        },
      ),
    )
  })
})

describe('the check of a packed chunk', () => {
  const word = fc.nat(2 * CELLS_PER_CHUNK - 1)
  const largest = (at: number) => (CIPHERTEXT_PRIMES[Math.floor(at / CELLS_PER_CHUNK)] as number) - 1

  it('accepts words up to their prime', () => {
    fc.assert(
      fc.property(word, fc.oneof(fc.constant(0), fc.nat()), (at, below) => {
        const chunk = Buffer.alloc(CHUNK_BYTES)
        chunk.writeUIntLE(largest(at) - below, 5 * at, 5)
        expect(() => checkChunk(chunk)).not.toThrow()
      }),
    )
  })

  it('refuses a word that is not below its prime, and another length', () => {
    fc.assert(
      fc.property(word, fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 147_000 })), (at, above) => {
        const chunk = Buffer.alloc(CHUNK_BYTES)
        chunk.writeUIntLE(largest(at) + above, 5 * at, 5)
        expect(() => checkChunk(chunk)).toThrow(expect.objectContaining({ code: 'bad-residue' }))
        expect(() => checkChunk(chunk.subarray(5))).toThrow(expect.objectContaining({ code: 'bad-length' }))
      }),
    )
  })
})

describe('key shares', () => {
  it('come back from 13,312 bytes', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.nat(CELLS_PER_CHUNK - 1),
        fc.constantFrom(0, 1, SHARE_PRIME - 1),
        (seed, at, value) => {
          const residues = share(seed)
          residues[at] = value
          const packed = packShare(residues)
          expect(packed.length).toBe(SHARE_BYTES)
          expect(unpackShare(packed)).toEqual(residues)
        },
      ),
    )
  })

  it('are one little-endian number of 26-bit digits', () => {
    const residues = share('digits')
    let number = 0n
    for (let i = 63; i >= 0; i--) number = (number << 26n) | BigInt(residues[i] as number)
    expect([...packShare(residues).subarray(0, 208)]).toEqual(littleEndian([number], 208))
  })

  it('are refused if a residue is not below p', () => {
    fc.assert(
      fc.property(fc.nat(CELLS_PER_CHUNK - 1), fc.integer({ min: SHARE_PRIME, max: 2 ** 26 - 1 }), (at, residue) => {
        const residues = share('residue')
        residues[at] = residue
        expect(() => unpackShare(packShare(residues))).toThrow(expect.objectContaining({ code: 'bad-share' }))
      }),
    )
  })

  it('are refused if their length is wrong', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 * SHARE_BYTES }).filter(length => length !== SHARE_BYTES),
        length => {
          expect(() => unpackShare(new Uint8Array(length))).toThrow(expect.objectContaining({ code: 'bad-length' }))
        },
      ),
    )
  })
})

describe('cells', () => {
  const roster = fc.integer({ min: 1, max: 4096 })
  const bounded = roster.chain(size => {
    const bound = contributionBound(size)
    const cell = fc.oneof(fc.bigInt({ min: -bound, max: bound }), fc.constantFrom(0n, bound, -bound))
    return fc.record({ size: fc.constant(size), cells: fc.array(cell, { maxLength: 100 }) })
  })

  it('come back, padded with zeros', () => {
    fc.assert(
      fc.property(bounded, ({ size, cells }) => {
        const expected = new BigInt64Array(CELLS_PER_CHUNK)
        expected.set(cells)
        checkCells(BigInt64Array.from(cells), contributionBound(size))
        expect(decodeCells(encodeCells(BigInt64Array.from(cells)))).toEqual(expected)
      }),
    )
  })

  it('may sum over the whole roster without a wrap', () => {
    fc.assert(
      fc.property(roster, size => {
        const largest = contributionBound(size) * BigInt(size)
        expect(largest).toBeLessThanOrEqual((PLAINTEXT_MODULUS - 1n) / 2n)
        expect(decodeCells(encodeCells(BigInt64Array.of(largest, -largest))).subarray(0, 2)).toEqual(
          BigInt64Array.of(largest, -largest),
        )
      }),
    )
  })

  it('beyond the bound are refused, and the refusal does not tell the value', () => {
    fc.assert(
      fc.property(roster, fc.bigInt({ min: 1n, max: 2n ** 40n }), fc.boolean(), (size, excess, negative) => {
        const bound = contributionBound(size)
        const cell = negative ? -bound - excess : bound + excess
        expect(() => checkCells(BigInt64Array.of(0n, cell), bound)).toThrow(
          expect.objectContaining({
            code: 'cell-too-large',
            message: expect.not.stringContaining(String(bound + excess)),
          }),
        )
      }),
    )
  })
})

import fc from 'fast-check'
import { expect } from 'vitest'
import { InbondError } from '#crypto/error.ts'
import { Aggregator, contribute, open, type Reading, read } from '#crypto/one-shot.ts'
import { checkChunk, packShare, unpackShare } from '#crypto/packing.ts'
import { CELLS_PER_CHUNK, CHUNK_BYTES, CIPHERTEXT_PRIMES, contributionBound } from '#crypto/parameters.ts'
import type { Seal } from '#crypto/seal.ts'
import { generateSealingKeyPair, SEALED_BYTES, seal as sealShare, unseal } from '#crypto/sealing.ts'
import type { Share } from '#crypto/shamir.ts'
import { seededRandomness } from '../randomness.ts'
import { type Decoder, decoder } from './decoder.ts'
import { mutatedBytes } from './mutations.ts'

const CUSTODIANS = [1, 2, 3, 4]
const THRESHOLD = 3

/** What is encrypted, shared and sealed, in the hands of whoever must add it up, open it or read it. */
export async function ciphertextDecoders(seal: Seal): Promise<Decoder[]> {
  const randomness = seededRandomness('ciphertexts')
  const roundId = randomness(32)
  const bound = contributionBound(3)
  const members = [5n, -7n, 11n].map(cell => {
    const cells = new BigInt64Array(CELLS_PER_CHUNK + 1).fill(cell)
    const dealing = { roundId, bound, threshold: THRESHOLD, custodians: CUSTODIANS }
    const { ciphertext, shares } = contribute(seal, dealing, cells, randomness)
    return { ciphertext: Buffer.concat([...ciphertext]), shares }
  })
  const ciphertexts = members.map(one => one.ciphertext)
  const openings = CUSTODIANS.map((index, i) =>
    open(
      index,
      members.map(one => one.shares[i] as Share),
    ),
  )
  const aggregator = new Aggregator(seal)
  const sum = aggregator.sum(ciphertexts)
  const answer = { roundId, sum, openings, threshold: THRESHOLD, contributors: members.length }
  return [
    additions(aggregator, ciphertexts),
    sums(seal, answer),
    openingsOf(seal, answer),
    packedShares(openings.map(one => packShare(one.residues))),
    await sealedShares(packShare((openings[0] as Share).residues)),
    await publicKeys(packShare((openings[0] as Share).residues)),
  ]
}

/** Words of five bytes, without the product's arithmetic. */
function wordsOf(packed: Uint8Array): number[] {
  const bytes = Buffer.from(packed)
  return Array.from({ length: packed.length / 5 }, (_, i) => bytes.readUIntLE(5 * i, 5))
}

function primeOf(word: number): number {
  return CIPHERTEXT_PRIMES[Math.floor(word / CELLS_PER_CHUNK) % CIPHERTEXT_PRIMES.length] as number
}

/** One member's hostile ciphertext beside an intact one: the coordinator's look at it, and SEAL's. */
function additions(aggregator: Aggregator, ciphertexts: readonly Uint8Array[]): Decoder {
  const intact = ciphertexts[0] as Uint8Array
  const words = wordsOf(intact)
  return decoder<Uint8Array, Uint8Array>({
    name: 'a ciphertext to add',
    isSlow: true,
    examples: ciphertexts.slice(1),
    inputs: fc.oneof(mutatedBytes(ciphertexts), wordsAtTheEdge(ciphertexts[1] as Uint8Array)),
    codes: ['bad-length', 'bad-residue'],
    decode: packed => {
      const looked = outcome(() => {
        for (let at = 0; at < packed.length; at += CHUNK_BYTES) checkChunk(packed.subarray(at, at + CHUNK_BYTES))
      })
      const added = outcome(() => aggregator.sum([intact, packed]))
      if (packed.length === intact.length) expect(codeOf(looked.error)).toBe(codeOf(added.error))
      if ('value' in added) return added.value
      throw added.error
    },
    believe: (sum, packed) => {
      const expected = wordsOf(packed).map((word, i) => (word + (words[i] as number)) % primeOf(i))
      expect(wordsOf(sum)).toEqual(expected)
    },
  })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof InbondError ? error.code : undefined
}

/** An intact ciphertext in which one word is near its prime, or near the end of its 40 bits. */
function wordsAtTheEdge(intact: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.nat(intact.length / 5 - 1)
  const beyond = fc.integer({ min: -2, max: 2 })
  return fc.tuple(at, beyond, fc.boolean()).map(([word, difference, isLast]) => {
    const changed = Buffer.from(intact)
    changed.writeUIntLE(isLast ? 2 ** 40 - 1 : primeOf(word) + difference, 5 * word, 5)
    return changed
  })
}

function outcome<T>(act: () => T): { value: T; error?: undefined } | { error: unknown } {
  try {
    return { value: act() }
  } catch (error) {
    return { error }
  }
}

type Answer = Parameters<typeof read>[1]

/** A joint ciphertext that is not the one that the members' add up to. */
function sums(seal: Seal, answer: Answer): Decoder {
  return decoder<Uint8Array, Reading>({
    name: 'a sum to read',
    isSlow: true,
    examples: [answer.sum],
    inputs: mutatedBytes([answer.sum]),
    codes: ['bad-length', 'bad-residue', 'sum-not-accepted'],
    decode: sum => read(seal, { ...answer, sum }),
    believe: ({ cells, disagreeing }, sum) => {
      // Whole chunks of the sum, in their order, are read as what they are.
      expect(sum.length % CHUNK_BYTES).toBe(0)
      expect(answer.sum.subarray(0, sum.length)).toEqual(new Uint8Array(sum))
      expect(disagreeing).toEqual([])
      for (const [i, cell] of cells.entries()) if (cell !== (i <= CELLS_PER_CHUNK ? 9n : 0n)) throw new Error(`${i}`)
    },
  })
}

/** One custodian's hostile opening among enough intact ones, or among too few. */
function openingsOf(seal: Seal, answer: Answer): Decoder {
  const examples = answer.openings.map(one => packShare(one.residues))
  const inputs = fc.tuple(mutatedBytes(examples), fc.constantFrom(2, 3, 4)).map(([bytes, openings]) =>
    // How many openings there are stands at the end.
    Buffer.concat([bytes, Buffer.of(openings)]),
  )
  return decoder<Uint8Array, { reading: Reading; isIntact: boolean }>({
    name: 'an opening to read with',
    examples: [Buffer.concat([examples[0] as Uint8Array, Buffer.of(3)])],
    inputs,
    codes: ['bad-length', 'bad-share', 'sum-not-accepted'],
    decode: bytes => {
      const residues = unpackShare(bytes.subarray(0, -1))
      const hostile = { index: 1, residues }
      const openings = [hostile, ...answer.openings.slice(1, bytes.at(-1))]
      const isIntact = residues.every((residue, i) => residue === answer.openings[0]?.residues[i])
      return { reading: read(seal, { ...answer, openings }), isIntact }
    },
    believe: ({ reading, isIntact }) => {
      expect([reading.cells[0], reading.cells[CELLS_PER_CHUNK], reading.cells[CELLS_PER_CHUNK + 1]]).toEqual([
        9n,
        9n,
        0n,
      ])
      expect(reading.disagreeing).toEqual(isIntact ? [] : [1])
    },
  })
}

function packedShares(examples: readonly Uint8Array[]): Decoder {
  return decoder<Uint8Array, Int32Array>({
    name: 'a packed share',
    examples,
    inputs: mutatedBytes(examples),
    codes: ['bad-length', 'bad-share'],
    decode: unpackShare,
    believe: (residues, bytes) => expect(packShare(residues)).toEqual(new Uint8Array(bytes)),
  })
}

async function sealedShares(share: Uint8Array): Promise<Decoder> {
  const randomness = seededRandomness('sealed shares')
  const { publicKey, privateKey } = await generateSealingKeyPair(randomness)
  const kinds = ['inbond/share/v1', 'inbond/opening/v1'] as const
  const sealed = await Promise.all(kinds.map(kind => sealShare(kind, publicKey, 'here', share, randomness)))
  const [example, other] = sealed as [Uint8Array, Uint8Array]
  return decoder<Uint8Array, Uint8Array>({
    name: 'a sealed share',
    isSlow: true,
    examples: [example],
    // Also stretches of another one that is sealed to the same key.
    inputs: mutatedBytes([example, other]),
    codes: ['bad-length', 'bad-seal'],
    decode: bytes => unseal(kinds[0], privateKey, 'here', bytes),
    believe: (opened, bytes) => {
      expect(new Uint8Array(bytes)).toEqual(example)
      expect(opened).toEqual(share)
    },
  })
}

/** Sealing keys are published by custodians, and each member seals to them. */
async function publicKeys(share: Uint8Array): Promise<Decoder> {
  const randomness = seededRandomness('public keys')
  const examples = [(await generateSealingKeyPair(randomness)).publicKey]
  return decoder<Uint8Array, Uint8Array>({
    name: 'a sealing key',
    examples,
    inputs: mutatedBytes(examples),
    codes: ['bad-length', 'bad-seal'],
    decode: publicKey => sealShare('inbond/share/v1', publicKey, 'here', share, randomness),
    believe: sealed => expect(sealed).toHaveLength(SEALED_BYTES),
  })
}

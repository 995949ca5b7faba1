import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { seededRandomness } from '#test/randomness.ts'
import { Aggregator, contribute, open, read, type Sealed, smallestNoiseBudget } from './one-shot.ts'
import { packShare, packWords, unpackWords } from './packing.ts'
import {
  BINOMIAL_ETA,
  CELLS_PER_CHUNK,
  CHUNK_BYTES,
  CIPHERTEXT_PRIMES,
  chunksFor,
  contributionBound,
  LARGEST_ROSTER,
  PLAINTEXT_MODULUS,
  SHARE_PRIME,
} from './parameters.ts'
import { centredBinomial, publicPolynomial } from './sampling.ts'
import { loadSeal, type Seal, WORDS_PER_POLYNOMIAL } from './seal.ts'
import { interpolate, type Share } from './shamir.ts'

let seal: Seal
beforeAll(async () => {
  seal = await loadSeal()
})

const ROUND = new Uint8Array(32).fill(7)
const notAccepted = expect.objectContaining({ code: 'sum-not-accepted' })

interface Setting {
  readonly bound: bigint
  readonly threshold: number
  readonly custodians: readonly number[]
  readonly roundId?: Uint8Array
}

interface Sent {
  readonly ciphertext: Uint8Array
  readonly shares: readonly Share[]
}

function send(setting: Setting, cells: BigInt64Array, seed: string): Sent {
  const dealing = { roundId: ROUND, ...setting }
  const { ciphertext, shares } = contribute(seal, dealing, cells, seededRandomness(seed))
  return { ciphertext: Buffer.concat([...ciphertext]), shares }
}

/** What the coordinator does: two chunks at a time. */
function aggregate(ciphertexts: readonly Uint8Array[]): Uint8Array {
  using aggregator = new Aggregator(seal)
  const length = (ciphertexts[0] as Uint8Array).length
  const sums: Uint8Array[] = []
  for (let at = 0; at < length; at += 2 * CHUNK_BYTES) {
    sums.push(aggregator.sum(ciphertexts.map(ciphertext => ciphertext.subarray(at, at + 2 * CHUNK_BYTES))))
  }
  return Buffer.concat(sums)
}

function openAll(sent: readonly Sent[], custodians: readonly number[]): Share[] {
  return custodians.map((index, i) =>
    open(
      index,
      sent.map(({ shares }) => shares[i] as Share),
    ),
  )
}

function sealedSum(setting: Setting, sent: readonly Sent[]): Sealed {
  return {
    roundId: setting.roundId ?? ROUND,
    sum: aggregate(sent.map(({ ciphertext }) => ciphertext)),
    openings: openAll(sent, setting.custodians),
    threshold: setting.threshold,
    contributors: sent.length,
  }
}

function randomCells(seed: string, length: number, bound: bigint): BigInt64Array {
  const words = new BigInt64Array(seededRandomness(seed)(8 * length).buffer)
  return words.map(word => word % (bound + 1n))
}

function sumCells(all: readonly BigInt64Array[]): BigInt64Array {
  const padded = new BigInt64Array(chunksFor((all[0] as BigInt64Array).length) * CELLS_PER_CHUNK)
  return padded.map((_, i) => all.reduce((sum, cells) => sum + (cells[i] ?? 0n), 0n))
}

function altered(share: Share, at: number, by = 1): Share {
  const residues = share.residues.slice()
  residues[at] = ((residues[at] as number) + by) % SHARE_PRIME
  return { index: share.index, residues }
}

/** Adds 1 to a word of a packed ring element; words are taken modulo their prime. */
function alteredWord(packed: Uint8Array, word: number): Uint8Array {
  const bytes = Buffer.from(packed)
  const prime = CIPHERTEXT_PRIMES[Math.floor(word / CELLS_PER_CHUNK) % 2] as number
  bytes.writeUIntLE((bytes.readUIntLE(5 * word, 5) + 1) % prime, 5 * word, 5)
  return bytes
}

const SETTING = { bound: contributionBound(3), threshold: 3, custodians: [1, 2, 3] } as const

function smallRound(setting: Setting = SETTING, contributors = 3) {
  const cells = Array.from({ length: contributors }, (_, j) => randomCells(`cells ${j}`, 100, setting.bound))
  const sent = cells.map((own, j) => send(setting, own, `member ${j}`))
  return { sent, sealed: sealedSum(setting, sent), expected: sumCells(cells) }
}

describe('the sum', () => {
  const cellCounts = fc.oneof(
    fc.constantFrom(1, 4095, 4096, 4097, 8191, 8192, 8193, 12288, 12289),
    fc.integer({ min: 1, max: 3 * CELLS_PER_CHUNK }),
  )
  const committees = fc.constantFrom(
    { threshold: 3, custodians: [1, 2, 3] },
    { threshold: 4, custodians: [1, 2, 3, 4, 5] },
    { threshold: 4, custodians: [9, 4, 70, 1, 33] },
    { threshold: 5, custodians: [1, 2, 3, 4, 5, 6, 7] },
  )
  const round = fc.record({
    committee: committees,
    contributors: fc.integer({ min: 1, max: 8 }),
    length: cellCounts,
    seed: fc.string(),
    extremes: fc.array(fc.record({ at: fc.nat(), sign: fc.constantFrom(1n, -1n, 0n) }), { maxLength: 20 }),
  })

  it('opens exactly, whoever takes part and however many cells, up to the bound in every contribution', () => {
    fc.assert(
      fc.property(round, ({ committee, contributors, length, seed, extremes }) => {
        const setting = { ...committee, bound: contributionBound(contributors) }
        const cells = Array.from({ length: contributors }, (_, j) => {
          const own = randomCells(`${seed} ${j}`, length, setting.bound)
          for (const { at, sign } of extremes) own[at % length] = sign * setting.bound
          return own
        })
        const sent = cells.map((own, j) => send(setting, own, `${seed} member ${j}`))
        const { cells: opened, disagreeing } = read(seal, sealedSum(setting, sent))
        expect(Buffer.compare(Buffer.from(opened.buffer), Buffer.from(sumCells(cells).buffer))).toBe(0)
        expect(disagreeing).toEqual([])
      }),
      { numRuns: 25 },
    )
  }, 30_000)

  it('opens all zeros, and what cancels out to zero', () => {
    const ones = new BigInt64Array(CELLS_PER_CHUNK).fill(5n)
    const zeros = new BigInt64Array(CELLS_PER_CHUNK)
    for (const cells of [
      [zeros, zeros, zeros],
      [ones, ones.map(x => -x), zeros],
    ]) {
      const sent = cells.map((own, j) => send(SETTING, own, `zero ${j}`))
      expect(read(seal, sealedSum(SETTING, sent)).cells).toEqual(zeros)
    }
  })

  it('is linear: the sum of two cohorts opens to the sum of what they open to', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        (seed, first, second) => {
          const setting = { ...SETTING, bound: contributionBound(first + second) }
          const sent = Array.from({ length: first + second }, (_, j) =>
            send(setting, randomCells(`${seed} ${j}`, 10, setting.bound), `${seed} member ${j}`),
          )
          const [left, right] = [sealedSum(setting, sent.slice(0, first)), sealedSum(setting, sent.slice(first))]
          const both: Sealed = {
            ...left,
            sum: aggregate([left.sum, right.sum]),
            openings: left.openings.map((opening, i) => open(opening.index, [opening, right.openings[i] as Share])),
            contributors: first + second,
          }
          expect(both).toEqual(sealedSum(setting, sent))
          expect(read(seal, both).cells).toEqual(sumCells([read(seal, left).cells, read(seal, right).cells]))
        },
      ),
      { numRuns: 10 },
    )
  })

  it('does not depend on the order of the contributions, nor on where their bytes lie in memory', () => {
    const { sent, sealed } = smallRound()
    const moved = sent.map(({ ciphertext }, j) => {
      const memory = Buffer.alloc(ciphertext.length + 8).subarray(j + 1, j + 1 + ciphertext.length)
      memory.set(ciphertext)
      return memory
    })
    expect(Buffer.from(aggregate(moved.reverse()))).toEqual(sealed.sum)
    const sum = Buffer.concat([Buffer.alloc(1), sealed.sum]).subarray(1)
    expect(read(seal, { ...sealed, sum })).toEqual(read(seal, sealed))
  })
})

describe('a contribution', () => {
  const mod = (x: bigint, q: bigint) => ((x % q) + q) % q

  function power(base: bigint, exponent: number, q: bigint): bigint {
    let result = 1n
    for (const bit of exponent.toString(2)) {
      result = (result * result) % q
      if (bit === '1') result = (result * base) % q
    }
    return result
  }

  function evaluate(coefficients: readonly bigint[], x: bigint, q: bigint): bigint {
    return mod(
      coefficients.reduceRight((value, coefficient) => (value * x + coefficient) % q, 0n),
      q,
    )
  }

  function reversed(index: number): number {
    return Number.parseInt([...index.toString(2).padStart(12, '0')].reverse().join(''), 2)
  }

  it('is t·e + m - a·k at the powers of psi in bit-reversed order, as specs/one-shot-sum.md says', () => {
    const cells = randomCells('equation', 2 * CELLS_PER_CHUNK, SETTING.bound)
    const { ciphertext } = send(SETTING, cells, 'equation')
    // The order in which `contribute` draws: the key, two blinding polynomials of the shares, an error for each chunk.
    const randomness = seededRandomness('equation')
    const key = [...centredBinomial(randomness)].map(BigInt)
    for (const bytes of [16384, 16384]) randomness(bytes)
    for (const chunk of [0, 1]) {
      const error = centredBinomial(randomness)
      const content = [...cells.subarray(chunk * CELLS_PER_CHUNK, (chunk + 1) * CELLS_PER_CHUNK)].map(
        (cell, i) => PLAINTEXT_MODULUS * BigInt(error[i] as number) + cell,
      )
      const a = new BigUint64Array(WORDS_PER_POLYNOMIAL)
      publicPolynomial(ROUND, chunk, new Uint32Array(a.buffer))
      const c = new BigUint64Array(WORDS_PER_POLYNOMIAL)
      unpackWords(
        new Uint8Array(ciphertext.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES)),
        new Uint32Array(c.buffer),
      )
      for (const [limb, psi] of [188538203n, 870088n].entries()) {
        const q = BigInt(CIPHERTEXT_PRIMES[limb] as number)
        for (const i of [0, 1, 2, 3, 1000, 2047, 2048, 4094, 4095]) {
          const at = limb * CELLS_PER_CHUNK + i
          const x = power(psi, 2 * reversed(i) + 1, q)
          expect(c[at]).toBe(mod(evaluate(content, x, q) - (a[at] as bigint) * evaluate(key, x, q), q))
        }
      }
    }
  })

  it('has the bytes that specs/one-shot-sum.md lists as check values', () => {
    const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
    const { ciphertext, shares } = send(
      { ...SETTING, roundId: new Uint8Array(32) },
      BigInt64Array.of(1n, -2n, 3n),
      'one-shot-sum',
    )
    expect([ciphertext, ...shares.map(({ residues }) => packShare(residues))].map(sha256)).toEqual([
      '1c36472b468f8e461ad071bbde44ccdf8209e1e912e8ec5f40633a56f313628a',
      'af2b6ec1c2aacedf605357b0f77f9debcceec3737525bfc21bfe072c71cfda30',
      '44f69f295f5e56a518e2b40c6d3fe3c6a751bc11e36a3776c668337e42a4bda1',
      '0cb0307e07c761e8e79da5880fe706c10c80e28148a5dd19f86160d5ef0345f9',
    ])
    const a = (chunk: number) => {
      const halves = new Uint32Array(2 * WORDS_PER_POLYNOMIAL)
      publicPolynomial(new Uint8Array(32), chunk, halves)
      return packWords(halves)
    }
    expect([0, 156, 719].map(chunk => sha256(a(chunk)))).toEqual([
      '0a5546cd63224e3861cf1310f58f1af181b1fdff085fc5f602ce81234ad62fff',
      'bc1db609243c40fe9ba09b0035989d5fbf42185ace34e672767bfd54216354b6',
      '4034fc434bfa68f6cb474d0a3c083a6571417ec8e93fdf26ef5d86432cea7d7c',
    ])
  })

  it('is the same bytes for the same randomness, and shares nothing with another', () => {
    const cells = new BigInt64Array(10)
    const once = send(SETTING, cells, 'once')
    expect(send(SETTING, cells, 'once')).toEqual(once)
    const other = send(SETTING, cells, 'other')
    expect(Buffer.compare(other.ciphertext, once.ciphertext)).not.toBe(0)
    expect(other.shares).not.toEqual(once.shares)
  })

  it('does not open with the key of another member', () => {
    const { sent } = smallRound()
    sent.forEach(({ ciphertext }, j) => {
      sent.forEach((dealer, other) => {
        const openings = openAll([dealer], SETTING.custodians)
        const attempt = () => read(seal, { roundId: ROUND, sum: ciphertext, openings, threshold: 3, contributors: 1 })
        if (j === other) expect(attempt().disagreeing).toEqual([])
        else expect(attempt).toThrow(notAccepted)
      })
    })
  })

  it('with a cell beyond the bound is refused before any randomness is drawn', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 * CELLS_PER_CHUNK }), fc.nat(), fc.boolean(), (length, at, negative) => {
        const cells = new BigInt64Array(length)
        cells[at % length] = negative ? -SETTING.bound - 1n : SETTING.bound + 1n
        const untouched = () => expect.fail('randomness was drawn')
        expect(() => contribute(seal, { roundId: ROUND, ...SETTING }, cells, untouched)).toThrow(
          expect.objectContaining({ code: 'cell-too-large' }),
        )
      }),
      { numRuns: 20 },
    )
  })
})

describe('a sum that is not accepted', () => {
  const bit = fc.nat(CELLS_PER_CHUNK - 1)

  it('with one wrong coefficient of one opening', () => {
    const { sealed } = smallRound()
    fc.assert(
      fc.property(
        bit,
        fc.nat(2),
        fc.oneof(fc.constantFrom(1, SHARE_PRIME - 1), fc.integer({ min: 1, max: SHARE_PRIME - 1 })),
        (at, which, by) => {
          const openings = sealed.openings.map((opening, i) => (i === which ? altered(opening, at, by) : opening))
          expect(() => read(seal, { ...sealed, openings })).toThrow(notAccepted)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('with one coefficient of the key off by one, which is still short', () => {
    const { sealed } = smallRound()
    const key = interpolate(sealed.openings)
    const at = key.findIndex(coefficient => Math.abs(coefficient) < BINOMIAL_ETA)
    // The same constant added to every share moves the secret by that constant.
    const openings = sealed.openings.map(opening => altered(opening, at))
    expect(interpolate(openings)[at]).toBe((key[at] as number) + 1)
    expect(() => read(seal, { ...sealed, openings })).toThrow(notAccepted)
  })

  it('with one wrong word', () => {
    const cells = Array.from({ length: 3 }, (_, j) => randomCells(`word ${j}`, 2 * CELLS_PER_CHUNK + 1, SETTING.bound))
    const sent = cells.map((own, j) => send(SETTING, own, `member ${j}`))
    const sealed = sealedSum(SETTING, sent)
    fc.assert(
      fc.property(fc.nat(3 * WORDS_PER_POLYNOMIAL - 1), word => {
        expect(() => read(seal, { ...sealed, sum: alteredWord(sealed.sum, word) })).toThrow(notAccepted)
      }),
      { numRuns: 50 },
    )
  })

  it('with a contribution too many, too few, or twice', () => {
    const { sent, sealed } = smallRound()
    const ciphertexts = sent.map(({ ciphertext }) => ciphertext)
    for (const others of [ciphertexts.slice(1), [...ciphertexts, ciphertexts[0] as Uint8Array]]) {
      expect(() => read(seal, { ...sealed, sum: aggregate(others) })).toThrow(notAccepted)
    }
  })

  it('with chunks exchanged', () => {
    const cells = randomCells('exchanged', 2 * CELLS_PER_CHUNK, SETTING.bound)
    const sealed = sealedSum(SETTING, [send(SETTING, cells, 'exchanged')])
    const sum = Buffer.concat([sealed.sum.subarray(CHUNK_BYTES), sealed.sum.subarray(0, CHUNK_BYTES)])
    expect(() => read(seal, { ...sealed, sum })).toThrow(notAccepted)
  })

  it('in another round', () => {
    const { sealed } = smallRound()
    expect(() => read(seal, { ...sealed, roundId: new Uint8Array(32).fill(8) })).toThrow(notAccepted)
  })

  it('with too few openings, or the threshold of another charter', () => {
    const { sealed } = smallRound()
    expect(() => read(seal, { ...sealed, openings: sealed.openings.slice(1) })).toThrow(notAccepted)
    expect(() => read(seal, { ...sealed, openings: [] })).toThrow(notAccepted)
    expect(() => read(seal, { ...sealed, threshold: 2 })).toThrow(notAccepted)
  })

  it('as the sum of fewer contributions than it holds', () => {
    const { sealed } = smallRound({ ...SETTING, bound: contributionBound(8) }, 8)
    expect(() => read(seal, { ...sealed, contributors: 1 })).toThrow(notAccepted)
  })
})

describe('openings that disagree', () => {
  const setting = { bound: contributionBound(3), threshold: 4, custodians: [1, 2, 3, 4, 5] }

  it('are listed, and the rest still opens', () => {
    const { sealed, expected } = smallRound(setting)
    for (const liar of setting.custodians) {
      for (const by of [1, 12345]) {
        const openings = sealed.openings.map(opening => (opening.index === liar ? altered(opening, 17, by) : opening))
        expect(read(seal, { ...sealed, openings })).toEqual({ cells: expected, disagreeing: [liar] })
      }
    }
  })

  it('are listed when one dealer gave one custodian another share: which of the two it was, nobody can tell', () => {
    const { sent, sealed, expected } = smallRound(setting)
    const framed = sent.map(({ shares }, j) =>
      shares.map(share => (j === 0 && share.index === 2 ? altered(share, 0) : share)),
    )
    const openings = setting.custodians.map((index, i) =>
      open(
        index,
        framed.map(shares => shares[i] as Share),
      ),
    )
    expect(read(seal, { ...sealed, openings })).toEqual({ cells: expected, disagreeing: [2] })
  })

  it('leave nothing to read when fewer than the threshold are intact', () => {
    const { sealed } = smallRound(setting)
    const openings = sealed.openings.map((opening, i) => (i < 2 ? altered(opening, i) : opening))
    expect(() => read(seal, { ...sealed, openings })).toThrow(notAccepted)
  })

  it('are not counted twice: an index that comes again is refused wherever it stands', () => {
    const { sealed } = smallRound(setting)
    const again = altered(sealed.openings[4] as Share, 0)
    for (const openings of [
      [again, ...sealed.openings],
      [...sealed.openings, again],
    ]) {
      expect(() => read(seal, { ...sealed, openings })).toThrow(expect.objectContaining({ code: 'bad-share' }))
    }
  })
})

describe('bytes that are no ring elements', () => {
  const badLength = expect.objectContaining({ code: 'bad-length' })
  const badResidue = expect.objectContaining({ code: 'bad-residue' })

  it('are refused by their length', () => {
    using aggregator = new Aggregator(seal)
    const chunk = new Uint8Array(CHUNK_BYTES)
    for (const length of [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES + 1, 3 * CHUNK_BYTES]) {
      expect(() => aggregator.sum([new Uint8Array(length)])).toThrow(badLength)
    }
    expect(() => aggregator.sum([chunk, new Uint8Array(2 * CHUNK_BYTES)])).toThrow(badLength)
    expect(() => aggregator.sum([])).toThrow(badLength)
    const { sealed } = smallRound()
    expect(() => read(seal, { ...sealed, sum: sealed.sum.subarray(1) })).toThrow(badLength)
    expect(() => read(seal, { ...sealed, sum: new Uint8Array(0) })).toThrow(badLength)
    expect(() => read(seal, { ...sealed, roundId: ROUND.subarray(1) })).toThrow(badLength)
  })

  it('are refused if a word is not below its prime, in a contribution and in a sum', () => {
    const { sealed } = smallRound()
    using aggregator = new Aggregator(seal)
    fc.assert(
      fc.property(fc.nat(WORDS_PER_POLYNOMIAL - 1), fc.nat(99_999), (word, above) => {
        const bytes = Buffer.from(sealed.sum)
        bytes.writeUIntLE((CIPHERTEXT_PRIMES[Math.floor(word / CELLS_PER_CHUNK)] as number) + above, 5 * word, 5)
        expect(() => aggregator.sum([bytes])).toThrow(badResidue)
        expect(() => aggregator.sum([sealed.sum, bytes])).toThrow(badResidue)
        expect(() => read(seal, { ...sealed, sum: bytes })).toThrow(badResidue)
      }),
      { numRuns: 30 },
    )
  })

  it('do not spoil the sums that the same aggregator makes afterwards', () => {
    using aggregator = new Aggregator(seal)
    const { sent, sealed } = smallRound()
    const bad = new Uint8Array(2 * CHUNK_BYTES).fill(255, CHUNK_BYTES)
    expect(() => aggregator.sum([bad])).toThrow(badResidue)
    expect(() => aggregator.sum([new Uint8Array(2 * CHUNK_BYTES), bad])).toThrow(badResidue)
    expect(Buffer.from(aggregator.sum(sent.map(({ ciphertext }) => ciphertext)))).toEqual(sealed.sum)
  })
})

describe('the noise budget', () => {
  it('is positive for the largest roster, and 0 is never enough', () => {
    expect(smallestNoiseBudget(3)).toBe(12)
    expect(smallestNoiseBudget(LARGEST_ROSTER)).toBe(1)
    expect(smallestNoiseBudget(2 ** 30)).toBe(1)
  })
})

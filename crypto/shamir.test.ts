import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandomness } from '#test/randomness.ts'
import { CELLS_PER_CHUNK, SHARE_PRIME } from './parameters.ts'
import { centredBinomial, type Randomness } from './sampling.ts'
import { addShare, agrees, deal, emptyShare, interpolate, type Share } from './shamir.ts'

const index = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 12 }) },
  { weight: 1, arbitrary: fc.constantFrom(SHARE_PRIME - 1, SHARE_PRIME - 2, 2 ** 25) },
)

/** Custodians with a threshold, and a choice of threshold many of them. */
const committee = fc
  .uniqueArray(index, { minLength: 2, maxLength: 7 })
  .chain(indices =>
    fc.record({ indices: fc.constant(indices), threshold: fc.integer({ min: 2, max: indices.length }) }),
  )
  .chain(({ indices, threshold }) =>
    fc.record({
      indices: fc.constant(indices),
      threshold: fc.constant(threshold),
      chosen: fc.shuffledSubarray(indices, { minLength: threshold, maxLength: threshold }),
      seed: fc.string(),
    }),
  )

function choose(shares: readonly Share[], indices: readonly number[]): Share[] {
  return indices.map(wanted => shares.find(share => share.index === wanted) as Share)
}

function altered(share: Share, at: number, by: number): Share {
  const residues = share.residues.slice()
  residues[at] = ((residues[at] as number) + by) % SHARE_PRIME
  return { index: share.index, residues }
}

function sum(shares: readonly Share[]): Share {
  const total = emptyShare((shares[0] as Share).index)
  for (const share of shares) addShare(total, share)
  return total
}

const coefficientIndex = fc.nat(CELLS_PER_CHUNK - 1)
const difference = fc.integer({ min: 1, max: SHARE_PRIME - 1 })

describe('Shamir sharing', () => {
  it('rebuilds the secret from any threshold many shares, and the others agree', () => {
    fc.assert(
      fc.property(committee, ({ indices, threshold, chosen, seed }) => {
        const randomness = seededRandomness(seed)
        const secret = centredBinomial(randomness)
        const shares = deal(secret, threshold, indices, randomness)
        const basis = choose(shares, chosen)
        expect(interpolate(basis)).toEqual(Int32Array.from(secret))
        expect(shares.every(share => agrees(basis, share))).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  it('adds up: the sum of the shares is the share of the sum', () => {
    fc.assert(
      fc.property(committee, fc.integer({ min: 1, max: 5 }), ({ indices, threshold, chosen, seed }, dealers) => {
        const randomness = seededRandomness(seed)
        const secrets = Array.from({ length: dealers }, () => centredBinomial(randomness))
        const dealt = secrets.map(secret => deal(secret, threshold, indices, randomness))
        const sums = indices.map((_, i) => sum(dealt.map(shares => shares[i] as Share)))
        const expected = new Int32Array(CELLS_PER_CHUNK).map((_, i) =>
          secrets.reduce((total, secret) => total + (secret[i] as number), 0),
        )
        expect(interpolate(choose(sums, chosen))).toEqual(expected)
      }),
      { numRuns: 40 },
    )
  })

  it('finds a share that was altered in a single coefficient', () => {
    fc.assert(
      fc.property(committee, coefficientIndex, difference, ({ indices, threshold, chosen, seed }, at, by) => {
        const randomness = seededRandomness(seed)
        const shares = deal(centredBinomial(randomness), threshold, indices, randomness)
        const basis = choose(shares, chosen)
        for (const share of shares) expect(agrees(basis, altered(share, at, by))).toBe(false)
      }),
      { numRuns: 20 },
    )
  })

  it('says nothing with one share too few: another last share gives another secret, so each secret is as likely', () => {
    fc.assert(
      fc.property(committee, coefficientIndex, difference, ({ threshold, chosen, seed }, at, by) => {
        const randomness = seededRandomness(seed)
        const [last, ...known] = deal(centredBinomial(randomness), threshold, chosen, randomness) as [Share, ...Share[]]
        const secret = interpolate([last, ...known])
        const other = interpolate([altered(last, at, by), ...known])
        expect(other[at]).not.toBe(secret[at])
        other[at] = secret[at] as number
        expect(other).toEqual(secret)
      }),
      { numRuns: 40 },
    )
  })

  it('gives shares that are uniform whatever the secret', () => {
    for (const coefficient of [-21, 0, 21]) {
      const bins = new Array<number>(16).fill(0)
      const shares = deal(
        new Int8Array(CELLS_PER_CHUNK).fill(coefficient),
        3,
        [1, 2, 3, 4],
        seededRandomness('uniform'),
      )
      for (const { residues } of shares) {
        for (const residue of residues) {
          const bin = Math.floor((residue * 16) / SHARE_PRIME)
          bins[bin] = (bins[bin] as number) + 1
        }
      }
      const expected = (4 * CELLS_PER_CHUNK) / 16
      const statistic = bins.reduce((total, count) => total + (count - expected) ** 2 / expected, 0)
      expect(statistic).toBeLessThan(37.7) // 99.9 % quantile at 15 degrees
    }
  })

  it('overwrites the random coefficients', () => {
    const handedOut: Uint8Array[] = []
    const source = seededRandomness('overwritten')
    const randomness: Randomness = bytes => {
      const fresh = source(bytes)
      handedOut.push(fresh)
      return fresh
    }
    deal(new Int8Array(CELLS_PER_CHUNK), 3, [1, 2, 3], randomness)
    expect(handedOut.length).toBeGreaterThanOrEqual(2)
    expect(handedOut.every(bytes => bytes.every(byte => byte === 0))).toBe(true)
  })
})

describe('shares that cannot be', () => {
  const badShare = expect.objectContaining({ code: 'bad-share' })
  const zeros = new Int8Array(CELLS_PER_CHUNK)
  const noRandomness: Randomness = () => {
    throw new Error('asked for randomness before the refusal')
  }

  it.each([0, -1, 1.5, Number.NaN, SHARE_PRIME, SHARE_PRIME + 1])('index %s', bad => {
    expect(() => deal(zeros, 2, [1, bad, 3], noRandomness)).toThrow(badShare)
    expect(() => emptyShare(bad)).toThrow(badShare)
    expect(() => interpolate([emptyShare(1), { index: bad, residues: new Int32Array(CELLS_PER_CHUNK) }])).toThrow(
      badShare,
    )
  })

  it('an index twice', () => {
    expect(() => deal(zeros, 2, [1, 2, 2], noRandomness)).toThrow(badShare)
    expect(() => interpolate([emptyShare(2), emptyShare(2)])).toThrow(badShare)
  })

  it.each([1, 0, -1, 2.5, Number.NaN, 4])(
    'threshold %s of 3, which would hand out the secret or lose it',
    threshold => {
      expect(() => deal(zeros, threshold, [1, 2, 3], noRandomness)).toThrow(badShare)
    },
  )

  it('a sum of shares of two custodians', () => {
    expect(() => addShare(emptyShare(1), emptyShare(2))).toThrow(badShare)
  })
})

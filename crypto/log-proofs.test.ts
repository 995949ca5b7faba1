import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { append, emptyLog, frontierAt, headOf, type LogHead, leafHash, type Subtree, subtreesOf } from './log.ts'
import {
  consistencyOutline,
  inclusionOutline,
  type Proof,
  type ProofOutline,
  proofOf,
  verifyConsistency,
  verifyInclusion,
} from './log-proofs.ts'

/** RFC 6962 § 2.1 to § 2.1.2, word by word. */
const hash = (...parts: Uint8Array[]) => new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest())

function split(n: number): number {
  let k = 1
  while (2 * k < n) k *= 2
  return k
}

function mth(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length === 0) return hash()
  if (entries.length === 1) return hash(Uint8Array.of(0), entries[0] as Uint8Array)
  const k = split(entries.length)
  return hash(Uint8Array.of(1), mth(entries.slice(0, k)), mth(entries.slice(k)))
}

function path(m: number, d: readonly Uint8Array[]): Uint8Array[] {
  if (d.length === 1) return []
  const k = split(d.length)
  if (m < k) return [...path(m, d.slice(0, k)), mth(d.slice(k))]
  return [...path(m - k, d.slice(k)), mth(d.slice(0, k))]
}

function subproof(m: number, d: readonly Uint8Array[], isWhole: boolean): Uint8Array[] {
  if (m === d.length) return isWhole ? [] : [mth(d)]
  const k = split(d.length)
  if (m <= k) return [...subproof(m, d.slice(0, k), isWhole), mth(d.slice(k))]
  return [...subproof(m - k, d.slice(k), false), mth(d.slice(0, k))]
}

const entry = (i: number) => Uint8Array.of(i >> 8, i)
const entries = (size: number) => Array.from({ length: size }, (_, i) => entry(i))
const headAt = (size: number): LogHead => ({ size, root: Buffer.from(mth(entries(size))).toString('hex') })

/** What a coordinator stores: every perfect subtree of a log. */
function stored(size: number): { readonly read: (subtree: Subtree) => Uint8Array; readonly all: readonly Subtree[] } {
  const hashes = new Map<string, Uint8Array>()
  const all: Subtree[] = []
  const name = ({ height, index }: Subtree) => `${height}/${index}`
  let frontier = emptyLog
  for (const one of entries(size)) {
    frontier = append(frontier, leafHash(one), (subtree, completed) => {
      all.push(subtree)
      hashes.set(name(subtree), completed)
    })
  }
  return {
    all,
    read: subtree => {
      const found = hashes.get(name(subtree))
      if (found === undefined) throw new Error(`${name(subtree)} is not complete`)
      return found
    },
  }
}

const LARGEST = 40
const log = stored(LARGEST)
const made = (outline: ProofOutline) => proofOf(outline, log.read).map(one => new Uint8Array(one))

const pairs = Array.from({ length: LARGEST }, (_, i) => i + 1).flatMap(second =>
  Array.from({ length: second + 1 }, (_, first) => [first, second] as const),
)

const refused = (check: () => void) => expect(check).toThrow(expect.objectContaining({ code: 'bad-proof' }))

describe('an appender', () => {
  test('tells of every perfect subtree once, when its last leaf comes', () => {
    const expected = log.all.map(({ height, index }) => [(index + 1) * 2 ** height, height])
    // In the order of their last leaves, the smaller ones first.
    expect(expected).toEqual(expected.toSorted(([a = 0, b = 0], [c = 0, d = 0]) => a - c || b - d))
    expect(log.all).toHaveLength(
      Array.from({ length: 6 }, (_, height) => Math.floor(LARGEST / 2 ** height)).reduce((sum, one) => sum + one),
    )
    for (const subtree of log.all) {
      const { height, index } = subtree
      const leaves = entries(LARGEST).slice(index * 2 ** height, (index + 1) * 2 ** height)
      expect(new Uint8Array(log.read(subtree))).toEqual(mth(leaves))
    }
  })

  test.each(Array.from({ length: LARGEST + 1 }, (_, size) => size))('goes on at %i from stored hashes', size => {
    expect(headOf(frontierAt(size, log.read))).toEqual(headAt(size))
  })

  test('names the subtrees of the largest logs that numbers can count', () => {
    for (const size of [2 ** 49 - 1, 2 ** 53 - 1]) {
      const found = subtreesOf(0, size)
      expect(found).toHaveLength(size.toString(2).replaceAll('0', '').length)
      expect(found.every(({ index }) => Number.isInteger(index))).toBe(true)
    }
    expect(inclusionOutline(0, 2 ** 53 - 1)).toHaveLength(53)
    expect(consistencyOutline(2 ** 52, 2 ** 53 - 1)).toHaveLength(1)
  })
})

describe('a proof of inclusion', () => {
  const all = pairs.filter(([index, size]) => index < size)

  test('is the one of RFC 6962, and is accepted', () => {
    for (const [index, size] of all) {
      const proof = made(inclusionOutline(index, size))
      expect(proof).toEqual(path(index, entries(size)))
      verifyInclusion(leafHash(entry(index)), index, proof, headAt(size))
    }
  })

  test('is of one leaf, one place and one head', () => {
    const anything = fc.record({
      one: fc.constantFrom(...all),
      index: fc.nat(LARGEST + 1),
      size: fc.nat(LARGEST),
      leaf: fc.nat(LARGEST),
    })
    fc.assert(
      fc.property(anything, ({ one: [index, size], ...other }) => {
        const proof = made(inclusionOutline(index, size))
        const check = (leaf: number, at: number, of: number) => () =>
          verifyInclusion(leafHash(entry(leaf)), at, proof, headAt(of))
        if (other.index !== index) refused(check(index, other.index, size))
        if (other.leaf !== index) refused(check(other.leaf, index, size))
        if (other.size !== size) refused(check(index, index, other.size))
        // A size that is lied about, with the root of the right one.
        const lie = { size: other.size, root: headAt(size).root }
        const verify = () => verifyInclusion(leafHash(entry(index)), index, proof, lie)
        // Where the way to the leaf is the same in both trees the proof says nothing of the size.
        if (inclusionOutline(index, size).length !== inclusionOutline(index, other.size).length) refused(verify)
      }),
    )
  })

  test('is refused with any bit of any hash changed, with one left out, added, exchanged or cut', () => {
    for (const [index, size] of [
      [0, 2],
      [5, 7],
      [12, 40],
      [39, 40],
    ] as const) {
      const proof = made(inclusionOutline(index, size))
      for (const bent of bends(proof)) refused(() => verifyInclusion(leafHash(entry(index)), index, bent, headAt(size)))
    }
  })

  test('of a node instead of a leaf is refused', () => {
    const [left, right] = [leafHash(entry(0)), leafHash(entry(1))]
    const forged = leafHash(Buffer.concat([left, right]))
    refused(() => verifyInclusion(forged, 0, made(inclusionOutline(0, 4)).slice(1), headAt(4)))
  })
})

describe('a proof of consistency', () => {
  test('is the one of RFC 6962, and is accepted', () => {
    for (const [first, second] of pairs) {
      const proof = made(consistencyOutline(first, second))
      if (first > 0) expect(proof).toEqual(subproof(first, entries(second), true))
      verifyConsistency(headAt(first), headAt(second), proof)
    }
    verifyConsistency(headAt(0), headAt(0), [])
  })

  test('is of two sizes and two roots', () => {
    const anything = fc.record({ one: fc.constantFrom(...pairs), first: fc.nat(LARGEST), second: fc.nat(LARGEST) })
    const other = createHash('sha256').update('another history').digest('hex')
    fc.assert(
      fc.property(anything, ({ one: [first, second], ...wrong }) => {
        const proof = made(consistencyOutline(first, second))
        refused(() => verifyConsistency({ size: first, root: other }, headAt(second), proof))
        if (first > 0) refused(() => verifyConsistency(headAt(first), { size: second, root: other }, proof))
        if (first > 0 && wrong.first !== first && wrong.first > 0) {
          refused(() => verifyConsistency(headAt(wrong.first), headAt(second), proof))
        }
        if (first > 0 && wrong.second !== second) {
          refused(() => verifyConsistency(headAt(first), headAt(wrong.second), proof))
        }
      }),
    )
  })

  test('from a longer log to a shorter one is none', () => {
    refused(() => verifyConsistency(headAt(5), headAt(4), []))
    refused(() => verifyConsistency(headAt(5), headAt(4), made(consistencyOutline(4, 5))))
  })

  test('between two histories is none, whatever hashes are sent', () => {
    const forked = entries(9).with(3, entry(999))
    const head = { size: 9, root: Buffer.from(mth(forked)).toString('hex') }
    for (const size of [4, 5, 6, 7, 8]) {
      refused(() => verifyConsistency(headAt(size), head, subproof(size, forked, true)))
      refused(() => verifyConsistency(headAt(size), head, subproof(size, entries(9), true)))
    }
    verifyConsistency(headAt(3), head, subproof(3, forked, true))
  })

  test('is refused with any bit of any hash changed, with one left out, added, exchanged or cut', () => {
    for (const [first, second] of [
      [1, 2],
      [3, 7],
      [6, 8],
      [16, 33],
      [39, 40],
    ] as const) {
      const proof = made(consistencyOutline(first, second))
      for (const bent of bends(proof)) refused(() => verifyConsistency(headAt(first), headAt(second), bent))
    }
  })
})

/** Everything that can be done to the hashes of a proof, one thing at a time. */
function bends(proof: Proof): Proof[] {
  const bits = proof.flatMap((one, i) =>
    Array.from({ length: 32 * 8 }, (_, bit) => {
      const changed = one.slice()
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
      return proof.with(i, changed)
    }),
  )
  const others = proof.flatMap((one, i) => [
    proof.toSpliced(i, 1),
    proof.toSpliced(i, 0, one),
    proof.with(i, one.subarray(1)),
    proof.with(i, Buffer.concat([one, Uint8Array.of(0)])),
    ...(i > 0 ? [proof.with(i, proof[i - 1] as Uint8Array).with(i - 1, one)] : []),
  ])
  return [...bits, ...others, [...proof, new Uint8Array(32)], []].filter(bent => bent.length > 0 || proof.length > 0)
}

import { cryptoError } from './error.ts'
import { exponentWithin, HASH_BYTES, hashOver, type LogHead, nodeHash, type Subtree, subtreesOf } from './log.ts'

/**
 * Proofs about the Merkle tree of a log: that an entry is in it, that an earlier tree is its beginning. What a proof consists of
 * (RFC 6962 § 2.1.1, § 2.1.2) is named as perfect subtrees, so that whoever has their hashes, stored or from tiles, can make
 * it; it is verified as RFC 9162 says (§ 2.1.3.2, § 2.1.4.2).
 */

/** Hashes, each 32 bytes, from the leaves upwards. */
export type Proof = readonly Uint8Array[]

/** The hashes of a proof, each as the neighbouring perfect subtrees that it is over, largest first. */
export type ProofOutline = readonly (readonly Subtree[])[]

/** PATH of RFC 6962 § 2.1.1: for the entry `index`, from 0, of the first `size` ones. */
export function inclusionOutline(index: number, size: number): ProofOutline {
  const outline: Subtree[][] = []
  for (let [from, to] = [0, size]; to - from > 1; ) {
    const middle = middleOf(from, to)
    if (index < middle) {
      outline.push(subtreesOf(middle, to))
      to = middle
    } else {
      outline.push(subtreesOf(from, middle))
      from = middle
    }
  }
  return outline.reverse()
}

/** PROOF of RFC 6962 § 2.1.2: that the first `first` entries are the beginning of the first `second`. */
export function consistencyOutline(first: number, second: number): ProofOutline {
  if (first === 0) return []
  const outline: Subtree[][] = []
  let [from, to] = [0, second]
  while (first < to) {
    const middle = middleOf(from, to)
    if (first <= middle) {
      outline.push(subtreesOf(middle, to))
      to = middle
    } else {
      outline.push(subtreesOf(from, middle))
      from = middle
    }
  }
  // A node that is the whole first tree is known to the verifier.
  return (from === 0 ? outline : [...outline, subtreesOf(from, to)]).reverse()
}

/** Where RFC 6962 splits a node: after the largest power of two that is less than its number of leaves. */
function middleOf(from: number, to: number): number {
  return from + 2 ** exponentWithin(to - from - 1)
}

/** The hashes of a proof, from stored ones. */
export function proofOf(outline: ProofOutline, read: (subtree: Subtree) => Uint8Array): Uint8Array[] {
  return outline.map(subtrees => hashOver(subtrees.map(read)))
}

/**
 * Checks that a leaf is entry `index`, from 0, of the log with this head.
 * @throws InbondError `bad-proof`
 */
export function verifyInclusion(leaf: Uint8Array, index: number, proof: Proof, head: LogHead): void {
  checkHashes(proof)
  if (index >= head.size) throw cryptoError('bad-proof', `a log of ${head.size} entries has no entry ${index}`)
  let [at, last] = [index, head.size - 1]
  let node = leaf
  for (const sibling of proof) {
    if (last === 0) throw cryptoError('bad-proof', 'the proof is too long')
    if (at % 2 === 1 || at === last) {
      node = nodeHash(sibling, node)
      for (; at % 2 === 0 && at > 0; last = half(last)) at = half(at)
    } else node = nodeHash(node, sibling)
    ;[at, last] = [half(at), half(last)]
  }
  if (last !== 0) throw cryptoError('bad-proof', 'the proof is too short')
  if (hex(node) !== head.root) throw cryptoError('bad-proof', `this is not entry ${index} of the log with this root`)
}

/**
 * Checks that the log with the first head is the beginning of the log with the second.
 * @throws InbondError `bad-proof`
 */
export function verifyConsistency(first: LogHead, second: LogHead, proof: Proof): void {
  checkHashes(proof)
  if (first.size > second.size) throw cryptoError('bad-proof', 'a longer log is not the beginning of a shorter one')
  if (first.size === 0 || first.size === second.size) {
    const expected = first.size === 0 ? EMPTY_ROOT : second.root
    if (proof.length === 0 && first.root === expected) return
    throw cryptoError('bad-proof', 'two logs of the same size, or the empty one, need no proof and the same root')
  }
  const isWhole = 2 ** exponentWithin(first.size) === first.size
  const path = isWhole ? [new Uint8Array(Buffer.from(first.root, 'hex')), ...proof] : proof
  if (proof.length === 0) throw cryptoError('bad-proof', 'the proof is empty')
  let [at, last] = [first.size - 1, second.size - 1]
  for (; at % 2 === 1; last = half(last)) at = half(at)
  let [older, newer] = [path[0] as Uint8Array, path[0] as Uint8Array]
  for (const sibling of path.slice(1)) {
    if (last === 0) throw cryptoError('bad-proof', 'the proof is too long')
    if (at % 2 === 1 || at === last) {
      older = nodeHash(sibling, older)
      newer = nodeHash(sibling, newer)
      for (; at % 2 === 0 && at > 0; last = half(last)) at = half(at)
    } else newer = nodeHash(newer, sibling)
    ;[at, last] = [half(at), half(last)]
  }
  if (last !== 0) throw cryptoError('bad-proof', 'the proof is too short')
  if (hex(older) !== first.root || hex(newer) !== second.root) {
    throw cryptoError('bad-proof', 'the log with the first root is not the beginning of the log with the second')
  }
}

const EMPTY_ROOT = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

function checkHashes(proof: Proof): void {
  if (!proof.every(one => one.length === HASH_BYTES)) throw cryptoError('bad-proof', 'a hash has 32 bytes')
}

function half(count: number): number {
  return Math.floor(count / 2)
}

function hex(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex')
}

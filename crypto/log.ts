import { createHash } from 'node:crypto'

/**
 * The Merkle tree of RFC 6962 § 2.1, as far as an appender needs it: the roots of the perfect subtrees that the leaves so far
 * make up (one for each bit of their number), from which the tree head follows.
 */
export interface Frontier {
  readonly size: number
  /** Roots of perfect subtrees, largest first. */
  readonly subtrees: readonly Uint8Array[]
}

/** What a tree head says: the number of leaves and the root over them, 64 hexadecimal digits as in messages. */
export interface LogHead {
  readonly size: number
  readonly root: string
}

/** The 2^height leaves from index · 2^height on. Once they are there, the hash over them never changes. */
export interface Subtree {
  readonly height: number
  readonly index: number
}

/** In bytes. */
export const HASH_BYTES = 32

export const emptyLog: Frontier = { size: 0, subtrees: [] }

/** SHA-256 of 0x00 ‖ entry. */
export function leafHash(entry: Uint8Array): Uint8Array {
  return createHash('sha256').update(Uint8Array.of(0)).update(entry).digest()
}

/** SHA-256 of 0x01 ‖ left ‖ right. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest()
}

/**
 * @param leaf its hash
 * @param completed told of every perfect subtree that the leaf completes, itself the first of them
 */
export function append(
  frontier: Frontier,
  leaf: Uint8Array,
  completed: (subtree: Subtree, hash: Uint8Array) => void = () => undefined,
): Frontier {
  const subtrees = [...frontier.subtrees]
  let node = leaf
  let [height, index] = [0, frontier.size]
  completed({ height, index }, node)
  // Every trailing one bit of the size is a perfect subtree that the new leaf completes.
  for (; index % 2 === 1; completed({ height, index }, node)) {
    node = nodeHash(subtrees.pop() as Uint8Array, node)
    height++
    index = (index - 1) / 2
  }
  return { size: frontier.size + 1, subtrees: [...subtrees, node] }
}

/** The tree head's root hash: 32 bytes. */
export function root(frontier: Frontier): Uint8Array {
  return frontier.size === 0 ? createHash('sha256').digest() : hashOver(frontier.subtrees)
}

export function headOf(frontier: Frontier): LogHead {
  return { size: frontier.size, root: Buffer.from(root(frontier)).toString('hex') }
}

/** The hash over neighbouring perfect subtrees, largest first: MTH of their leaves. */
export function hashOver(subtrees: readonly Uint8Array[]): Uint8Array {
  return subtrees.reduceRight((right, left) => nodeHash(left, right))
}

/**
 * The perfect subtrees that make up the leaves `from` to before `to`, largest first. `from` is 0, or a multiple of a power of two
 * that is not less than their number, as in every node of a tree.
 */
export function subtreesOf(from: number, to: number): Subtree[] {
  const found: Subtree[] = []
  for (let at = from; at < to; ) {
    const height = exponentWithin(to - at)
    found.push({ height, index: at / 2 ** height })
    at += 2 ** height
  }
  return found
}

/** Of the largest power of two that is not above `count`; logarithms of doubles are not exact enough. */
export function exponentWithin(count: number): number {
  let exponent = 0
  while (2 ** (exponent + 1) <= count) exponent++
  return exponent
}

/** Where an appender goes on, from stored hashes. */
export function frontierAt(size: number, read: (subtree: Subtree) => Uint8Array): Frontier {
  return { size, subtrees: subtreesOf(0, size).map(read) }
}

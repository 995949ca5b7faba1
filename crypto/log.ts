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

export const emptyLog: Frontier = { size: 0, subtrees: [] }

/** SHA-256 of 0x00 ‖ entry. */
export function leafHash(entry: Uint8Array): Uint8Array {
  return createHash('sha256').update(Uint8Array.of(0)).update(entry).digest()
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest()
}

export function append(frontier: Frontier, leaf: Uint8Array): Frontier {
  const subtrees = [...frontier.subtrees]
  let node = leaf
  // Every trailing one bit of the size is a perfect subtree that the new leaf completes.
  for (let size = frontier.size; size % 2 === 1; size = (size - 1) / 2) {
    node = nodeHash(subtrees.pop() as Uint8Array, node)
  }
  return { size: frontier.size + 1, subtrees: [...subtrees, node] }
}

/** The tree head's root hash: 32 bytes. */
export function root(frontier: Frontier): Uint8Array {
  const [last, ...larger] = [...frontier.subtrees].reverse()
  if (last === undefined) return createHash('sha256').digest()
  return larger.reduce((right, left) => nodeHash(left, right), last)
}

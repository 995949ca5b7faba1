import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { append, emptyLog, leafHash, root } from './log.ts'

const hash = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()

/** RFC 6962 § 2.1 word by word: MTH of nothing, of one entry, and of a split at the largest power of two below n. */
function mth(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length === 0) return hash()
  if (entries.length === 1) return hash(Uint8Array.of(0), entries[0] as Uint8Array)
  let k = 1
  while (2 * k < entries.length) k *= 2
  return hash(Uint8Array.of(1), mth(entries.slice(0, k)), mth(entries.slice(k)))
}

function rootOf(entries: readonly Uint8Array[]): string {
  const frontier = entries.reduce((log, entry) => append(log, leafHash(entry)), emptyLog)
  expect(frontier.size).toBe(entries.length)
  return Buffer.from(root(frontier)).toString('hex')
}

describe('the Merkle tree', () => {
  // Entries and roots of the reference implementation, github.com/google/certificate-transparency, merkle_tree_test.
  const entries = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
  const roots = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ]
  test.each(roots.map((expected, size) => [size, expected] as const))(
    'of %i entries has the known root',
    (size, expected) => {
      const first = entries.slice(0, size).map(entry => Buffer.from(entry, 'hex'))
      expect(rootOf(first)).toBe(expected)
      expect(Buffer.from(mth(first)).toString('hex')).toBe(expected)
    },
  )

  test('of any entries has the root that RFC 6962 defines', () => {
    const anything = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 70 })
    fc.assert(fc.property(anything, log => void expect(rootOf(log)).toBe(Buffer.from(mth(log)).toString('hex'))))
  })

  test('does not change by being read, and an earlier frontier can be gone on with', () => {
    const first = append(emptyLog, leafHash(Uint8Array.of(1)))
    const before = Buffer.from(root(first)).toString('hex')
    const left = append(first, leafHash(Uint8Array.of(2)))
    const right = append(first, leafHash(Uint8Array.of(3)))
    expect(Buffer.from(root(first)).toString('hex')).toBe(before)
    expect(root(left)).not.toEqual(root(right))
    expect(emptyLog.subtrees).toEqual([])
  })

  test('tells a leaf from a node', () => {
    const two = append(append(emptyLog, leafHash(Uint8Array.of(1))), leafHash(Uint8Array.of(2)))
    const forged = Buffer.concat([leafHash(Uint8Array.of(1)), leafHash(Uint8Array.of(2))])
    expect(rootOf([forged])).not.toBe(Buffer.from(root(two)).toString('hex'))
  })
})

import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { entryOf, type Layers, type LogLayer } from '../layers.ts'
import { Refusal } from './parameters.ts'
import { fingerprint } from './signatures.ts'

/** specs/log.md, with the recursive definitions of RFC 6962 § 2.1. */

type Bytes = Uint8Array
const sha256 = (...parts: Bytes[]): Bytes => new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest())
const leaf = (entry: Bytes) => sha256(Uint8Array.of(0), entry)
const node = (left: Bytes, right: Bytes) => sha256(Uint8Array.of(1), left, right)
const hex = (bytes: Bytes) => Buffer.from(bytes).toString('hex')
const text = (entry: { typ: string; message: string }) => Buffer.from(`${entry.typ} ${entry.message}`)
const leavesOf = (entries: number) => Array.from({ length: entries }, (_, i) => leaf(text(entryOf(i))))

/** The largest power of two below n. */
function split(n: number): number {
  let k = 1
  while (2 * k < n) k *= 2
  return k
}

function treeHash(leaves: readonly Bytes[]): Bytes {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return leaves[0] as Bytes
  const k = split(leaves.length)
  return node(treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)))
}

function path(m: number, leaves: readonly Bytes[]): Bytes[] {
  if (leaves.length === 1) return []
  const k = split(leaves.length)
  return m < k
    ? [...path(m, leaves.slice(0, k)), treeHash(leaves.slice(k))]
    : [...path(m - k, leaves.slice(k)), treeHash(leaves.slice(0, k))]
}

function subproof(m: number, leaves: readonly Bytes[], isKnown: boolean): Bytes[] {
  if (m === leaves.length) return isKnown ? [] : [treeHash(leaves)]
  const k = split(leaves.length)
  return m <= k
    ? [...subproof(m, leaves.slice(0, k), isKnown), treeHash(leaves.slice(k))]
    : [...subproof(m - k, leaves.slice(k), false), treeHash(leaves.slice(0, k))]
}

const bad = (why: string) => new Refusal('bad-proof', why)

function hashesOf(hashes: readonly string[]): Bytes[] {
  if (!hashes.every(one => /^[0-9a-f]{64}$/.test(one))) throw bad('a hash has 64 hexadecimal digits')
  return hashes.map(one => new Uint8Array(Buffer.from(one, 'hex')))
}

/** The root that follows from entry m of n and what PATH would have. */
function rootFrom(m: number, n: number, own: Bytes, hashes: readonly Bytes[]): Bytes {
  const last = hashes.at(-1)
  if (n === 1 || last === undefined) {
    if (n === 1 && last === undefined) return own
    throw bad('another number of hashes')
  }
  const [k, rest] = [split(n), hashes.slice(0, -1)]
  return m < k ? node(rootFrom(m, k, own, rest), last) : node(last, rootFrom(m - k, n - k, own, rest))
}

/** Both roots that follow from what SUBPROOF would have. */
function rootsFrom(m: number, n: number, known: Bytes | undefined, hashes: readonly Bytes[]): [Bytes, Bytes] {
  const [own, ...more] = hashes
  if (m === n) {
    const both = known ?? own
    if (both === undefined || (known === undefined ? more.length : hashes.length) > 0)
      throw bad('a hash too many or too few')
    return [both, both]
  }
  const last = hashes.at(-1)
  if (last === undefined) throw bad('a hash too few')
  const [k, rest] = [split(n), hashes.slice(0, -1)]
  if (m <= k) {
    const [older, newer] = rootsFrom(m, k, known, rest)
    return [older, node(newer, last)]
  }
  const [older, newer] = rootsFrom(m - k, n - k, undefined, rest)
  return [node(last, older), node(last, newer)]
}

function keyId(name: string, publicKey: string): Bytes {
  return sha256(Buffer.from(`${name}\n\x01`), Buffer.from(publicKey, 'base64url')).slice(0, 4)
}

function note(origin: string, size: number, root: string): string {
  return `${origin}\n${size}\n${Buffer.from(root, 'hex').toString('base64')}\n`
}

function verifyCheckpoint(checkpoint: string, publicKey: string): { size: number; root: string } {
  const refuse = (why: string) => new Refusal('bad-checkpoint', why)
  const lines = checkpoint.split('\n')
  const origin = `inbond/${fingerprint(publicKey)}`
  const [size, root] = [Number(lines[1]), Buffer.from(lines[2] ?? '', 'base64').toString('hex')]
  const signature = Buffer.from(lines[4]?.split(' ')[2] ?? '', 'base64')
  // Written again, it must be the same.
  const written = `${note(origin, size, root)}\n\u2014 ${origin} ${signature.toString('base64')}\n`
  if (
    written !== checkpoint ||
    !Number.isSafeInteger(size) ||
    size < 0 ||
    root.length !== 64 ||
    signature.length !== 68
  ) {
    throw refuse('not written as a checkpoint of this coordinator is')
  }
  if (!signature.subarray(0, 4).equals(keyId(origin, publicKey))) throw refuse('another key')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' })
  if (!verify(null, Buffer.from(note(origin, size, root)), key, signature.subarray(4)))
    throw refuse('another signature')
  return { size, root }
}

/** Of a tile: its level, undefined for a bundle, the first of what is in it, and how many. */
function placeOf(name: string): { level: number | undefined; first: number; width: number } {
  const missing = new Refusal('not-found', `no tile ${name}`)
  const [whole = '', width] = name.split('.p/')
  const [level = '', ...groups] = whole.split('/')
  const last = groups.at(-1) ?? ''
  const isGrouped = groups.slice(0, -1).every(one => /^x\d\d\d$/.test(one)) && /^\d\d\d$/.test(last)
  const isShort = groups.length === 1 || groups[0] !== 'x000'
  const isWidth = width === undefined || (/^[1-9]\d*$/.test(width) && Number(width) < 256)
  const isLevel = level === 'entries' || (/^(0|[1-9]\d?)$/.test(level) && Number(level) < 64)
  if (!isGrouped || !isShort || !isWidth || !isLevel || name.split('.p/').length > 2) throw missing
  const index = Number(groups.join('').replaceAll('x', ''))
  return { level: level === 'entries' ? undefined : Number(level), first: 256 * index, width: Number(width ?? 256) }
}

function served(entries: number, name: string): Bytes {
  const { level, first, width } = placeOf(name)
  const per = 256 ** (level ?? 0)
  if ((first + width) * per > entries) throw new Refusal('not-found', 'past the end')
  const leaves = level === undefined ? [] : leavesOf(entries)
  return Buffer.concat(
    Array.from({ length: width }, (_, i) => {
      if (level !== undefined) return treeHash(leaves.slice((first + i) * per, (first + i + 1) * per))
      const entry = text(entryOf(first + i))
      return Buffer.concat([Uint8Array.of(entry.length >> 8, entry.length & 255), entry])
    }),
  )
}

function readEntries(bundle: Bytes, width: number): { typ: string; message: string }[] {
  const entries: { typ: string; message: string }[] = []
  let rest = Buffer.from(bundle)
  while (rest.length > 0) {
    const length = rest.length < 2 ? rest.length : rest.readUInt16BE(0)
    const entry = rest.subarray(2, 2 + length)
    const [, typ, message] = /^(inbond-[a-z][a-z-]{0,99}) ([0-9a-f]{64})$/.exec(entry.toString('latin1')) ?? []
    if (typ === undefined || message === undefined || entry.length !== length)
      throw new Refusal('bad-body', 'not an entry')
    entries.push({ typ, message })
    rest = rest.subarray(2 + length)
  }
  if (entries.length !== width) throw new Refusal('bad-body', `${entries.length} entries, not ${width}`)
  return entries
}

export const logLayers: Pick<Layers, LogLayer> = {
  'log-head': ({ entries }) => ({ size: entries, root: hex(treeHash(leavesOf(entries))) }),
  'inclusion-proof': ({ entries, index }) => ({ hashes: path(index, leavesOf(entries)).map(hex) }),
  'consistency-proof': ({ entries, earlier }) => ({
    hashes: earlier === 0 ? [] : subproof(earlier, leavesOf(entries), true).map(hex),
  }),
  'verify-inclusion': ({ entry, index, hashes, size, root }) => {
    if (index >= size) throw bad('not so many entries')
    if (hex(rootFrom(index, size, leaf(entry), hashesOf(hashes))) !== root) throw bad('another root')
    return {}
  },
  'verify-consistency': ({ earlier, later, hashes }) => {
    if (earlier.size > later.size) throw bad('a longer log')
    if (earlier.size === 0) {
      if (hashes.length > 0 || earlier.root !== hex(sha256())) throw bad('not the empty log')
      return {}
    }
    const known = new Uint8Array(Buffer.from(earlier.root, 'hex'))
    const [older, newer] = rootsFrom(earlier.size, later.size, known, hashesOf(hashes))
    if (hex(older) !== earlier.root || hex(newer) !== later.root) throw bad('another root')
    return {}
  },
  'sign-checkpoint': ({ privateKey, publicKey, size, root }) => {
    const origin = `inbond/${fingerprint(publicKey)}`
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: publicKey, d: privateKey }
    const signature = sign(null, Buffer.from(note(origin, size, root)), createPrivateKey({ key: jwk, format: 'jwk' }))
    const signed = Buffer.concat([keyId(origin, publicKey), signature]).toString('base64')
    return { checkpoint: `${note(origin, size, root)}\n\u2014 ${origin} ${signed}\n` }
  },
  'verify-checkpoint': ({ publicKey, checkpoint }) => verifyCheckpoint(checkpoint, publicKey),
  tile: ({ entries, path: name }) => ({ bytes: served(entries, name) }),
  'read-entries': ({ bundle, width }) => ({ entries: readEntries(bundle, width) }),
}

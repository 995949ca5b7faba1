import { append, type Frontier, HASH_BYTES, leafHash } from '#crypto/log.ts'
import { fault } from './errors.ts'

/**
 * How the coordinator's log travels: entries, and the hashes of its Merkle tree in tiles, at addresses that never change what
 * they hold (c2sp.org/tlog-tiles). Nothing in them is signed; they are believed as far as a signed head confirms them.
 */

/** A signed event: the `typ` and the id of its message. */
export interface LogEntry {
  readonly typ: string
  readonly message: string
}

/** Of a full tile. */
export const TILE_WIDTH = 256
/** Levels of the tree that a tile spans: the hashes of level L are of subtrees of 256^L entries. */
export const TILE_HEIGHT = 8
const HIGHEST_LEVEL = 63

export interface Tile {
  /** `entries` is a bundle of entries; 0 has the hashes of the same entries. */
  readonly level: number | 'entries'
  readonly index: number
  /** How many entries or hashes: 1 to 256. */
  readonly width: number
}

/** What follows `/log/tile/`. */
export function tilePath({ level, index, width }: Tile): string {
  const digits = String(index)
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/\d{3}/g) as string[]
  const path = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')
  return `${level}/${path}${width === TILE_WIDTH ? '' : `.p/${width}`}`
}

const PATH = /^(entries|\d|[1-9]\d)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/

/** @throws InbondError `not-found` for what is not the one way to write a tile's path */
export function parseTilePath(path: string): Tile {
  const [, level = '', index = '', width = String(TILE_WIDTH)] = PATH.exec(path) ?? []
  const tile = {
    level: level === 'entries' ? level : Number(level),
    index: Number(index.replaceAll(/[x/]/g, '')),
    width: Number(width),
  } as const
  const isThere =
    Number.isSafeInteger(tile.index) &&
    (tile.level === 'entries' || tile.level <= HIGHEST_LEVEL) &&
    tile.width <= TILE_WIDTH &&
    tilePath(tile) === path
  if (level === '' || !isThere) throw fault('not-found', 'there is no tile of this name: see specs/log.md')
  return tile
}

/** The bytes that a leaf of the log is the hash of. */
export function entryBytes({ typ, message }: LogEntry): Uint8Array {
  return new TextEncoder().encode(`${typ} ${message}`)
}

/** The tree with one more entry. */
export function extend(frontier: Frontier, entry: LogEntry): Frontier {
  return append(frontier, leafHash(entryBytes(entry)))
}

/** Entries one after the other, each after its length in two bytes, big endian. */
export function bundleOf(entries: readonly LogEntry[]): Uint8Array {
  return Buffer.concat(
    entries.map(entryBytes).flatMap(bytes => [Uint8Array.of(bytes.length >> 8, bytes.length), bytes]),
  )
}

const LONGEST_ENTRY = 200
/** Of a full one, in bytes. */
export const LONGEST_BUNDLE = TILE_WIDTH * (2 + LONGEST_ENTRY)
const ENTRY = /^(inbond-[a-z][a-z-]{0,99}) ([0-9a-f]{64})$/

/**
 * @param width how many entries the bundle has
 * @throws InbondError `bad-body`
 */
export function entriesOf(bundle: Uint8Array, width: number): LogEntry[] {
  const bytes = Buffer.from(bundle.buffer, bundle.byteOffset, bundle.length)
  const entries: LogEntry[] = []
  let at = 0
  while (at + 2 <= bytes.length && entries.length < width) {
    const end = at + 2 + bytes.readUInt16BE(at)
    const [, typ, message] = ENTRY.exec(bytes.toString('latin1', at + 2, Math.min(end, bytes.length))) ?? []
    if (typ === undefined || message === undefined || end > bytes.length) break
    entries.push({ typ, message })
    at = end
  }
  if (at === bytes.length && entries.length === width) return entries
  throw fault('bad-body', `this is not a bundle of ${width} entries of a log`)
}

/**
 * @param width how many hashes the tile has
 * @throws InbondError `bad-body`
 */
export function hashesOf(tile: Uint8Array, width: number): Uint8Array[] {
  if (tile.length !== width * HASH_BYTES) throw fault('bad-body', `this is not a tile of ${width} hashes`)
  return Array.from({ length: width }, (_, i) => tile.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES))
}

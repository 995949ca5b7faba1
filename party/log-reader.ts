import { type Checkpoint, verifyCheckpoint } from '#crypto/checkpoint.ts'
import { append, emptyLog, frontierAt, headOf, type LogHead, root, type Subtree, subtreesOf } from '#crypto/log.ts'
import { consistencyOutline, proofOf, verifyConsistency } from '#crypto/log-proofs.ts'
import type { PublicKey } from '#crypto/signature.ts'
import { fault } from '#specs/errors.ts'
import {
  entriesOf,
  extend,
  hashesOf,
  LONGEST_BUNDLE,
  type LogEntry,
  TILE_HEIGHT,
  TILE_WIDTH,
  type Tile,
  tilePath,
} from '#specs/log-tiles.ts'
import type { Connection } from './connection.ts'

const LONGEST_CHECKPOINT = 1000
/** A tile is answered within this time. */
const PATIENCE_MS = 60_000

/**
 * Reads the coordinator's log. Entries and hashes are what the coordinator says; a head that it signed confirms them, through
 * `verifiedEntries` and `verifyExtension`, or a frontier (`extend`) and `headOf`. Sizes given to it are those of heads that the coordinator signed.
 */
export class LogReader {
  readonly #connection: Pick<Connection, 'stream'>

  constructor(connection: Pick<Connection, 'stream'>) {
    this.#connection = connection
  }

  /** The newest signed head. @throws InbondError like `Connection.stream`, `bad-checkpoint` */
  async checkpoint(publicKey: PublicKey, signal?: AbortSignal): Promise<Checkpoint> {
    const bytes = await this.#read('/log/checkpoint', LONGEST_CHECKPOINT, signal)
    return verifyCheckpoint(Buffer.from(bytes).toString(), publicKey)
  }

  /**
   * Entries `from`, counted from 0, to before `to`, unverified, 256 at a time.
   * @throws InbondError like `Connection.stream`, `bad-body`
   */
  async *readEntries(from: number, to: number, signal?: AbortSignal): AsyncGenerator<LogEntry> {
    for (let at = from; at < to; at = at - (at % TILE_WIDTH) + TILE_WIDTH) {
      const first = at - (at % TILE_WIDTH)
      const width = Math.min(TILE_WIDTH, to - first)
      const bundle = await this.#tile({ level: 'entries', index: first / TILE_WIDTH, width }, signal)
      yield* entriesOf(bundle, width).slice(at - first)
    }
  }

  /**
   * Entries `from` to before `to` of the log with this head: no others, none left out.
   * @throws InbondError like `readEntries`, `bad-proof`
   */
  async verifiedEntries(from: number, to: number, head: LogHead, signal?: AbortSignal): Promise<LogEntry[]> {
    const entries = await Array.fromAsync(this.readEntries(from, to, signal))
    const hashes = await this.#hashes(subtreesOf(0, from), head.size, signal)
    const end = headOf(entries.reduce(extend, frontierAt(from, hashes)))
    verifyConsistency(end, head, await this.#consistency(end, head, signal))
    return entries
  }

  /**
   * Makes sure that the log with the earlier head is the beginning of the log with the later one.
   * @throws InbondError like `Connection.stream`, `log-not-extended`
   */
  async verifyExtension(earlier: LogHead, later: LogHead, signal?: AbortSignal): Promise<void> {
    const differs = (cause?: unknown) =>
      fault(
        'log-not-extended',
        `the log of ${later.size} entries does not begin with the ${earlier.size} shown before`,
        cause,
      )
    if (later.size < earlier.size) throw differs()
    const proof = await this.#consistency(earlier, later, signal)
    try {
      verifyConsistency(earlier, later, proof)
    } catch (cause) {
      throw differs(cause)
    }
  }

  /** Made of what the coordinator says, and good for nothing until it is verified. */
  async #consistency(earlier: LogHead, later: LogHead, signal?: AbortSignal): Promise<Uint8Array[]> {
    const outline = consistencyOutline(earlier.size, later.size)
    return proofOf(outline, await this.#hashes(outline.flat(), later.size, signal))
  }

  /** Fetches the tiles of a log of this size that have these subtrees, or what they are made of. */
  async #hashes(subtrees: readonly Subtree[], size: number, signal?: AbortSignal) {
    const tiles = new Map<string, Uint8Array[]>()
    for (const tile of subtrees.map(subtree => tileOf(subtree, size))) {
      const path = tilePath(tile)
      if (!tiles.has(path)) tiles.set(path, hashesOf(await this.#tile(tile, signal), tile.width))
    }
    return (subtree: Subtree): Uint8Array => {
      const count = hashesIn(subtree)
      const first = (subtree.index * count) % TILE_WIDTH
      const hashes = tiles.get(tilePath(tileOf(subtree, size)))?.slice(first, first + count) ?? []
      return root(hashes.reduce((frontier, hash) => append(frontier, hash), emptyLog))
    }
  }

  #tile(tile: Tile, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#read(`/log/tile/${tilePath(tile)}`, LONGEST_BUNDLE, signal)
  }

  async #read(path: string, most: number, signal?: AbortSignal): Promise<Uint8Array> {
    const patience = AbortSignal.any([AbortSignal.timeout(PATIENCE_MS), ...(signal ? [signal] : [])])
    const parts: Uint8Array[] = []
    let length = 0
    for await (const part of await this.#connection.stream(path, patience)) {
      length += part.length
      if (length > most) throw fault('bad-body', `${path} is longer than it can be`)
      parts.push(part)
    }
    return Buffer.concat(parts)
  }
}

/** How many hashes of its tile a subtree is over: 1 to 128. */
function hashesIn({ height }: Subtree): number {
  return 2 ** (height % TILE_HEIGHT)
}

/** The tile with the hashes that a perfect subtree is over, as wide as it is in a log of this size. */
function tileOf(subtree: Subtree, size: number): Tile {
  const level = Math.floor(subtree.height / TILE_HEIGHT)
  const index = Math.floor((subtree.index * hashesIn(subtree)) / TILE_WIDTH)
  const complete = Math.floor(size / TILE_WIDTH ** level)
  return { level, index, width: Math.min(TILE_WIDTH, complete - index * TILE_WIDTH) }
}

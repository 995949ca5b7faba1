import { and, asc, between, eq, gt, inArray, lte, max, sql } from 'drizzle-orm'
import { signCheckpoint } from '#crypto/checkpoint.ts'
import { append, type Frontier, frontierAt, headOf, type LogHead, leafHash, type Subtree } from '#crypto/log.ts'
import { type ProofOutline, proofOf } from '#crypto/log-proofs.ts'
import type { IdentityKey } from '#crypto/signature.ts'
import type { PartyDatabase } from '#party/database.ts'
import { fault } from '#specs/errors.ts'
import { bundleOf, entryBytes, type LogEntry, TILE_HEIGHT, TILE_WIDTH, type Tile } from '#specs/log-tiles.ts'
import * as schema from './schema.ts'

export type Database = PartyDatabase<typeof schema>
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0]

/** How many entries are hashed at a time where there are no hashes yet. */
const BATCH = 10_000

/**
 * The append-only record of signed events: entries in the database, and with each entry the hashes of the perfect subtrees of
 * their Merkle tree (RFC 6962) that it completes. So heads, tiles and proofs take the logarithm of the log's size, and all
 * processes that have the database see the same log. An entry is the message's `typ`, a space and its id.
 */
export class EventLog {
  readonly #db: Database
  readonly #key: IdentityKey
  readonly #hashed: { get(): { last: number | null } | undefined }
  readonly #hashAt: { get(subtree: Record<string, unknown>): { hash: Buffer } | undefined }

  constructor(db: Database, key: IdentityKey) {
    this.#db = db
    this.#key = key
    const { height, index, hash } = schema.logHashes
    const leaves = db.select({ last: max(index) }).from(schema.logHashes)
    this.#hashed = leaves.where(eq(height, 0)).prepare()
    const isWanted = and(eq(height, sql.placeholder('height')), eq(index, sql.placeholder('index')))
    this.#hashAt = db.select({ hash }).from(schema.logHashes).where(isWanted).prepare()
    this.#hashEarlier()
  }

  /** To be called in the transaction that stores the message. */
  append(tx: Transaction, typ: string, message: string, at: number): void {
    tx.insert(schema.log).values({ typ, message, at }).run()
    this.#grow(tx, [{ typ, message }])
  }

  /** Size and root of what is committed. */
  head(): LogHead {
    return headOf(this.#frontier())
  }

  /** Whether a head is one that this log had: of a coordinator that was restored, documents may name others. */
  had({ size, root }: LogHead): boolean {
    if (size > this.#frontier().size) return false
    return headOf(frontierAt(size, subtree => this.#read(subtree))).root === root
  }

  /** Whether anything of a kind was appended after a head. */
  hasSince({ size }: LogHead, typ: string): boolean {
    const { index, typ: kind } = schema.log
    const later = and(gt(index, size), eq(kind, typ))
    return this.#db.select({ index }).from(schema.log).where(later).limit(1).get() !== undefined
  }

  /** The signed head: the same bytes as long as nothing is added. */
  checkpoint(head = this.head()): string {
    return signCheckpoint(this.#key, head)
  }

  /** The hashes of proofs about heads that the log has or had, each read once. */
  proofs(outlines: readonly ProofOutline[]): Uint8Array[][] {
    const known = new Map<string, Uint8Array>()
    const read = (subtree: Subtree) => {
      const name = `${subtree.height}/${subtree.index}`
      const hash = known.get(name) ?? this.#read(subtree)
      known.set(name, hash)
      return hash
    }
    return outlines.map(outline => proofOf(outline, read))
  }

  /** Where messages are in the log, from 0, by their ids. */
  indicesOf(messages: readonly string[]): ReadonlyMap<string, number> {
    const { log } = schema
    const found = this.#db
      .select({ index: log.index, message: log.message })
      .from(log)
      .where(inArray(log.message, [...messages]))
      .all()
    return new Map(found.map(one => [one.message, one.index - 1]))
  }

  /**
   * The hashes of a tile one after the other, or a bundle of entries.
   * @throws InbondError `not-found` if the log does not go so far
   */
  tile({ level, index, width }: Tile): Uint8Array {
    const first = index * TILE_WIDTH
    if (level === 'entries') return bundleOf(whole(this.#entries(first, width), width))
    const { logHashes } = schema
    const hashes = this.#db
      .select({ hash: logHashes.hash })
      .from(logHashes)
      .where(and(eq(logHashes.height, level * TILE_HEIGHT), between(logHashes.index, first, first + width - 1)))
      .orderBy(asc(logHashes.index))
      .all()
    return Buffer.concat(whole(hashes, width).map(one => one.hash))
  }

  #entries(first: number, count: number): LogEntry[] {
    const { index, typ, message } = schema.log
    return this.#db
      .select({ typ, message })
      .from(schema.log)
      .where(and(gt(index, first), lte(index, first + count)))
      .orderBy(asc(index))
      .all()
  }

  #read({ height, index }: Subtree): Uint8Array {
    const found = this.#hashAt.get({ height, index })
    if (found === undefined) throw new Error(`the log has no hash ${index} of height ${height}`)
    return found.hash
  }

  #frontier(): Frontier {
    const last = this.#hashed.get()?.last ?? null
    return frontierAt(last === null ? 0 : last + 1, subtree => this.#read(subtree))
  }

  #grow(tx: Transaction, entries: readonly LogEntry[]): void {
    let frontier = this.#frontier()
    for (const entry of entries) {
      frontier = append(frontier, leafHash(entryBytes(entry)), (subtree, hash) => {
        tx.insert(schema.logHashes)
          .values({ ...subtree, hash: Buffer.from(hash) })
          .run()
      })
    }
  }

  /** Entries that were written before their hashes were stored. */
  #hashEarlier(): void {
    while (this.#isBehind()) {
      this.#db.transaction(tx => this.#grow(tx, this.#entries(this.#frontier().size, BATCH)))
    }
  }

  #isBehind(): boolean {
    const last = this.#db
      .select({ last: max(schema.log.index) })
      .from(schema.log)
      .get()?.last
    return (last ?? 0) > this.#frontier().size
  }
}

function whole<T>(found: readonly T[], width: number): readonly T[] {
  if (found.length < width) throw fault('not-found', 'the log does not go so far')
  return found
}

import { desc } from 'drizzle-orm'
import { append, emptyLog, type Frontier, HASH_BYTES, headOf, type LogHead, leafHash } from '#crypto/log.ts'
import { LogReader } from '#party/log-reader.ts'
import { fault } from '#specs/errors.ts'
import { entryBytes } from '#specs/log-tiles.ts'
import { charter, cohort, confirmation, consent, revocation, voidCertificate } from '#specs/messages.ts'
import type { Node } from './node.ts'
import { logEntries, logReading } from './schema.ts'

/**
 * The coordinator's log as this node has read it: every entry went through its own Merkle tree, so that what was once shown can
 * never be shown otherwise. Of the entries it keeps those that it goes by.
 */

const GONE_BY = [cohort, voidCertificate, revocation]
/** A restored node looks there for what it signed: restored.ts. */
const SIGNED = [charter, consent, confirmation]
const KEPT: ReadonlySet<string> = new Set([...GONE_BY, ...SIGNED].map(one => one.typ))

/**
 * Reads the log up to a head, or makes sure that an older head is one that the log had.
 * @throws InbondError `log-not-extended` if the head is of another history than the one that this node has read
 */
export async function followLog(node: Node, head: LogHead, signal?: AbortSignal): Promise<void> {
  const reader = new LogReader(node.connection)
  for (;;) {
    const { history, read } = readSoFar(node)
    if (head.size <= read.size) {
      await reader.verifyExtension(head, headOf(read), signal).catch(error => {
        // Its log ends before what it showed once.
        throw error.code === 'not-found' ? anotherHistory(head, read, error) : error
      })
      return
    }
    let frontier = read
    const kept: (typeof logEntries.$inferInsert)[] = []
    for await (const entry of reader.readEntries(read.size, head.size, signal)) {
      if (KEPT.has(entry.typ)) kept.push({ history, index: frontier.size, ...entry })
      frontier = append(frontier, leafHash(entryBytes(entry)))
    }
    if (headOf(frontier).root !== head.root) {
      throw anotherHistory(head, read)
    }
    if (keep(node, read, frontier, kept)) return
  }
}

function anotherHistory(head: LogHead, read: Frontier, cause?: unknown) {
  const reason = `a log of ${head.size} entries is shown that is not the one of which this node has read ${read.size}`
  return fault('log-not-extended', reason, cause)
}

/** What two items of work read at the same time is kept once. */
function keep(node: Node, from: Frontier, to: Frontier, entries: readonly (typeof logEntries.$inferInsert)[]): boolean {
  return node.db.transaction(tx => {
    const { history, read } = readSoFar({ db: tx })
    if (read.size !== from.size) return false
    for (const one of entries) tx.insert(logEntries).values(one).onConflictDoNothing().run()
    const row = { size: to.size, subtrees: Buffer.concat(to.subtrees) }
    tx.insert(logReading)
      .values({ history, since: 0, ...row })
      .onConflictDoUpdate({ target: logReading.history, set: row })
      .run()
    return true
  })
}

/**
 * Goes on with another history than the one that this node has read, because a person says so: a coordinator that was restored from a
 * backup has no other. What the node knows of cohorts stays and counts; it reads the log again from its beginning.
 */
export function acceptHistory(node: Pick<Node, 'db' | 'clock'>): void {
  node.db.transaction(tx => {
    const { history } = readSoFar({ db: tx })
    const row = { history: history + 1, since: node.clock.now(), size: 0, subtrees: Buffer.alloc(0) }
    tx.insert(logReading).values(row).run()
  })
}

/** The history that this node goes by, since when, and as far as it has read it. */
export function readSoFar({ db }: { readonly db: Pick<Node['db'], 'select'> }): {
  readonly history: number
  readonly since: number
  readonly read: Frontier
} {
  const row = db.select().from(logReading).orderBy(desc(logReading.history)).limit(1).get()
  if (row === undefined) return { history: 1, since: 0, read: emptyLog }
  const count = row.subtrees.length / HASH_BYTES
  const subtrees = Array.from({ length: count }, (_, i) => row.subtrees.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES))
  return { history: row.history, since: row.since, read: { size: row.size, subtrees } }
}

import { asc, gte } from 'drizzle-orm'
import { append, emptyLog, type Frontier, leafHash, root } from '#crypto/log.ts'
import type { PartyDatabase } from '#party/database.ts'
import * as schema from './schema.ts'

export type Database = PartyDatabase<typeof schema>
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0]

/**
 * The append-only record of signed events: entries in the database, the head of their Merkle tree (RFC 6962) from a frontier
 * that catches up with them, whichever process wrote them. An entry is the message's `typ`, a space and its id.
 */
export class EventLog {
  readonly #db: Database
  #frontier: Frontier = emptyLog

  constructor(db: Database) {
    this.#db = db
  }

  append(tx: Database | Transaction, typ: string, message: string, at: number): void {
    tx.insert(schema.log).values({ typ, message, at }).run()
  }

  /** Size and root of what is committed. */
  head(): { size: number; root: string } {
    const entries = this.#db
      .select()
      .from(schema.log)
      .where(gte(schema.log.index, this.#frontier.size + 1))
      .orderBy(asc(schema.log.index))
      .all()
    for (const { typ, message } of entries) {
      this.#frontier = append(this.#frontier, leafHash(new TextEncoder().encode(`${typ} ${message}`)))
    }
    return { size: this.#frontier.size, root: Buffer.from(root(this.#frontier)).toString('hex') }
  }
}

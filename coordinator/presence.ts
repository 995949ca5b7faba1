import { eq } from 'drizzle-orm'
import type { Database } from './event-log.ts'
import { parties } from './schema.ts'

const WRITE_EVERY_MS = 10_000
/** Who was away for longer has come back, which people want to see at once. */
const AWAY_MS = 60_000

/** When each party was here last: noted at each of its requests, and written for all together, since a write waits for the disk. */
export class Presence {
  readonly #seen = new Map<string, number>()
  readonly #unwritten = new Set<string>()
  #writtenAt = 0
  #isDue = false

  /** @param at milliseconds since 1970 */
  note(fingerprint: string, at: number): void {
    const before = this.#seen.get(fingerprint)
    if (before === undefined || at - before > AWAY_MS) this.#isDue = true
    this.#seen.set(fingerprint, at)
    this.#unwritten.add(fingerprint)
  }

  /** To be called as time passes; writes every ten seconds, and at once who came, or came back. */
  write(db: Database, now: number): void {
    if (this.#unwritten.size === 0) return
    if (!this.#isDue && Math.abs(now - this.#writtenAt) < WRITE_EVERY_MS) return
    db.transaction(tx => {
      for (const fingerprint of this.#unwritten) {
        const lastSeenAt = this.#seen.get(fingerprint)
        tx.update(parties).set({ lastSeenAt }).where(eq(parties.fingerprint, fingerprint)).run()
      }
    })
    this.#unwritten.clear()
    this.#writtenAt = now
    this.#isDue = false
  }
}

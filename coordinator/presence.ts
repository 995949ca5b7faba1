import { eq } from 'drizzle-orm'
import type { Database } from './event-log.ts'
import { parties } from './schema.ts'

const WRITE_EVERY_MS = 10_000

/** When each party was here last: noted at each of its requests, and written for all together, since a write waits for the disk. */
export class Presence {
  readonly #seen = new Map<string, number>()
  #writtenAt = 0

  /** @param at milliseconds since 1970 */
  note(fingerprint: string, at: number): void {
    this.#seen.set(fingerprint, at)
  }

  /** To be called as time passes; writes every ten seconds. */
  write(db: Database, now: number): void {
    if (this.#seen.size === 0 || Math.abs(now - this.#writtenAt) < WRITE_EVERY_MS) return
    db.transaction(tx => {
      for (const [fingerprint, at] of this.#seen) {
        tx.update(parties).set({ lastSeenAt: at }).where(eq(parties.fingerprint, fingerprint)).run()
      }
    })
    this.#seen.clear()
    this.#writtenAt = now
  }
}

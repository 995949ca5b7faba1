import { createHash } from 'node:crypto'
import { desc } from 'drizzle-orm'
import { stringify } from 'yaml'
import type { Clock } from '#party/clock.ts'
import { readTextFile } from '#party/command.ts'
import type { Database } from './node.ts'
import { type Policy, parsePolicy, presets } from './policy.ts'
import { policies } from './schema.ts'

/** The policy by which a question is judged. */
export interface PolicyInForce {
  readonly rules: Policy
  /** 1 for a node's first, and one more with every change. */
  readonly version: number
  /** SHA-256 of its text, in hex: what consents and refusals name. */
  readonly hash: string
}

/**
 * The text of a policy: a preset, or what stands in a file.
 * @throws InbondError `file-not-readable`
 */
export async function policyText(name: string): Promise<string> {
  return Object.hasOwn(presets, name) ? stringify(presets[name]) : readTextFile(name)
}

/** @throws InbondError `bad-policy`, `file-not-readable` */
export async function readPolicy(name: string): Promise<Policy> {
  return parsePolicy(await policyText(name))
}

/**
 * Reads a node's policy anew for every question and writes down each one that was in force. While it cannot be read, the one before
 * stays in force: a slip of the pen opens nothing and closes nothing.
 */
export class PolicyKeeper {
  readonly #db: Database
  readonly #clock: Pick<Clock, 'now'>
  readonly #read: () => Promise<string>
  /** Told when it cannot be read, or cannot for another reason, and with undefined when it can be again. */
  onTrouble: (trouble: Error | undefined) => void = () => undefined
  #trouble: Error | undefined

  constructor(db: Database, clock: Pick<Clock, 'now'>, read: () => Promise<string>) {
    this.#db = db
    this.#clock = clock
    this.#read = read
  }

  /** Why the policy could not be read the last time, if it could not. */
  get trouble(): Error | undefined {
    return this.#trouble
  }

  /** @throws InbondError `bad-policy`, `file-not-readable`, if none was ever in force */
  async inForce(): Promise<PolicyInForce> {
    try {
      const text = await this.#read()
      const rules = parsePolicy(text)
      this.#note(undefined)
      return { rules, ...this.#record(text) }
    } catch (error) {
      const last = latestPolicy(this.#db)
      if (last === undefined) throw error
      this.#note(error as Error)
      return { rules: parsePolicy(last.text), version: last.version, hash: last.sha256 }
    }
  }

  #note(trouble: Error | undefined): void {
    const isNews = trouble?.message !== this.#trouble?.message
    this.#trouble = trouble
    if (isNews) this.onTrouble(trouble)
  }

  #record(text: string): { version: number; hash: string } {
    const sha256 = createHash('sha256').update(text).digest('hex')
    return this.#db.transaction(() => {
      const last = latestPolicy(this.#db)
      if (last?.sha256 === sha256) return { version: last.version, hash: sha256 }
      const version = (last?.version ?? 0) + 1
      this.#db.insert(policies).values({ version, sha256, text, since: this.#clock.now() }).run()
      return { version, hash: sha256 }
    })
  }
}

/** The policy that was in force last. */
export function latestPolicy(db: Database): typeof policies.$inferSelect | undefined {
  return db.select().from(policies).orderBy(desc(policies.version)).limit(1).get()
}

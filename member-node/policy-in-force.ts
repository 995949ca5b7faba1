import { createHash } from 'node:crypto'
import { asc, desc, gt } from 'drizzle-orm'
import { stringify } from 'yaml'
import { InbondError } from '#crypto/error.ts'
import { readTextFile } from '#party/command.ts'
import { fault } from '#specs/errors.ts'
import type { Database, Node } from './node.ts'
import { type Policy, type PolicyInForce, parsePolicy, presets, signaturesToFollow } from './policy.ts'
import { type Signers, type Succession, signersOf } from './policy-signatures.ts'
import { policies } from './schema.ts'

type Row = typeof policies.$inferSelect

/** A policy that is or was in force, and who let it follow the one before. */
export interface PolicyVersion extends PolicyInForce, Pick<Row, 'text' | 'since' | 'admittedBy'> {
  /** The stewards of the one before who signed it. */
  readonly signedBy: readonly string[]
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

/** The policy of the file waits for stewards of the one in force to sign it. */
export class UnsignedPolicy extends InbondError {
  readonly succession: Succession & { readonly rules: Policy }
  readonly signedBy: readonly string[]
  readonly signaturesNeeded: number
  /** Who did not sign yet. */
  readonly maySign: readonly string[]

  constructor(succession: UnsignedPolicy['succession'], { stewards: signedBy }: Signers) {
    const { rules } = succession.follows
    const needed = signaturesToFollow(rules)
    const maySign = rules.stewards.map(one => one.name).filter(name => !signedBy.includes(name))
    const signed = signedBy.length === 0 ? '' : `, by ${signedBy.join(', ')}`
    super(
      'unsigned-policy',
      `it has ${signedBy.length} of ${needed} signatures${signed}; ${maySign.join(', ')} may sign`,
    )
    this.succession = succession
    this.signedBy = signedBy
    this.signaturesNeeded = needed
    this.maySign = maySign
  }
}

/**
 * Reads a node's policy anew for every question and writes down each one that was in force. While it cannot be read, or waits for
 * signatures, the one before stays in force: a slip of the pen opens nothing and closes nothing.
 */
export class PolicyKeeper {
  readonly #node: Pick<Node, 'id' | 'db' | 'clock'>
  readonly #read: () => Promise<string>
  /** Told when what stands in the file does not come into force, or does not for another reason, and with undefined when it does. */
  onTrouble: (trouble: Error | undefined) => void = () => undefined
  #trouble: Error | undefined
  readonly #versions: PolicyVersion[] = []

  constructor(node: Pick<Node, 'id' | 'db' | 'clock'>, read: () => Promise<string>) {
    this.#node = node
    this.#read = read
  }

  /** Why what stood in the file the last time is not in force, if it is not. */
  get trouble(): Error | undefined {
    return this.#trouble
  }

  /** Every policy that was in force, as far as `inForce` has seen; the last one is. */
  get versions(): readonly PolicyVersion[] {
    return this.#versions
  }

  /** @throws InbondError `bad-policy`, `file-not-readable`, if none was ever in force */
  async inForce(): Promise<PolicyVersion> {
    try {
      const policy = await this.#enact(await this.#read())
      this.#note(undefined)
      return policy
    } catch (error) {
      await this.#follow().catch(() => undefined)
      const last = this.#versions.at(-1)
      if (last === undefined) throw error
      this.#note(error as Error)
      return last
    }
  }

  #note(trouble: Error | undefined): void {
    const isNews = trouble?.message !== this.#trouble?.message
    this.#trouble = trouble
    if (isNews) this.onTrouble(trouble)
  }

  /** Puts a text in force, if it is not and may be: again from the start where another process is quicker. */
  async #enact(text: string): Promise<PolicyVersion> {
    const hash = sha256(text)
    for (;;) {
      const last = await this.#follow()
      if (last?.hash === hash) return last
      const rules = parsePolicy(text)
      const { admittedBy } = await this.#admission(last, { hash, rules })
      const { db, clock } = this.#node
      const version = (last?.version ?? 0) + 1
      const row = { version, sha256: hash, text, since: clock.now(), admittedBy }
      db.transaction(() => {
        if (latestPolicy(db)?.version !== last?.version) return
        db.insert(policies)
          .values({ ...row, signaturesToFollow: signaturesToFollow(rules) })
          .run()
      })
    }
  }

  /** @throws UnsignedPolicy */
  async #admission(last: PolicyVersion | undefined, { hash, rules }: Pick<PolicyInForce, 'hash' | 'rules'>) {
    const needed = last === undefined ? 0 : signaturesToFollow(last.rules)
    if (last === undefined || needed === 0) return { admittedBy: 'nobody' as const, signedBy: [] }
    const succession = { hash, rules, follows: last }
    const signers = await signersOf(this.#node, succession)
    if (signers.stewards.length >= needed) return { admittedBy: 'stewards' as const, signedBy: signers.stewards }
    if (signers.node) return { admittedBy: 'node' as const, signedBy: signers.stewards }
    throw new UnsignedPolicy(succession, signers)
  }

  /**
   * Follows the policies in the database to the last one, each verified with the keys of the one before.
   * @throws InbondError `database-damaged` at one that its text or the signatures do not fit
   */
  async #follow(): Promise<PolicyVersion | undefined> {
    const seen = this.#versions.at(-1)?.version ?? 0
    const later = gt(policies.version, seen)
    for (const row of this.#node.db.select().from(policies).where(later).orderBy(asc(policies.version)).all()) {
      const before = this.#versions.at(-1)
      if (before !== undefined && row.version <= before.version) continue
      const version = await this.#verified(before, row)
      if (this.#versions.at(-1) === before) this.#versions.push(version)
    }
    return this.#versions.at(-1)
  }

  async #verified(before: PolicyVersion | undefined, row: Row): Promise<PolicyVersion> {
    const { version, sha256: hash, since, text } = row
    const read = { rules: parsePolicy(text), version, hash, text, since }
    if (hash !== sha256(text)) throw unfit(version, 'its text is another one')
    try {
      return { ...read, ...(await this.#admission(before, read)) }
    } catch (error) {
      if (!(error instanceof UnsignedPolicy)) throw error
      throw unfit(version, 'the stewards of the one before did not sign it')
    }
  }
}

function unfit(version: number, why: string): InbondError {
  return fault('database-damaged', `the database has a policy, version ${version}, that cannot be in force: ${why}`)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The policy that was in force last, as the database has it. */
export function latestPolicy(db: Database): Row | undefined {
  return db.select().from(policies).orderBy(desc(policies.version)).limit(1).get()
}

import { InbondError } from '#crypto/error.ts'
import type { IdentityKey, PublicKey } from '#crypto/signature.ts'
import type { Connection } from '#party/connection.ts'
import { fault } from '#specs/errors.ts'
import type { Charter, MemberId } from '#specs/messages.ts'
import type { VerifiedRound } from '#specs/rules/round.ts'

/**
 * The identity keys of a member. Which of them is in force is not for this node to say: it is the one that the charter in force names.
 * So nothing has to be moved where a charter puts another one in its place, and no crash can be between two steps of it.
 */

/** Where the keys are stored: oldest first, one at least. */
export interface KeyFile {
  /** @throws InbondError `not-initialised`, `wrong-passphrase`, `bad-key-file` */
  read(): Promise<readonly IdentityKey[]>
  /**
   * Stores others in their place, at once or not at all; durable when it returns.
   * @param change what becomes of those that are stored; called again where another process changed them meanwhile
   * @throws like `read`
   */
  change(change: (stored: readonly IdentityKey[]) => readonly IdentityKey[]): Promise<readonly IdentityKey[]>
}

export class Keyring {
  readonly #member: MemberId
  readonly #file: KeyFile
  readonly #wasInForce = new Set<PublicKey>()
  #keys: readonly IdentityKey[]
  #inForce: IdentityKey

  /** @param charters all that were in force, oldest first; none are needed for a single key */
  constructor(member: MemberId, file: KeyFile, keys: readonly IdentityKey[], charters: readonly Charter[]) {
    this.#member = member
    this.#file = file
    this.#keys = keys
    this.#inForce = keys[0] as IdentityKey
    for (const one of charters) this.follow(one)
  }

  /** Signs requests, and whatever is said under the charter in force. Where no charter names one of them, the first that there was. */
  get inForce(): IdentityKey {
    return this.#inForce
  }

  /** Every one that is stored, oldest first: any may have signed something. */
  get all(): readonly IdentityKey[] {
    return this.#keys
  }

  /** One that is to take the place of the key in force, and that no charter in force has named yet. */
  get waiting(): IdentityKey | undefined {
    return waitingIn(this.#keys, this.#inForce, this.#wasInForce)
  }

  /** Those in whose place a charter has put another one. */
  get replaced(): readonly IdentityKey[] {
    return this.#keys.filter(one => one !== this.#inForce && this.#wasInForce.has(one.publicKey))
  }

  /** Whether a charter names this member with a key of its own. */
  isNamedBy(charter: Pick<Charter, 'members'>): boolean {
    return this.#namedBy(charter) !== undefined
  }

  /**
   * The key that a charter names for this member: it signs what is said in rounds under this charter, whichever is in force by now.
   * @throws InbondError `not-on-roster`
   */
  under(charter: Pick<Charter, 'members'>): IdentityKey {
    const own = this.#namedBy(charter)
    if (own) return own
    throw fault('not-on-roster', `the charter does not name ${this.#member} with a key that this node has`)
  }

  #namedBy({ members }: Pick<Charter, 'members'>): IdentityKey | undefined {
    const named = members.find(one => one.id === this.#member)?.publicKey
    return this.#keys.find(one => one.publicKey === named)
  }

  /** Goes by a charter that came into force after those before. */
  follow(charter: Pick<Charter, 'members'>): void {
    const own = this.#namedBy(charter)
    if (own === undefined || own === this.#inForce) return
    this.#wasInForce.add(this.#inForce.publicKey)
    this.#inForce = own
  }

  /** Reads the keys again: another process may have made one. @throws like `KeyFile.read` */
  async read(): Promise<void> {
    this.#take(await this.#file.read())
  }

  /** Stores a key that is to be in force, unless another one waits already. @returns the one that waits @throws like `KeyFile.read` */
  async add(made: IdentityKey): Promise<IdentityKey> {
    const isThere = (stored: readonly IdentityKey[]) => waitingIn(stored, this.#inForce, this.#wasInForce) !== undefined
    this.#take(await this.#file.change(stored => (isThere(stored) ? stored : [...stored, made])))
    return this.waiting ?? made
  }

  /** Deletes keys, but never the one in force. @throws like `KeyFile.read` */
  async forget(keys: readonly IdentityKey[]): Promise<void> {
    const names = keys.map(one => one.publicKey).filter(one => one !== this.#inForce.publicKey)
    this.#take(await this.#file.change(stored => stored.filter(one => !names.includes(one.publicKey))))
  }

  #take(stored: readonly IdentityKey[]): void {
    this.#keys = stored.map(one => this.#keys.find(known => known.publicKey === one.publicKey) ?? one)
  }
}

function waitingIn(
  keys: readonly IdentityKey[],
  inForce: IdentityKey,
  wasInForce: ReadonlySet<PublicKey>,
): IdentityKey | undefined {
  return keys.findLast(one => one.publicKey !== inForce.publicKey && !wasInForce.has(one.publicKey))
}

/** With which this member signs what it says in a round. @throws InbondError `not-on-roster` */
export function keyIn({ keys }: { readonly keys: Keyring }, { charter }: Pick<VerifiedRound, 'charter'>): IdentityKey {
  return keys.under(charter.payload)
}

/**
 * Asks the coordinator, and asks it again with the key that waits where a charter has put that in the place of the one in force, which this
 * node has to learn yet.
 * @throws what `ask` throws
 */
export async function withEitherKey<T>(
  { keys, connection }: { readonly keys: Keyring; readonly connection: Connection },
  ask: (connection: Connection) => Promise<T>,
): Promise<T> {
  try {
    return await ask(connection)
  } catch (error) {
    if (!(error instanceof InbondError) || error.code !== 'key-replaced') throw error
    await keys.read()
    const { waiting } = keys
    if (waiting === undefined) throw error
    return ask(connection.as(waiting))
  }
}

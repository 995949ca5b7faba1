import type { IdentityKey } from '#crypto/signature.ts'
import type { KeyFile } from '#member-node/keyring.ts'

/** A key file that is lost with the process of the test, and not with the one that the test ends. */
export class MemoryKeys implements KeyFile {
  stored: readonly IdentityKey[]

  constructor(...stored: readonly IdentityKey[]) {
    this.stored = stored
  }

  async read(): Promise<readonly IdentityKey[]> {
    return this.stored
  }

  async change(change: (stored: readonly IdentityKey[]) => readonly IdentityKey[]): Promise<readonly IdentityKey[]> {
    this.stored = change(this.stored)
    return this.stored
  }
}

import { join } from 'node:path'
import type { Randomness } from '#crypto/sampling.ts'
import type { IdentityKey } from '#crypto/signature.ts'
import type { Clock } from '#party/clock.ts'
import type { Connection } from '#party/connection.ts'
import type { PartyDatabase } from '#party/database.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import type { MemberId, RoundId } from '#specs/messages.ts'
import type { AddUp } from './addition.ts'
import type { Compute } from './computation.ts'
import type { Examine } from './examination.ts'
import type { Keyring } from './keyring.ts'
import type { PolicyInForce } from './policy.ts'
import type * as schema from './schema.ts'
import type { PeriodCoverage } from './warehouse/warehouse.ts'

export type Database = PartyDatabase<typeof schema>

/** What every part of a member node works with. */
export interface Node {
  readonly id: MemberId
  readonly keys: Keyring
  /** The one of them that is in force. */
  readonly key: IdentityKey
  /** Fingerprint of the coordinator's key. */
  readonly federation: string
  /** Of the values in the warehouse. */
  readonly currency: string
  readonly db: Database
  /** The folder for what is sent. */
  readonly outbox: string
  readonly connection: Connection
  readonly compute: Compute
  readonly addUp: AddUp
  readonly examine: Examine
  /** What its data cover now. */
  readonly coverage: (dataset: Dataset) => readonly PeriodCoverage[]
  /** Read anew for every question, so that a changed policy counts at once. */
  readonly policy: () => Promise<PolicyInForce>
  readonly clock: Clock
  readonly randomness: Randomness
}

/** The encrypted cells of a round, until it is over. */
export function ciphertextFile(node: Node, round: RoundId): string {
  return join(node.outbox, `${round}.ciphertext`)
}

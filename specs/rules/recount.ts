import { createHash } from 'node:crypto'
import { fault } from '../errors.ts'
import { type MemberId, type Recount, recount, type Sum, type SumId, sum } from '../messages.ts'
import { claims, type Signed, verify } from '../signed.ts'
import type { SignedCohort } from './cohort.ts'
import type { VerifiedRound } from './round.ts'

/**
 * The recount: where all contributions together are too large for the recipient to fetch, one custodian fetches them, adds them
 * up again, and signs the hash of what it gets. Which one is drawn when it is too late for everybody to prefer one.
 */

export type SignedSum = Signed<Sum, SumId>

export const SEED_BYTES = 32

/** What a query says of the seed that its researcher keeps until it has the sum: SHA-256, in hex. */
export function drawOf(seed: Uint8Array): string {
  return createHash('sha256').update(seed).digest('hex')
}

/**
 * The custodian that adds up again: number SHA-256(seed ‖ id of the sum message) mod m, big endian, of the m custodians of the round.
 * The researcher has signed the hash of the seed before anybody contributed, and the coordinator has handed out the signed sum before
 * it sees the seed: whoever would choose another part gives away that it did. What remains is chance: a coordinator that alters the sum
 * together with one custodian is not found where that one is drawn, once in m times.
 * @param seed 32 bytes
 * @param custodians of the round, in the order of its document; at least one
 */
export function drawnCustodian(seed: Uint8Array, of: SumId, custodians: readonly MemberId[]): MemberId {
  const digest = createHash('sha256').update(seed).update(of, 'hex').digest('hex')
  return custodians[Number(BigInt(`0x${digest}`) % BigInt(custodians.length))] as MemberId
}

/**
 * Checks that a sum is the one of a cohort, as the coordinator signed it; whether it was added up right is not to be seen in it.
 * @throws InbondError `bad-evidence`, `bad-signature`, `bad-message`
 */
export async function verifySum(compact: string, round: VerifiedRound, of: SignedCohort): Promise<SignedSum> {
  const signed: SignedSum = await verify(sum, compact, round.charter.payload.coordinator)
  if (signed.payload.round !== round.id || signed.payload.cohort !== of.id) {
    throw fault('bad-evidence', 'the sum is of another cohort')
  }
  return signed
}

/**
 * The custodian that adds up a sum again, once its researcher has revealed the seed.
 * @throws InbondError `bad-evidence` if the seed is not the one that the query speaks of
 */
export function verifyDraw(seed: Uint8Array, round: VerifiedRound, of: SumId): MemberId {
  if (drawOf(seed) !== round.query.payload.draw) throw fault('bad-evidence', 'the seed is not the one of the query')
  const ids = round.custodians.map(one => one.id)
  return drawnCustodian(seed, of, ids)
}

/**
 * Checks that the drawn custodian got the sum that the coordinator signed. If it did not, one of the two says what is not so.
 * @returns the custodian
 * @throws InbondError `bad-evidence`, `bad-signature`, `bad-message`
 */
export async function verifyRecount(
  compact: string,
  round: VerifiedRound,
  of: SignedSum,
  seed: Uint8Array,
): Promise<MemberId> {
  const drawn = verifyDraw(seed, round, of.id)
  const { custodian } = claims(recount, compact).payload
  if (custodian !== drawn) throw fault('bad-evidence', `${custodian} added up again, but ${drawn} was drawn`)
  const entry = round.charter.payload.members.find(one => one.id === drawn)
  const { payload }: Signed<Recount> = await verify(recount, compact, entry?.publicKey ?? '')
  if (payload.round !== round.id || payload.sum !== of.id) {
    throw fault('bad-evidence', `${drawn} added up something else again`)
  }
  if (payload.ciphertext !== of.payload.ciphertext) {
    throw fault(
      'bad-evidence',
      `the sum was altered: the coordinator signed another one than ${drawn}, who added up the contributions again`,
    )
  }
  return drawn
}

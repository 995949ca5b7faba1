import { eq } from 'drizzle-orm'
import type { z } from 'zod'
import { messageId, type PublicKey } from '#crypto/signature.ts'
import { Remembered } from '#party/remembered.ts'
import { fault } from '#specs/errors.ts'
import { type CharterId, type MemberId, prekey, query, type RoundId, round } from '#specs/messages.ts'
import type { Period } from '#specs/period.ts'
import { type Need, plan } from '#specs/query.ts'
import type { Revocable } from '#specs/rules/researcher.ts'
import { claims, type Kind, type Signed, verify } from '#specs/signed.ts'
import { charterById } from './context.ts'
import type { Database } from './event-log.ts'
import { certified } from './researchers.ts'
import { queries, rounds } from './schema.ts'

/** What the signed documents of a round (its own, its query's and its charter's) say once and for all. */
export interface RoundTerms {
  readonly charter: CharterId
  readonly eligible: readonly MemberId[]
  readonly need: Need
  readonly minimumCohort: number
  readonly recipientAdministration: MemberId | null
  readonly researcher: Revocable
  /** Custodians with the prekeys that serve the round, in the order in which shares are sealed to them. */
  readonly custodians: readonly { readonly id: MemberId; readonly prekey: string }[]
  readonly threshold: number
  readonly slots: number
  /** Of which a manifest says what its data cover. */
  readonly months: Period | undefined
}

const remembered = new Remembered<RoundId, RoundTerms>(100)

/**
 * Verifies what a member says of a round: it is signed with the key that the charter of the round names, whichever key the member shows
 * who it is with.
 * @throws InbondError `bad-signature`, `bad-message`, `upgrade-needed`, `not-found`, `not-on-roster`
 */
export async function verifyIn<S extends z.ZodType, Id extends string>(
  db: Database,
  id: RoundId,
  member: MemberId,
  kind: Kind<S>,
  compact: string,
): Promise<Signed<z.output<S>, Id>> {
  // What is no message at all is that first.
  claims(kind, compact)
  return verify(kind, compact, signerIn(db, id, member))
}

function signerIn(db: Database, id: RoundId, member: MemberId): PublicKey {
  const row = db.select().from(rounds).where(eq(rounds.id, id)).get()
  if (!row) throw fault('not-found', `there is no round ${id}`)
  const { payload } = charterById(db, termsOf(db, row).charter)
  const entry = payload.members.find(one => one.id === member)
  if (entry) return entry.publicKey
  throw fault('not-on-roster', `${member} is not on the roster of the charter of this round`)
}

/** Own signed messages come back from the own database: they are read, not verified again. */
export function termsOf(db: Database, row: Pick<typeof rounds.$inferSelect, 'id' | 'query' | 'compact'>): RoundTerms {
  return remembered.get(row.id, () => {
    const announced = claims(round, row.compact).payload
    const charter = charterById(db, announced.charter).payload
    const asked = db.select().from(queries).where(eq(queries.id, row.query)).get() as typeof queries.$inferSelect
    const signed = claims(query, asked.compact).payload
    const { slots, months } = plan(signed.question)
    const researcher = certified(signed.certificate)
    return {
      charter: announced.charter,
      eligible: announced.eligible,
      need: signed.need,
      minimumCohort: charter.minimumCohort,
      recipientAdministration: researcher.administration,
      researcher,
      custodians: announced.prekeys.map(compact => ({
        id: claims(prekey, compact).payload.custodian,
        prekey: messageId(compact),
      })),
      threshold: charter.threshold,
      slots,
      months,
    }
  })
}

import { eq, ne } from 'drizzle-orm'
import { Remembered } from '#party/remembered.ts'
import { type Query, query, type RoundId, round } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { partOf, regionAndReader } from '#specs/rules/past-cohort.ts'
import { type EarlierRound, Knowledge, type PlannedRound, planRound } from '#specs/rules/vintage.ts'
import { claims } from '#specs/signed.ts'
import type { Context } from './context.ts'
import { countingCohorts } from './ledger.ts'
import { offersThatHold } from './offers.ts'
import { contributions, queries, rounds } from './schema.ts'

const remembered = new Remembered<RoundId, Omit<EarlierRound, 'cohort'>>(2000)

/**
 * Plans a round from all that the coordinator knows. Beside offers and the cohorts in the log, which everybody can read who is enrolled, these
 * are the manifests of rounds that came to no cohort, and those of members that were left out.
 * @param now milliseconds since 1970: when the round opens
 */
export function planFor(context: Context, asked: Query, charter: SignedCharter, now: number): PlannedRound {
  const knowledge = new Knowledge(earlierRounds(context), offersThatHold(context, charter, now))
  return planRound({ ...regionAndReader(asked), need: asked.need }, charter.payload, knowledge, now)
}

function earlierRounds(context: Context): EarlierRound[] {
  const counting = new Map(countingCohorts(context).map(one => [one.round, one.parts.map(part => part.member)]))
  const ids = context.db
    .selectDistinct({ id: rounds.id })
    .from(rounds)
    .innerJoin(contributions, eq(contributions.round, rounds.id))
    .where(ne(rounds.state, 'open'))
    .all()
  return ids.map(({ id }) => ({
    ...remembered.get(id, () => saidIn(context, id)),
    cohort: counting.get(id) ?? null,
  }))
}

function saidIn({ db }: Context, id: RoundId): Omit<EarlierRound, 'cohort'> {
  const row = db
    .select({ round: rounds.compact, query: queries.compact })
    .from(rounds)
    .innerJoin(queries, eq(queries.id, rounds.query))
    .where(eq(rounds.id, id))
    .get()
  if (row === undefined) throw new Error(`there is no round ${id}`)
  const { opens, asOf } = claims(round, row.round).payload
  const sent = db.select().from(contributions).where(eq(contributions.round, id)).all()
  return {
    round: id,
    ...regionAndReader(claims(query, row.query).payload),
    opens: Date.parse(opens),
    asOf: Date.parse(asOf),
    said: sent.map(one => partOf(one.manifest)),
  }
}

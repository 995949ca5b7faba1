import { and, eq, isNotNull, isNull, ne } from 'drizzle-orm'
import { Remembered } from '#party/remembered.ts'
import { cohort, type MemberId, query, type RoundId } from '#specs/messages.ts'
import { partOf, regionAndReader } from '#specs/rules/past-cohort.ts'
import { type AskedCohort, type EarlierCohort, fitting } from '#specs/rules/pattern.ts'
import { claims } from '#specs/signed.ts'
import type { Context } from './context.ts'
import { contributions, queries, rounds } from './schema.ts'

/**
 * The cohorts that later ones have to fit: those that were agreed to, or may have been. What custodians would refuse is found out
 * here first, before anybody is asked or agrees.
 */

const remembered = new Remembered<RoundId, EarlierCohort>(2000)

type RoundRow = typeof rounds.$inferSelect

/** Every cohort without a void certificate, oldest first. */
export function countingCohorts(context: Context, except?: RoundId): EarlierCohort[] {
  const counts = and(isNotNull(rounds.cohort), isNull(rounds.voidCertificate), ne(rounds.id, except ?? ('' as RoundId)))
  const rows = context.db.select().from(rounds).where(counts).orderBy(rounds.closedAt).all()
  return rows.map(row => remembered.get(row.id, () => closedCohort(context, row)))
}

/** It fitted those before it when it was closed, so that to say the same again is safe, whoever agreed to it. */
function closedCohort(context: Context, row: RoundRow): EarlierCohort {
  const members = claims(cohort, row.cohort as string).payload.manifests.map(one => one.member)
  return { ...askedCohort(context, row, members), isAgreed: true }
}

/** A round as the pattern rule sees it, with these of its contributions. */
function askedCohort(context: Context, row: RoundRow, members: readonly MemberId[]): AskedCohort {
  const { db } = context
  const asked = db.select().from(queries).where(eq(queries.id, row.query)).get() as typeof queries.$inferSelect
  const sent = db.select().from(contributions).where(eq(contributions.round, row.id)).all()
  const parts = sent.filter(one => members.includes(one.member)).map(one => partOf(one.manifest))
  return { round: row.id, ...regionAndReader(claims(query, asked.compact).payload), parts }
}

/** The members of those who contributed that may be the cohort of a round. */
export function fittingCohort(
  context: Context,
  row: RoundRow,
  contributed: readonly MemberId[],
  minimum: number,
): readonly MemberId[] {
  return fitting(askedCohort(context, row, contributed), countingCohorts(context, row.id), minimum).members
}

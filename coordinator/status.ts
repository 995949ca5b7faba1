import { createHash } from 'node:crypto'
import { desc, eq } from 'drizzle-orm'
import { isoTime } from '#party/clock.ts'
import type { QueryStatus } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { type CharterId, cohort, type QueryId, query } from '#specs/messages.ts'
import { claims } from '#specs/signed.ts'
import { HAND_OVER, isHandingOver } from './charters.ts'
import { type Context, charterById } from './context.ts'
import { recountState } from './recounts.ts'
import { agreements, contributions, openings, queries, refusals, rounds } from './schema.ts'
import { termsOf } from './terms.ts'

type Member = QueryStatus['members'][number]
type Custodian = QueryStatus['custodians'][number]
type RoundRow = typeof rounds.$inferSelect

/** What a researcher sees of a query while it waits. */
export function statusOf(context: Context, id: QueryId): QueryStatus {
  const row = context.db.select().from(queries).where(eq(queries.id, id)).get()
  if (!row) throw fault('not-found', `there is no query ${id}`)
  const run = context.db.select().from(rounds).where(eq(rounds.query, id)).get()
  const asked = claims(query, row.compact).payload
  const head = { query: id, purpose: asked.question.purpose, askedAt: isoTime(row.receivedAt) }
  if (!run) {
    const reason = row.voidReason ?? awaited(context, asked.charter)
    const state = row.voidReason === null ? ('waiting' as const) : ('void' as const)
    return versioned({ ...head, state, reason, round: null, closes: null, members: [], custodians: [], recount: null })
  }
  return versioned({
    ...head,
    state: run.state,
    reason: run.reason,
    round: run.id,
    closes: isoTime(run.closes),
    members: memberStates(context, run),
    custodians: custodianStates(context, run),
    recount: recountState(context, run.id),
  })
}

/** What a query without a round waits for. */
function awaited(context: Context, charter: CharterId): string {
  if (isHandingOver(context)) return HAND_OVER
  return `prekeys of enough of the ${charterById(context.db, charter).payload.custodians.length} custodians`
}

function versioned(status: Omit<QueryStatus, 'version'>): QueryStatus {
  const version = createHash('sha256').update(JSON.stringify(status)).digest('base64url').slice(0, 16)
  return { ...status, version }
}

function memberStates(context: Context, run: RoundRow): Member[] {
  const sent = context.db.select().from(contributions).where(eq(contributions.round, run.id)).all()
  const refused = context.db.select().from(refusals).where(eq(refusals.round, run.id)).all()
  // A contribution that came while the cohort was being signed is stored and not counted.
  const counted = run.cohort === null ? undefined : claims(cohort, run.cohort).payload.manifests.map(one => one.member)
  return termsOf(context.db, run).eligible.map((id): Member => {
    const contribution = sent.find(one => one.member === id && (counted?.includes(id) ?? true))
    if (contribution) return { id, state: 'contributed', since: isoTime(contribution.receivedAt), reason: null }
    const refusal = refused.find(one => one.member === id && one.step === 'contribute')
    if (refusal) return { id, state: 'refused', since: isoTime(refusal.receivedAt), reason: refusal.reason }
    if (run.state === 'open') return { id, state: 'asked', since: isoTime(run.openedAt), reason: null }
    return { id, state: 'missing', since: isoTime(run.closedAt ?? run.endedAt ?? run.closes), reason: null }
  })
}

function custodianStates(context: Context, run: RoundRow): Custodian[] {
  const agreed = context.db.select().from(agreements).where(eq(agreements.round, run.id)).all()
  const opened = context.db.select().from(openings).where(eq(openings.round, run.id)).all()
  const refused = context.db.select().from(refusals).where(eq(refusals.round, run.id)).all()
  return termsOf(context.db, run).custodians.map(({ id }): Custodian => {
    const opening = opened.find(one => one.custodian === id)
    if (opening) return { id, state: 'opened', since: isoTime(opening.receivedAt), reason: null }
    const refusal = refused.find(one => one.member === id && one.step !== 'contribute' && one.step !== 'recount')
    if (refusal) return { id, state: 'refused', since: isoTime(refusal.receivedAt), reason: refusal.reason }
    const agreement = agreed.find(one => one.custodian === id)
    if (agreement) return { id, state: 'agreed', since: isoTime(agreement.receivedAt), reason: null }
    return { id, state: 'waiting', since: isoTime(run.closedAt ?? run.openedAt), reason: null }
  })
}

export function queriesOf(context: Context, researcher: string): QueryStatus[] {
  const own = context.db.select({ id: queries.id }).from(queries).where(eq(queries.researcher, researcher))
  return own
    .orderBy(desc(queries.receivedAt))
    .limit(100)
    .all()
    .map(row => statusOf(context, row.id))
}

export function isQueryOf(context: Context, researcher: string, id: QueryId): boolean {
  return context.db.select().from(queries).where(eq(queries.id, id)).get()?.researcher === researcher
}

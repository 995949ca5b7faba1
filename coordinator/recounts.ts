import { and, eq, isNull } from 'drizzle-orm'
import { messageId } from '#crypto/signature.ts'
import { isoTime } from '#party/clock.ts'
import type { QueryStatus, WorkItem } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { type MemberId, query, type RoundId, recount, type SumId } from '#specs/messages.ts'
import { drawnCustodian, drawOf } from '#specs/rules/recount.ts'
import { claims } from '#specs/signed.ts'
import { answeredRound } from './answers.ts'
import type { Context, Member } from './context.ts'
import { draws, queries, recounts, refusals, rounds } from './schema.ts'
import { termsOf, verifyIn } from './terms.ts'

/** A large sum is added up again by one custodian, which is drawn once the recipient has the sum: see specs/rules/recount.ts. */

/**
 * Takes the seed that a recipient reveals, and draws. The signed sum has been handed out by then.
 * @param seed 32 bytes, base64url
 * @throws InbondError `bad-request` for another seed than the query speaks of, `not-allowed`, `round-void`, `not-found`
 */
export function takeDraw(context: Context, researcher: string, id: RoundId, seed: string): void {
  const { run, asked } = answeredRound(context, researcher, id)
  const bytes = Buffer.from(seed, 'base64url')
  if (drawOf(bytes) !== claims(query, asked.compact).payload.draw) {
    throw fault('bad-request', 'the seed is not the one of the query')
  }
  const ids = termsOf(context.db, run).custodians.map(one => one.id)
  const custodian = drawnCustodian(bytes, messageId(run.sum as string) as SumId, ids)
  const isNew = context.db.transaction(tx => {
    if (tx.select().from(draws).where(eq(draws.round, id)).get()) return false
    const revealed = { seed: bytes.toString('base64url'), revealedAt: context.clock.now() }
    tx.insert(draws)
      .values({ round: id, custodian, ...revealed })
      .run()
    return true
  })
  if (!isNew) return
  context.tell({ msg: 'custodian drawn', round: id, custodian })
  context.changes.announce('everybody')
}

/** @throws InbondError `not-found`, `not-allowed` */
export function requireDrawn(context: Context, member: MemberId, id: RoundId): void {
  const run = context.db.select({ id: rounds.id }).from(rounds).where(eq(rounds.id, id)).get()
  if (!run) throw fault('not-found', `there is no round ${id}`)
  const drawn = context.db.select().from(draws).where(eq(draws.round, id)).get()
  if (drawn?.custodian !== member) throw fault('not-allowed', `${member} was not drawn to add up this round again`)
}

/** @throws InbondError `bad-signature`, `bad-request`, `not-allowed`, `differs-from-stored` */
export async function takeRecount(context: Context, custodian: Member, id: RoundId, compact: string): Promise<void> {
  const signed = await verifyIn(context.db, id, custodian.id, recount, compact)
  const { payload } = signed
  requireDrawn(context, custodian.id, id)
  const row = context.db.select().from(rounds).where(eq(rounds.id, id)).get()
  if (payload.round !== id || payload.custodian !== custodian.id || payload.sum !== messageId(row?.sum ?? '')) {
    throw fault('bad-request', 'the recount is not of the sum of this round')
  }
  const now = context.clock.now()
  const isNew = context.db.transaction(tx => {
    const stored = tx.select().from(recounts).where(eq(recounts.round, id)).get()
    if (stored?.compact === compact) return false
    if (stored) throw fault('differs-from-stored', `${custodian.id} added this round up before, in other words`)
    tx.insert(recounts).values({ round: id, custodian: custodian.id, compact, receivedAt: now }).run()
    context.log.append(tx, recount.typ, signed.id, now)
    return true
  })
  if (isNew) context.tell({ msg: 'sum added up again', round: id, custodian: custodian.id })
}

/** What a member was drawn for and has neither done nor refused, until the recipient waits no longer. */
export function recountWork(context: Context, member: MemberId): WorkItem[] {
  const { db, clock } = context
  const isRefusal = and(
    eq(refusals.round, draws.round),
    eq(refusals.member, draws.custodian),
    eq(refusals.step, 'recount'),
  )
  const open = db
    .select({ run: rounds, query: queries.compact, seed: draws.seed, revealedAt: draws.revealedAt })
    .from(draws)
    .innerJoin(rounds, eq(rounds.id, draws.round))
    .innerJoin(queries, eq(queries.id, rounds.query))
    .leftJoin(recounts, eq(recounts.round, draws.round))
    .leftJoin(refusals, isRefusal)
    .where(and(eq(draws.custodian, member), isNull(recounts.round), isNull(refusals.round)))
    .all()
  return open
    .filter(({ run, revealedAt }) => clock.now() < revealedAt + (run.ends - run.closes))
    .map(({ run, query: asked, seed }) => ({
      kind: 'recount',
      round: run.compact,
      query: asked,
      cohort: run.cohort as string,
      sum: run.sum as string,
      seed,
    }))
}

/** How the recipient sees it. */
export function recountState(context: Context, id: RoundId): QueryStatus['recount'] {
  const { db } = context
  const drawn = db.select().from(draws).where(eq(draws.round, id)).get()
  if (!drawn) return null
  const { custodian } = drawn
  const done = db.select().from(recounts).where(eq(recounts.round, id)).get()
  if (done) return { custodian, state: 'done', since: isoTime(done.receivedAt), reason: null }
  const isOwn = and(eq(refusals.round, id), eq(refusals.member, custodian), eq(refusals.step, 'recount'))
  const refused = db.select().from(refusals).where(isOwn).get()
  if (refused) return { custodian, state: 'refused', since: isoTime(refused.receivedAt), reason: refused.reason }
  return { custodian, state: 'asked', since: isoTime(drawn.revealedAt), reason: null }
}

import { and, asc, eq, gt, inArray, isNull, or } from 'drizzle-orm'
import { isSealingKey } from '#crypto/sealing.ts'
import { isoTime } from '#party/clock.ts'
import { fault } from '#specs/errors.ts'
import {
  cancellation,
  type MemberId,
  prekey,
  type Query,
  type QueryId,
  query,
  type RoundId,
  round,
} from '#specs/messages.ts'
import { plan } from '#specs/query.ts'
import { checkLasts, checkPurpose, verifyCertificate } from '#specs/rules/researcher.ts'
import { claims, PROTOCOL, type Signed, sign, verify } from '#specs/signed.ts'
import { HAND_OVER, isHandingOver } from './charters.ts'
import { type Context, charterById, charterInForce, requireCharter } from './context.ts'
import { withdrawPrekeys } from './custodians.ts'
import { certified, reasonOfRevocation, refuseRevoked } from './researchers.ts'
import { SUPERSEDED } from './round.ts'
import { parties, prekeys, queries, rounds } from './schema.ts'
import { planFor } from './vintage.ts'

/** A query may be signed for at most this long before it becomes a round. */
const LONGEST_EXPIRY_MS = 30 * 86_400_000
/** Of one researcher at a time. */
const MOST_RUNNING = 20
/** Of one researcher, withdrawn ones too: each may use up a key of every custodian. */
const MOST_A_DAY = 1000
const DAY_MS = 86_400_000
/** Every member is sent it, as long as it waits. */
const LONGEST_QUERY = 512 * 1024

export interface Researcher {
  readonly fingerprint: string
  readonly publicKey: string
}

/**
 * Records a signed query. Sent again, it is the same query.
 * @throws InbondError `bad-signature`, `bad-message`, `bad-query`, `bad-certificate`, `researcher-revoked`, `query-expired`,
 * `charter-superseded`, `charter-pending`, `too-many-requests`, `differs-from-stored`
 */
export async function takeQuery(context: Context, researcher: Researcher, compact: string): Promise<QueryId> {
  if (compact.length > LONGEST_QUERY) throw fault('too-large', `a query has at most ${LONGEST_QUERY} characters`)
  const signed: Signed<Query, QueryId> = await verify(query, compact, researcher.publicKey)
  if (context.db.select().from(queries).where(eq(queries.id, signed.id)).get()) return signed.id
  const charter = requireCharter(context.db)
  if (!context.log.had(charter.payload.logHead)) {
    throw fault('charter-pending', 'the charter in force names a log that was lost; the one that follows it is awaited')
  }
  await checkQuery(context, researcher, signed.payload, charter.id)
  if (runningQueries(context, researcher) >= MOST_RUNNING) {
    throw fault('too-many-requests', `you have ${MOST_RUNNING} queries running; each uses up a key of every custodian`)
  }
  if (queriesOfADay(context, researcher) >= MOST_A_DAY) {
    throw fault('too-many-requests', `you have asked ${MOST_A_DAY} queries in the last 24 hours`)
  }
  const now = context.clock.now()
  const recorded = context.db.transaction(tx => {
    const sameNonce = and(eq(queries.researcher, researcher.fingerprint), eq(queries.nonce, signed.payload.nonce))
    const stored = tx.select().from(queries).where(sameNonce).get()
    // The same bytes may have arrived twice at once.
    if (stored?.id === signed.id) return false
    if (stored) throw fault('differs-from-stored', 'another query of this researcher has the same nonce')
    tx.insert(queries)
      .values({
        id: signed.id,
        researcher: researcher.fingerprint,
        nonce: signed.payload.nonce,
        compact,
        receivedAt: now,
        expiresAt: Date.parse(signed.payload.expires),
      })
      .run()
    context.log.append(tx, query.typ, signed.id, now)
    return true
  })
  if (!recorded) return signed.id
  context.tell({ msg: 'query recorded', query: signed.id, party: researcher.fingerprint })
  context.changes.announce('researchers')
  return signed.id
}

function runningQueries(context: Context, researcher: Researcher): number {
  const unfinished = and(
    eq(queries.researcher, researcher.fingerprint),
    isNull(queries.voidReason),
    or(isNull(rounds.state), inArray(rounds.state, ['open', 'closed', 'agreed'])),
  )
  return context.db
    .select({ id: queries.id })
    .from(queries)
    .leftJoin(rounds, eq(rounds.query, queries.id))
    .where(unfinished)
    .all().length
}

function queriesOfADay({ db, clock }: Context, { fingerprint }: Researcher): number {
  const ofTheDay = and(eq(queries.researcher, fingerprint), gt(queries.receivedAt, clock.now() - DAY_MS))
  return db.select({ id: queries.id }).from(queries).where(ofTheDay).all().length
}

async function checkQuery(context: Context, researcher: Researcher, asked: Query, charterId: string): Promise<void> {
  const now = context.clock.now()
  const expires = Date.parse(asked.expires)
  if (asked.charter !== charterId)
    throw fault('charter-superseded', 'the query is under another charter than the one in force')
  if (expires <= now) throw fault('query-expired', `the query expired at ${asked.expires}`)
  if (expires > now + LONGEST_EXPIRY_MS) throw fault('bad-query', 'a query expires within 30 days')
  const { members, coordinator } = charterById(context.db, asked.charter).payload
  const { payload } = await verifyCertificate(asked.certificate, { coordinator, members })
  if (payload.publicKey !== researcher.publicKey)
    throw fault('bad-certificate', 'the certificate is of another researcher')
  checkLasts(payload, now)
  checkPurpose(asked, payload)
  refuseRevoked(context.db, payload)
  plan(asked.question)
  if (!(await isSealingKey(Buffer.from(asked.recipient, 'base64url')))) {
    throw fault('bad-query', 'nothing can be sealed to the key for the answer')
  }
  if (asked.need !== 'all' && asked.need.atLeast > members.length) {
    throw fault('bad-query', `need: at least ${asked.need.atLeast} members, but the federation has ${members.length}`)
  }
}

/** @throws InbondError `bad-signature`, `not-found`, `too-late` */
export async function takeCancellation(
  context: Context,
  researcher: Researcher,
  id: QueryId,
  compact: string,
): Promise<void> {
  const signed = await verify(cancellation, compact, researcher.publicKey)
  if (signed.payload.query !== id) throw fault('bad-request', 'the cancellation is of another query')
  const now = context.clock.now()
  context.db.transaction(tx => {
    const row = tx.select().from(queries).where(eq(queries.id, id)).get()
    if (!row || row.researcher !== researcher.fingerprint) throw fault('not-found', `you have no query ${id}`)
    if (row.cancellation !== null) return
    const run = tx.select().from(rounds).where(eq(rounds.query, id)).get()
    if (run?.state === 'opened' || run?.state === 'void')
      throw fault('too-late', `the query ended already (${run.state})`)
    if (row.voidReason !== null) throw fault('too-late', 'the query ended already (void)')
    tx.update(queries)
      .set({ cancellation: compact, ...(run ? {} : { voidReason: 'the researcher withdrew the query' }) })
      .where(eq(queries.id, id))
      .run()
    context.log.append(tx, cancellation.typ, signed.id, now)
  })
}

/** Queries that have no round yet and have not ended, oldest first. */
export function waitingQueries(context: Context) {
  return context.db
    .select({ id: queries.id, compact: queries.compact, receivedAt: queries.receivedAt, expiresAt: queries.expiresAt })
    .from(queries)
    .leftJoin(rounds, eq(rounds.query, queries.id))
    .where(and(isNull(rounds.id), isNull(queries.voidReason)))
    .orderBy(asc(queries.receivedAt))
    .all()
}

/**
 * Announces the round of a waiting query, if enough custodians have a prekey that lasts past its end; ends the query when it
 * has expired.
 * @returns whether anything changed
 */
export async function announceRound(
  context: Context,
  id: QueryId,
  compact: string,
  expiresAt: number,
): Promise<boolean> {
  const now = context.clock.now()
  const asked = claims(query, compact).payload
  const voidReason = reasonToEnd(context, asked, expiresAt)
  if (voidReason !== undefined) {
    endQuery(context, id, voidReason)
    return true
  }
  const charter = charterById(context.db, asked.charter)
  const { eligible, asOf, voidReason: tooFew } = planFor(context, asked, charter, now)
  if (tooFew !== undefined) {
    endQuery(context, id, tooFew)
    return true
  }
  if (isHandingOver(context)) return false
  const closes = now + asked.closesAfter
  const ends = closes + asked.closesAfter
  const chosen = await freePrekeys(context, charter.payload.custodians, ends)
  if (chosen.length < charter.payload.threshold) return false
  const signed = await sign<typeof round.schema, RoundId>(context.key, round, {
    protocol: PROTOCOL,
    charter: charter.id,
    query: id,
    kind: 'value',
    asOf: isoTime(asOf),
    opens: isoTime(now),
    closes: isoTime(closes),
    ends: isoTime(ends),
    eligible: [...eligible],
    prekeys: chosen.map(one => one.compact),
    logHead: context.log.head(),
  })
  context.db.transaction(tx => {
    tx.insert(rounds)
      .values({ id: signed.id, query: id, compact: signed.compact, state: 'open', openedAt: now, closes, ends })
      .run()
    for (const one of chosen) tx.update(prekeys).set({ round: signed.id }).where(eq(prekeys.id, one.id)).run()
    context.log.append(tx, round.typ, signed.id, now)
  })
  const custodians = chosen.length
  context.tell({ msg: 'round announced', round: signed.id, query: id, eligible: eligible.length, custodians })
  return true
}

function endQuery(context: Context, id: QueryId, reason: string): void {
  context.db.update(queries).set({ voidReason: reason }).where(eq(queries.id, id)).run()
  context.tell({ msg: 'query void', query: id, reason })
}

function reasonToEnd(context: Context, asked: Query, expiresAt: number): string | undefined {
  if (expiresAt <= context.clock.now())
    return `it expired while it waited for ${isHandingOver(context) ? HAND_OVER : 'prekeys of enough custodians'}`
  if (charterInForce(context.db)?.id !== asked.charter) return SUPERSEDED
  return reasonOfRevocation(context.db, certified(asked.certificate))
}

/** One of each custodian that has one. What nobody can seal to, every member would refuse: it goes. */
async function freePrekeys(context: Context, custodians: readonly MemberId[], until: number) {
  const chosen: (typeof prekeys.$inferSelect)[] = []
  for (const custodian of custodians) {
    let found = freePrekey(context, custodian, until)
    while (found !== undefined && !(await isSealingKey(keyIn(found.compact)))) {
      withdrawPrekeys(context, custodian, [found.id])
      found = freePrekey(context, custodian, until)
    }
    if (found !== undefined) chosen.push(found)
  }
  return chosen
}

function keyIn(compact: string): Uint8Array {
  return Buffer.from(claims(prekey, compact).payload.publicKey, 'base64url')
}

function freePrekey(context: Context, custodian: MemberId, until: number) {
  return context.db
    .select()
    .from(prekeys)
    .where(and(eq(prekeys.custodian, custodian), isNull(prekeys.round), gt(prekeys.notAfter, until)))
    .orderBy(asc(prekeys.notAfter))
    .limit(1)
    .get()
}

export function researcherOf(context: Context, fingerprint: string): Researcher {
  const row = context.db.select().from(parties).where(eq(parties.fingerprint, fingerprint)).get()
  if (row?.role !== 'researcher') throw fault('not-allowed', 'only a researcher may do this')
  return { fingerprint, publicKey: row.publicKey }
}

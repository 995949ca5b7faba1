import { and, eq, gt, inArray, isNull } from 'drizzle-orm'
import { isoTime } from '#party/clock.ts'
import { table } from '#party/command.ts'
import { describeDisk, diskConcern, diskOf, duration, verdict } from '#party/glance.ts'
import { type MemberId, query } from '#specs/messages.ts'
import { inWords, isFulfilled } from '#specs/rules/succession.ts'
import { claims } from '#specs/signed.ts'
import { HAND_OVER, isHandingOver, standing } from './charters.ts'
import { type Context, charterInForce, charterProposed } from './context.ts'
import { invitations, parties, prekeys, queries, rounds } from './schema.ts'
import { statusOf } from './status.ts'

/** A node asks for work without a pause: one that was not here for this long does not run, or cannot reach the coordinator. */
const LATE_MS = 300_000

/** What the operator of a coordinator wants to see at a glance. */
export function overview(context: Context, url: string, process: number | undefined) {
  const { db, clock } = context
  const inForce = charterInForce(db)
  const proposed = charterProposed(db)
  const needs = proposed && standing(db, proposed, inForce)
  const enrolled = db.select().from(parties).where(isNull(parties.endedAt)).all()
  const ended = (state: 'opened' | 'void') => db.select().from(rounds).where(eq(rounds.state, state)).all().length
  const expired = db.select({ reason: queries.voidReason }).from(queries).leftJoin(rounds, eq(rounds.query, queries.id))
  return {
    federation: context.name,
    url,
    fingerprint: context.key.fingerprint,
    process: process ?? null,
    charter: inForce ? { id: inForce.id, epoch: inForce.payload.epoch, members: inForce.payload.members.length } : null,
    /** Whether the charter in force names entries of the log that were lost when the coordinator was restored. */
    isBehind: inForce !== undefined && !context.log.had(inForce.payload.logHead),
    isHandingOver: isHandingOver(context),
    /** Whom the proposed charter waits for, in words; null if there is none. */
    unsigned: needs && !isFulfilled(needs.consents) ? inWords(needs.consents) : null,
    unconfirmed:
      needs && isFulfilled(needs.consents) ? inWords({ ...needs.consents, quorum: needs.confirmations }) : null,
    members: enrolled
      .filter(one => one.role === 'member')
      .map(one => ({
        id: one.subject,
        /** It has a new key that no charter names yet. */
        isReplacement: one.isReplacement,
        onRoster: inForce?.payload.members.some(entry => entry.publicKey === one.publicKey) ?? false,
        lastSeen: one.lastSeenAt === null ? null : isoTime(one.lastSeenAt),
        prekeys:
          !one.isReplacement && inForce?.payload.custodians.includes(one.subject as MemberId)
            ? unusedPrekeys(context, one.subject as MemberId)
            : null,
      })),
    researchers: enrolled.filter(one => one.role === 'researcher').map(one => one.subject),
    invited: db
      .select()
      .from(invitations)
      .where(and(isNull(invitations.redeemedBy), gt(invitations.expiresAt, clock.now())))
      .all()
      .map(one => one.subject),
    running: runningQueries(context),
    answered: ended('opened'),
    void: ended('void') + expired.all().filter(one => one.reason !== null).length,
    disk: diskOf(db.$client.name),
  }
}

type Overview = ReturnType<typeof overview>

/** What a person should look at, in sentences. @param now milliseconds since 1970 */
export function concernsOf(status: Overview, now: number): string[] {
  const concerns = diskConcern(status.disk)
  if (status.process === null) concerns.unshift('The coordinator does not run.')
  if (status.unsigned !== null) concerns.push(`The proposed charter is not signed by ${status.unsigned}.`)
  else if (status.unconfirmed !== null)
    concerns.push(`The proposed charter waits for the nodes of ${status.unconfirmed} to confirm it.`)
  else if (status.charter === null) concerns.push('No charter is proposed yet.')
  else if (status.isBehind)
    concerns.push(
      'Nothing can be answered: the charter names entries that the log has lost. Propose the one that follows it.',
    )
  if (status.isHandingOver) concerns.push(`Questions wait for ${HAND_OVER}.`)
  const expected = status.process === null ? [] : status.members.filter(one => one.onRoster)
  const late = expected.filter(one => one.lastSeen === null || now - Date.parse(one.lastSeen) >= LATE_MS)
  if (late.length > 0) {
    const seen = late.map(({ id, lastSeen }) => `${id} (${lastSeen === null ? 'never' : ago(lastSeen, now)})`)
    const many = late.length === 1 ? '1 member has' : `${late.length} members have`
    concerns.push(`${many} not been seen for ${duration(LATE_MS)}: ${seen.join(', ')}.`)
  }
  const empty = status.members.filter(one => one.prekeys === 0).map(one => one.id)
  if (empty.length > 0) concerns.push(`These custodians have no prekey left: ${empty.join(', ')}.`)
  const waiting = status.running.filter(one => one.state === 'waiting').length
  if (waiting > 0 && !status.isHandingOver)
    concerns.push(`${waiting === 1 ? '1 query waits' : `${waiting} queries wait`} for prekeys of enough custodians.`)
  return concerns
}

function ago(time: string, now: number): string {
  return `${duration(now - Date.parse(time))} ago`
}

function unusedPrekeys(context: Context, custodian: MemberId): number {
  const usable = and(eq(prekeys.custodian, custodian), isNull(prekeys.round), gt(prekeys.notAfter, context.clock.now()))
  return context.db.select({ id: prekeys.id }).from(prekeys).where(usable).all().length
}

function runningQueries(context: Context) {
  const { db } = context
  const waiting = db
    .select({ id: queries.id, compact: queries.compact })
    .from(queries)
    .leftJoin(rounds, eq(rounds.query, queries.id))
    .where(and(isNull(rounds.id), isNull(queries.voidReason)))
    .all()
  const open = db
    .select({ id: queries.id, compact: queries.compact })
    .from(rounds)
    .innerJoin(queries, eq(rounds.query, queries.id))
    .where(inArray(rounds.state, ['open', 'closed', 'agreed']))
    .all()
  return [...waiting, ...open].map(({ id, compact }) => {
    const { state, members } = statusOf(context, id)
    const late = members.filter(one => one.state === 'asked').map(one => one.id)
    return { query: id, purpose: claims(query, compact).payload.question.purpose, state, late }
  })
}

/** @param now milliseconds since 1970 */
export function describeOverview(status: Overview, now: number): string {
  const list = (items: readonly string[]) => (items.length === 0 ? 'none' : items.join(', '))
  const charter = status.charter
    ? `in force, epoch ${status.charter.epoch}, ${status.charter.members} members`
    : 'none in force'
  const unsigned = status.unsigned === null ? '' : `; proposed, not signed by ${status.unsigned}`
  const unconfirmed = status.unconfirmed === null ? '' : `; proposed, signed, not confirmed by ${status.unconfirmed}`
  const members = status.members.map(({ id, isReplacement, lastSeen, prekeys: unused }) => {
    const seen = lastSeen === null ? 'never seen' : `seen ${ago(lastSeen, now)}`
    const key = isReplacement ? ', another key, which waits for a charter' : ''
    return ['member', `${id}${key}: ${seen}${unused === null ? '' : `, custodian with ${unused} unused prekeys`}`]
  })
  const running = status.running.map(one => {
    const late = one.late.length > 0 ? `; waits for ${one.late.join(', ')}` : ''
    return ['query', `${one.query.slice(0, 12)}  ${one.state}  ${one.purpose}${late}`]
  })
  const rows = table([
    ['federation', `${status.federation} at ${status.url}`],
    ['fingerprint', status.fingerprint],
    ['process', status.process === null ? 'not running' : `running, ${status.process}`],
    ['charter', charter + unsigned + unconfirmed],
    ...members,
    ['researchers', list(status.researchers)],
    ['invited', list(status.invited)],
    ['queries', `${status.running.length} running, ${status.answered} answered, ${status.void} void`],
    ...running,
    ['disk', describeDisk(status.disk)],
  ])
  return verdict(concernsOf(status, now)) + rows
}

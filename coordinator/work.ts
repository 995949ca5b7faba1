import { createHash } from 'node:crypto'
import { and, eq, gt, isNotNull, isNull, or } from 'drizzle-orm'
import type { WorkItem, WorkResponse } from '#specs/api.ts'
import type { MemberId, Refusal } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { demandsOf, isFulfilled } from '#specs/rules/succession.ts'
import { isHandingOver, standing } from './charters.ts'
import { type Context, charterInForce, charterProposed, type Member } from './context.ts'
import { missingPrekeys } from './custodians.ts'
import { recountWork } from './recounts.ts'
import {
  agreements,
  confirmations,
  consents,
  contributions,
  openings,
  queries,
  refusals,
  rounds,
  voidStatements,
} from './schema.ts'
import { termsOf } from './terms.ts'

/**
 * What a member has to do now. Nothing is queued or ticked off: the list is what the stored rounds lack of this member, so a
 * party that was killed asks again and loses nothing.
 */
export function workFor(context: Context, member: Member): WorkResponse {
  const { id } = member
  const inForce = charterInForce(context.db)
  const proposed = charterProposed(context.db)
  const items: WorkItem[] = []
  if (inForce) items.push({ kind: 'charter', charter: inForce.id, inForce: true })
  if (proposed && isOnRoster(proposed, member)) {
    if (!hasSigned(context, consents, proposed, id))
      items.push({ kind: 'charter', charter: proposed.id, inForce: false })
    if (inForce && mayConfirm(context, id, proposed, inForce)) items.push({ kind: 'confirm', charter: proposed.id })
  }
  if (inForce && isOnRoster(inForce, member)) {
    const missing = inForce.payload.custodians.includes(id) ? missingPrekeys(context, id) : 0
    if (missing > 0) items.push({ kind: 'prekeys', missing })
    const isHeld = isHandingOver(context)
    items.push(...roundWork(context, id).filter(one => !(isHeld && one.kind === 'agree')), ...recountWork(context, id))
  }
  return { version: versionOf(items), items }
}

function isOnRoster(charter: SignedCharter, { id, publicKey }: Member): boolean {
  return charter.payload.members.some(one => one.id === id && one.publicKey === publicKey)
}

function hasSigned(
  context: Context,
  table: typeof consents | typeof confirmations,
  charter: SignedCharter,
  member: MemberId,
): boolean {
  const own = and(eq(table.charter, charter.id), eq(table.member, member))
  return context.db.select({ member: table.member }).from(table).where(own).get() !== undefined
}

function mayConfirm(context: Context, member: MemberId, proposed: SignedCharter, inForce: SignedCharter): boolean {
  if (hasSigned(context, confirmations, proposed, member)) return false
  if (!demandsOf(inForce.payload, proposed.payload).quorum.of.includes(member)) return false
  return isFulfilled(standing(context.db, proposed, inForce).consents)
}

/** Short, and another one whenever the list is. */
function versionOf(items: readonly WorkItem[]): string {
  return createHash('sha256').update(JSON.stringify(items)).digest('base64url').slice(0, 16)
}

function roundWork(context: Context, member: MemberId): WorkItem[] {
  const { db, clock } = context
  const isCurrent = gt(rounds.ends, clock.now())
  const isUncertified = and(eq(rounds.state, 'void'), isNotNull(rounds.cohortId), isNull(rounds.voidCertificate))
  const running = db.select().from(rounds).where(or(isCurrent, isUncertified)).all()
  return running.flatMap(row => itemFor(context, row, member) ?? [])
}

function itemFor(context: Context, row: typeof rounds.$inferSelect, member: MemberId): WorkItem | undefined {
  const { db } = context
  const refused = (step: Refusal['step']) =>
    db
      .select()
      .from(refusals)
      .where(and(eq(refusals.round, row.id), eq(refusals.member, member), eq(refusals.step, step)))
      .get() !== undefined
  const gaveUp = () => {
    const own = and(eq(voidStatements.round, row.id), eq(voidStatements.custodian, member))
    return refused('void') || db.select().from(voidStatements).where(own).get() !== undefined
  }
  const { eligible, custodians, charter } = termsOf(db, row)
  const isCustodian = custodians.some(one => one.id === member)
  const queryOf = () =>
    (db.select().from(queries).where(eq(queries.id, row.query)).get() as typeof queries.$inferSelect).compact
  switch (row.state) {
    case 'open': {
      const own = and(eq(contributions.round, row.id), eq(contributions.member, member))
      const done = db.select().from(contributions).where(own).get() !== undefined
      if (done || !eligible.includes(member) || refused('contribute')) return undefined
      return { kind: 'contribute', round: row.compact, query: queryOf() }
    }
    case 'closed':
    case 'agreed':
    case 'opened': {
      if (!isCustodian) return undefined
      const all = db.select().from(agreements).where(eq(agreements.round, row.id)).all()
      if (!all.some(one => one.custodian === member)) {
        if (refused('agree')) return undefined
        return { kind: 'agree', round: row.compact, query: queryOf(), cohort: row.cohort as string }
      }
      const own = and(eq(openings.round, row.id), eq(openings.custodian, member))
      const done = db.select().from(openings).where(own).get() !== undefined
      if (row.state === 'closed' || done || refused('open')) return undefined
      return { kind: 'open', round: row.id, agreements: all.map(one => one.compact), charter }
    }
    case 'void':
      if (!isCustodian || gaveUp()) return undefined
      return { kind: 'void', round: row.id, cohort: row.cohortId !== null, charter }
  }
}

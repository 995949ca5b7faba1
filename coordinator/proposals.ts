import { and, eq, isNull } from 'drizzle-orm'
import { LARGEST_ROSTER, SMALLEST_COHORT } from '#crypto/parameters.ts'
import { isoTime } from '#party/clock.ts'
import { catalogue } from '#specs/datasets/catalogue.ts'
import { fault } from '#specs/errors.ts'
import { agreement, type Charter, type CharterId, charter, enrolment, type MemberId } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import {
  changesBetween,
  checkSuccession,
  defaultQuorum,
  inherited,
  isFulfilled,
  quorumBounds,
} from '#specs/rules/succession.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { changesCustody, standing } from './charters.ts'
import { type Context, charterById, charterInForce, charterProposed } from './context.ts'
import type { Transaction } from './event-log.ts'
import { charters, parties } from './schema.ts'

type Entry = Charter['members'][number]

export interface Proposal {
  readonly custodians?: readonly string[]
  readonly threshold?: number
  readonly quorum?: number
  /** Members that the charter leaves out. */
  readonly without?: readonly string[]
}

/** How many custodians there are when nobody says: all members of a small federation, five of a larger one. */
const CUSTODIANS = 5

function defaultThreshold(custodians: number): number {
  return custodians <= 4 ? 3 : Math.ceil((2 * custodians + 1) / 3)
}

/** What a proposal came to, with the charter that is proposed, was withdrawn, or is in force unchanged. */
export interface Proposed {
  readonly outcome: 'proposed' | 'proposed before' | 'withdrawn' | 'unchanged'
  readonly charter: SignedCharter
}

/**
 * Proposes a charter like `proposeCharter`, if it would change anything: one that is proposed already keeps its signatures, and what the
 * charter in force says takes back another proposal.
 * @throws InbondError `bad-charter`, `charter-pending`
 */
export async function proposeChanges(context: Context, proposal: Proposal): Promise<Proposed> {
  const current = charterInForce(context.db)
  const terms = termsOf(context, proposal, current)
  const open = charterProposed(context.db)
  if (open && isSame(open.payload, terms) && canBeSigned(context, open)) {
    return { outcome: 'proposed before', charter: open }
  }
  if (current === undefined || !isSame(current.payload, terms) || needsSuccessor(context, current)) {
    return { outcome: 'proposed', charter: await put(context, terms, current) }
  }
  if (open === undefined) return { outcome: 'unchanged', charter: current }
  context.db.transaction(tx => withdraw(tx, current, context.clock.now()))
  context.changes.announce('everybody')
  return { outcome: 'withdrawn', charter: open }
}

function isSame(one: Charter, other: Charter): boolean {
  const { added, removed, replaced, rules, custody } = changesBetween(one, other)
  return [...added, ...removed, ...replaced, ...rules].length === 0 && !custody
}

/** A log that was lost cannot be followed, and a custodian does not sign where it agreed to a cohort since. */
function canBeSigned({ log }: Context, { payload: { logHead } }: SignedCharter): boolean {
  return log.had(logHead) && !log.hasSince(logHead, agreement.typ)
}

/**
 * Whether one has to follow even if it changes nothing. Nothing can be answered where the log was lost; and a custodian that signed
 * another custody, which it may have done unheard, agrees to nothing until some next charter is in force.
 */
function needsSuccessor({ db, log }: Context, current: SignedCharter): boolean {
  if (!log.had(current.payload.logHead)) return true
  const isNext = eq(charters.epoch, current.payload.epoch + 1)
  const proposals = db.select({ id: charters.id }).from(charters).where(isNext).all()
  return proposals.some(({ id }) => changesCustody(current, charterById(db, id)))
}

/**
 * Proposes a charter over the members of the one in force, with the keys that they have enrolled since, and whoever has enrolled as a
 * member. What nobody decides stays as it is. It takes the place of an earlier proposal, unless that only waits to be confirmed.
 * @throws InbondError `bad-charter`, `charter-pending`
 */
export async function proposeCharter(context: Context, proposal: Proposal): Promise<SignedCharter> {
  const current = charterInForce(context.db)
  return put(context, termsOf(context, proposal, current), current)
}

function termsOf(context: Context, proposal: Proposal, current: SignedCharter | undefined): Charter {
  const members = rosterOf(context, current?.payload, proposal.without ?? [])
  if (members.length < SMALLEST_COHORT || members.length > LARGEST_ROSTER) {
    throw fault(
      'bad-charter',
      `a federation has ${SMALLEST_COHORT} to ${LARGEST_ROSTER} members; ${members.length} would be in it`,
    )
  }
  return {
    protocol: PROTOCOL,
    federation: context.name,
    epoch: (current?.payload.epoch ?? 0) + 1,
    previous: current?.id ?? null,
    coordinator: context.key.publicKey,
    currency: context.currency,
    members,
    ...governance(
      members.map(one => one.id),
      proposal,
      current?.payload,
    ),
    minimumCohort: SMALLEST_COHORT,
    datasets: [...catalogue.values()].map(({ id, version }) => ({ id, version })),
    logHead: context.log.head(),
    proposedAt: isoTime(context.clock.now()),
  }
}

async function put(context: Context, terms: Charter, current: SignedCharter | undefined): Promise<SignedCharter> {
  checkSuccession(current, terms)
  const signed = await sign<typeof charter.schema, CharterId>(context.key, charter, terms)
  const now = context.clock.now()
  context.db.transaction(tx => {
    withdraw(tx, current, now)
    tx.insert(charters)
      .values({ id: signed.id, epoch: signed.payload.epoch, compact: signed.compact, proposedAt: now })
      .run()
    context.log.append(tx, charter.typ, signed.id, now)
  })
  context.changes.announce('everybody')
  return signed
}

/** @throws InbondError `charter-pending` */
function withdraw(tx: Transaction, current: SignedCharter | undefined, now: number): void {
  const open = charterProposed(tx)
  if (open && current && isFulfilled(standing(tx, open, current).consents)) {
    throw fault('charter-pending', 'the charter proposed before has its signatures, and waits to be confirmed')
  }
  tx.update(charters).set({ withdrawnAt: now }).where(isNull(charters.inForceAt)).run()
}

function rosterOf(context: Context, current: Charter | undefined, without: readonly string[]): Entry[] {
  const entries = new Map<string, Entry>(current?.members.map(one => [one.id, one]))
  const isKey = and(eq(parties.role, 'member'), isNull(parties.endedAt))
  const keys = context.db.select().from(parties).where(isKey).orderBy(parties.isReplacement).all()
  for (const key of keys) {
    if (key.isReplacement || !entries.has(key.subject)) entries.set(key.subject, entryOf(key.enrolment))
  }
  for (const id of without) {
    if (!entries.delete(id)) throw fault('bad-charter', `${id} is neither a member nor enrolled`)
  }
  return [...entries.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
}

function entryOf(compact: string): Entry {
  const { payload } = claims(enrolment, compact)
  if (payload.role !== 'member') throw fault('bad-message', 'a member is enrolled as a researcher')
  const { id, name, publicKey, conventions } = payload
  return { id, name, publicKey, conventions }
}

function governance(members: readonly MemberId[], proposal: Proposal, current: Charter | undefined) {
  const custodians = chooseCustodians(members, proposal.custodians, current)
  const bounds = { least: Math.ceil(custodians.length / 2) + 1, most: custodians.length }
  const stays = proposal.custodians === undefined && current !== undefined && isWithin(current.threshold, bounds)
  const threshold = proposal.threshold ?? (stays ? current.threshold : defaultThreshold(custodians.length))
  const quorum = proposal.quorum ?? chooseQuorum(members, current)
  // Below ⌈m/2⌉ + 1, two cohorts of one round could be opened by two groups of custodians that hardly overlap.
  if (custodians.length < SMALLEST_COHORT || !isWithin(threshold, bounds)) {
    throw fault(
      'bad-charter',
      `with ${custodians.length} custodians (at least 3) the threshold lies between ${bounds.least} and ${bounds.most}`,
    )
  }
  const { least, most } = quorumBounds(members.length)
  if (!isWithin(quorum, { least, most })) {
    throw fault('bad-charter', `with ${members.length} members the quorum lies between ${least} and ${most}`)
  }
  return { custodians, threshold, quorum }
}

function isWithin(value: number, { least, most }: { least: number; most: number }): boolean {
  return value >= least && value <= most
}

/** Custodians stay; where too few are left of them, others take their places. */
function chooseCustodians(
  members: readonly MemberId[],
  wanted: readonly string[] | undefined,
  current: Charter | undefined,
): MemberId[] {
  if (wanted === undefined) {
    if (current === undefined) return members.slice(0, CUSTODIANS)
    const { custodians } = inherited(current, members, members.length)
    const others = members.filter(id => !custodians.includes(id))
    const places = custodians.length < SMALLEST_COHORT ? current.custodians.length - custodians.length : 0
    return [...custodians, ...others.slice(0, places)]
  }
  const strange = wanted.find(id => !members.some(member => member === id))
  if (strange !== undefined)
    throw fault('bad-charter', `${strange} is not an enrolled member; there are ${members.join(', ')}`)
  if (new Set(wanted).size !== wanted.length) throw fault('bad-charter', 'a custodian is named twice')
  return members.filter(id => wanted.includes(id)).sort((a, b) => wanted.indexOf(a) - wanted.indexOf(b))
}

/** Two thirds, or as many as before if that is more. */
function chooseQuorum(members: readonly MemberId[], current: Charter | undefined): number {
  if (current === undefined) return defaultQuorum(members.length)
  const before = inherited(current, members, members.length).quorum
  const hasNewcomers = members.some(id => !current.members.some(one => one.id === id))
  return hasNewcomers ? Math.max(before, defaultQuorum(members.length)) : before
}

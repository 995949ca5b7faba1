import { and, asc, eq, gt } from 'drizzle-orm'
import { purposes } from '#specs/code-lists/purposes.ts'
import { fault } from '#specs/errors.ts'
import { round as announced, certificate, type QueryId, query, type RoundId } from '#specs/messages.ts'
import { claims } from '#specs/signed.ts'
import { countedDecisions, type Decision, deputiesFrom, standingOf, type Waiting } from './decisions.ts'
import type { Node } from './node.ts'
import { type Policy, parsePolicy } from './policy.ts'
import { contributions, policies, queue, refusals, rounds } from './schema.ts'

/** What the stewards of a node work with: its books, but not its key. */
export type Desk = Pick<Node, 'id' | 'db' | 'clock' | 'policy' | 'examine'>

/** How a question stands that takes or took a person. `over` is one that ended by itself, or was withdrawn. */
export type QuestionState = 'waits' | 'approved' | 'refused' | 'expired' | 'answered' | 'over'

/** A question of the queue, as `--json` has it. */
export interface QueuedQuestion {
  readonly question: RoundId
  /** The id by which whoever asked knows it. */
  readonly query: QueryId
  readonly state: QuestionState
  readonly researcher: string
  readonly organisation: string | null
  readonly role: string | null
  /** The member to whose own cohort the researcher belongs. */
  readonly administration: string | null
  /** The member that vouches. */
  readonly sponsor: string | null
  readonly purpose: string
  readonly purposeCode: string
  readonly since: string
  readonly expires: string
  /** When deputies may decide. */
  readonly deputiesFrom: string
  readonly approvalsNeeded: number
  /** Why it takes a person. */
  readonly reasons: readonly string[]
  readonly approvedBy: readonly string[]
  /** Those that count, the first first. */
  readonly decisions: readonly Pick<Decision, 'steward' | 'verdict' | 'reason' | 'at'>[]
  /** What whoever asked was told, where it was refused. */
  readonly refusal: string | null
}

/** The queue, the oldest first. @param all those too that are over */
export async function queuedQuestions(desk: Desk, all = false): Promise<QueuedQuestion[]> {
  const { rules } = await desk.policy()
  const found: QueuedQuestion[] = []
  for (const waiting of desk.db.select().from(queue).orderBy(asc(queue.since)).all()) {
    const one = await describeQueued(desk, waiting, rules)
    if (all || isPending(one)) found.push(one)
  }
  return found
}

function isPending({ state }: QueuedQuestion): boolean {
  return state === 'waits' || state === 'approved'
}

/** What a person may still decide, without a look at what was decided. */
export function pendingQuestions({ db, clock }: Pick<Desk, 'db' | 'clock'>): Waiting[] {
  const inTime = gt(queue.expires, clock.now())
  const waiting = db.select().from(queue).where(inTime).orderBy(asc(queue.since)).all()
  return waiting.filter(one => outcomeOf({ db, clock }, one.round) === undefined)
}

async function describeQueued(desk: Desk, waiting: Waiting, rules: Policy): Promise<QueuedQuestion> {
  const { query, question, researcher } = askedIn(desk, waiting.round)
  const outcome = outcomeOf(desk, waiting.round)
  // What was decided stays so under a later policy, which may name others.
  const decidedBy = outcome === undefined ? rules : policyCalled(desk, waiting.policy)
  const counted = await countedDecisions(desk.db, waiting, decidedBy)
  const standing = standingOf(waiting, counted, desk.clock.now())
  const { name, organisation, role, administration, sponsor } = researcher
  return {
    question: waiting.round,
    query,
    state: outcome?.state ?? standing.state,
    researcher: name,
    organisation,
    role,
    administration,
    sponsor,
    purpose: question.purpose,
    purposeCode: question.purposeCode,
    since: iso(waiting.since),
    expires: iso(waiting.expires),
    deputiesFrom: iso(deputiesFrom(waiting, decidedBy)),
    approvalsNeeded: waiting.hands,
    reasons: waiting.reasons,
    approvedBy: standing.approvedBy,
    decisions: counted.map(({ steward, verdict, reason, at }) => ({ steward, verdict, reason, at })),
    refusal: outcome?.refusal ?? null,
  }
}

/** A policy that was in force, by the SHA-256 of its text. */
function policyCalled({ db }: Pick<Desk, 'db'>, sha256: string): Policy {
  const row = db.select().from(policies).where(eq(policies.sha256, sha256)).get()
  if (!row) throw new Error(`no policy ${sha256} was in force`)
  return parsePolicy(row.text)
}

/** How the node ended a question, or undefined while it is open. */
function outcomeOf({ db, clock }: Pick<Desk, 'db' | 'clock'>, id: RoundId) {
  const contributed = db
    .select({ at: contributions.createdAt })
    .from(contributions)
    .where(eq(contributions.round, id))
    .get()
  if (contributed) return { state: 'answered' as const, refusal: null }
  const step = and(eq(refusals.round, id), eq(refusals.step, 'contribute'))
  const refused = db.select({ reason: refusals.reason }).from(refusals).where(step).get()
  if (refused) return { state: 'refused' as const, refusal: refused.reason }
  const row = db.select().from(rounds).where(eq(rounds.id, id)).get()
  const isOver = row !== undefined && (row.clearedAt !== null || row.ends <= clock.now())
  return isOver ? { state: 'over' as const, refusal: null } : undefined
}

/** What was asked in a round that this node verified, and by whom. @throws InbondError `not-found` */
export function askedIn({ db }: Pick<Desk, 'db'>, id: RoundId) {
  const row = db
    .select({ id: rounds.query, round: rounds.compact, query: rounds.queryCompact })
    .from(rounds)
    .where(eq(rounds.id, id))
    .get()
  if (!row) throw fault('not-found', `this node has not seen the round ${id}`)
  const { question, certificate: certified, need } = claims(query, row.query).payload
  const { asOf } = claims(announced, row.round).payload
  return { query: row.id, question, asOf: Date.parse(asOf), need, researcher: claims(certificate, certified).payload }
}

/** The question that a steward names by the first digits of its id, or of the query's. @throws InbondError `not-found` */
export function findQueued({ db }: Pick<Desk, 'db'>, digits: string): Waiting {
  const found = db
    .select({ waiting: queue, query: rounds.query })
    .from(queue)
    .innerJoin(rounds, eq(rounds.id, queue.round))
    .all()
    .filter(({ waiting, query }) => [waiting.round, query].some(id => id.startsWith(digits.toLowerCase())))
  const [first] = found
  if (first !== undefined && found.length === 1 && digits !== '') return first.waiting
  const which = found.length === 0 ? 'no question' : `${found.length} questions`
  throw fault('not-found', `the queue has ${which} with an id that begins with "${digits}"`)
}

/** @throws InbondError `not-found` */
export async function queuedQuestion(desk: Desk, digits: string): Promise<QueuedQuestion> {
  return describeQueued(desk, findQueued(desk, digits), (await desk.policy()).rules)
}

export function purposeTitle(code: string): string {
  return purposes.title(code, 'en')
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

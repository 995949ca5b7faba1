import { createHash } from 'node:crypto'
import { count, desc, eq, gt } from 'drizzle-orm'
import { z } from 'zod'
import { InbondError } from '#crypto/error.ts'
import { manifest, query, type RoundId } from '#specs/messages.ts'
import { type Approval, dayIsFull, type Judgement, judge, stricter } from '#specs/policy.ts'
import { parseDuration, type Question } from '#specs/query.ts'
import type { VerifiedRound } from '#specs/rules/round.ts'
import { claims } from '#specs/signed.ts'
import { countedDecisions, standingOf, type Waiting } from './decisions.ts'
import type { EarlierAnswer, Examination, ExaminationTask } from './examination.ts'
import type { Node } from './node.ts'
import { hands, type Policy, type PolicyInForce } from './policy.ts'
import { contributions, decisions, queue, recalledAnswers, rounds } from './schema.ts'

const DAY_MS = 86_400_000
/** What is left of a round for the answer when nobody may approve any more: a minute, and of a short one a tenth. */
const ANSWERING_MS = 60_000

/** That a policy allows an answer, and what was found in the node's own records when it did. */
export interface Consent {
  readonly policy: PolicyInForce
  readonly examined: { readonly task: ExaminationTask; readonly found: Examination } | undefined
  /** How many contributions, and decisions on this question, there were when it was judged. */
  readonly known: { readonly contributions: number; readonly decisions: number }
}

/** A policy, or a person that it names, does not allow an answer. */
export class PolicyRefusal extends InbondError {
  /** SHA-256 of the policy. */
  readonly policy: string

  constructor({ hash }: PolicyInForce, reason: string) {
    super('policy-refused', reason)
    this.policy = hash
  }
}

/**
 * Whether this node consents to a round, by the policy in force now. A question that takes a person waits until enough people
 * approved, until one refused, or until its time is over.
 * @throws PolicyRefusal with a reason for whoever asked; InbondError `bad-round`, `warehouse-outdated`
 */
export async function consentTo(node: Node, round: VerifiedRound): Promise<Consent | 'waits'> {
  const policy = await node.policy()
  const before = waitingFor(node, round.id)
  // Nothing changed since the question was judged: its records are not looked through again and again.
  if (before?.policy === policy.hash && (await isUndecided(node, before, policy))) return 'waits'
  const judged = judgeRound(node, policy, round)
  if (judged.approval === 'refused') throw new PolicyRefusal(policy, judged.reasons.join('; '))
  const known = knownTo(node, round.id)
  const task = examinationOf(node, round, policy.rules)
  const found = task && (await node.examine(task))
  const examined = task && found ? { task, found } : undefined
  const needed = [...findings(policy.rules, found)]
  const refused = needed.find(one => one.approval === 'refused')
  if (refused) throw new PolicyRefusal(policy, refused.publicly)
  const approval = needed.reduce<Approval>((all, one) => stricter(all, one.approval), judged.approval)
  if (approval === 'automatic') return { policy, examined, known }
  const reasons = [...judged.reasons, ...needed.map(one => one.reason)]
  const waiting = enqueue(node, round, policy, hands(approval), reasons)
  return (await isUndecided(node, waiting, policy)) ? 'waits' : { policy, examined, known }
}

function judgeRound(node: Node, policy: PolicyInForce, round: VerifiedRound): Judgement {
  const { query, charter, plan, researcher } = round
  const { id, version } = plan.dataset
  if (!charter.payload.datasets.some(one => one.id === id && one.version === version)) {
    throw new PolicyRefusal(policy, `the charter does not cover ${id}, version ${version}`)
  }
  return judge(policy.rules, {
    question: query.payload.question,
    need: query.payload.need,
    organisation: researcher.organisation,
    role: researcher.role,
    eligible: round.round.eligible.length,
    minimumCohort: charter.payload.minimumCohort,
    answeredToday: answeredToday(node),
  })
}

/** Rounds that this node answered in the last 24 hours. */
function answeredToday(node: Pick<Node, 'db' | 'clock'>): number {
  return answersSince(node, node.clock.now() - DAY_MS)
}

/** Also those that it had forgotten. */
function answersSince({ db }: Pick<Node, 'db'>, moment: number): number {
  const remembered = gt(contributions.createdAt, moment)
  const recalled = gt(recalledAnswers.answeredBy, moment)
  const counted = [
    db.select({ rounds: count() }).from(contributions).where(remembered).get(),
    db.select({ rounds: count() }).from(recalledAnswers).where(recalled).get(),
  ]
  return counted.reduce((sum, one) => sum + (one?.rounds ?? 0), 0)
}

function knownTo({ db }: Pick<Node, 'db'>, id: RoundId): Consent['known'] {
  const ofRound = eq(decisions.round, id)
  return {
    contributions: answersSince({ db }, Number.NEGATIVE_INFINITY),
    decisions: db.select({ all: count() }).from(decisions).where(ofRound).get()?.all ?? 0,
  }
}

/**
 * Whether a consent still holds when the contribution is about to be stored: nobody decided anew, and two questions that are answered
 * side by side are judged as if one came after the other. To be called in the transaction that stores it.
 * @throws PolicyRefusal when the day became full meanwhile
 */
export function stillHolds(
  node: Pick<Node, 'db' | 'clock'>,
  id: RoundId,
  { policy, examined, known }: Consent,
): boolean {
  if (answeredToday(node) >= policy.rules.questionsADay) throw new PolicyRefusal(policy, dayIsFull(policy.rules))
  const now = knownTo(node, id)
  const isAlone = examined?.task.overlap === undefined || now.contributions === known.contributions
  return isAlone && now.decisions === known.decisions
}

/** What a policy wants to be looked up in the node's records, or undefined for nothing. */
function examinationOf(node: Node, round: VerifiedRound, rules: Policy): ExaminationTask | undefined {
  const [cells, overlap] = [rules.ownCells, rules.overlap].map(one => one.otherwise !== 'automatic')
  if (!cells && !overlap) return undefined
  const asOf = Date.parse(round.round.asOf)
  return { ...examinationTask(node, round.query.payload.question, rules, { cells, overlap }), asOf }
}

/** What is to be looked up of a question in the node's records, by the thresholds of a policy. */
export function examinationTask(
  node: Pick<Node, 'db' | 'clock'>,
  question: Question,
  rules: Policy,
  { cells = true, overlap = true } = {},
): ExaminationTask {
  const { records, traders, dominance } = rules.ownCells
  const least = { records: rules.overlap.records, traders: rules.overlap.traders }
  return {
    question,
    ...(cells ? { ownCells: { records, traders, dominance } } : {}),
    ...(overlap ? { overlap: { ...least, earlier: earlierAnswers(node, rules.overlap.days) } } : {}),
  }
}

/** Of own manifests, also those of the first release, which said less of a month. */
const answeredVersions = {
  ...manifest,
  schema: z.object({ coverage: z.array(z.object({ period: z.string(), version: z.int().nonnegative() })) }),
}

/** What this node contributed in so many days, forgotten or not, the same question about the same versions once. */
function earlierAnswers(node: Pick<Node, 'db' | 'clock'>, days: number): EarlierAnswer[] {
  const moment = node.clock.now() - days * DAY_MS
  const remembered = node.db
    .select({
      round: rounds.id,
      query: rounds.queryCompact,
      manifest: contributions.manifest,
    })
    .from(contributions)
    .innerJoin(rounds, eq(rounds.id, contributions.round))
    .where(gt(contributions.createdAt, moment))
    .orderBy(desc(contributions.createdAt))
    .all()
  const recalled = node.db
    .select({
      round: recalledAnswers.round,
      query: recalledAnswers.queryCompact,
      manifest: recalledAnswers.manifest,
    })
    .from(recalledAnswers)
    .where(gt(recalledAnswers.answeredBy, moment))
    .orderBy(desc(recalledAnswers.answeredBy))
    .all()
  const different = new Map<string, EarlierAnswer>()
  for (const row of [...remembered, ...recalled]) {
    const { question } = claims(query, row.query).payload
    const { coverage: versions } = claims(answeredVersions, row.manifest).payload
    const key = JSON.stringify([question.dataset, question.where, question.by, versions])
    if (!different.has(key)) different.set(key, { round: row.round, question, versions })
  }
  return [...different.values()]
}

/** Where the node's records are not as a policy wants them: what that takes, why, and what of it whoever asked may know. */
export function* findings(
  { ownCells, overlap }: Policy,
  found: Examination | undefined,
): Iterable<{ approval: Approval; reason: string; publicly: string }> {
  const own = found?.ownCells
  if (own && own.below > 0) {
    const reason = `${own.below} of its cells have fewer than ${ownCells.records} records or ${ownCells.traders} traders of this node`
    yield { approval: ownCells.otherwise, reason, publicly: OWN_CELLS }
  }
  if (own && own.dominated > 0) {
    const reason = `in ${own.dominated} of its cells one trader has more than ${ownCells.dominance} % of this node's part`
    yield { approval: ownCells.otherwise, reason, publicly: OWN_CELLS }
  }
  for (const { round, groups, records, traders } of found?.overlaps ?? []) {
    const reason = `beside the answer of round ${round.slice(0, 12)} it singles out ${groups} small groups, with ${records} records or ${traders} traders in the smallest`
    yield { approval: overlap.otherwise, reason, publicly: OVERLAP }
  }
}

// How many there are would say it of the records themselves.
const OWN_CELLS = "this member's part of the answer does not satisfy its policy"
const OVERLAP = 'beside what this member answered before, it would single out a few records'

/** @returns whether nobody has decided yet @throws PolicyRefusal if it was refused, or not decided in time */
async function isUndecided(node: Node, waiting: Waiting, policy: PolicyInForce): Promise<boolean> {
  const counted = await countedDecisions(node.db, waiting, policy.rules)
  const standing = standingOf(waiting, counted, node.clock.now())
  switch (standing.state) {
    case 'waits':
      return true
    case 'approved':
      return false
    case 'refused':
      throw new PolicyRefusal(policy, `refused by hand: ${standing.reason}`)
    case 'expired':
      throw new PolicyRefusal(
        policy,
        standing.approvedBy.length === 0
          ? 'nobody decided in time'
          : `${standing.approvedBy.length} of ${waiting.hands} people approved in time`,
      )
  }
}

function waitingFor(node: Node, id: RoundId): Waiting | undefined {
  return node.db.select().from(queue).where(eq(queue.round, id)).get()
}

/** Puts a question into the queue, or says anew what is asked of the stewards; its time goes on. */
function enqueue(
  node: Node,
  round: VerifiedRound,
  { rules, hash }: PolicyInForce,
  needed: number,
  reasons: readonly string[],
): Waiting {
  const [opens, closes] = [Date.parse(round.round.opens), Date.parse(round.round.closes)]
  const since = waitingFor(node, round.id)?.since ?? node.clock.now()
  const last = closes - Math.min(ANSWERING_MS, (closes - opens) / 10)
  const asked = {
    expires: Math.floor(Math.min(since + parseDuration(rules.expires), last)),
    hands: needed,
    policy: hash,
    reasons,
    basis: createHash('sha256')
      .update(JSON.stringify([round.id, hash, needed, reasons]))
      .digest('hex'),
  }
  return node.db
    .insert(queue)
    .values({ round: round.id, since, ...asked })
    .onConflictDoUpdate({ target: queue.round, set: asked })
    .returning()
    .get()
}

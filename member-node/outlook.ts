import { eq } from 'drizzle-orm'
import { table } from '#party/command.ts'
import { counted, duration } from '#party/glance.ts'
import { certificate, query } from '#specs/messages.ts'
import { measureName, plan } from '#specs/query.ts'
import { describeCondition } from '#specs/rules/region.ts'
import { claims } from '#specs/signed.ts'
import { examinationTask } from './consent.ts'
import { askedIn, type Desk, findQueued, purposeTitle, type QueuedQuestion, queuedQuestion } from './queue.ts'
import { contributions, recalledAnswers, rounds } from './schema.ts'
import type { OwnCells } from './warehouse/examination.ts'

/** What a steward sees of a question before deciding. The figures of the node's own records stay on this machine. */
export interface Outlook extends QueuedQuestion {
  readonly dataset: string
  readonly measures: readonly string[]
  /** Dimensions of the cells, with how many codes each has. */
  readonly by: readonly { readonly dimension: string; readonly codes: number; readonly grain?: 'month' | 'year' }[]
  readonly where: readonly string[]
  readonly cells: number
  /** Members that must be in the answer: `all`, or at least so many. */
  readonly need: string
  readonly ownCells: OwnCells
  /** Earlier answers of this node beside which this one would single out a few records. */
  readonly overlaps: readonly {
    readonly question: string
    readonly answeredAt: string
    readonly researcher: string
    readonly purpose: string
    readonly groups: number
    readonly records: number
    readonly traders: number
  }[]
}

/**
 * Looks at a question of the queue, and through the node's records for it, by the thresholds of the policy even where the policy does
 * not insist on them: the versions of them that the answer would be computed from.
 * @throws InbondError `not-found`, `warehouse-outdated`
 */
export async function outlook(desk: Desk, digits: string): Promise<Outlook> {
  const { round } = findQueued(desk, digits)
  const { question, asOf, need } = askedIn(desk, round)
  const { rules } = await desk.policy()
  const laid = plan(question)
  const task = { ...examinationTask(desk, question, rules), asOf }
  const earlier = task.overlap?.earlier.filter(one => one.round !== round) ?? []
  const { ownCells, overlaps } = await desk.examine({ ...task, overlap: { ...rules.overlap, earlier } })
  return {
    ...(await queuedQuestion(desk, round)),
    dataset: laid.dataset.id,
    measures: laid.measures.map(measureName),
    by: laid.axes.map(({ dimension, codes, grain }) => ({
      dimension,
      codes: codes.length,
      ...(grain ? { grain } : {}),
    })),
    where: laid.where.map(describeCondition),
    cells: laid.cells,
    need: need === 'all' ? 'all' : `at least ${need.atLeast}`,
    ownCells: ownCells as OwnCells,
    overlaps: overlaps.map(({ round: other, ...sizes }) => ({ ...earlierAnswer(desk, other), ...sizes })),
  }
}

function earlierAnswer({ db }: Desk, round: (typeof rounds.$inferSelect)['id']) {
  const row = db
    .select({ at: contributions.createdAt, researcher: rounds.researcher, purpose: rounds.purpose })
    .from(contributions)
    .innerJoin(rounds, eq(rounds.id, contributions.round))
    .where(eq(rounds.id, round))
    .get()
  const answered = row ?? recalledAnswer(db, round)
  return {
    question: round,
    answeredAt: new Date(answered.at).toISOString(),
    researcher: answered.researcher,
    purpose: answered.purpose,
  }
}

function recalledAnswer(db: Desk['db'], round: (typeof rounds.$inferSelect)['id']) {
  const row = db.select().from(recalledAnswers).where(eq(recalledAnswers.round, round)).get()
  if (!row) throw new Error(`there is no contribution to ${round}`)
  const asked = claims(query, row.queryCompact).payload
  const { name: researcher } = claims(certificate, asked.certificate).payload
  return { at: row.answeredBy, researcher, purpose: asked.question.purpose }
}

/** In plain words. @param now milliseconds since 1970 */
export function describeQuestion(seen: Outlook, now: number): string {
  const { ownCells } = seen
  const ended = seen.refusal === null ? '' : `, ${seen.refusal}`
  const left = seen.state === 'waits' ? ` (${duration(Date.parse(seen.expires) - now)} left)` : ''
  const level = seen.by.map(one => `${one.dimension}${one.grain ? ` (${one.grain}s)` : ''}, ${one.codes} codes`)
  const rows = [
    ['question', seen.question],
    ['query', `${seen.query}, as whoever asks knows it`],
    ['stands', `${seen.state}${ended}; since ${seen.since}, until ${seen.expires}${left}`],
    ['from', `${seen.researcher}, organisation: ${seen.organisation ?? 'none'}, role: ${seen.role ?? 'none'}`],
    ['sponsored by', seen.sponsor ?? 'nobody'],
    ['administration', seen.administration ?? 'none: the researcher knows no member’s figures of its own'],
    ['purpose', `${seen.purposeCode} (${purposeTitle(seen.purposeCode)}): ${seen.purpose}`],
    [
      'reveals',
      `${seen.measures.join(', ')} of ${seen.dataset}, added up over all members in the answer (${seen.need}), to ${seen.researcher} alone`,
    ],
    [
      'in cells by',
      level.length === 0 ? 'nothing: one figure' : `${level.join('; ')}; ${seen.cells.toLocaleString('en')} cells`,
    ],
    ['of records with', seen.where.length === 0 ? 'anything: all records' : seen.where.join('; ')],
    ...seen.reasons.map((reason, i) => [i === 0 ? 'needs a person' : '', reason]),
    [
      'approvals',
      `${seen.approvedBy.length} of ${seen.approvalsNeeded}${listed(seen.approvedBy)}; deputies from ${seen.deputiesFrom}`,
    ],
    ...seen.decisions.map(one => [
      'decided',
      `${one.at} ${one.steward}: ${one.verdict}${one.reason ? `, ${one.reason}` : ''}`,
    ]),
    [
      'your records',
      `${ownCells.cells.toLocaleString('en')} cells hold any; ${ownCells.below} of them too few records or traders, ${ownCells.dominated} a trader with too large a share`,
    ],
    ...ownCells.smallest.map(one => [
      '',
      `${one.codes.join(' × ') || 'all'}: ${counted(one.records, 'record')} of ${counted(one.traders, 'trader')}, the largest with ${one.share} %`,
    ]),
    ...(seen.overlaps.length === 0
      ? [['overlaps', 'no earlier answer beside which it would single out a few records']]
      : []),
    ...seen.overlaps.map(one => [
      'overlaps',
      `${one.purpose} (${one.researcher}, ${one.answeredAt.slice(0, 10)}, ${one.question.slice(0, 12)}): in ${counted(one.groups, 'group')} only ${counted(one.records, 'record')} or ${counted(one.traders, 'trader')} in one and not in the other`,
    ]),
  ]
  return table(rows as string[][])
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? '' : ` (${names.join(', ')})`
}

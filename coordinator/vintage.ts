import { asc, eq, ne } from 'drizzle-orm'
import { Remembered } from '#party/remembered.ts'
import { type Coverage, type MemberId, manifest, type Query, query, type RoundId, round } from '#specs/messages.ts'
import { monthsBetween } from '#specs/period.ts'
import type { Question } from '#specs/query.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { regionAndReader } from '#specs/rules/past-cohort.ts'
import type { AskedCohort, Part } from '#specs/rules/pattern.ts'
import { askedPeriod, regionsIntersect } from '#specs/rules/region.ts'
import { claims } from '#specs/signed.ts'
import type { Context } from './context.ts'
import { countingCohorts, type FittingCohort, fitting } from './ledger.ts'
import { contributions, queries, rounds } from './schema.ts'

/**
 * As of when a round asks, and whom. A member that revised a month alone would stand apart with its new version, but can answer as before.
 * So months that everybody closed are asked about as they were last, until manifests say that enough members have newer versions; other
 * months are asked about as they stand, unless earlier answers fit more members. It is a plan: what no manifest said yet shows at the
 * closing, and in the plans after.
 */

export interface PlannedRound extends FittingCohort {
  /** Milliseconds since 1970. */
  readonly asOf: number
}

interface Candidate extends PlannedRound {
  /** What each of the charter's members is expected to answer from. */
  readonly parts: readonly Part[]
}

/** What members said in a round that is not open any more, void or not. */
interface Statements {
  readonly round: RoundId
  readonly asOf: number
  readonly dataset: string
  readonly parts: readonly { member: MemberId; coverage: readonly Coverage[]; alone: boolean }[]
}

/** Of a month that a member was never asked about, some version that nobody has seen. */
const UNSEEN = -1
/** Earlier instants that are tried, the newest first. */
const MOST_VINTAGES = 5

const remembered = new Remembered<RoundId, Statements>(2000)

/** @param now milliseconds since 1970: when the round opens */
export function planRound(context: Context, asked: Query, charter: SignedCharter, now: number): PlannedRound {
  const { minimumCohort, members } = charter.payload
  const earlier = countingCohorts(context)
  const said = statements(context).filter(one => one.dataset === asked.question.dataset.id)
  const candidate = (asOf?: number): Candidate => {
    const parts = members.map(one => expectedPart(one.id, earlier, said, asOf))
    const wanted = { round: '', ...regionAndReader(asked), parts }
    return { asOf: asOf ?? now, parts, ...fitting(wanted, earlier, minimumCohort) }
  }
  const current = candidate()
  const [last, ...others] = vintages(asked.question, earlier, said, now).map(candidate)
  const inOrder =
    last === undefined
      ? [current]
      : isRepeated(asked.question, last, current)
        ? [last, current, ...others]
        : [current, last, ...others]
  return inOrder.reduce((best, one) => (one.members.length > best.members.length ? one : best))
}

/** The instants of earlier rounds whose answers cover every month that is asked about, the newest first. */
function vintages(
  question: Question,
  earlier: readonly AskedCohort[],
  said: readonly Statements[],
  now: number,
): number[] {
  const covering = earlier
    .filter(one => regionsIntersect(one.question, question) && isWithin(question, one.question))
    .map(one => one.round)
  const instants = said.filter(one => covering.includes(one.round) && one.asOf <= now).map(one => one.asOf)
  return [...new Set(instants)].sort((a, b) => b - a).slice(0, MOST_VINTAGES)
}

function isWithin(question: Question, wider: Question): boolean {
  const [own, others] = [question, wider].map(one => askedPeriod(one).period).map(one => one && monthsBetween(one))
  if (others === undefined) return true
  return own !== undefined && own.from >= others.from && own.to <= others.to
}

/** Whether a question is asked as of the last time once more: about months that all had closed, of which nobody is known to have newer data. */
function isRepeated(question: Question, last: Candidate, current: Candidate): boolean {
  const { period } = askedPeriod(question)
  if (period === undefined) return false
  const { from, to } = monthsBetween(period)
  const monthsOf = (plan: Candidate, member: MemberId) => {
    const coverage = plan.parts.find(part => part.member === member)?.coverage ?? []
    return new Map(coverage.filter(one => one.period >= from && one.period <= to).map(one => [one.period, one]))
  }
  const isSettled = (member: MemberId) => {
    const now = monthsOf(current, member)
    const then = [...monthsOf(last, member).values()]
    const isNewest = ({ period, version }: Part['coverage'][number]) =>
      version !== UNSEEN && version === now.get(period)?.version
    return then.every(one => one.state === 'complete' && isNewest(one))
  }
  return last.parts.some(part => !part.alone) && last.members.every(isSettled)
}

/** @param asOf of earlier rounds; left out, with the newest data that is known of */
function expectedPart(
  member: MemberId,
  earlier: readonly AskedCohort[],
  said: readonly Statements[],
  asOf?: number,
): Part {
  const periods = earlier.flatMap(({ parts }) => parts).flatMap(({ coverage }) => coverage.map(one => one.period))
  const months = new Map<string, Part['coverage'][number]>(
    periods.map(period => [period, { period, state: 'complete', version: UNSEEN }]),
  )
  let alone = false
  for (const one of said) {
    const own = one.parts.find(part => part.member === member)
    if (own === undefined) continue
    alone = own.alone
    if (asOf !== undefined && one.asOf !== asOf) continue
    for (const month of own.coverage) months.set(month.period, asOf === undefined ? newest(month) : month)
  }
  return { member, coverage: [...months.values()], alone }
}

function newest({ period, state, version, latest }: Coverage): Part['coverage'][number] {
  if (latest === version) return { period, state, version }
  return { period, state: 'complete', version: latest }
}

/** In the order of the rounds. */
function statements(context: Context): Statements[] {
  const ended = ne(rounds.state, 'open')
  const ids = context.db.select({ id: rounds.id }).from(rounds).where(ended).orderBy(asc(rounds.openedAt)).all()
  return ids.map(({ id }) => remembered.get(id, () => statementsIn(context, id)))
}

function statementsIn({ db }: Context, id: RoundId): Statements {
  const row = db
    .select({ round: rounds.compact, query: queries.compact })
    .from(rounds)
    .innerJoin(queries, eq(queries.id, rounds.query))
    .where(eq(rounds.id, id))
    .get()
  if (row === undefined) throw new Error(`there is no round ${id}`)
  const sent = db.select().from(contributions).where(eq(contributions.round, id)).all()
  return {
    round: id,
    asOf: Date.parse(claims(round, row.round).payload.asOf),
    dataset: claims(query, row.query).payload.question.dataset.id,
    parts: sent.map(one => {
      const { member, coverage, alone } = claims(manifest, one.manifest).payload
      return { member, coverage, alone }
    }),
  }
}

import { table } from '#party/command.ts'
import { counted, size } from '#party/glance.ts'
import type { Approval } from '#specs/policy.ts'
import type { Explanation } from './explain.ts'
import { named, type Outcome, type Stand } from './forecast.ts'
import { describeCoverage } from './presentation.ts'

const OUTCOMES: Readonly<Record<Outcome, string>> = {
  answered: 'It would be answered.',
  'by hand': 'It depends on people.',
  refused: 'It would not be answered.',
}
const STANDS: Readonly<Record<Stand, string>> = {
  answers: 'would answer',
  waits: 'would ask its stewards',
  refuses: 'would refuse',
  'left out': 'would be left out',
  unknown: 'nothing is known of it',
}
const MOST_PAST = 10

/** An explanation for people: what would become of the question, member by member, what it costs, and what to ask instead. */
export function describeExplanation(said: Explanation): string {
  const rows = [
    ...[...Map.groupBy(said.members, standOf)].map(([stand, members]) => [
      'members',
      `${named(members.map(one => one.member))}: ${stand}`,
    ]),
    ...[...Map.groupBy(said.members, coverageOf)].map(([months, members]) => [
      'coverage',
      `${named(members.map(one => one.member))}: ${months}`,
    ]),
    ['needed', describeNeed(said)],
    ...(said.asOf === null ? [] : [['data', `as of ${said.asOf}, like answers before`]]),
    ...describeCost(said).map(line => ['cost', line]),
    ...describePast(said).map(line => ['answers before', line]),
    ...[...new Set(said.exposures.map(one => one.inWords))].map(line => ['beside them', line]),
  ]
  const remarks = [
    ...said.reasons,
    ...(said.waitsForCharter ? ['It would wait for the proposed charter, which changes the custodians.'] : []),
    ...(said.hasData ? [] : ['No member has data of what is asked about.']),
  ]
  const head = [OUTCOMES[said.outcome], ...remarks.map(remark => `  ${remark}`)]
  return `${said.purpose}\n\n${head.join('\n')}\n\n${table(onceEach(rows))}${describeNearest(said)}`
}

type Member = Explanation['members'][number]

function standOf({ stand, reasons, ownRecords }: Member): string {
  const because = reasons.length === 0 ? '' : `: ${reasons.join('; ')}`
  const unless = stand === 'answers' || stand === 'waits' ? OWN_RECORDS[ownRecords] : ''
  return `${STANDS[stand]}${because}${unless}`
}

const OWN_RECORDS: Readonly<Record<Approval, string>> = {
  automatic: '',
  'one person': ', unless its own records make it ask its stewards',
  'two people': ', unless its own records make it ask its stewards',
  refused: ', unless its own records forbid it',
}

function coverageOf({ coverage }: Member): string {
  return coverage === null ? 'it does not say what it has' : describeCoverage(coverage)
}

function describeNeed({ need, members, commonMonths }: Explanation): string {
  const all = need.asked === 'all' ? 'all that can be asked' : `at least ${need.asked.atLeast}`
  const common = commonMonths === null ? '' : `; all have ${commonMonths.from} to ${commonMonths.to}`
  return `${all}: ${need.needed} of ${members.length}, and a cohort has at least ${need.minimumCohort}; ${need.sure} would be in the answer at once, ${need.possible} could${common}`
}

function describeCost({ cost }: Explanation): string[] {
  const { cells, slots, chunks } = cost
  return [
    `${counted(cells, 'cell')} in ${counted(slots, 'slot')}, ${counted(chunks, 'chunk')} of ciphertext`,
    `each member sends ${size(cost.memberSends)}`,
    `you receive ${size(cost.researcherReceives)}${cost.addsUpAgain ? ', and add the contributions up again' : ''}`,
    ...(cost.addsUpAgain
      ? []
      : [`one custodian receives ${size(cost.drawnReceives)} of contributions, and adds them up again`]),
    `each of ${cost.custodians} custodians receives and opens ${size(cost.custodianReceives)} of shares`,
  ]
}

function describePast({ pastAnswers }: Explanation): string[] {
  const lines = pastAnswers.slice(0, MOST_PAST).map(one => {
    const who = one.organisation === null ? one.researcher : `${one.researcher}, ${one.organisation}`
    const by = one.by.length === 0 ? '' : `, by ${one.by.join(', ')}`
    return `${one.query.slice(0, 12)}  ${one.opens.slice(0, 10)}  ${one.about.join('; ')}${by}; ${named(one.members)} (${who})`
  })
  const more = pastAnswers.length - lines.length
  return [
    ...lines,
    ...(more > 0 ? [`and ${more} more`] : []),
    ...(lines.length === 0 ? ['none about the same records'] : []),
  ]
}

/** A heading stands on the first of its rows. */
function onceEach(rows: readonly string[][]): string[][] {
  return rows.map(([heading, ...rest], i) => [heading === rows[i - 1]?.[0] ? '' : (heading as string), ...rest])
}

function describeNearest({ outcome, nearest, search }: Explanation): string {
  if (search === undefined) return ''
  const tried = `${search.tried} coarser questions were looked at${search.isCutShort ? '; there are more' : ''}`
  if (nearest === null) {
    const unmoved = search.unmoved.map(one => `  ${one}\n`).join('')
    const why = unmoved === '' ? '' : ` None of them changes this:\n${unmoved}`
    const better = outcome === 'by hand' ? 'None is answered without people' : 'None would be answered'
    return `\n${better}; ${tried}.${why === '' ? '\n' : why}`
  }
  const what = nearest.outcome === 'answered' ? 'would be answered' : 'people could allow'
  const changes = nearest.changes.map(one => `  ${one}\n`).join('')
  return `\nThe nearest question that ${what}:\n${changes}\n${nearest.lines.map(line => `${line}\n`).join('')}`
}

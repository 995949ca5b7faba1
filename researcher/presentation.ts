import { table } from '#party/command.ts'
import { duration } from '#party/glance.ts'
import type { QueryStatus } from '#specs/api.ts'
import type { Language } from '#specs/code-lists/code-list.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import type { Answer, CoverageRanges, Row } from './answer.ts'
import type { Added } from './reading.ts'

const LONGEST_TITLE = 44

/** An answer for people: the figures with their codes' titles, and below them what they rest on. */
export function describeAnswer(answer: Answer, dataset: Dataset, language: Language = 'en'): string {
  const columns = Object.keys(answer.rows[0] ?? {})
  const head = columns.map(column => heading(column, answer, dataset))
  const body = answer.rows.map(row => columns.map(column => cellText(row, column, dataset, language)))
  const figures = columns.map(column => column in answer.units)
  return [`${answer.purpose}\n\n`, alignedTable(head, body, figures), '\n', describeBasis(answer)].join('')
}

function heading(column: string, answer: Answer, dataset: Dataset): string {
  const unit = answer.units[column]
  return unit === undefined ? (dataset.dimensions[column]?.title ?? column) : `${column} [${unit}]`
}

function cellText(row: Row, column: string, dataset: Dataset, language: Language): string {
  const value = String(row[column])
  const dimension = dataset.dimensions[column]
  if (dimension === undefined) return grouped(value)
  if (dimension.kind === 'period' || value === 'other' || value === 'unknown') return value
  const title = dimension.codeList.title(value, language)
  if (title.toLowerCase() === value.toLowerCase()) return title
  return `${value} ${title.length > LONGEST_TITLE ? `${title.slice(0, LONGEST_TITLE - 1)}…` : title}`
}

/** 1234567.89 as 1 234 567.89, with narrow no-break spaces as SI has it. */
function grouped(decimal: string): string {
  const [whole, fraction] = decimal.split('.') as [string, string | undefined]
  const spaced = whole.replace(/\B(?=(\d{3})+$)/g, '\u202f')
  return fraction === undefined ? spaced : `${spaced}.${fraction}`
}

function alignedTable(
  head: readonly string[],
  body: readonly (readonly string[])[],
  right: readonly boolean[],
): string {
  if (head.length === 0) return 'No records.\n'
  const widths = head.map((text, i) => body.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), text.length))
  const line = (cells: readonly string[]) =>
    `${cells
      .map((cell, i) => (right[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()}\n`
  return [line(head), line(widths.map(width => '─'.repeat(width))), ...body.map(line)].join('')
}

/** Who is in the answer and who is not, what their data cover, and what was checked. */
function describeBasis(answer: Answer): string {
  const { evidence } = answer
  const rows = [['members', answer.cohort.join(', ')]]
  if (answer.asOf) rows.push(['data as of', describeInstant(answer.asOf)])
  if (answer.newer && answer.newer.length > 0) {
    rows.push(['newer data', `${answer.newer.join(', ')}; asked again, the question may be answered from newer data`])
  }
  for (const { member, reason } of answer.missing) rows.push(['missing', `${member}: ${reason}`])
  for (const [coverage, members] of membersByCoverage(answer))
    rows.push(['coverage', `${members.join(', ')}: ${coverage}`])
  for (const note of answer.notes) rows.push(['note', note])
  rows.push(['opened by', evidence.openedBy.join(', ')])
  if (evidence.disagreeing.length > 0) rows.push(['disagreeing', evidence.disagreeing.join(', ')])
  rows.push(['checked', describeChecks(evidence)])
  if (evidence.log) rows.push(['log', `${evidence.log.size} entries, root ${evidence.log.root}`])
  rows.push(['query', answer.query])
  return table(rows)
}

function describeChecks({ addedUpAgain, recountedBy }: Answer['evidence']): string {
  if (!addedUpAgain) return 'signatures and key'
  return `signatures, key, and the sum added up again${recountedBy ? ` by ${recountedBy}` : ''}`
}

/** 2029-01-14T12:00:00.000Z as 2029-01-14 12:00 UTC. */
function describeInstant(instant: string): string {
  return `${instant.slice(0, 10)} ${instant.slice(11, 16)} UTC`
}

/** Members whose data cover the same, said once. */
function membersByCoverage(answer: Answer): Map<string, string[]> {
  return Map.groupBy(answer.cohort, member => describeCoverage(answer.coverage[member] as CoverageRanges))
}

/** `complete 2020-01..2020-11; provisional 2020-12` */
export function describeCoverage(ranges: CoverageRanges): string {
  const parts = (['complete', 'provisional', 'none'] as const)
    .filter(state => ranges[state].length > 0)
    .map(state => `${state === 'none' ? 'no data' : state} ${ranges[state].join(', ')}`)
  return parts.length === 0 ? 'nothing stated' : parts.join('; ')
}

/** An answer as CSV (RFC 4180): codes and figures, one line a cell. */
export function csvOf(answer: Answer, dimensions: readonly string[]): string {
  const columns = [...dimensions, ...Object.keys(answer.units)]
  const quoted = (value: string) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)
  const lines = [columns, ...answer.rows.map(row => columns.map(column => String(row[column])))]
  return lines.map(line => `${line.map(quoted).join(',')}\r\n`).join('')
}

const STATES: Readonly<Record<QueryStatus['state'], string>> = {
  waiting: 'waiting',
  open: 'members contribute',
  closed: 'custodians agree',
  agreed: 'custodians open',
  opened: 'answered',
  void: 'void',
}

/**
 * One line on where a query stands: who has answered, who has not, and how long those have been asked.
 * @param added while the recipient itself adds up again
 */
export function describeProgress(status: QueryStatus, now: number, added?: Added): string {
  const state = STATES[status.state]
  if (added !== undefined) return `${state}: ${added.done} of ${added.of} contributions added up again`
  if (status.recount !== null) return `${state}: ${describeRecount(status.recount, now)}`
  if (status.state === 'waiting') return `waiting for ${status.reason ?? 'its round'}`
  if (status.state === 'void') return `${state}: ${describeEnd(status)}`
  const custody = status.state === 'closed' || status.state === 'agreed'
  const mark = ({ state: own, since, reason }: Standing) => {
    if (own === 'asked' || own === 'waiting') return `asked ${ago(since, now)}`
    return own === 'refused' ? `refused: ${reason}` : own
  }
  const standing: readonly Standing[] = custody ? status.custodians : status.members
  const groups = [...Map.groupBy(standing, mark)]
  return `${state}: ${groups.map(([what, who]) => `${names(who)} ${what}`).join('; ')}`
}

/** Why a query ended without an answer; of whoever refused, in its own words. */
export function describeEnd({ reason, members, custodians }: QueryStatus): string {
  const refused = [...members, ...custodians].filter(one => one.state === 'refused')
  const said = [...Map.groupBy(refused, one => one.reason)].map(([why, who]) => `${names(who)}: ${why}`)
  return [reason ?? 'no reason was given', ...said].join('; ')
}

function describeRecount({ custodian, state, since, reason }: Recount, now: number): string {
  if (state === 'done') return `${custodian} added up again`
  if (state === 'refused') return `${custodian} refused to add up again: ${reason}`
  return `${custodian} adds up again, asked ${ago(since, now)}`
}

function ago(since: string, now: number): string {
  return `${duration(now - Date.parse(since))} ago`
}

type Recount = NonNullable<QueryStatus['recount']>
type Standing = QueryStatus['members'][number] | QueryStatus['custodians'][number]

const MOST_NAMES = 12

function names(who: readonly Standing[]): string {
  const shown = who.slice(0, MOST_NAMES).map(one => one.id)
  return who.length > MOST_NAMES ? `${shown.join(', ')} and ${who.length - MOST_NAMES} more` : shown.join(', ')
}

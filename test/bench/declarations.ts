import type { Answer } from '#researcher/answer.ts'
import { hs6 } from '#specs/code-lists/harmonized-system.ts'
import { parseQueryFile, plan } from '#specs/query.ts'
import { differencesFrom } from '../demo/comparison.ts'
import { decimal } from '../demo/layouts/layout.ts'
import { Draws } from '../demo/random.ts'
import { codesAsked } from './questions.ts'

/** A declaration of 2020 that every question of questions.ts counts. Amounts in cents, mass in grams. */
interface Declaration {
  readonly month: string
  readonly hs6: string
  readonly origin: string
  readonly transport: string
  readonly value: number
  readonly netMass: number
  readonly duty: number
}

const LAST_HEADING = codesAsked('hs4').at(-1) as string
const SUBHEADINGS = hs6.codes.filter(code => code.slice(0, 4) <= LAST_HEADING)
const MOST_CENTS = 1e9

/** Always the same for the same member. */
function* drawn(member: string, records: number): Generator<Declaration> {
  const draws = new Draws(`Inbond bench, ${member}`)
  const one = (codes: readonly string[]) => codes[draws.below(codes.length)] as string
  const [origins, modes] = [codesAsked('origin'), codesAsked('transport')]
  for (let i = 0; i < records; i++) {
    yield {
      month: `2020-${String(1 + draws.below(12)).padStart(2, '0')}`,
      hs6: one(SUBHEADINGS),
      origin: one(origins),
      transport: one(modes),
      value: draws.below(MOST_CENTS),
      netMass: draws.below(MOST_CENTS),
      duty: draws.below(MOST_CENTS),
    }
  }
}

const COLUMNS = ['period', 'flow', 'hs6', 'origin', 'transport', 'value', 'netMass', 'duty']
const POINT = { mark: '.', group: '' } as const

/** The declarations of a member as CSV text with the dataset's own column names. */
export function csvOf(member: string, records: number): string {
  const lines = drawn(member, records).map(one =>
    [
      one.month,
      'import',
      one.hs6,
      one.origin,
      one.transport,
      decimal(one.value, 2, POINT),
      decimal(one.netMass, 3, POINT),
      decimal(one.duty, 2, POINT),
    ].join(','),
  )
  return `${[COLUMNS.join(','), ...lines].join('\n')}\n`
}

/** A map of these columns. */
export const MAP = `dataset: declarations\ncolumns:\n${COLUMNS.map(column => `  ${column}: ${column}\n`).join('')}`

/** Holds an answer against the same sums in the clear. @throws Error with the first cell that differs */
export function checkAnswer(answer: Answer, query: string, members: readonly string[], records: number): void {
  if (answer.cohort.join() !== [...members].sort().join()) throw new Error(`the cohort is ${answer.cohort.join()}`)
  const asked = plan(parseQueryFile(query).question)
  const cells = new Map<string, bigint[]>()
  for (const member of members) {
    for (const one of drawn(member, records)) {
      const codes = { ...one, hs2: one.hs6.slice(0, 2), hs4: one.hs6.slice(0, 4) } as Readonly<Record<string, unknown>>
      const key = asked.axes.map(axis => codes[axis.dimension]).join('|')
      const sums = cells.get(key) ?? asked.measures.map(() => 0n)
      cells.set(
        key,
        asked.measures.map((measure, i) => {
          const amount = 'sum' in measure ? BigInt(codes[measure.sum] as number) : 1n
          return (sums[i] as bigint) + amount
        }),
      )
    }
  }
  const [first] = differencesFrom(cells, answer, asked)
  if (first !== undefined) throw new Error(`the answer differs from plaintext: ${first}`)
}

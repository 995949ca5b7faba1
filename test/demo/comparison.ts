import type { Answer } from '#researcher/answer.ts'
import { decimal } from '#researcher/answer.ts'
import { axisLength, measureName, type Plan, parseQueryFile, plan } from '#specs/query.ts'
import { plaintextCells } from './plaintext.ts'

export interface Comparison {
  /** Every cell of the question, empty ones included. */
  readonly cells: number
  /** Cells in which plaintext has records. */
  readonly filled: number
  /** What differs, in words; empty when every figure is the same. */
  readonly differences: readonly string[]
}

/** Compares every cell of an answer with the same sums taken in the clear from the CSV files of the cohort. */
export function compare(answer: Answer, queryYaml: string, folder: string): Comparison {
  const asked = plan(parseQueryFile(queryYaml).question)
  const expected = plaintextCells(folder, answer.cohort, asked)
  const cells = asked.axes.reduce((product, axis) => product * axisLength(axis), 1)
  return { cells, filled: expected.size, differences: differencesFrom(expected, answer, asked) }
}

/**
 * What differs between an answer and plaintext, in words.
 * @param expected every cell with a record, as `plaintextCells` has them
 */
export function differencesFrom(
  expected: ReadonlyMap<string, readonly bigint[]>,
  answer: Answer,
  asked: Plan,
): string[] {
  const differences: string[] = []
  const answered = new Map(answer.rows.map(row => [asked.axes.map(axis => row[axis.dimension]).join('|'), row]))
  for (const key of new Set([...expected.keys(), ...answered.keys()])) {
    asked.measures.forEach((measure, i) => {
      const name = measureName(measure)
      if (!(name in answer.units)) return
      const plain = expected.get(key)?.[i] ?? 0n
      const decimals = 'sum' in measure ? (asked.dataset.measures[measure.sum]?.decimals ?? 0) : 0
      const figure = String(answered.get(key)?.[name] ?? decimal(0n, decimals))
      if (figure !== decimal(plain, decimals))
        differences.push(`${key} ${name}: ${figure}, in the clear ${decimal(plain, decimals)}`)
    })
  }
  return differences
}

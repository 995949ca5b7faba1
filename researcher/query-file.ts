import { stringify } from 'yaml'
import { catalogue } from '#specs/datasets/catalogue.ts'
import type { Condition, QueryFile, Question } from '#specs/query.ts'

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** A query as the lines of a file that `parseQueryFile` reads as this query: one for each thing that it says. */
export function queryLines({ question, need, closesAfter }: QueryFile): string[] {
  const conditions = question.where.map(one => `  ${one.dimension}: ${inYaml(said(question, one))}`)
  return [
    `dataset: ${inYaml(question.dataset.id)}`,
    ...(conditions.length === 0 ? [] : ['where:', ...conditions]),
    `by: ${inYaml(question.by)}`,
    `measures: ${inYaml(question.measures)}`,
    `purpose: ${inYaml(question.purpose)}`,
    `purposeCode: ${inYaml(question.purposeCode)}`,
    `need: ${inYaml(need)}`,
    `closes: ${durationOf(closesAfter)}`,
  ]
}

function inYaml(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd()
}

function said({ dataset }: Question, one: Condition): unknown {
  switch (one.kind) {
    case 'codes':
      return one.codes.length === 1 ? one.codes[0] : one.codes
    case 'range': {
      const isPeriod = catalogue.get(dataset.id)?.dimensions[one.dimension]?.kind === 'period'
      return isPeriod && one.from === one.to ? one.from : { from: one.from, to: one.to }
    }
    case 'prefix':
      return `${one.prefix}*`
  }
}

/** As `closes` has it, in the largest unit that it is whole in. @param time milliseconds, whole seconds */
function durationOf(time: number): string {
  const [unit, size] = UNITS.find(([, one]) => time % one === 0) ?? (['s', 1000] as const)
  return `${time / size}${unit}`
}

/** What two queries differ in, line by line. */
export function changedLines(from: QueryFile, to: QueryFile): string[] {
  const [before, after] = [queryLines(from), queryLines(to)]
  const gone = before.filter(line => !after.includes(line)).map(line => `- ${line}`)
  const come = after.filter(line => !before.includes(line)).map(line => `+ ${line}`)
  return [...gone, ...come]
}

import { InbondError } from '#crypto/error.ts'
import type { QueryFile } from '#specs/query.ts'
import { coarsenings } from './coarsening.ts'
import { type Remembered, remember, type Scene } from './expected-cohort.ts'
import { type Forecast, forecast, outcomes } from './forecast.ts'

/** A question that would be allowed, in place of one that would not. */
export interface Nearest {
  readonly file: QueryFile
  /** What is different, one step after the other. */
  readonly changes: readonly string[]
  /** Of all changes together, as coarsening.ts has it. */
  readonly weight: number
  readonly forecast: Forecast
}

/** What was found, and how many questions were looked at. */
export interface Search {
  readonly nearest: Nearest | undefined
  readonly tried: number
  /** There were more questions than it looks at. */
  readonly isCutShort: boolean
  /** What was said of every one of them, member by member: no such step changes it. */
  readonly unmoved: readonly string[]
}

/** Each takes milliseconds. */
const MOST_TRIED = 500

/**
 * The question that would be answered and is the least changed; or, where people have to decide in any case, the least changed that they
 * could allow. Every candidate is judged like the question itself. From each, only steps that change what
 * anybody says of it are gone on from: a policy names what it wants otherwise, and every step that meets it is one of these.
 * @param mostTried about how many questions it looks at: the steps from one are all taken
 */
export function nearest(file: QueryFile, scene: Scene, mostTried = MOST_TRIED): Search {
  const remembered = remember(scene)
  const start: Nearest = { file, changes: [], weight: 0, forecast: forecast(file, scene, remembered) }
  const foreseen = new Map([[JSON.stringify(file), start.forecast as Forecast | undefined]])
  const lightest = new Map([[JSON.stringify(file), 0]])
  const waiting = [start]
  let second: Nearest | undefined
  let unmoved = objections(start.forecast)
  for (;;) {
    const tried = foreseen.size - 1
    const candidate = takeLightest(waiting)
    if (candidate === undefined) return { nearest: second, tried, isCutShort: false, unmoved }
    if (candidate.forecast.outcome === 'answered') return { nearest: candidate, tried, isCutShort: false, unmoved: [] }
    if (candidate.forecast.outcome === 'by hand' && start.forecast.outcome === 'refused') second ??= candidate
    if (tried >= mostTried) return { nearest: second, tried, isCutShort: true, unmoved }
    for (const step of coarsenings(candidate.file, candidate.forecast, scene)) {
      const key = JSON.stringify(step.file)
      if (!foreseen.has(key)) foreseen.set(key, tryForecast(step.file, scene, remembered))
      const found = foreseen.get(key)
      if (found === undefined) continue
      const said = objections(found)
      unmoved = unmoved.filter(one => said.includes(one))
      const weight = candidate.weight + step.weight
      const isNews = signature(found) !== signature(candidate.forecast)
      if (!isNews || weight >= (lightest.get(key) ?? Number.POSITIVE_INFINITY)) continue
      lightest.set(key, weight)
      waiting.push({ file: step.file, changes: [...candidate.changes, step.change], weight, forecast: found })
    }
  }
}

/** Of several the one with the fewest changes, and then the one that was found first. */
function takeLightest(waiting: Nearest[]): Nearest | undefined {
  const [best] = waiting.toSorted(compare)
  if (best !== undefined) waiting.splice(waiting.indexOf(best), 1)
  return best
}

function compare(one: Nearest, other: Nearest): number {
  return (
    one.weight - other.weight ||
    outcomes.indexOf(one.forecast.outcome) - outcomes.indexOf(other.forecast.outcome) ||
    one.changes.length - other.changes.length
  )
}

/** Not every step leads to a question: a quantity without its unit is none. */
function tryForecast(file: QueryFile, scene: Scene, remembered: Remembered): Forecast | undefined {
  try {
    return forecast(file, scene, remembered)
  } catch (error) {
    if (error instanceof InbondError) return undefined
    throw error
  }
}

function objections({ members }: Forecast): string[] {
  return members.flatMap(({ member, reasons }) => reasons.map(reason => `${member}: ${reason}`))
}

/** All that is said of a question. */
function signature({ outcome, needed, sure, possible, members, exposures }: Forecast): string {
  return JSON.stringify([outcome, needed, sure, possible, members.map(one => [one.stand, one.reasons]), exposures])
}

import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { MemberId } from '#specs/messages.ts'
import { TestClock } from '../clock.ts'
import { Federation, loadRecords } from '../federation.ts'

const DAY = 86_400_000

/** The federation of every simulation: four members, all of them custodians, three of whom open; and what each knows. */
export const MEMBERS = ['BR', 'FR', 'JP', 'KR'] as MemberId[]
export const THRESHOLD = 3
/** The recipient's own administration, which does not count towards the minimum. */
export const RECIPIENT = 'KR'
export const MINIMUM_COHORT = 3

/** Where the copies stand: in memory, where the platform has such a place, because each commit waits for its disk. */
export const ROOT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Values in hundredths, by mode of transport: every subset of the members has another sum. */
const RECORDS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  BR: { sea: 125, air: 1000 },
  FR: { sea: 250, rail: 4 },
  JP: { sea: 500, air: 2000 },
  KR: { sea: 1000, rail: 8, road: 77 },
}

/** Each member's sum is beyond the bound of a federation of four, 2^59 / 4, and all together are beyond 2^59. */
const LARGEST_VALUE = 1e12
const LARGE_RECORDS = 1500

const decimal = (hundredths: number) => (hundredths / 100).toFixed(2)

/** The rows of an answer, from plaintext. */
export function rowsOf(cohort: readonly string[]): Record<string, string>[] {
  const modes = [...new Set(cohort.flatMap(id => Object.keys(RECORDS[id] ?? {})))]
  return modes
    .map(mode => ({ mode, sum: cohort.reduce((sum, id) => sum + (RECORDS[id]?.[mode] ?? 0), 0) }))
    .map(({ mode, sum }) => ({ transport: mode, 'sum(value)': decimal(sum) }))
}

export function questionFile({ need, closes, large }: { need: string; closes: string; large: boolean }): string {
  return `dataset: declarations
where: { flow: import, period: ${large ? '2021-01' : '2020-01'} }
by: [transport]
measures: [{ sum: value }]
purpose: simulation
need: ${need}
closes: ${closes}
`
}

/** Enrolled, under a charter, with records and a stock of prekeys: the state in which every schedule begins. */
export async function foundFederation(): Promise<Federation> {
  const federation = await Federation.create({
    members: MEMBERS,
    threshold: THRESHOLD,
    administration: RECIPIENT,
    seed: 'simulation',
  })
  // Whatever a schedule does to the clocks, the data are older than every round.
  const longAgo = new TestClock(federation.clock.now() - 365 * DAY)
  for (const id of MEMBERS) {
    const usual = Object.entries(RECORDS[id] ?? {}).map(
      ([mode, value]) => `import,2020-01,010121,${mode},${decimal(value)}`,
    )
    const large = Array(LARGE_RECORDS).fill(`import,2021-01,010121,sea,${LARGEST_VALUE}`)
    const csv = `flow,period,hs6,transport,value\n${[...usual, ...large].join('\n')}\n`
    loadRecords(federation.node(id).directory, csv, longAgo)
  }
  return federation
}

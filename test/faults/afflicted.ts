import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, isAbsolute, join } from 'node:path'
import { createCoordinator } from '#coordinator/app.ts'
import * as coordinatorSchema from '#coordinator/schema.ts'
import { generateIdentityKey } from '#crypto/signature.ts'
import { systemClock } from '#party/clock.ts'
import { openDatabase } from '#party/database.ts'
import type { Answer } from '#researcher/answer.ts'
import { isLong } from '#test/effort.ts'
import { loadRecords } from '#test/federation.ts'
import { Federation, type FederationOptions, ROOT } from '#test/processes/federation.ts'
import { FAULTS, type Faults } from './inside/faults.ts'
import { boundaries, type Kind, names } from './points.ts'

/** Three members who are all custodians, and all of them needed: nothing is answered until everybody has done everything. */
export const MEMBERS = ['AA', 'BB', 'CC']
const BY_HAND = ' by hand'
const PARTIES = ['coordinator', 'researcher', ...MEMBERS]

/** Commands of which only the long run looks at every step. */
const FOUNDING = ['init', 'invite', 'charter', 'researcher']

const TRANSPORTS = ['sea', 'rail', 'road', 'air']
const CENTS: Readonly<Record<string, readonly number[]>> = {
  AA: [125, 3, 0, 99_999_999],
  BB: [1, 70_007, 5, 12],
  CC: [10_000, 20_000, 30_000, 40_000],
}

/** A question about all records, in as few slots as there are modes of transport. */
export function question(purpose: string, rest = ''): string {
  return `dataset: declarations
where: { flow: import }
by: [transport]
measures: [{ count: records }, { sum: value }]
purpose: ${purpose}
${rest}`
}

/** The rows of an answer that holds of every member's data what plaintext does. */
export const expectedRows = TRANSPORTS.map((transport, i) => ({
  transport,
  'count(records)': MEMBERS.length,
  'sum(value)': (MEMBERS.reduce((sum, id) => sum + (CENTS[id]?.[i] ?? 0), 0) / 100).toFixed(2),
})).toSorted(byTransport)

export function rowsOf(answer: Answer) {
  return [...answer.rows].toSorted(byTransport)
}

function byTransport(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): number {
  return String(a.transport) < String(b.transport) ? -1 : 1
}

/** Whoever types commands beside a party that runs, and dies at other points than that. */
export function byHand(party: string): string {
  return `${party}${BY_HAND}`
}

export function kindOf(party: string): Kind {
  const own = party.replace(BY_HAND, '')
  return own === 'coordinator' || own === 'researcher' ? own : 'member'
}

/** Real processes, each watched at its boundaries, to which faults happen when the test says so. */
export class AfflictedFederation {
  readonly federation: Federation
  readonly #folder: string
  /** Where the next process of a party is killed. */
  readonly #deaths: Map<string, string>
  readonly #boundaries: Readonly<Record<Kind, readonly string[]>>

  private constructor(
    federation: Federation,
    folder: string,
    deaths: Map<string, string>,
    declared: Readonly<Record<Kind, readonly string[]>>,
  ) {
    this.federation = federation
    this.#folder = folder
    this.#deaths = deaths
    this.#boundaries = declared
  }

  /** Enrols everybody, and gives members their records; they do not run yet. */
  static async create(options: Pick<FederationOptions, 'front'> = {}): Promise<AfflictedFederation> {
    const folder = mkdtempSync(join(tmpdir(), 'inbond-faults-'))
    const { app } = await someCoordinator(folder)
    const kinds = ['coordinator', 'member', 'researcher'] as const
    const declared = Object.fromEntries(kinds.map(kind => [kind, boundaries(kind, app)])) as Record<Kind, string[]>
    const deaths = new Map<string, string>()
    const environment = (args: readonly string[]) => {
      if (!isLong && FOUNDING.includes(args[1] as string)) return undefined
      const directory = args.find(one => isAbsolute(one) && PARTIES.includes(basename(one)))
      // Who verifies a release is no party.
      if (directory === undefined) return undefined
      const party = basename(directory)
      const who = party === 'researcher' || args[1] === 'start' ? party : byHand(party)
      const file = (name: string) => join(folder, `${party}.${name}`)
      const killAt = deaths.get(who)
      const faults: Faults = {
        directory,
        names: names(kindOf(party), app),
        trace: join(folder, `${who}.trace`),
        fullDisk: file('full'),
        clock: file('clock'),
        ...(killAt === undefined ? {} : { killAt }),
      }
      for (const [path, text] of [
        [faults.trace, ''],
        [faults.clock, '0'],
      ] as const) {
        if (!existsSync(path)) writeFileSync(path, text)
      }
      const preload = join(import.meta.dirname, 'inside', 'preload.ts')
      return { NODE_OPTIONS: `--import=${preload}`, [FAULTS]: JSON.stringify(faults) }
    }
    const federation = await Federation.create({ ...options, members: MEMBERS, environment })
    for (const id of MEMBERS) loadRecords(federation.of(id), recordsOf(id), systemClock)
    return new AfflictedFederation(federation, folder, deaths, declared)
  }

  /** What a party does that can be seen from outside, by declaration. */
  boundariesOf(party: string): readonly string[] {
    return this.#boundaries[kindOf(party)]
  }

  /** The moments that a party's processes reached: the points of each, in order. */
  traceOf(party: string): string[][] {
    if (!existsSync(join(this.#folder, `${party}.trace`))) return []
    const lines = readFileSync(join(this.#folder, `${party}.trace`), 'utf8').split('\n')
    return lines.filter(line => line !== '').map(line => line.split('\t'))
  }

  /** The next processes of a party are killed at this point. */
  killAt(party: string, point: string | undefined): void {
    if (point === undefined) this.#deaths.delete(party)
    else this.#deaths.set(party, point)
  }

  /**
   * From now on a party's disk has no space; or so many bytes still fit into its files, while its databases go on in the pages
   * that they have.
   */
  fillDisk(party: string, left: 'no space' | number): void {
    writeFileSync(join(this.#folder, `${party}.full`), String(left))
  }

  freeDisk(party: string): void {
    rmSync(join(this.#folder, `${party}.full`))
  }

  /** From now on a party's clock is wrong by so many milliseconds. */
  setClock(party: string, wrongBy: number): void {
    writeFileSync(join(this.#folder, `${party}.clock`), String(wrongBy))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.federation[Symbol.asyncDispose]()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function recordsOf(id: string): string {
  const lines = TRANSPORTS.map((mode, i) => `import,2020-03,010121,${mode},${((CENTS[id]?.[i] ?? 0) / 100).toFixed(2)}`)
  return ['flow,period,hs6,transport,value', ...lines, ''].join('\n')
}

/** A coordinator that nobody asks, for the sake of its interface's description. */
async function someCoordinator(folder: string) {
  return createCoordinator({
    db: openDatabase(':memory:', coordinatorSchema, join(ROOT, 'coordinator/migrations')),
    key: await generateIdentityKey(),
    name: 'Nobody',
    currency: 'USD',
    uploads: join(folder, 'uploads'),
    clock: systemClock,
    aggregate: () => Promise.reject(new Error('nothing to add up')),
    onError: () => undefined,
  })
}

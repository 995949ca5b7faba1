import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { type Aggregate, aggregate } from '#coordinator/aggregation.ts'
import type { Fetch } from '#party/connection.ts'
import { TestClock } from '../clock.ts'
import { Federation, loadRecords, type TestNode } from '../federation.ts'
import { seededRandomness } from '../randomness.ts'
import { openSnapshot, type Snapshot, takeSnapshot } from '../snapshot.ts'

export const MEMBERS = ['BR', 'FR', 'JP', 'KR', 'VN']
export const HOUR = 3_600_000

/** What each member imported by sea; every subset has another sum. The victim of most attacks is VN. */
export const FIGURES: Readonly<Record<string, string>> = {
  BR: '1.25',
  FR: '2.50',
  JP: '5.00',
  KR: '10.00',
  VN: '20.00',
}
export const TOTAL = '38.75'

/** It lets a cohort be as small as the rules do. */
export const QUESTION = `dataset: declarations
where: { flow: import }
by: [transport]
measures: [{ sum: value }]
purpose: what an attacker is after
need: { atLeast: 1 }
closes: 1h
`

const ROOT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Five members, all of them custodians, four of whom open; a researcher of no administration; everything as usual. */
export async function foundFederation(): Promise<Snapshot> {
  using federation = await Federation.create({ members: MEMBERS, seed: 'attacks' })
  // A scene begins at the clock's first moment; the data are older.
  const longAgo = new TestClock(federation.clock.now() - 24 * HOUR)
  for (const id of MEMBERS) {
    const csv = `flow,period,hs6,transport,value\nimport,2020-01,010121,sea,${FIGURES[id]}\n`
    loadRecords(federation.node(id).directory, csv, longAgo)
  }
  return takeSnapshot(federation)
}

/** A copy of that federation, in which an attacker stands where it can. */
export class Scene {
  readonly federation: Federation
  /** Stands between the parties and the coordinator. */
  between: ((who: string, direct: Fetch) => Fetch) | undefined
  /** How the coordinator adds up. */
  add: Aggregate = aggregate

  constructor(snapshot: Snapshot) {
    const clock = new TestClock()
    const direct: Fetch = async (url, init) => this.federation.coordinator.app.request(url, init)
    this.federation = openSnapshot(
      snapshot,
      {
        clock,
        clockOf: () => clock,
        network: who => (url, init) => (this.between?.(who, direct) ?? direct)(url, init),
        randomness: who => seededRandomness(`scene ${who}`),
        add: task => this.add(task),
      },
      ROOT,
    )
  }

  node(id: string): TestNode {
    return this.federation.node(id)
  }

  /** With which a cheating coordinator signs whatever it likes. */
  get coordinatorKey() {
    return this.federation.coordinator.context.key
  }

  get coordinator() {
    return this.federation.coordinator.context
  }

  /** Lets time pass, and the coordinator see it. */
  async pass(milliseconds: number): Promise<void> {
    this.federation.clock.advance(milliseconds)
    await this.federation.coordinator.lifecycle.advance()
    await this.federation.coordinator.lifecycle.finish()
  }

  [Symbol.dispose](): void {
    this.federation[Symbol.dispose]()
  }
}

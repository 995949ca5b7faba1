import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Administration } from './administrations.ts'
import type { Delivery } from './files.ts'
import { freePort, inParallel, type Processes } from './processes.ts'

/** A federation of processes on this machine, made with the commands that anybody would type. */
export class DemoFederation {
  readonly #processes: Processes
  readonly directory: string
  readonly administrations: readonly Administration[]
  #url = ''

  constructor(processes: Processes, directory: string, administrations: readonly Administration[]) {
    this.#processes = processes
    this.directory = directory
    this.administrations = administrations
  }

  get url(): string {
    return this.#url
  }

  path(party: string): string {
    return join(this.directory, party)
  }

  /** Where the coordinator keeps what members send. */
  uploads(round: string): string {
    return join(this.path('coordinator'), 'uploads', round)
  }

  async startCoordinator(): Promise<void> {
    mkdirSync(this.directory, { recursive: true })
    const port = await freePort()
    this.#url = `http://127.0.0.1:${port}`
    await this.#inbond(
      'coordinator',
      'init',
      this.path('coordinator'),
      '--name',
      'Demonstration',
      '--port',
      String(port),
    )
    await this.#serve()
  }

  async #serve(): Promise<void> {
    this.#processes.start('coordinator', ['coordinator', 'start', this.path('coordinator')])
    await this.#untilReady()
  }

  /**
   * Puts a coordinator that cheats into the place of the real one, and back: it asks custodians to open a round again without a member.
   * @returns why each custodian refuses, null where one agrees
   */
  async cheat(round: string, leftOut: string): Promise<Record<string, string | null>> {
    await this.#processes.stop('coordinator')
    const args = [this.path('coordinator'), round, leftOut]
    const said = await this.#processes.runProgram('cheating-coordinator.ts', args)
    await this.#serve()
    return JSON.parse(said)
  }

  async #untilReady(): Promise<void> {
    for (let attempt = 0; attempt < 200; attempt++) {
      const ready = await fetch(`${this.#url}/readyz`).then(
        response => response.ok,
        () => false,
      )
      if (ready) return
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    throw new Error('the coordinator did not start within ten seconds')
  }

  /** Invitations, enrolments, the charter and everybody's signature under it, and a researcher whom a member vouches for. */
  async found(): Promise<void> {
    await this.#eachMember(async ({ member, name }) => {
      const invitation = await this.#inbond('coordinator', 'invite', this.path('coordinator'), '--member', member)
      const options = ['--id', member, '--name', `Customs of ${name}`, '--invite', invitation, '--policy', 'open']
      await this.#inbond('member', 'init', this.path(member), ...options)
    })
    await this.#inbond('coordinator', 'charter', 'propose', this.path('coordinator'))
    await this.#eachMember(({ member }) => this.#inbond('member', 'charter', 'sign', this.path(member), '--yes'))
    const sponsor = (this.administrations[0] as Administration).member
    const asked = ['--researcher', 'Ada', '--sponsor', sponsor]
    const invitation = await this.#inbond('coordinator', 'invite', this.path('coordinator'), ...asked)
    const named = ['--name', 'Ada', '--invite', invitation]
    const fingerprint = await this.#inbond('researcher', 'init', this.path('researcher'), ...named)
    const said = ['--organisation', 'Institute of trade', '--role', 'analyst', '--purpose', 'research']
    await this.#inbond('member', 'researcher', 'sponsor', this.path(sponsor), fingerprint, ...said)
  }

  async import(deliveries: readonly Delivery[]): Promise<void> {
    await this.#eachMember(async ({ member }) => {
      const own = deliveries.filter(one => one.member === member)
      for (const [i, { file, map }] of own.entries()) {
        const complete = i === own.length - 1 ? ['--complete', '2024-01..2024-12'] : []
        await this.#inbond('member', 'import', this.path(member), 'declarations', file, '--map', map, ...complete)
      }
    })
  }

  async startMembers(): Promise<void> {
    for (const { member } of this.administrations) {
      this.#processes.start(member, ['member', 'start', this.path(member)])
    }
    await this.#untilCustodiansAreReady()
  }

  /** A question asked before then would do with fewer custodians. */
  async #untilCustodiansAreReady(): Promise<void> {
    for (let attempt = 0; attempt < 30; attempt++) {
      const status = JSON.parse(await this.#inbond('coordinator', 'status', this.path('coordinator'), '--json'))
      if (status.members.every((one: { prekeys: number | null }) => one.prekeys !== 0)) return
    }
    throw new Error('the members did not publish prekeys')
  }

  stopMember(member: string): Promise<void> {
    return this.#processes.stop(member)
  }

  /** Asks as the researcher does. Returns what `--json` prints. */
  ask(queryFile: string, progress: (line: string) => void): Promise<string> {
    return this.#processes.run(['query', 'run', queryFile, '--as', this.path('researcher'), '--json'], progress)
  }

  async #inbond(...args: string[]): Promise<string> {
    return (await this.#processes.run(args)).trim()
  }

  #eachMember(work: (administration: Administration) => Promise<unknown>): Promise<void> {
    return inParallel(this.administrations, availableParallelism(), async one => void (await work(one)))
  }
}

import { aggregate } from '#coordinator/aggregation.ts'
import { proposeCharter } from '#coordinator/proposals.ts'
import { InbondError } from '#crypto/error.ts'
import { work } from '#member-node/work.ts'
import { Connection } from '#party/connection.ts'
import type { WorkResponse } from '#specs/api.ts'
import { backUp, restore } from '../backups.ts'
import { TestClock } from '../clock.ts'
import type { Federation, TestNode } from '../federation.ts'
import { seededRandomness } from '../randomness.ts'
import { restartCoordinator, restartNode, restartResearcher } from '../restart.ts'
import { openSnapshot, type Snapshot } from '../snapshot.ts'
import { Activities, Clocks } from './activities.ts'
import { adversaryOf } from './adversaries.ts'
import type { Adversary } from './adversary.ts'
import { History } from './history.ts'
import { THRESHOLD } from './members.ts'
import { type Message, Network, pathOf } from './network.ts'
import type { Schedule } from './schedule.ts'

/** A federation between a network, clocks and, perhaps, an adversary that a schedule directs. */
export class World {
  readonly clock = new TestClock()
  readonly activities = new Activities()
  readonly clocks = new Clocks(this.clock, this.activities)
  readonly history = new History()
  readonly network: Network
  readonly federation: Federation
  /** Raised by whatever may change what the coordinator tells anybody. */
  version = 0
  /** What a party threw that no party should. */
  readonly unexpected: unknown[] = []
  /** The newest of each member. */
  readonly #backups = new Map<string, string>()
  readonly #sums: Schedule['sums'][number][]
  readonly #diskFull = new Error('the disk of the coordinator is full')
  readonly #killed = new Error('the process of the coordinator was killed')
  /** What a sum waits for in which the coordinator dies. */
  #grave = Promise.withResolvers<never>()
  #death: (() => void) | undefined
  readonly #adversary: Adversary

  constructor(
    snapshot: Snapshot,
    { sums, recounts, cheat }: Pick<Schedule, 'sums' | 'recounts' | 'cheat'>,
    root: string,
  ) {
    this.#sums = [...sums]
    this.network = new Network(
      this.activities,
      message => this.#sent(message),
      message => this.#arrive(message),
    )
    const coordinatorClock = this.clocks.ofCoordinator()
    const surroundings = {
      clock: this.clock,
      clockOf: (who: string) => (who === 'coordinator' ? coordinatorClock : this.clocks.of(who)),
      network: (who: string) => this.network.of(who),
      randomness: (who: string) => seededRandomness(`world ${who}`),
      add: this.#add,
      ...(recounts ? { recountFrom: 0 } : {}),
    }
    this.federation = openSnapshot(snapshot, surroundings, root)
    this.#adversary = adversaryOf(cheat, this)
  }

  /** What the coordinator could not explain, beside what the schedule did to it. */
  get coordinatorErrors(): unknown[] {
    return this.federation.errors.filter(error => error !== this.#diskFull && error !== this.#killed)
  }

  #sent(message: Message): void {
    const node = this.federation.nodes.get(message.who)
    if (node) this.history.send(message, node)
  }

  async #arrive(message: Message): Promise<Response> {
    const taken = await this.#adversary.take?.(message)
    if (taken instanceof Response) {
      if (message.method !== 'GET') this.version++
      return taken
    }
    const { url, method, headers, body = null } = taken ?? message
    const answer = await this.#whileCoordinatorLives(async () => {
      const response = await this.federation.coordinator.app.request(url, { method, headers, body })
      return new Response(response.status === 204 ? null : await response.arrayBuffer(), response)
    })
    if (method !== 'GET') this.version++
    const shown = (answer.ok ? await this.#adversary.show?.(message, answer.clone()) : undefined) ?? answer
    if (pathOf(message) === '/work' && shown.ok) this.history.show((await shown.clone().json()) as WorkResponse)
    return shown
  }

  /** Does something at the coordinator, and waits for the sums that follow from it. If it dies meanwhile, it starts again. */
  async #whileCoordinatorLives<T>(act: () => Promise<T>): Promise<T> {
    const death = new Promise<'died'>(resolve => {
      this.#death = () => resolve('died')
    })
    const result = await act()
    const end = await Promise.race([this.federation.coordinator.lifecycle.finish(), death])
    if (end === 'died') {
      // Otherwise another sum of the dead process would go on beside the new one.
      this.#grave.reject(this.#killed)
      this.#grave = Promise.withResolvers()
      await this.federation.coordinator.lifecycle.finish()
      await this.restartCoordinator()
    }
    return result
  }

  readonly #add: typeof aggregate = async task => {
    switch (this.#sums.shift()) {
      case 'fails':
        throw this.#diskFull
      case 'dies':
        this.#death?.()
        return this.#grave.promise
      default:
        return (this.#adversary.add ?? aggregate)(task)
    }
  }

  async restartCoordinator(): Promise<void> {
    await restartCoordinator(this.federation, this.#add)
    this.version++
    const { lifecycle } = this.federation.coordinator
    await lifecycle.sweep()
    await this.lookAtTheClock()
  }

  /** The coordinator does this four times a second. */
  async lookAtTheClock(): Promise<void> {
    await this.#whileCoordinatorLives(() => this.federation.coordinator.lifecycle.advance())
    this.version++
  }

  /** The secretariat proposes other custodians. @returns whether it could: one that has its signatures is to be confirmed first */
  async propose(custodians: readonly string[]): Promise<boolean> {
    try {
      await proposeCharter(this.federation.coordinator.context, { custodians, threshold: THRESHOLD })
    } catch (error) {
      if (error instanceof InbondError && error.code === 'charter-pending') return false
      throw error
    }
    this.version++
    return true
  }

  async pass(milliseconds: number): Promise<void> {
    this.clock.advance(milliseconds)
    await new Promise(resolve => setImmediate(resolve))
    await this.activities.untilQuiet()
    await this.lookAtTheClock()
  }

  async restart(who: string): Promise<void> {
    if (who === 'coordinator') return this.restartCoordinator()
    this.network.forget(who)
    this.clocks.forget(who)
    if (who === 'researcher') return restartResearcher(this.federation)
    restartNode(this.federation, who)
    await this.tidy(this.federation.node(who))
  }

  async backUp(who: string): Promise<void> {
    this.#backups.set(who, await backUp(this.federation, who))
  }

  /** @returns whether there was a backup to restore */
  async restore(who: string): Promise<boolean> {
    const backup = this.#backups.get(who)
    if (backup === undefined) return false
    this.network.forget(who)
    this.clocks.forget(who)
    this.history.lose(this.federation.node(who))
    await this.tidy(await restore(this.federation, who, backup))
    return true
  }

  /** What a node does before it asks for work: the real loop, whose first request is not let through. */
  async tidy(node: TestNode): Promise<void> {
    const leaving = new AbortController()
    const { url, federation } = { url: 'https://coordinator.test', federation: node.federation }
    const connection = new Connection({ url, federation }, node.key, node.clock, async () => {
      leaving.abort()
      throw new TypeError('the node is leaving')
    })
    const failed = (error: unknown) => void this.unexpected.push(error)
    await work({ ...node, connection }, { done() {}, refused() {}, failed }, leaving.signal)
  }

  /** Lets a party do something, until it waits for the network. What it throws must be one of the errors of specs/errors.ts. */
  async begin(act: () => Promise<void>, failed: (error: InbondError) => void): Promise<void> {
    this.activities.begin()
    act()
      .catch(error => {
        if (error instanceof InbondError && error.code !== 'internal-error') failed(error)
        else this.unexpected.push(error)
      })
      .finally(() => this.activities.end())
    await this.activities.untilQuiet()
  }

  [Symbol.dispose](): void {
    this.federation[Symbol.dispose]()
  }
}

import { type Finished, type Running, until } from '#test/processes/federation.ts'
import type { AfflictedFederation } from './afflicted.ts'

/**
 * Kills parties at one point after the other, while something is going on: a party that died is started again, and armed with
 * the next point. A commit at which a party died counts for everything that it writes.
 */
export class Killing {
  readonly #afflicted: AfflictedFederation
  readonly #left = new Map<string, string[]>()
  readonly #deaths = new Map<string, string[]>()
  #services: Promise<unknown>[] = []
  #isOver = false

  constructor(afflicted: AfflictedFederation) {
    this.#afflicted = afflicted
  }

  /** Points at which parties died, in order. */
  get deaths(): ReadonlyMap<string, readonly string[]> {
    return this.#deaths
  }

  /** The points of something that happens, in the order in which each party passes them. */
  async pointsOf(activity: () => Promise<void>, parties: readonly string[]): Promise<Map<string, string[]>> {
    const before = parties.map(party => this.#afflicted.traceOf(party).length)
    await activity()
    return new Map(
      parties.map((party, i) => [party, [...new Set(this.#afflicted.traceOf(party).slice(before[i]).flat())]]),
    )
  }

  /**
   * @param points of each party, in the order in which they come
   * @param services the parties among them that are running
   * @param activity something that reaches the points, and ends well in spite of deaths; repeated until all points had their turn
   * @throws Error if a point is not reached
   */
  async during(
    points: ReadonlyMap<string, readonly string[]>,
    services: readonly string[],
    activity: () => Promise<void>,
  ): Promise<void> {
    for (const [party, all] of points) this.#left.set(party, [...all])
    const { federation } = this.#afflicted
    this.#isOver = false
    await Promise.all(services.map(party => federation.process(party).kill()))
    const died = Promise.withResolvers<never>()
    this.#services = services.map(party => this.#serve(party).catch(died.reject))
    try {
      // Once may be too early for a party that is just being started.
      for (let inVain = 0; this.#count() > 0; ) {
        const before = this.#count()
        for (const party of points.keys()) this.#arm(party)
        await Promise.race([activity(), died.promise])
        inVain = this.#count() === before ? inVain + 1 : 0
        if (inVain === 2) throw new Error(`nobody came to ${this.#remaining().join(', ')}`)
      }
    } finally {
      // Whatever went wrong is not the trouble of what comes next.
      this.#isOver = true
      for (const party of points.keys()) this.#forget(party)
      for (const party of services) federation.process(party).send('SIGKILL')
      await Promise.all(this.#services)
      await Promise.all(services.map(party => federation.startParty(party)))
    }
  }

  /** Starts a service that is to die at a point, and waits until it has. It stays down. */
  async dieAt(party: string, point: string): Promise<void> {
    this.#left.set(party, [point])
    this.#arm(party)
    const running = this.#afflicted.federation.launch(party)
    this.#noteDeath(party, running, await running.ended)
  }

  /** Runs a command of a party until it ends well. Returns its standard output. */
  async persist(party: string, args: readonly string[]): Promise<string> {
    let finished: Finished | undefined
    await until(
      async () => {
        finished = await this.attempt(party, args)
        return finished.status === 0
      },
      () => `inbond ${args.join(' ')}; it said:\n${finished?.stderr}`,
    )
    return finished?.stdout ?? ''
  }

  /** Runs a command of a party once. @throws Error if it fails otherwise than by a death or a void round */
  async attempt(party: string, args: readonly string[]): Promise<Finished> {
    const running = this.#afflicted.federation.line.start(args)
    const finished = await running.ended
    this.note(party, running, finished)
    return finished
  }

  /**
   * Takes note of how a command of a party ended.
   * @throws Error if otherwise than well, by a death, with a void round, or because an attempt that died had done everything
   */
  note(party: string, running: Running, finished: Finished): void {
    const { status, signal, stderr } = finished
    if (signal !== null) {
      this.#noteDeath(party, running, finished)
    } else if (status !== 0 && !/\[(coordinator-unreachable|round-void|already-initialised|too-late)\]/.test(stderr)) {
      throw new Error(`${running} ended with ${status}:\n${stderr}`)
    }
  }

  async #serve(party: string): Promise<void> {
    while (!this.#isOver) {
      this.#arm(party)
      const running = this.#afflicted.federation.launch(party)
      const finished = await running.ended
      if (!this.#isOver) this.#noteDeath(party, running, finished)
    }
  }

  #noteDeath(party: string, running: Running, { signal, stderr }: Finished): void {
    const [point] = this.#left.get(party) ?? []
    const moment = this.#afflicted.traceOf(party).findLast(one => point !== undefined && one.includes(point))
    if (signal !== 'SIGKILL' || point === undefined || moment === undefined) {
      throw new Error(`${running} ended by itself:\n${stderr}`)
    }
    this.#deaths.set(party, [...(this.#deaths.get(party) ?? []), ...moment])
    this.#left.set(
      party,
      (this.#left.get(party) ?? []).filter(one => !moment.includes(one)),
    )
    this.#arm(party)
  }

  #forget(party: string): void {
    this.#left.delete(party)
    this.#arm(party)
  }

  #arm(party: string): void {
    this.#afflicted.killAt(party, this.#left.get(party)?.[0])
  }

  #count(): number {
    return this.#remaining().length
  }

  #remaining(): string[] {
    return [...this.#left].flatMap(([party, points]) => points.map(point => `${party} ${point}`))
  }
}

import type { Snapshot } from '../snapshot.ts'
import { Asked } from './asked.ts'
import { check } from './invariants.ts'
import { Member } from './member.ts'
import { MEMBERS } from './members.ts'
import { type Fault, pathOf } from './network.ts'
import type { Move, Reform, Schedule } from './schedule.ts'
import { AT_REST, REFORMED } from './stages.ts'
import { World } from './world.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 24 * 60 * MINUTE
/** How time passes when nobody has anything to do: pauses end, then rounds, then queries and prekeys. */
const HEALING = [
  ...Array(4).fill(20 * SECOND),
  ...Array(2).fill(10 * MINUTE),
  ...Array(3).fill(60 * MINUTE),
  ...Array(8).fill(DAY),
  ...Array(2).fill(40 * DAY),
]
/** Longer than any round of a schedule lasts. */
const UNTIL_ENDS = 8 * DAY
const MOST_STEPS = 3000

/** Something that can happen now. */
type Step = (fault: Fault) => Promise<void>

/** Runs a schedule to its end and checks every invariant. @throws BrokenInvariant */
export async function run(snapshot: Snapshot, schedule: Schedule, root: string): Promise<Run> {
  using world = new World(snapshot, schedule, root)
  const running = new Run(world, schedule)
  await running.moves()
  await running.heal()
  await check(running)
  return running
}

export class Run {
  readonly world: World
  readonly schedule: Schedule
  readonly #questions: (Asked | undefined)[]
  /** Charters that were not proposed yet. */
  #reforms: readonly Reform[]
  readonly #members: Map<string, Member>
  /** Until which move a member is away. */
  readonly #away = new Map<string, number>()
  /** At which version of the world whoever follows a query was told last. */
  readonly #told = new Map<string, number>()
  #move = 0
  #steps = 0

  constructor(world: World, schedule: Schedule) {
    this.world = world
    this.schedule = schedule
    this.#questions = schedule.questions.map(() => undefined)
    this.#reforms = schedule.reforms.toSorted((a, b) => a.at - b.at)
    this.#members = new Map(MEMBERS.map(id => [id, new Member(world, id, true)]))
    if (schedule.refusing === null) return
    const node = world.federation.node(schedule.refusing)
    node.rules = { ...node.rules, mostDimensions: 0 }
  }

  get asked(): readonly Asked[] {
    return this.#questions.filter(one => one !== undefined)
  }

  async moves(): Promise<void> {
    for (const move of this.schedule.moves) {
      await this.#reform()
      await this.#askAndWithdraw()
      await this.#make(move)
      this.#move++
    }
  }

  /** No more faults: whatever was asked must end. */
  async heal(): Promise<void> {
    this.world.clocks.correct()
    this.#away.clear()
    for (const stage of [AT_REST - 1, AT_REST, REFORMED]) {
      const { questions, reforms } = this.schedule
      if (stage >= AT_REST && ![...questions, ...reforms].some(one => one.at === stage)) continue
      this.#move = stage
      await this.#askAndWithdraw()
      await this.world.lookAtTheClock()
      await this.#untilAllEnded()
    }
    await this.world.pass(UNTIL_ENDS)
    for (const node of this.world.federation.nodes.values()) await this.world.tidy(node)
  }

  async #untilAllEnded(): Promise<void> {
    for (const pause of HEALING) {
      await this.#reform()
      await this.#untilNothingIsLeft()
      if (this.#allEnded()) break
      await this.world.pass(pause)
    }
  }

  async #untilNothingIsLeft(): Promise<void> {
    for (let next = this.#possible()[0]; next; next = this.#possible()[0]) {
      if (this.#steps++ > MOST_STEPS) throw new Error('the parties never come to rest')
      await next('none')
    }
  }

  #allEnded(): boolean {
    const { db } = this.world.federation.coordinator.context
    const left = db.$client
      .prepare(
        `SELECT count(*) FROM queries LEFT JOIN rounds ON rounds.query = queries.id
         WHERE void_reason IS NULL AND (state IS NULL OR state NOT IN ('opened', 'void'))`,
      )
      .pluck()
      .get()
    return left === 0 && this.asked.every(one => one.hasEnded)
  }

  /** Everything that can happen now, most urgent first; long polls, which wait for news, last. */
  #possible(): Step[] {
    const { network, version } = this.world
    const there = [...this.#members.values()].filter(({ id }) => (this.#away.get(id) ?? 0) <= this.#move)
    const news = network.inFlight.filter(one => one.since !== null && this.#told.get(pathOf(one)) !== version)
    return [
      ...network.inFlight
        .filter(one => one.since === null)
        .map(
          (one): Step =>
            fault =>
              network.deliver(one, fault),
        ),
      ...there
        .filter(one => one.hasWork)
        .map(
          (one): Step =>
            () =>
              one.work(),
        ),
      ...there
        .filter(one => one.mayAsk)
        .map(
          (one): Step =>
            () =>
              one.ask(),
        ),
      ...this.asked
        .filter(one => one.mayFollow)
        .map(
          (one): Step =>
            () =>
              one.follow(),
        ),
      ...news.map(
        (one): Step =>
          fault => {
            this.#told.set(pathOf(one), version)
            return network.deliver(one, fault)
          },
      ),
    ]
  }

  async #make(move: Move): Promise<void> {
    const { world } = this
    switch (move.do) {
      case 'go': {
        const possible = this.#possible()
        await possible[move.pick % possible.length]?.(move.fault)
        return
      }
      case 'crash':
        await world.restart(move.who)
        if (move.who === 'researcher') for (const one of this.asked) one.crash()
        if (this.#members.has(move.who)) this.#members.set(move.who, new Member(world, move.who, false))
        return
      case 'leave':
        this.#away.set(move.who, this.#move + move.moves)
        return
      case 'jump':
        world.clocks.jump(move.who, move.milliseconds)
        if (move.who === 'coordinator') await world.lookAtTheClock()
        if (this.#members.has(move.who)) await world.tidy(world.federation.node(move.who))
        return
      case 'back up':
        await world.backUp(move.who)
        return
      case 'restore':
        if (await world.restore(move.who)) this.#members.set(move.who, new Member(world, move.who, false))
        return
      case 'pass':
        await world.pass(move.milliseconds)
        return
    }
  }

  /** One after the other: each takes the place of what was proposed before and is not signed by enough. */
  async #reform(): Promise<void> {
    const [next] = this.#reforms
    if (next === undefined || next.at > this.#move) return
    if (await this.world.propose(next.custodians)) this.#reforms = this.#reforms.slice(1)
  }

  async #askAndWithdraw(): Promise<void> {
    for (const [i, question] of this.schedule.questions.entries()) {
      if (question.at <= this.#move) this.#questions[i] ??= new Asked(this.world, question)
      if (question.withdrawn === this.#move) await this.#questions[i]?.withdraw()
    }
  }
}

import { LONGEST_POLL_MS } from '#coordinator/long-poll.ts'
import { InbondError } from '#crypto/error.ts'
import { messageId } from '#crypto/signature.ts'
import { withdrawLostPrekeys } from '#member-node/custody.ts'
import { perform, poll } from '#member-node/work.ts'
import type { Answer } from '#researcher/answer.ts'
import { cancel, prepare, resume } from '#researcher/client.ts'
import { storedQuery } from '#researcher/researcher.ts'
import type { WorkItem } from '#specs/api.ts'
import type { QueryId } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import type { Snapshot } from '../snapshot.ts'
import { check } from './invariants.ts'
import { MEMBERS, questionFile } from './members.ts'
import { type Fault, type Message, pathOf } from './network.ts'
import type { Move, Question, Schedule } from './schedule.ts'
import { World } from './world.ts'

/** A question under way, as whoever asked it sees it. */
export interface Asked {
  readonly question: Question
  id?: QueryId
  answer?: Answer
  /** Why there is none, in the researcher's own words. */
  error?: InbondError
  running: boolean
  triedAt: number
  leaving: AbortController
}

interface Presence {
  polling: boolean
  seen: number
  /** Something failed: it pauses before it asks again. */
  failed: boolean
  pauseUntil: number
  awayUntil: number
  /** The list that it was given last, and when. */
  listed: string | undefined
  listedAt: number
  restarted: boolean
  readonly doing: Set<string>
  todo: WorkItem[]
}

/** What a node waits at least when something failed. */
const PAUSE_MS = 500
const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 24 * 60 * MINUTE
/** How time passes when nobody has anything to do: pauses end, then rounds, then queries and prekeys. */
const HEALING = [
  ...Array(4).fill(20 * SECOND),
  ...Array(16).fill(10 * MINUTE),
  ...Array(12).fill(DAY),
  ...Array(3).fill(40 * DAY),
]
const MOST_STEPS = 3000

/** Runs a schedule to its end and checks every invariant. @throws Error that names the invariants that fail */
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
  readonly asked: Asked[] = []
  #presence = new Map<string, Presence>(MEMBERS.map(id => [id, presence()]))
  #move = 0
  #steps = 0

  constructor(world: World, schedule: Schedule) {
    this.world = world
    this.schedule = schedule
    if (schedule.refusing !== null) {
      const node = world.federation.node(schedule.refusing)
      node.rules = { ...node.rules, dimensions: 0 }
    }
  }

  async moves(): Promise<void> {
    for (const move of this.schedule.moves) {
      await this.#askAndWithdraw()
      await this.#make(move)
      this.#move++
    }
  }

  /** No more faults: whatever was asked must end. */
  async heal(): Promise<void> {
    this.world.clocks.correct()
    for (const one of this.#presence.values()) one.awayUntil = 0
    await this.world.lookAtTheClock()
    for (this.#move = 100; ; ) {
      await this.#askAndWithdraw()
      await this.#untilNothingIsLeft()
      const pause = HEALING[this.#move++ - 100]
      if (this.#allEnded() || pause === undefined) break
      await this.world.pass(pause)
    }
    await this.world.pass(8 * DAY)
    for (const node of this.world.federation.nodes.values()) await this.world.tidy(node)
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
      .get() as number
    return left === 0 && this.asked.every(one => this.hasEnded(one))
  }

  hasEnded({ id, answer }: Asked): boolean {
    if (answer !== undefined) return true
    return id !== undefined && storedQuery(this.world.federation.researcher, id).voidReason !== null
  }

  /** Everything that can happen now, most urgent first. */
  #possible(): ((fault: Fault) => Promise<void>)[] {
    const { world } = this
    const poll = (message: Message) => message.since !== null
    const urgent = world.network.inFlight.filter(message => !poll(message))
    const news = world.network.inFlight.filter(
      message => poll(message) && this.#told.get(pathOf(message)) !== world.version,
    )
    const now = world.clock.now()
    const there = [...this.#presence].filter(([, one]) => one.awayUntil <= this.#move && one.pauseUntil <= now)
    const busy = there.filter(([, one]) => one.todo.length > 0)
    const idle = there.filter(
      ([, one]) => one.todo.length === 0 && !one.polling && (one.failed || one.seen !== world.version),
    )
    const open = this.asked.filter(one => !one.running && one.triedAt !== world.version && !this.hasEnded(one))
    return [
      ...urgent.map(message => (fault: Fault) => world.network.deliver(message, fault)),
      ...busy.map(
        ([id]) =>
          () =>
            this.#perform(id),
      ),
      ...idle.map(
        ([id]) =>
          () =>
            this.#work(id),
      ),
      ...open.map(one => () => this.#follow(one)),
      ...news.map(message => (fault: Fault) => {
        this.#told.set(pathOf(message), world.version)
        return world.network.deliver(message, fault)
      }),
    ]
  }
  readonly #told = new Map<string, number>()

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
        if (move.who === 'researcher')
          for (const one of this.asked.filter(Boolean)) Object.assign(one, { running: false, triedAt: -1 })
        else if (this.#presence.has(move.who)) this.#presence.set(move.who, presence(true))
        return
      case 'leave':
        this.#presenceOf(move.who).awayUntil = this.#move + move.moves
        return
      case 'jump':
        world.clocks.jump(move.who, move.milliseconds)
        if (move.who === 'coordinator') await world.lookAtTheClock()
        else if (this.#presence.has(move.who)) await world.tidy(world.federation.node(move.who))
        return
      case 'pass':
        await world.pass(move.milliseconds)
        return
    }
  }

  #presenceOf(id: string): Presence {
    return this.#presence.get(id) as Presence
  }

  async #askAndWithdraw(): Promise<void> {
    for (const [i, question] of this.schedule.questions.entries()) {
      if (this.asked[i] === undefined && question.at <= this.#move) {
        this.asked[i] = { question, running: false, triedAt: -1, leaving: new AbortController() }
      }
      if (question.withdrawn === this.#move) await this.#withdraw(this.asked[i])
    }
  }

  /** The researcher asks, or looks again after what it asked. */
  async #follow(one: Asked): Promise<void> {
    const { researcher } = this.world.federation
    Object.assign(one, { running: true, triedAt: this.world.version, leaving: new AbortController() })
    await this.world.begin(
      async () => {
        try {
          one.id ??= await prepare(researcher, parseQueryFile(questionFile(one.question)))
          one.answer = await resume(researcher, one.id, () => undefined, one.leaving.signal)
        } finally {
          one.running = false
        }
      },
      error => {
        one.error = error
      },
    )
  }

  async #withdraw(one: Asked | undefined): Promise<void> {
    if (!one?.id || this.hasEnded(one)) return
    const { world } = this
    const { id } = one
    one.leaving.abort(new InbondError('shutting-down', 'the researcher interrupts'))
    await new Promise(resolve => setImmediate(resolve))
    await world.activities.untilQuiet()
    await world.begin(
      () => cancel(world.federation.researcher, id),
      () => undefined,
    )
  }

  /** A member asks for work, and begins with what it is not at yet. */
  async #work(id: string): Promise<void> {
    const node = this.world.federation.node(id)
    const own = this.#presenceOf(id)
    own.polling = true
    await this.world.begin(
      async () => {
        try {
          const { version, items } = await poll(node, undefined)
          if (own.restarted) await withdrawLostPrekeys(node)
          const now = this.world.clock.now()
          // A long poll would not have been answered.
          const isOld = version === own.listed && !own.failed && now - own.listedAt < LONGEST_POLL_MS
          Object.assign(own, { seen: this.world.version, failed: false, restarted: false })
          if (isOld) return
          Object.assign(own, { listed: version, listedAt: now })
          own.todo = items.filter(one => !own.doing.has(keyOf(one)))
        } finally {
          own.polling = false
        }
      },
      () => {
        this.#pause(own)
      },
    )
  }

  #pause(own: Presence): void {
    Object.assign(own, { failed: true, pauseUntil: this.world.clock.now() + PAUSE_MS })
  }

  /** A member does the next thing on its list. */
  async #perform(id: string): Promise<void> {
    const node = this.world.federation.node(id)
    const own = this.#presenceOf(id)
    const item = own.todo.shift() as WorkItem
    own.doing.add(keyOf(item))
    await this.world.begin(
      async () => {
        try {
          await perform(node, item, observer(node), undefined, false)
        } finally {
          own.doing.delete(keyOf(item))
        }
      },
      () => {
        this.#pause(own)
      },
    )
  }
}

function observer(node: ReturnType<World['federation']['node']>) {
  return {
    done: (item: WorkItem) => void node.journal.push({ item }),
    refused: (item: WorkItem, refused: unknown) => void node.journal.push({ item, refused }),
    failed: () => undefined,
  }
}

function presence(restarted = false): Presence {
  return {
    restarted,
    listed: undefined,
    listedAt: 0,
    polling: false,
    seen: -1,
    failed: false,
    pauseUntil: 0,
    awayUntil: 0,
    doing: new Set(),
    todo: [],
  }
}

function keyOf(item: WorkItem): string {
  if (item.kind === 'charter' || item.kind === 'prekeys') return item.kind
  return `${item.kind} ${item.round.includes('.') ? messageId(item.round) : item.round}`
}

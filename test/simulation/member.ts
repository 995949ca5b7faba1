import { LONGEST_POLL_MS } from '#coordinator/long-poll.ts'
import { InbondError } from '#crypto/error.ts'
import { messageId } from '#crypto/signature.ts'
import { checkProposal } from '#member-node/charters.ts'
import { signCharter } from '#member-node/consents.ts'
import { withdrawLostPrekeys } from '#member-node/custody.ts'
import { perform, poll } from '#member-node/work.ts'
import { mayPass } from '#party/connection.ts'
import { charterBundle, type WorkItem } from '#specs/api.ts'
import type { CharterId } from '#specs/messages.ts'
import type { TestNode } from '../federation.ts'
import type { World } from './world.ts'

/** What a node waits at least when something failed. */
const PAUSE_MS = 500

/**
 * A member's process as the schedule sees it: it asks for work and does each thing on the list, as `work` of member-node/work.ts
 * does, but one step at a time and in any order.
 */
export class Member {
  readonly id: string
  readonly #world: World
  readonly #doing = new Set<string>()
  #todo: WorkItem[] = []
  #asking = false
  #failed = false
  #pauseUntil = 0
  #prekeysChecked: boolean
  /** The version of the world when it was told last; the list that it was given then, and when that was new. */
  #toldAt = -1
  #listed: string | undefined
  #listedAt = 0

  constructor(world: World, id: string, prekeysChecked: boolean) {
    this.#world = world
    this.id = id
    this.#prekeysChecked = prekeysChecked
  }

  get hasWork(): boolean {
    const [next] = this.#todo
    // A question is judged under the charter that is listed with it.
    const learns = [...this.#doing].some(one => one.startsWith('charter '))
    return next !== undefined && !(learns && next.kind !== 'charter') && !this.#pauses
  }

  get mayAsk(): boolean {
    const isNews = this.#failed || this.#toldAt !== this.#world.version
    return this.#todo.length === 0 && !this.#asking && isNews && !this.#pauses
  }

  get #pauses(): boolean {
    return this.#world.clock.now() < this.#pauseUntil
  }

  async ask(): Promise<void> {
    this.#asking = true
    await this.#attempt(async () => {
      try {
        await this.#list()
      } finally {
        this.#asking = false
      }
    })
  }

  async #list(): Promise<void> {
    const node = this.#world.federation.node(this.id)
    const { version, items } = await poll(node, undefined)
    if (!this.#prekeysChecked) await withdrawLostPrekeys(node)
    this.#prekeysChecked = true
    const now = this.#world.clock.now()
    // A long poll would not have been answered.
    const isOld = version === this.#listed && !this.#failed && now - this.#listedAt < LONGEST_POLL_MS
    this.#toldAt = this.#world.version
    this.#failed = false
    if (isOld) return
    this.#listed = version
    this.#listedAt = now
    this.#todo = items.filter(one => !this.#doing.has(keyOf(one)))
  }

  /** Begins with the next thing on its list. */
  async work(): Promise<void> {
    const node = this.#world.federation.node(this.id)
    const item = this.#todo.shift()
    if (item === undefined) return
    const observer = {
      done: (one: WorkItem) => void node.journal.push({ item: one }),
      refused: (one: WorkItem, refused: unknown) => void node.journal.push({ item: one, refused }),
      failed: () => undefined,
    }
    this.#doing.add(keyOf(item))
    await this.#attempt(async () => {
      try {
        if (item.kind === 'charter' && !item.inForce) await signProposal(node, item.charter)
        else await perform(node, item, observer, undefined, false)
      } finally {
        this.#doing.delete(keyOf(item))
      }
    })
  }

  #attempt(act: () => Promise<void>): Promise<void> {
    return this.#world.begin(act, () => {
      this.#failed = true
      this.#pauseUntil = this.#world.clock.now() + PAUSE_MS
    })
  }
}

/** The member's people sign whatever is proposed, if their node lets them; otherwise nobody has to hear of it. */
async function signProposal(node: TestNode, id: CharterId): Promise<void> {
  try {
    const bundle = await node.connection.get(`/charters/${id}`, charterBundle)
    await signCharter(node, (await checkProposal(node, bundle)).proposal)
  } catch (error) {
    if (mayPass(error) || !(error instanceof InbondError)) throw error
  }
}

/** The same for the same thing to do. */
function keyOf(item: WorkItem): string {
  if (item.kind === 'prekeys') return item.kind
  if (item.kind === 'charter' || item.kind === 'confirm') return `${item.kind} ${item.charter}`
  return `${item.kind} ${item.round.includes('.') ? messageId(item.round) : item.round}`
}

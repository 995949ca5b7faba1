import { charterInForce } from '#coordinator/context.ts'
import { type CharterBundle, type WorkItem, workResponse } from '#specs/api.ts'
import { type CharterId, charter, confirmation, consent, type MemberId } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { claims, type Signed, sign } from '#specs/signed.ts'
import type { Federation } from '../federation.ts'
import { type Adversary, jsonOf, keyOf, taken } from './adversary.ts'
import { MEMBERS } from './members.ts'
import { type Message, pathOf } from './network.ts'

/** One of two charters after the same one, and what members signed of it. */
class Fork {
  readonly id: CharterId
  readonly #compact: string
  readonly #consents = new Map<string, string>()
  readonly #confirmations = new Map<string, string>()
  /** How often each member was asked to confirm it. */
  readonly #asked = new Map<string, number>()

  constructor({ id, compact }: Signed<unknown, CharterId>) {
    this.id = id
    this.#compact = compact
  }

  get bundle(): CharterBundle {
    return {
      charter: this.#compact,
      consents: [...this.#consents].map(([member, compact]) => ({ member: member as MemberId, consent: compact })),
      confirmations: [...this.#confirmations].map(([member, compact]) => ({
        member: member as MemberId,
        confirmation: compact,
      })),
    }
  }

  get isSigned(): boolean {
    return this.#consents.size === MEMBERS.length
  }

  hasConsentOf = (who: string) => this.#consents.has(who)

  /** It is asked twice, should it refuse. */
  mayConfirm = (who: string) => !this.#confirmations.has(who) && (this.#asked.get(who) ?? 0) < 2

  ask(who: string): void {
    this.#asked.set(who, (this.#asked.get(who) ?? 0) + 1)
  }

  take(what: string, who: string, compact: string): void {
    const kept = what === '/consents' ? this.#consents : this.#confirmations
    kept.set(who, compact)
  }
}

/** Each leaves out another custodian. */
async function forksOf(federation: Federation): Promise<Fork[]> {
  const { context } = federation.coordinator
  const { id, payload } = charterInForce(context.db) as SignedCharter
  const next = { ...payload, epoch: payload.epoch + 1, previous: id, logHead: context.log.head() }
  const signed = ['JP', 'KR'].map(leftOut =>
    sign<typeof charter.schema, CharterId>(keyOf(federation), charter, {
      ...next,
      custodians: payload.custodians.filter(one => one !== leftOut),
    }),
  )
  return (await Promise.all(signed)).map(one => new Fork(one))
}

/**
 * A coordinator that has everybody sign two charters after the same one, asks each half of the members to confirm another of them first,
 * and says to each half that the one is in force.
 */
export function forkedCharter(federation: Federation): Adversary {
  let made: Promise<Fork[]> | undefined
  const forks = () => (made ??= forksOf(federation))

  async function itemsFor(who: string): Promise<WorkItem[]> {
    const all = await forks()
    const unsigned = all.find(one => !one.hasConsentOf(who))
    if (unsigned !== undefined) return [{ kind: 'charter', charter: unsigned.id, inForce: false }]
    if (!all.every(one => one.isSigned)) return []
    const own = MEMBERS.indexOf(who as MemberId) < MEMBERS.length / 2 ? all : all.toReversed()
    const next = own.find(one => one.mayConfirm(who))
    if (next !== undefined) {
      next.ask(who)
      return [{ kind: 'confirm', charter: next.id }]
    }
    const isOver = MEMBERS.every(id => all.every(one => !one.mayConfirm(id)))
    return isOver ? [{ kind: 'charter', charter: (own[0] as Fork).id, inForce: true }] : []
  }

  async function take(message: Message): Promise<Response | undefined> {
    const [, room = '', id] = pathOf(message).split('/')
    const all = await forks()
    if (room === 'charters' && message.method === 'GET') {
      const shown = all.find(one => one.id === id)
      return shown && Response.json(shown.bundle)
    }
    if (room === 'charters') return taken()
    if (room !== 'consents' && room !== 'confirmations') return undefined
    const { consent: signed, confirmation: confirmed } = jsonOf(message)
    const of = room === 'consents' ? claims(consent, signed).payload : claims(confirmation, confirmed).payload
    all.find(one => one.id === of.charter)?.take(`/${room}`, of.member, signed ?? confirmed)
    return taken()
  }

  return {
    take,
    show: async (message, answer) => {
      if (pathOf(message) !== '/work') return undefined
      const { version, items } = workResponse.parse(await answer.json())
      const own = await itemsFor(message.who)
      const others = own.some(one => one.kind === 'charter' && one.inForce)
        ? items.filter(one => one.kind !== 'charter')
        : items
      return Response.json({ version: `${version} ${JSON.stringify(own)}`, items: [...own, ...others] })
    },
  }
}

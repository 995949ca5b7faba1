import { createHash } from 'node:crypto'
import { messageId } from '#crypto/signature.ts'
import type { WorkResponse } from '#specs/api.ts'
import {
  agreement,
  type Cohort,
  cohort,
  type Manifest,
  manifest,
  opening,
  type Round,
  refusal,
  round,
} from '#specs/messages.ts'
import { claims } from '#specs/signed.ts'
import type { TestNode } from '../federation.ts'
import { THRESHOLD } from './members.ts'
import { type Message, pathOf } from './network.ts'

export const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')

interface Custody {
  readonly custodian: string
  readonly round: string
  readonly cohort: string
}

/** What the parties let go of, as they made it, and what they were shown: more than any of them, or the coordinator, kept. */
export class History {
  /** Hashes of bodies by what must be sent once, such as `agreements of KR in 5f…`. */
  readonly sent = new Map<string, Set<string>>()
  readonly manifests = new Map<string, Manifest>()
  readonly agreements: Custody[] = []
  readonly openings: Custody[] = []
  readonly cohorts = new Map<string, Cohort>()
  readonly rounds = new Map<string, Round>()
  /** What was asked, signed, by round. */
  readonly queries = new Map<string, string>()
  /** What is wrong at the moment of sending, in words, by the invariant that it breaks. */
  readonly broken: { readonly invariant: string; readonly what: string }[] = []

  /** Members that lost their disks: what they refuse now they may have done, or refused with another reason. */
  readonly restored = new Set<string>()
  /** Prekeys that members made. */
  readonly lostPrekeys = new Set<string>()

  lose({ id, db }: TestNode): void {
    this.restored.add(id)
    const ids = db.$client.prepare('SELECT id FROM prekeys').pluck().all() as string[]
    for (const prekey of ids) this.lostPrekeys.add(`${prekey} of ${id}`)
  }

  /** A member lets go of a request. */
  send(message: Message, node: TestNode): void {
    const [, room, id = '', what] = pathOf(message).split('/')
    if (room !== 'rounds' || message.body === undefined) return
    const body = Buffer.from(message.body)
    const json = () => JSON.parse(body.toString())
    if (what === 'refusals' && this.restored.has(message.who)) return
    this.#once(
      `${what} of ${message.who} in ${id}${what === 'refusals' ? claims(refusal, json().refusal).payload.step : ''}`,
      body,
    )
    if (what === 'contribution') this.#contributed(node, manifestOf(body), id)
    else if (what === 'agreements') this.#agreed(node, json().agreement)
    else if (what === 'openings') this.#opened(node, json().opening)
    else if (what === 'refusals') this.#refused(message.who, id, json().refusal)
  }

  #once(what: string, body: Uint8Array): void {
    this.sent.set(what, (this.sent.get(what) ?? new Set()).add(sha256(body)))
  }

  #contributed(node: TestNode, compact: string, id: string): void {
    this.manifests.set(messageId(compact), claims(manifest, compact).payload)
    this.#expectStored(node, 'SELECT manifest FROM contributions WHERE round = ?', id, compact)
  }

  #agreed(node: TestNode, compact: string): void {
    const { payload } = claims(agreement, compact)
    this.agreements.push(payload)
    this.#expectStored(node, 'SELECT compact FROM agreements WHERE round = ?', payload.round, compact)
    const held = node.db.$client.prepare('SELECT dealer, sealed FROM shares WHERE round = ?').all(payload.round) as {
      dealer: string
      sealed: Buffer
    }[]
    this.#knowsEarlier(node, payload.round)
    if (held.length === 0) return
    for (const { member, manifest: named } of this.cohorts.get(payload.cohort)?.manifests ?? []) {
      const share = held.find(one => one.dealer === member)?.sealed
      const dealt = this.manifests.get(named)?.shares.find(one => one.custodian === node.id)?.sealed
      if (dealt === undefined) this.#break('unknownContributions', `${node.id} agreed to what ${member} never sent`)
      else if (!share || sha256(share) !== dealt) {
        this.#break('sharesAsDealt', `${node.id} agreed and does not hold the share that ${member} dealt`)
      }
    }
  }

  /** Whoever agrees under a charter knows what may have been opened under those before. */
  #knowsEarlier(node: TestNode, id: string): void {
    const epochOf = (round: string) =>
      node.db.$client.prepare('SELECT epoch FROM charters WHERE id = ?').pluck().get(this.rounds.get(round)?.charter) as
        | number
        | undefined
    const epoch = epochOf(id) ?? 0
    for (const [to, agreed] of Map.groupBy(this.agreements, one => one.cohort)) {
      const isEarlier = agreed.every(one => (epochOf(one.round) ?? epoch) < epoch)
      if (!isEarlier || new Set(agreed.map(one => one.custodian)).size < THRESHOLD) continue
      const logged =
        "SELECT 1 FROM log_entries WHERE typ = 'inbond-cohort' AND message = :to UNION SELECT 1 FROM agreements WHERE cohort = :to"
      const known = node.db.$client.prepare(logged).get({ to })
      if (known === undefined) this.#break('handedOver', `${node.id} agrees and does not know the cohort ${to}`)
    }
  }

  #opened(node: TestNode, compact: string): void {
    const { payload } = claims(opening, compact)
    this.openings.push(payload)
    this.#expectStored(node, 'SELECT compact FROM openings WHERE round = ?', payload.round, compact)
    const signers = this.agreements.filter(one => one.cohort === payload.cohort).map(one => one.custodian)
    if (new Set(signers).size < THRESHOLD) {
      this.#break('openedWithThreshold', `${node.id} opens what only ${signers} agreed to`)
    }
    const shares = node.db.$client.prepare('SELECT 1 FROM shares WHERE round = ?').get(payload.round)
    const key = node.db.$client
      .prepare('SELECT 1 FROM prekeys WHERE round = ? AND private_key IS NOT NULL')
      .get(payload.round)
    if (shares || key) this.#break('forgottenWhenOpened', `${node.id} opened and still holds shares or prekey`)
  }

  #refused(who: string, id: string, compact: string): void {
    const { step } = claims(refusal, compact).payload
    if (step === 'open' && this.sent.has(`openings of ${who} in ${id}`)) {
      this.#break('nobodyRefusesWhatItDid', `${who} refuses to open what it opened`)
    }
  }

  #expectStored(node: TestNode, sql: string, id: string, compact: string): void {
    const stored = node.db.$client.prepare(sql).pluck().all(id)
    if (!stored.includes(compact)) this.#break('storedBeforeSent', `${node.id} sends what it did not store`)
  }

  #break(invariant: string, what: string): void {
    this.broken.push({ invariant, what })
  }

  /** A member is shown a list of work. */
  show(work: WorkResponse): void {
    for (const item of work.items) {
      if (item.kind === 'contribute' || item.kind === 'agree') {
        this.rounds.set(messageId(item.round), claims(round, item.round).payload)
        this.queries.set(messageId(item.round), item.query)
      }
      if (item.kind === 'agree') this.cohorts.set(messageId(item.cohort), claims(cohort, item.cohort).payload)
    }
  }
}

/** The manifest at the beginning of a contribution. */
export function manifestOf(body: Buffer): string {
  return body.subarray(12, 12 + body.readUInt32LE(8)).toString()
}

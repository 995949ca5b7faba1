import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Aggregate, aggregate } from '#coordinator/aggregation.ts'
import { type Coordinator, createCoordinator } from '#coordinator/app.ts'
import type { Context } from '#coordinator/context.ts'
import { type Invitee, invite } from '#coordinator/enrolment.ts'
import { proposeCharter } from '#coordinator/proposals.ts'
import * as coordinatorSchema from '#coordinator/schema.ts'
import type { Randomness } from '#crypto/sampling.ts'
import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { addUp } from '#member-node/addition.ts'
import { chartersSoFar, checkProposal } from '#member-node/charters.ts'
import { compute } from '#member-node/computation.ts'
import { signCharter } from '#member-node/consents.ts'
import { examineFile } from '#member-node/examination.ts'
import { importFile } from '#member-node/import/importer.ts'
import { parseMapping } from '#member-node/import/mapping.ts'
import { Keyring } from '#member-node/keyring.ts'
import type { Node } from '#member-node/node.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { PolicyKeeper, UnsignedPolicy } from '#member-node/policy-in-force.ts'
import { signPolicy } from '#member-node/policy-signatures.ts'
import { sponsor, type Vouching } from '#member-node/researchers.ts'
import * as memberSchema from '#member-node/schema.ts'
import { coverageIn, openWarehouse } from '#member-node/warehouse/warehouse.ts'
import { type Observer, perform, poll } from '#member-node/work.ts'
import type { Clock } from '#party/clock.ts'
import { Connection, type Fetch } from '#party/connection.ts'
import type { Coordinates } from '#party/coordinates.ts'
import { openDatabase } from '#party/database.ts'
import type { Answer } from '#researcher/answer.ts'
import { prepare, resume } from '#researcher/client.ts'
import { RECOUNT_FROM } from '#researcher/recount.ts'
import type { Researcher } from '#researcher/researcher.ts'
import * as researcherSchema from '#researcher/schema.ts'
import { enrolmentReceipt, type FederationInfo, type QueryStatus, type WorkItem } from '#specs/api.ts'
import { purposeCodes } from '#specs/code-lists/purposes.ts'
import { declarations } from '#specs/datasets/declarations.ts'
import { conventions, enrolment, type MemberId } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { TestClock } from './clock.ts'
import { MemoryKeys } from './memory-keys.ts'
import { useNativeX25519 } from './native-x25519.ts'
import { seededIdentityKey, seededRandomness } from './randomness.ts'

/**
 * A federation in one process: the real parties on real databases, joined by function calls instead of a network, under a
 * clock that the test moves. Nothing happens unless the test lets it: `settle` lets everybody do what there is to do.
 */

export const URL = 'https://coordinator.test'
// Thousands of sealings would take most of the time.
useNativeX25519()

const ROOT = join(import.meta.dirname, '..')

export interface TestNode extends Node {
  readonly directory: string
  /** What would be its key file. */
  readonly keyFile: MemoryKeys
  /** What it did and what it refused, newest last. */
  readonly journal: { readonly item: WorkItem; readonly refused?: unknown }[]
  /** A stopped node asks for no work. */
  stopped: boolean
  rules: Policy
}

export interface FederationOptions {
  readonly members?: readonly string[]
  readonly custodians?: readonly string[]
  readonly threshold?: number
  /** Wraps a party's way to the coordinator: to drop, delay, repeat or change what travels. `who` is a member id or `researcher`. */
  readonly network?: (who: string, fetch: Fetch) => Fetch
  /** The researcher's own administration. */
  readonly administration?: string
  /** Bytes from which on a custodian is drawn to add up again; 64 MiB as a rule. */
  readonly recountFrom?: number
  /** From which every key and every random byte follows. */
  readonly seed?: string
}

/** Where the identity key and the random bytes of a party come from. */
export interface Source {
  readonly identityKey: () => Promise<IdentityKey>
  readonly randomness: Randomness
}

const platform: Source = { identityKey: generateIdentityKey, randomness: randomBytes }

function seeded(seed: string): Source {
  return { identityKey: () => seededIdentityKey(`${seed} identity`), randomness: seededRandomness(seed) }
}

export class Federation {
  readonly clock: TestClock
  readonly coordinator: Coordinator
  readonly nodes: ReadonlyMap<string, TestNode>
  readonly researcher: Researcher
  /** Whatever the coordinator says should not have happened. */
  readonly errors: unknown[]
  readonly directory: string

  constructor(
    parts: Omit<Federation, 'node' | 'settle' | 'ask' | 'load' | 'settleUntilAnswered' | typeof Symbol.dispose>,
  ) {
    this.clock = parts.clock
    this.coordinator = parts.coordinator
    this.nodes = parts.nodes
    this.researcher = parts.researcher
    this.errors = parts.errors
    this.directory = parts.directory
  }

  static async create(options: FederationOptions = {}): Promise<Federation> {
    const directory = mkdtempSync(join(tmpdir(), 'inbond-test-'))
    const clock = new TestClock()
    const errors: unknown[] = []
    const source = (who: string) => (options.seed === undefined ? platform : seeded(`${options.seed} ${who}`))
    const key = await source('coordinator').identityKey()
    const coordinator = startCoordinator(directory, key, clock, error => void errors.push(error))
    const fetch: Fetch = async (url, init) => coordinator.app.request(url, init)
    const network = options.network ?? ((_, direct) => direct)
    const nodes = new Map<string, TestNode>()
    for (const id of options.members ?? ['BR', 'FR', 'JP', 'KR', 'VN']) {
      nodes.set(id, await enrolMember(coordinator.context, URL, directory, clock, id, network(id, fetch), source(id)))
    }
    const { threshold, custodians } = options
    await proposeCharter(coordinator.context, {
      ...(custodians === undefined ? {} : { custodians }),
      ...(threshold === undefined ? {} : { threshold }),
    })
    const { proposed } = (await (await fetch(`${URL}/federation`)).json()) as FederationInfo
    for (const node of nodes.values()) {
      const { proposal } = await checkProposal(node, proposed as NonNullable<typeof proposed>)
      await signCharter(node, proposal)
    }
    const { administration } = options
    const vouching = nodes.get(administration ?? ([...nodes.keys()][0] as string)) as TestNode
    const researcher = await enrolResearcher(
      coordinator,
      directory,
      clock,
      vouching.id,
      network('researcher', fetch),
      source('researcher'),
      undefined,
      options.recountFrom,
    )
    await sponsor(vouching, researcher.key.fingerprint, { ...VOUCHING, isOwn: administration !== undefined })
    const federation = new Federation({ clock, coordinator, nodes, researcher, errors, directory })
    await federation.settle()
    return federation
  }

  node(id: string): TestNode {
    const found = this.nodes.get(id)
    if (!found) throw new Error(`there is no ${id} in this federation`)
    return found
  }

  /**
   * Loads records given as CSV text with the dataset's own column names, and moves the clock on, so that no two changes are of one moment,
   * nor a change and a round.
   */
  load(id: string, csv: string, complete?: { from: string; to: string }): void {
    this.clock.advance(1)
    loadRecords(this.node(id).directory, csv, this.clock, complete)
    this.clock.advance(1)
  }

  /** Lets every party that is not stopped do what there is to do, until nobody has anything left. */
  async settle(): Promise<void> {
    for (let quiet = false; !quiet; ) {
      quiet = true
      await this.coordinator.lifecycle.advance()
      await this.coordinator.lifecycle.finish()
      for (const node of this.nodes.values()) {
        if (node.stopped) continue
        const { items } = await poll(node, undefined)
        for (const item of items.filter(one => isWork(one))) {
          const before = node.journal.length
          await perform(node, item, observerOf(node))
          if (node.journal.length > before) quiet = false
        }
      }
    }
  }

  /** Asks a question (YAML), lets everybody work, and returns the checked answer. */
  async ask(yaml: string, progress: (status: QueryStatus) => void = () => undefined): Promise<Answer> {
    const id = await prepare(this.researcher, parseQueryFile(yaml))
    return this.settleUntilAnswered(resume(this.researcher, id, progress))
  }

  /** Keeps settling while an answer is under way. */
  async settleUntilAnswered<T>(answer: Promise<T>): Promise<T> {
    let pending = true
    const ended = answer.finally(() => {
      pending = false
    })
    ended.catch(() => undefined)
    for (let turn = 0; pending && turn < 50; turn++) {
      await this.settle()
      await new Promise(resolve => setImmediate(resolve))
    }
    return ended
  }

  [Symbol.dispose](): void {
    for (const { db } of [this.coordinator.context, ...this.nodes.values(), this.researcher]) db.$client.close()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Imports records into the warehouse of a directory, given as CSV text with the dataset's own column names. */
export function loadRecords(
  directory: string,
  csv: string,
  clock: Clock,
  complete?: { from: string; to: string },
): void {
  const file = join(directory, `${randomBytes(4).toString('hex')}.csv`)
  writeFileSync(file, csv)
  const columns = (csv.split('\n')[0] as string).split(',').filter(column => column !== 'key')
  const keyed = csv.startsWith('key,') ? 'key: key\n' : ''
  const yaml = `dataset: declarations\n${keyed}columns:\n${columns.map(column => `  ${column}: ${column}\n`).join('')}`
  using warehouse = openWarehouse(join(directory, 'warehouse.sqlite'))
  importFile(
    {
      dataset: declarations,
      mapping: parseMapping(yaml, declarations),
      file,
      rejectedFolder: join(directory, 'rejected'),
      ...(complete ? { complete } : {}),
    },
    { warehouse, currency: 'USD', clock: clock.now },
  )
}

/** A round that ended without a cohort stays listed; there is nothing to do about it twice. */
export function isWork(item: WorkItem): boolean {
  return item.kind !== 'void' || item.cohort
}

function observerOf(node: TestNode): Observer {
  return {
    done: item => {
      if (item.kind !== 'charter') node.journal.push({ item })
    },
    refused: (item, refused) => void node.journal.push({ item, refused }),
    failed: error => {
      throw error
    },
  }
}

/** A coordinator on what is in `directory`. */
export function startCoordinator(
  directory: string,
  key: IdentityKey,
  clock: Clock,
  onError: (error: unknown) => void,
  add: Aggregate = aggregate,
): Coordinator {
  return createCoordinator({
    db: openDatabase(join(directory, 'coordinator.sqlite'), coordinatorSchema, join(ROOT, 'coordinator/migrations')),
    key,
    name: 'Test federation',
    currency: 'USD',
    uploads: join(directory, 'uploads'),
    clock,
    aggregate: add,
    onError,
  })
}

/** What sponsors say where nothing else matters. */
export const VOUCHING: Vouching = {
  organisation: 'Institute of tests',
  role: 'analyst',
  purposes: purposeCodes,
  isOwn: false,
  lasts: 365 * 86_400_000,
}

function newInvitation(context: Context, invitee: Invitee, randomness: Randomness) {
  const code = Buffer.from(randomness(18)).toString('base64url')
  invite(context, invitee, code)
  return { protocol: PROTOCOL, federation: context.key.fingerprint, invitation: code } as const
}

/**
 * Invites a member, in the coordinator's database, and enrols it, over `fetch`. Its directory is `root`/`name`; that of another key for
 * a member that has one is `root`/`name` again.
 */
export async function enrolMember(
  coordinator: Context,
  url: string,
  root: string,
  clock: Clock,
  name: string,
  fetch?: Fetch,
  source = platform,
  isReplacement = false,
): Promise<TestNode> {
  const id = name as MemberId
  const key = await source.identityKey()
  const connection = new Connection({ url, federation: coordinator.key.fingerprint }, key, clock, fetch)
  const invitee: Invitee = { role: 'member', subject: id, sponsor: null, isReplacement }
  const invitation = newInvitation(coordinator, invitee, source.randomness)
  const signed = await sign(key, enrolment, {
    ...invitation,
    role: 'member',
    publicKey: key.publicKey,
    id,
    name: `Customs of ${id}`,
    conventions: conventions.parse({}),
  })
  await connection.post('/enrolments', { enrolment: signed.compact }, enrolmentReceipt)
  const { federation } = invitation
  const folder = isReplacement ? `${id} again` : id
  return openNode(join(root, folder), { id, key, federation, connection, clock, randomness: source.randomness })
}

/** A member's node on what is in `directory`. */
export function openNode(
  directory: string,
  own: Pick<Node, 'id' | 'key' | 'federation' | 'connection' | 'clock' | 'randomness'>,
  keyFile = new MemoryKeys(own.key),
): TestNode {
  const outbox = join(directory, 'outbox')
  mkdirSync(outbox, { recursive: true })
  const db = openDatabase(join(directory, 'node.sqlite'), memberSchema, join(ROOT, 'member-node/migrations'))
  const keys = new Keyring(own.id, keyFile, keyFile.stored, chartersSoFar({ db }))
  const node: TestNode = {
    ...own,
    connection: own.connection.as(() => keys.inForce),
    keys,
    keyFile,
    get key() {
      return keys.inForce
    },
    currency: 'USD',
    db,
    outbox,
    compute: task => compute(task, join(directory, 'warehouse.sqlite'), own.randomness),
    addUp,
    examine: async task => examineFile(join(directory, 'warehouse.sqlite'), task),
    coverage: dataset => coverageIn(join(directory, 'warehouse.sqlite'), dataset),
    policy: () => policyOf(node),
    directory,
    journal: [],
    stopped: false,
    rules: presets.open as Policy,
  }
  return node
}

const keepers = new WeakMap<TestNode, PolicyKeeper>()

/** The rules that a test gave a node, as its policy file. Where stewards would have to sign them, the node does in their place. */
export async function policyOf(node: TestNode): ReturnType<Node['policy']> {
  const keeper = keepers.get(node) ?? new PolicyKeeper(node, async () => JSON.stringify(node.rules))
  keepers.set(node, keeper)
  const policy = await keeper.inForce()
  if (!(keeper.trouble instanceof UnsignedPolicy)) return policy
  await signPolicy(node, keeper.trouble.succession, null, node.key)
  return keeper.inForce()
}

/** A researcher that enrols and asks `sponsor` to vouch for it. */
export async function enrolResearcher(
  coordinator: Coordinator,
  directory: string,
  clock: TestClock,
  sponsor: MemberId,
  fetch: Fetch,
  { identityKey, randomness }: Source,
  name = 'Ada',
  recountFrom?: number,
): Promise<Researcher> {
  const key = await identityKey()
  const to: Coordinates = { url: URL, federation: coordinator.context.key.fingerprint }
  const connection = new Connection(to, key, clock, fetch)
  const invitation = newInvitation(coordinator.context, { role: 'researcher', subject: name, sponsor }, randomness)
  const signed = await sign(key, enrolment, { ...invitation, role: 'researcher', publicKey: key.publicKey, name })
  await connection.post('/enrolments', { enrolment: signed.compact }, enrolmentReceipt)
  return openResearcher(directory, { key, to, connection, fetch, clock, randomness }, recountFrom)
}

/** A researcher on what is in `directory`. */
export function openResearcher(
  directory: string,
  own: Omit<Researcher, 'db' | 'recountFrom'>,
  recountFrom = RECOUNT_FROM,
): Researcher {
  const file = join(directory, 'researcher.sqlite')
  return { ...own, recountFrom, db: openDatabase(file, researcherSchema, join(ROOT, 'researcher/migrations')) }
}

import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aggregate } from '#coordinator/aggregation.ts'
import { type Coordinator, createCoordinator } from '#coordinator/app.ts'
import type { Context } from '#coordinator/context.ts'
import { invite, proposeCharter } from '#coordinator/governance.ts'
import * as coordinatorSchema from '#coordinator/schema.ts'
import { generateIdentityKey } from '#crypto/signature.ts'
import { checkProposal, signCharter } from '#member-node/charters.ts'
import { compute } from '#member-node/computation.ts'
import { importFile } from '#member-node/import/importer.ts'
import { parseMapping } from '#member-node/import/mapping.ts'
import type { Node } from '#member-node/node.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import * as memberSchema from '#member-node/schema.ts'
import { openWarehouse } from '#member-node/warehouse/warehouse.ts'
import { type Observer, perform, poll } from '#member-node/work.ts'
import type { Clock } from '#party/clock.ts'
import { Connection, type Coordinates, type Fetch } from '#party/connection.ts'
import { openDatabase } from '#party/database.ts'
import type { Answer } from '#researcher/answer.ts'
import { prepare, resume } from '#researcher/client.ts'
import type { Researcher } from '#researcher/researcher.ts'
import * as researcherSchema from '#researcher/schema.ts'
import { enrolmentReceipt, type FederationInfo, type QueryStatus, type WorkItem } from '#specs/api.ts'
import { declarations } from '#specs/datasets/declarations.ts'
import { conventions, enrolment, type MemberId, PROTOCOL, sign } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { TestClock } from './clock.ts'

/**
 * A federation in one process: the real parties on real databases, joined by function calls instead of a network, under a
 * clock that the test moves. Nothing happens unless the test lets it: `settle` lets everybody do what there is to do.
 */

const URL = 'http://coordinator.test'
const ROOT = join(import.meta.dirname, '..')

export interface TestNode extends Node {
  readonly directory: string
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
}

export class Federation {
  readonly clock: TestClock
  readonly coordinator: Coordinator
  readonly nodes: ReadonlyMap<string, TestNode>
  readonly researcher: Researcher
  /** Whatever the coordinator says should not have happened. */
  readonly errors: unknown[]
  readonly directory: string

  private constructor(
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
    const coordinator = await startCoordinator(directory, clock, errors)
    const fetch: Fetch = async (url, init) => coordinator.app.request(url, init)
    const network = options.network ?? ((_, direct) => direct)
    const nodes = new Map<string, TestNode>()
    for (const id of options.members ?? ['BR', 'FR', 'JP', 'KR', 'VN']) {
      nodes.set(id, await enrolMember(coordinator.context, URL, directory, clock, id, network(id, fetch)))
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
    const administration = (options.administration ?? null) as MemberId | null
    const researcher = await enrolResearcher(
      coordinator,
      directory,
      clock,
      administration,
      network('researcher', fetch),
    )
    const federation = new Federation({ clock, coordinator, nodes, researcher, errors, directory })
    await federation.settle()
    return federation
  }

  node(id: string): TestNode {
    const found = this.nodes.get(id)
    if (!found) throw new Error(`there is no ${id} in this federation`)
    return found
  }

  /** Loads records given as CSV text with the dataset's own column names. */
  load(id: string, csv: string, complete?: { from: string; to: string }): void {
    loadRecords(this.node(id).directory, csv, this.clock, complete)
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

/** A charter in force and a round that is over stay listed; there is nothing to do about them twice. */
function isWork(item: WorkItem): boolean {
  return item.kind !== 'void'
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

async function startCoordinator(directory: string, clock: TestClock, errors: unknown[]): Promise<Coordinator> {
  return createCoordinator({
    db: openDatabase(join(directory, 'coordinator.sqlite'), coordinatorSchema, join(ROOT, 'coordinator/migrations')),
    key: await generateIdentityKey(),
    name: 'Test federation',
    currency: 'USD',
    uploads: join(directory, 'uploads'),
    clock,
    aggregate,
    onError: error => void errors.push(error),
  })
}

function newInvitation(
  context: Context,
  role: 'member' | 'researcher',
  subject: string,
  administration: MemberId | null,
) {
  const code = randomBytes(18).toString('base64url')
  invite(context, { role, subject, administration }, code)
  return { protocol: PROTOCOL, federation: context.key.fingerprint, invitation: code } as const
}

/** Invites a member, in the coordinator's database, and enrols it, over `fetch`. Its directory is `root`/`name`. */
export async function enrolMember(
  coordinator: Context,
  url: string,
  root: string,
  clock: Clock,
  name: string,
  fetch?: Fetch,
): Promise<TestNode> {
  const id = name as MemberId
  const directory = join(root, id)
  const outbox = join(directory, 'outbox')
  mkdirSync(outbox, { recursive: true })
  const key = await generateIdentityKey()
  const connection = new Connection({ url, federation: coordinator.key.fingerprint }, key, clock, fetch)
  const invitation = newInvitation(coordinator, 'member', id, null)
  const signed = await sign(key, enrolment, {
    ...invitation,
    role: 'member',
    publicKey: key.publicKey,
    id,
    name: `Customs of ${id}`,
    conventions: conventions.parse({}),
  })
  await connection.post('/enrolments', { enrolment: signed.compact }, enrolmentReceipt)
  const node: TestNode = {
    id,
    key,
    federation: invitation.federation,
    currency: 'USD',
    db: openDatabase(join(directory, 'node.sqlite'), memberSchema, join(ROOT, 'member-node/migrations')),
    outbox,
    connection,
    compute: task => compute(task, join(directory, 'warehouse.sqlite'), randomBytes),
    policy: async () => node.rules,
    clock,
    randomness: randomBytes,
    directory,
    journal: [],
    stopped: false,
    rules: presets.open as Policy,
  }
  return node
}

async function enrolResearcher(
  coordinator: Coordinator,
  directory: string,
  clock: TestClock,
  administration: MemberId | null,
  fetch: Fetch,
): Promise<Researcher> {
  const key = await generateIdentityKey()
  const to: Coordinates = { url: URL, federation: coordinator.context.key.fingerprint }
  const connection = new Connection(to, key, clock, fetch)
  const name = 'Ada'
  const invitation = newInvitation(coordinator.context, 'researcher', name, administration)
  const signed = await sign(key, enrolment, { ...invitation, role: 'researcher', publicKey: key.publicKey, name })
  const { certificate } = await connection.post('/enrolments', { enrolment: signed.compact }, enrolmentReceipt)
  return {
    key,
    certificate: certificate as string,
    db: openDatabase(join(directory, 'researcher.sqlite'), researcherSchema, join(ROOT, 'researcher/migrations')),
    to,
    connection,
    fetch,
    clock,
    randomness: randomBytes,
  }
}

import { join } from 'node:path'
import { type Aggregate, aggregate } from '#coordinator/aggregation.ts'
import { type Coordinator, createCoordinator } from '#coordinator/app.ts'
import * as coordinatorSchema from '#coordinator/schema.ts'
import { InbondError } from '#crypto/error.ts'
import { chartersSoFar } from '#member-node/charters.ts'
import { Keyring } from '#member-node/keyring.ts'
import * as memberSchema from '#member-node/schema.ts'
import { perform, poll } from '#member-node/work.ts'
import type { Fetch } from '#party/connection.ts'
import { openDatabase, type PartyDatabase } from '#party/database.ts'
import * as researcherSchema from '#researcher/schema.ts'
import { type Federation, isWork, policyOf, type TestNode } from './federation.ts'

/** Parties that stop anywhere and start again from what is on their disks; and a network that breaks. */

const ROOT = join(import.meta.dirname, '..')

function reopen<S extends Record<string, unknown>>(db: PartyDatabase<S>, schema: S, migrations: string) {
  const file = db.$client.name
  if (db.$client.open) db.$client.close()
  return openDatabase(file, schema, join(ROOT, migrations))
}

/** What a node is like that was restored from before it learned of any charter. */
export function forgetCharters({ db }: TestNode): void {
  const { $client } = db
  const tables = ['charters', 'charter_signatures', 'confirmations']
  const sql = `SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ('${tables.join("', '")}')`
  const triggers = $client.prepare(sql).all() as { name: string; sql: string }[]
  for (const { name } of triggers) $client.exec(`DROP TRIGGER ${name}`)
  for (const table of tables) $client.exec(`DELETE FROM ${table}`)
  for (const { sql } of triggers) $client.exec(sql)
}

/** The member's process ends and another one takes its place: nothing remains but its directory. */
export function restartNode(federation: Federation, id: string): void {
  const node = federation.node(id)
  const db = reopen(node.db, memberSchema, 'member-node/migrations')
  const keys = new Keyring(node.id, node.keyFile, node.keyFile.stored, chartersSoFar({ db }))
  const again: TestNode = {
    ...node,
    db,
    keys,
    get key() {
      return keys.inForce
    },
    connection: node.connection.as(() => keys.inForce),
    policy: () => policyOf(again),
  }
  ;(federation.nodes as Map<string, TestNode>).set(id, again)
}

export function restartResearcher(federation: Federation): void {
  const { researcher } = federation
  const db = reopen(researcher.db, researcherSchema, 'researcher/migrations')
  Object.assign(federation, { researcher: { ...researcher, db } })
}

/** A coordinator on the same directory. What the old one was still doing in the background is waited for, then forgotten. */
export async function restartCoordinator(federation: Federation, add: Aggregate = aggregate): Promise<void> {
  const { context } = federation.coordinator
  const { key, name, currency, uploads, clock } = context
  const db = reopen(context.db, coordinatorSchema, 'coordinator/migrations')
  const onError = (error: unknown) => void federation.errors.push(error)
  const coordinator = createCoordinator({ db, key, name, currency, uploads, clock, aggregate: add, onError })
  await coordinator.lifecycle.removeParts()
  Object.assign(federation, { coordinator })
}

/** Leads every request to the coordinator that runs now. */
export class Switchboard {
  federation: Federation | undefined
  /** Told of each request before it arrives and after it was answered; what it throws is a broken connection. */
  at: (moment: 'before' | 'after', who: string, path: string, method: string) => Promise<void> | void = () => undefined

  readonly network =
    (who: string, direct: Fetch): Fetch =>
    async (url, init) => {
      const method = init?.method ?? 'GET'
      const path = new URL(url).pathname
      const send = async () => {
        const running = this.federation?.coordinator as Coordinator | undefined
        return running ? running.app.request(url, init) : direct(url, init)
      }
      init?.signal?.throwIfAborted()
      await this.at('before', who, path, method)
      const response = await send()
      init?.signal?.throwIfAborted()
      await this.at('after', who, path, method)
      return response
    }
}

/** Works like `Federation.settle`, and goes on where a connection broke; `broken` is told whose. */
export async function settlePatiently(federation: Federation, broken: (id: string) => void = () => undefined) {
  for (let quiet = false; !quiet; ) {
    quiet = true
    await federation.coordinator.lifecycle.advance()
    await federation.coordinator.lifecycle.finish()
    for (const id of federation.nodes.keys()) {
      const node = federation.node(id)
      if (node.stopped) continue
      try {
        const { items } = await poll(node, undefined)
        for (const item of items.filter(one => isWork(one) && one.kind !== 'charter')) {
          quiet = false
          await perform(node, item, {
            done: one => void node.journal.push({ item: one }),
            refused: (one, refused) => void node.journal.push({ item: one, refused }),
            failed: () => undefined,
          })
        }
      } catch (error) {
        if (!(error instanceof InbondError) || error.code !== 'coordinator-unreachable') throw error
        quiet = false
        broken(id)
      }
    }
  }
}

/** Lets everybody work, and time pass a second at a time, until `answer` is there. */
export async function settleUntil<T>(
  federation: Federation,
  answer: Promise<T>,
  broken?: (id: string) => void,
): Promise<T> {
  let pending = true
  const ended = answer.finally(() => {
    pending = false
  })
  ended.catch(() => undefined)
  for (let turn = 0; pending && turn < 500; turn++) {
    await settlePatiently(federation, broken)
    federation.clock.advance(1000)
    await new Promise(resolve => setImmediate(resolve))
  }
  return ended
}

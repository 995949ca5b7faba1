import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#party/clock.ts'
import { type CommonOptions, passphraseOf, readTextFile, type Terminal } from '#party/command.ts'
import { Connection } from '#party/connection.ts'
import { openDatabase } from '#party/database.ts'
import { openDirectory } from '#party/directory.ts'
import { Thread } from '#party/thread.ts'
import type { AdditionTask } from './addition.ts'
import type { ComputationResult, ComputationTask } from './computation.ts'
import { type Config, config } from './config.ts'
import type { Node } from './node.ts'
import { type Policy, parsePolicy, presets } from './policy.ts'
import * as schema from './schema.ts'

const MIGRATIONS = join(import.meta.dirname, 'migrations')

export function warehouseFile(directory: string): string {
  return join(directory, 'warehouse.sqlite')
}

/** @throws InbondError `bad-policy`, `file-not-readable` */
export async function readPolicy(name: string): Promise<Policy> {
  return Object.hasOwn(presets, name) ? (presets[name] as Policy) : parsePolicy(await readTextFile(name))
}

/** The thread in which a node computes its contributions. */
export type Computation = Thread<ComputationTask, ComputationResult>

/** Opens a node's directory for as long as `work` takes. */
export async function withNode<T>(
  directory: string,
  options: CommonOptions,
  terminal: Terminal,
  work: (node: Node, config: Config, computation: Computation) => Promise<T>,
): Promise<T> {
  const { config: settings, key } = await openDirectory(directory, config, await passphraseOf(options, terminal))
  const outbox = join(directory, 'outbox')
  mkdirSync(outbox, { recursive: true, mode: 0o700 })
  const db = openDatabase(join(directory, 'node.sqlite'), schema, MIGRATIONS)
  const script = new URL('./computation-worker.ts', import.meta.url)
  const thread: Computation = new Thread(script, { warehouse: warehouseFile(directory) })
  // An encryption under way is not worth waiting for: the question is asked again.
  const adding = new Thread<AdditionTask, void>(new URL('./addition-worker.ts', import.meta.url))
  const giveUp = () => void Promise.all([thread.close(), adding.close()])
  terminal.signal.addEventListener('abort', giveUp)
  try {
    return await work(
      {
        id: settings.id,
        key,
        federation: settings.coordinator.federation,
        currency: settings.currency,
        db,
        outbox,
        connection: new Connection(settings.coordinator, key, systemClock),
        compute: task => thread.run(task),
        addUp: task => adding.run(task),
        policy: () => readPolicy(settings.policy),
        clock: systemClock,
        randomness: randomBytes,
      },
      settings,
      thread,
    )
  } finally {
    terminal.signal.removeEventListener('abort', giveUp)
    await Promise.all([thread.close(), adding.close()])
    db.$client.close()
  }
}

import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#party/clock.ts'
import { type CommonOptions, passphraseOf, type Terminal } from '#party/command.ts'
import { Connection } from '#party/connection.ts'
import { openDatabase } from '#party/database.ts'
import { changeKeys, openDirectory, readConfig, readKeys } from '#party/directory.ts'
import { Thread } from '#party/thread.ts'
import type { AdditionTask } from './addition.ts'
import { chartersSoFar } from './charters.ts'
import type { ComputationResult, ComputationTask } from './computation.ts'
import { type Config, config } from './config.ts'
import type { Examination, ExaminationTask } from './examination.ts'
import { type KeyFile, Keyring } from './keyring.ts'
import type { Node } from './node.ts'
import { PolicyKeeper, policyText } from './policy-in-force.ts'
import type { Desk } from './queue.ts'
import * as schema from './schema.ts'
import { coverageIn } from './warehouse/warehouse.ts'

const MIGRATIONS = join(import.meta.dirname, 'migrations')

export function warehouseFile(directory: string): string {
  return join(directory, 'warehouse.sqlite')
}

/** The thread in which a node looks through its records and computes its contributions. */
export type Computation = Thread<ComputationTask | ExaminationTask, ComputationResult | Examination>

/** Opens what the stewards of a node work with, for as long as `work` takes: not its key, and so without its passphrase. */
export async function withDesk<T>(
  directory: string,
  terminal: Terminal,
  work: (desk: Desk, policy: PolicyKeeper) => Promise<T>,
): Promise<T> {
  const settings = await readConfig(directory, config)
  const { id } = settings
  const opened = openBooks(directory, settings, terminal)
  try {
    const { db, keeper, examine } = opened
    return await work({ id, db, clock: systemClock, policy: () => keeper.inForce(), examine }, keeper)
  } finally {
    await opened.close()
  }
}

/** The databases of a node, the thread that reads its records, and the one that adds up contributions again. */
function openBooks(directory: string, { id, policy }: Pick<Config, 'id' | 'policy'>, terminal: Terminal) {
  const db = openDatabase(join(directory, 'node.sqlite'), schema, MIGRATIONS)
  const script = new URL('./computation-worker.ts', import.meta.url)
  const thread: Computation = new Thread(script, { warehouse: warehouseFile(directory) })
  // An encryption under way is not worth waiting for: the question is asked again.
  const adding = new Thread<AdditionTask, void>(new URL('./addition-worker.ts', import.meta.url))
  const giveUp = () => void Promise.all([thread.close(), adding.close()])
  terminal.signal.addEventListener('abort', giveUp)
  return {
    db,
    thread,
    keeper: new PolicyKeeper({ id, db, clock: systemClock }, () => policyText(policy)),
    compute: (task: ComputationTask) => thread.run(task) as Promise<ComputationResult>,
    examine: (task: ExaminationTask) => thread.run(task) as Promise<Examination>,
    addUp: (task: AdditionTask) => adding.run(task),
    close: async () => {
      terminal.signal.removeEventListener('abort', giveUp)
      await Promise.all([thread.close(), adding.close()])
      db.$client.close()
    },
  }
}

/** Opens a node's directory for as long as `work` takes. */
export async function withNode<T>(
  directory: string,
  options: CommonOptions,
  terminal: Terminal,
  work: (node: Node, config: Config, computation: Computation, policy: PolicyKeeper) => Promise<T>,
): Promise<T> {
  const passphrase = await passphraseOf(options, terminal)
  const { config: settings, keys: stored } = await openDirectory(directory, config, passphrase)
  const outbox = join(directory, 'outbox')
  mkdirSync(outbox, { recursive: true, mode: 0o700 })
  const { db, thread, keeper, compute, examine, addUp, close } = openBooks(directory, settings, terminal)
  const file: KeyFile = {
    read: () => readKeys(directory, passphrase),
    change: change => changeKeys(directory, passphrase, change),
  }
  try {
    const keys = new Keyring(settings.id, file, stored, stored.length === 1 ? [] : chartersSoFar({ db }))
    return await work(
      {
        id: settings.id,
        keys,
        get key() {
          return keys.inForce
        },
        federation: settings.coordinator.federation,
        currency: settings.currency,
        db,
        outbox,
        connection: new Connection(settings.coordinator, () => keys.inForce, systemClock),
        compute,
        addUp,
        examine,
        coverage: dataset => coverageIn(warehouseFile(directory), dataset),
        policy: () => keeper.inForce(),
        clock: systemClock,
        randomness: randomBytes,
      },
      settings,
      thread,
      keeper,
    )
  } finally {
    await close()
  }
}

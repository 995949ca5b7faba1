import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Aggregate } from '#coordinator/aggregation.ts'
import type { Randomness } from '#crypto/sampling.ts'
import type { IdentityKey } from '#crypto/signature.ts'
import type { Clock } from '#party/clock.ts'
import { Connection, type Fetch } from '#party/connection.ts'
import type { Coordinates } from '#party/coordinates.ts'
import type { MemberId } from '#specs/messages.ts'
import type { TestClock } from './clock.ts'
import { Federation, openNode, openResearcher, startCoordinator, type TestNode } from './federation.ts'

/** What every party of a federation has on its disk, and its key. */
export interface Snapshot {
  readonly coordinator: IdentityKey
  readonly members: ReadonlyMap<string, IdentityKey>
  readonly researcher: IdentityKey
  readonly to: Coordinates
  /** By path, relative to the directory of the federation. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** Takes the databases as they stand, and the warehouses. Nothing may be under way. */
export function takeSnapshot({ coordinator, nodes, researcher, directory }: Federation): Snapshot {
  const files = new Map<string, Uint8Array>()
  const databases = [coordinator.context.db, researcher.db, ...[...nodes.values()].map(node => node.db)]
  for (const { $client } of databases) files.set($client.name.slice(directory.length + 1), $client.serialize())
  for (const id of nodes.keys()) {
    const own = readdirSync(join(directory, id)).filter(file => file.startsWith('warehouse.sqlite'))
    for (const file of own) files.set(join(id, file), readFileSync(join(directory, id, file)))
  }
  return {
    coordinator: coordinator.context.key,
    members: new Map([...nodes.values()].map(({ id, key }) => [id, key])),
    researcher: researcher.key,
    to: researcher.to,
    files,
  }
}

/** Whatever stands around the parties. `who` is `coordinator`, `researcher` or a member id. */
export interface Surroundings {
  readonly clock: TestClock
  readonly clockOf: (who: string) => Clock
  readonly network: (who: string) => Fetch
  readonly randomness: (who: string) => Randomness
  readonly add: Aggregate
  readonly recountFrom?: number
}

/** The same federation again, in a directory of its own. */
export function openSnapshot(snapshot: Snapshot, around: Surroundings, root = tmpdir()): Federation {
  const { coordinator, members, researcher, to, files } = snapshot
  const { clock, clockOf, network, randomness, add, recountFrom } = around
  const directory = mkdtempSync(join(root, 'inbond-test-'))
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), bytes)
  }
  const errors: unknown[] = []
  const own = (who: string, key: IdentityKey) => ({
    key,
    connection: new Connection(to, key, clockOf(who), network(who)),
    clock: clockOf(who),
    randomness: randomness(who),
  })
  const nodes = new Map<string, TestNode>()
  for (const [id, key] of members) {
    const { federation } = to
    nodes.set(id, openNode(join(directory, id), { id: id as MemberId, federation, ...own(id, key) }))
  }
  return new Federation({
    clock,
    coordinator: startCoordinator(directory, coordinator, clockOf('coordinator'), e => void errors.push(e), add),
    nodes,
    researcher: openResearcher(
      directory,
      { ...own('researcher', researcher), to, fetch: network('researcher') },
      recountFrom,
    ),
    errors,
    directory,
  })
}

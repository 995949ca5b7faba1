import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeKeyFile } from '#crypto/signature.ts'
import { backupContents } from '#member-node/backup.ts'
import { makeBackup } from '#party/backup.ts'
import { completeDirectory } from '#party/directory.ts'
import { restoreBackup } from '#party/restore.ts'
import { conventions } from '#specs/messages.ts'
import { type Federation, openNode, type TestNode, URL } from './federation.ts'

/** Backups of the nodes of a federation in one process, and nodes that are restored from them. */

const { signal } = new AbortController()

/** @returns the folder of a new backup */
export async function backUp({ directory, clock, nodes }: Federation, id: string): Promise<string> {
  const node = nodes.get(id) as TestNode
  if (!existsSync(join(node.directory, 'config.yaml'))) await complete(node)
  const folder = join(directory, `backup ${readdirSync(directory).length} of ${id}`)
  const options = { withRecords: true, now: clock.now(), signal, progress: () => undefined }
  await makeBackup(node.directory, folder, backupContents, options)
  return folder
}

/** What `member init` writes. */
async function complete({ id, key, directory, federation, currency }: TestNode): Promise<void> {
  mkdirSync(join(directory, 'keys'))
  writeFileSync(join(directory, 'keys', 'identity'), await writeKeyFile(key, undefined))
  await completeDirectory(directory, {
    role: 'member',
    id,
    name: `Customs of ${id}`,
    coordinator: { url: URL, federation },
    currency,
    policy: 'open',
    conventions: conventions.parse({}),
  })
}

/** The member's disk is lost; a node on what a backup held takes its place. */
export async function restore(federation: Federation, id: string, backup: string): Promise<TestNode> {
  const lost = federation.node(id)
  lost.db.$client.close()
  const target = join(federation.directory, `${id} restored ${readdirSync(federation.directory).length}`)
  await restoreBackup(backup, target, backupContents, { now: federation.clock.now(), signal })
  const { key, federation: fingerprint, connection, clock, randomness, rules } = lost
  const node = openNode(target, { id: lost.id, key, federation: fingerprint, connection, clock, randomness })
  node.rules = rules
  ;(federation.nodes as Map<string, TestNode>).set(id, node)
  return node
}

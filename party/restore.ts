import { copyFile, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fault } from '#specs/errors.ts'
import { CLOCK_TOLERANCE_MS } from '#specs/messages.ts'
import {
  BACKUP_MANIFEST,
  type BackupContents,
  type BackupManifest,
  backupManifest,
  makeDurable,
  syncDirectory,
} from './backup.ts'
import { isoTime } from './clock.ts'
import { openDatabase } from './database.ts'
import { CONFIG, checkUnused, KEY, readConfig } from './directory.ts'
import { makeFolder } from './make-folder.ts'

export interface RestoreOptions {
  /** Milliseconds since 1970. */
  readonly now: number
  readonly signal: AbortSignal
}

/**
 * Makes a party's directory anew from a backup, in a database that says when. It appears whole or not at all.
 * @throws InbondError `bad-backup`, `not-allowed` for a backup of another kind of party, `already-initialised` and `not-writable` for
 * a directory that is in use, `newer-database`, `clock-skew` for a backup from the future
 */
export async function restoreBackup(
  folder: string,
  directory: string,
  contents: BackupContents,
  { now, signal }: RestoreOptions,
): Promise<BackupManifest> {
  const manifest = await readManifest(folder, contents)
  if (Date.parse(manifest.madeAt) > now + CLOCK_TOLERANCE_MS) {
    throw fault(
      'clock-skew',
      `the backup was made at ${manifest.madeAt}; the clock of this machine says ${isoTime(now)}`,
    )
  }
  await checkUnused(directory)
  await refuseFilled(directory)
  const part = `${directory}.part`
  await rm(part, { recursive: true, force: true })
  await makeFolder(part)
  try {
    for (const file of manifest.files) await copyChecked(folder, part, file, signal)
    await readConfig(part, contents.config)
    if (manifest.files.some(one => one.path === contents.database)) await noteRestore(part, contents, { now, signal })
    await rename(part, directory)
    await syncDirectory(dirname(directory))
    return manifest
  } catch (error) {
    await rm(part, { recursive: true, force: true })
    throw error
  }
}

async function readManifest(folder: string, contents: BackupContents): Promise<BackupManifest> {
  const text = await readFile(join(folder, BACKUP_MANIFEST), 'utf8').catch(cause => {
    throw fault('bad-backup', `${folder} is not a backup: it has no ${BACKUP_MANIFEST}`, cause)
  })
  const parsed = backupManifest.safeParse(jsonOf(text))
  if (!parsed.success) throw fault('bad-backup', `${join(folder, BACKUP_MANIFEST)} is not understood`)
  const { role, files } = parsed.data
  const wanted = contents.config.shape.role.value
  if (role !== wanted) throw fault('not-allowed', `${folder} is the backup of a ${role}, not of a ${wanted}`)
  const missing = [CONFIG, KEY].find(file => !files.some(one => one.path === file))
  if (missing !== undefined) throw fault('bad-backup', `${folder} does not hold ${missing}`)
  return parsed.data
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function refuseFilled(directory: string): Promise<void> {
  const inside = await readdir(directory).catch(error => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (inside.length > 0) throw fault('not-writable', `${directory} is not empty, and a restore overwrites nothing`)
}

async function copyChecked(
  folder: string,
  to: string,
  { path, bytes, sha256 }: BackupManifest['files'][number],
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  const target = join(to, path)
  await makeFolder(dirname(target))
  await copyFile(join(folder, path), target).catch(cause => {
    if (cause.code === 'ENOENT') throw fault('bad-backup', `${folder} does not hold ${path}`, cause)
    throw cause
  })
  const found = await makeDurable(target, signal)
  if (found.bytes !== bytes || found.sha256 !== sha256) {
    throw fault('bad-backup', `${path} in ${folder} is not as it was when the backup was made`)
  }
}

/** @throws InbondError `newer-database` */
async function noteRestore(
  directory: string,
  contents: BackupContents,
  { now, signal }: RestoreOptions,
): Promise<void> {
  const file = join(directory, contents.database)
  const { $client } = openDatabase(file, {}, contents.migrations)
  $client.transaction(() => {
    for (const sql of contents.restored) $client.prepare(sql).run({ now })
  })()
  $client.close()
  await makeDurable(file, signal)
}

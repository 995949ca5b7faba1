import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { chmod, copyFile, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { z } from 'zod'
import { needsPassphrase } from '#crypto/signature.ts'
import { fault } from '#specs/errors.ts'
import { isoTime } from './clock.ts'
import { copyInMemory } from './database.ts'
import { CONFIG, type ConfigSchema, exists, KEY, keyText, readConfig } from './directory.ts'
import { makeFolder } from './make-folder.ts'

/** What a kind of party puts into its backups; declared beside its schema. */
export interface BackupContents {
  /** Of config.yaml. */
  readonly config: ConfigSchema
  /** The protocol database in the party's directory. */
  readonly database: string
  readonly migrations: string
  /**
   * SQL that takes out of a copy whatever may serve once only: a restored party could use it a second time, and a backup outlives
   * the moment at which it had to be deleted. The copy is in memory, and what is written holds no trace of it.
   */
  readonly withheld: readonly string[]
  /** SQL by which a restored database knows that it is one. `@now` is the moment, in milliseconds since 1970. */
  readonly restored: readonly string[]
  /** Queries of the copy for further files, as paths below the directory. Such a file never changes, but may be gone by now. */
  readonly files: readonly string[]
  /** A database of records beside the protocol; left out if so asked. */
  readonly records?: string
}

export const BACKUP_MANIFEST = 'backup.json'

/** A path below a directory that cannot lead out of it. */
const path = z.string().regex(/^(?!\.)[\w.-]+(\/(?!\.)[\w.-]+)*$/)

export const backupManifest = z.strictObject({
  format: z.literal(1),
  role: z.string(),
  /** ISO 8601. */
  madeAt: z.iso.datetime(),
  files: z.array(z.strictObject({ path, bytes: z.int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
})
export type BackupManifest = z.infer<typeof backupManifest>

export interface BackupOptions {
  readonly withRecords: boolean
  /** Milliseconds since 1970. */
  readonly now: number
  readonly signal: AbortSignal
  /** Told now and then how many bytes of `whole` were copied. */
  readonly progress: (file: string, bytes: number, whole: number) => void
}

/**
 * Copies a party's directory to a new folder, also while the party runs. The folder appears whole or not at all.
 * @returns what was written, and whether the identity key in it needs a passphrase
 * @throws InbondError `not-writable` if the folder is there already, `not-initialised`, `bad-config`, `newer-database`
 */
export async function makeBackup(
  directory: string,
  folder: string,
  contents: BackupContents,
  options: BackupOptions,
): Promise<{ manifest: BackupManifest; keyIsSealed: boolean }> {
  const { role } = await readConfig(directory, contents.config)
  const key = await keyText(directory)
  await refuseExisting(folder)
  const part = `${folder}.part`
  // What a backup left behind that was killed.
  await rm(part, { recursive: true, force: true })
  await makeFolder(part)
  try {
    const copied = await copyParty(directory, part, contents, options)
    const manifest: BackupManifest = { format: 1, role, madeAt: isoTime(options.now), files: [] }
    for (const path of copied) manifest.files.push({ path, ...(await makeDurable(join(part, path), options.signal)) })
    await writeFile(join(part, BACKUP_MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flush: true })
    await rename(part, folder)
    await syncDirectory(dirname(folder))
    return { manifest, keyIsSealed: needsPassphrase(key) }
  } catch (error) {
    await rm(part, { recursive: true, force: true })
    throw error
  }
}

async function refuseExisting(folder: string): Promise<void> {
  if (await exists(folder)) throw fault('not-writable', `${folder} is there already, and a backup overwrites nothing`)
}

/** The protocol first: whatever its copy names was there before it. */
async function copyParty(directory: string, to: string, contents: BackupContents, options: BackupOptions) {
  const copied: string[] = []
  const named: string[] = [CONFIG, KEY]
  if (await exists(join(directory, contents.database))) {
    named.push(...copyProtocol(directory, to, contents))
    copied.push(contents.database)
  }
  for (const file of named) if (await copyOne(directory, to, file, options)) copied.push(file)
  const { records } = contents
  if (records !== undefined && options.withRecords && (await exists(join(directory, records)))) {
    await copyRecords(join(directory, records), join(to, records), options)
    copied.push(records)
  }
  return copied
}

/** Returns the files that the protocol names. */
function copyProtocol(directory: string, to: string, contents: BackupContents): string[] {
  const copy = copyInMemory(join(directory, contents.database), contents.migrations)
  try {
    for (const sql of contents.withheld) copy.exec(sql)
    // Unlike a copy of the pages, it has no room for what was deleted.
    copy.prepare('VACUUM INTO ?').run(join(to, contents.database))
    return contents.files.flatMap(sql => copy.prepare(sql).pluck().all() as string[])
  } finally {
    copy.close()
  }
}

/** @returns whether the file was still there */
async function copyOne(directory: string, to: string, file: string, { signal, progress }: BackupOptions) {
  signal.throwIfAborted()
  const target = join(to, file)
  await makeFolder(dirname(target))
  try {
    await copyFile(join(directory, file), target, constants.COPYFILE_FICLONE)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return false
  }
  const { size } = await stat(target)
  progress(file, size, size)
  return true
}

async function copyRecords(from: string, to: string, { signal, progress }: BackupOptions): Promise<void> {
  const source = new Database(from, { readonly: true })
  try {
    const pageSize = source.pragma('page_size', { simple: true }) as number
    await source.backup(to, {
      progress: ({ totalPages, remainingPages }) => {
        signal.throwIfAborted()
        progress(basename(from), (totalPages - remainingPages) * pageSize, totalPages * pageSize)
        return PAGES_AT_A_TIME
      },
    })
  } finally {
    source.close()
  }
}

const PAGES_AT_A_TIME = 4096

/** Makes a written file durable and its owner's alone; returns how long it is, and its SHA-256. */
export async function makeDurable(file: string, signal: AbortSignal): Promise<{ bytes: number; sha256: string }> {
  await chmod(file, 0o600)
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(file, { signal, highWaterMark: 1 << 20 })) {
    hash.update(chunk)
    bytes += chunk.length
  }
  await using handle = await open(file, 'r+')
  await handle.sync()
  return { bytes, sha256: hash.digest('hex') }
}

export async function syncDirectory(path: string): Promise<void> {
  await using handle = await open(path, 'r')
  await handle.sync()
}

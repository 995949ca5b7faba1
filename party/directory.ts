import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { chmod, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { z } from 'zod'
import { generateIdentityKey, type IdentityKey, needsPassphrase, readKeyFile, writeKeyFile } from '#crypto/signature.ts'
import { fault } from '#specs/errors.ts'
import { describeIssues, inWords } from '#specs/wording.ts'
import { readYaml } from '#specs/yaml.ts'
import { mayPass } from './connection.ts'
import { keepFile } from './keep-file.ts'
import { makeFolder } from './make-folder.ts'
import { unreadable } from './system-errors.ts'

/** The folder in which a party lives: config.yaml, keys/identity, its databases, and what it receives and sends. */
export interface PartyDirectory<Config> {
  readonly path: string
  readonly config: Config
  readonly key: IdentityKey
  /** All that are stored, oldest first. Members alone have more than the one, while one takes the place of another. */
  readonly keys: readonly IdentityKey[]
}

/** The schema of a party's config.yaml: it names the kind of party. */
export type ConfigSchema = z.ZodObject<{ role: z.ZodLiteral<string> }>

export const CONFIG = 'config.yaml'
export const KEY = join('keys', 'identity')

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** @throws InbondError `already-initialised` */
export async function checkUnused(path: string): Promise<void> {
  if (await exists(join(path, CONFIG)))
    throw fault('already-initialised', `${path} already holds a party of a federation`)
}

/**
 * Begins a new party's directory, readable by its owner only, with its identity key. The key is there before anybody is told of
 * it, so that an enrolment that broke off can be repeated: then the key of the first attempt is taken.
 * @throws InbondError `already-initialised`, `wrong-passphrase`; an error of the file system where it cannot be written
 */
export async function beginDirectory(path: string, passphrase: string | undefined): Promise<IdentityKey> {
  await checkUnused(path)
  await makeFolder(join(path, 'keys'))
  await chmod(path, 0o700)
  const file = join(path, KEY)
  const key = (await exists(file))
    ? await readKeyFile(await readFile(file, 'utf8'), passphrase)
    : await generateIdentityKey()
  await writeWhole(file, await writeKeyFile(key, passphrase))
  return key
}

/** Writes the configuration, which makes a directory valid. */
export async function completeDirectory(path: string, config: Record<string, unknown>): Promise<void> {
  await writeWhole(join(path, CONFIG), stringify(config))
}

/**
 * Makes the directory of a party that enrols itself with its new key. An attempt that is refused leaves nothing behind; one that
 * broke off can be repeated.
 * @param enrol introduces the key to the coordinator and returns the configuration
 */
export async function enrolDirectory(
  path: string,
  passphrase: string | undefined,
  enrol: (key: IdentityKey) => Promise<Record<string, unknown>>,
): Promise<IdentityKey> {
  const isRepeated = await exists(join(path, KEY))
  const key = await beginDirectory(path, passphrase)
  try {
    await completeDirectory(path, await enrol(key))
    return key
  } catch (error) {
    if (!isRepeated && !mayPass(error)) await abandonDirectory(path)
    throw error
  }
}

/** Removes what `beginDirectory` made, and nothing else. */
async function abandonDirectory(path: string): Promise<void> {
  await rm(join(path, KEY), { force: true })
  await rmdir(join(path, 'keys')).catch(() => undefined)
  await rmdir(path).catch(() => undefined)
}

/** A file that is there whole or not at all. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text, { mode: 0o600, flush: true })
  keepFile(`${path}.part`, path)
}

const roleOnly = z.object({ role: z.enum(['coordinator', 'member', 'researcher']) })

/** A path at which there is no file, in the words of the operating system. */
const ABSENT = ['ENOENT', 'ENOTDIR']

/** @param lacking what is said where there is no such file @throws InbondError `not-initialised`, `file-not-readable` */
async function readOwn(path: string, file: string, lacking: string): Promise<string> {
  return readFile(join(path, file), 'utf8').catch(cause => {
    if (ABSENT.includes(cause.code)) throw fault('not-initialised', `${path} ${lacking}`, cause)
    throw fault('file-not-readable', unreadable(join(path, file), cause), cause)
  })
}

/** @throws InbondError `not-initialised`, `file-not-readable`, `bad-config`, `not-allowed` for the directory of another kind of party */
export async function readConfig<S extends ConfigSchema>(path: string, schema: S): Promise<z.output<S>> {
  const text = await readOwn(path, CONFIG, 'is not the directory of a party')
  const document = readYaml(text, { name: join(path, CONFIG), code: 'bad-config', schema: 'core' })
  const found = roleOnly.safeParse(document).data?.role
  const wanted = schema.shape.role.value
  if (found !== undefined && found !== wanted)
    throw fault('not-allowed', `${path} is the directory of a ${found}, not of a ${wanted}`)
  const parsed = schema.safeParse(document, { error: inWords })
  if (parsed.success) return parsed.data
  throw fault('bad-config', `${join(path, CONFIG)} does not fit: ${describeIssues(parsed.error, 'it')}`)
}

/** @throws like `readConfig` and `readKeys` */
export async function openDirectory<S extends ConfigSchema>(
  path: string,
  schema: S,
  passphrase: string | undefined,
): Promise<PartyDirectory<z.output<S>>> {
  const config = await readConfig(path, schema)
  const keys = await readKeys(path, passphrase)
  return { path, config, key: keys[0] as IdentityKey, keys }
}

/** @returns oldest first, one at least @throws InbondError `not-initialised`, `file-not-readable`, `wrong-passphrase`, `bad-key-file` */
export async function readKeys(path: string, passphrase: string | undefined): Promise<IdentityKey[]> {
  return keysIn(await keyText(path), passphrase)
}

/** @throws InbondError `not-initialised`, `file-not-readable` */
export function keyText(path: string): Promise<string> {
  return readOwn(path, KEY, 'has no identity key')
}

/** A file of identity keys has one a line, all sealed with the same passphrase, or none. @throws InbondError `wrong-passphrase`, `bad-key-file` */
export function keysIn(text: string, passphrase: string | undefined): Promise<IdentityKey[]> {
  return Promise.all(linesOf(text).map(line => readKeyFile(line, passphrase)))
}

function linesOf(text: string): string[] {
  return text.trim().split(/\r?\n/)
}

/**
 * Stores other identity keys in the place of those that a party has: all at once, sealed as they were.
 * @param change what becomes of those that are stored; called again where another process changed them meanwhile
 * @throws like `readKeys`
 */
export async function changeKeys(
  path: string,
  passphrase: string | undefined,
  change: (stored: readonly IdentityKey[]) => readonly IdentityKey[],
): Promise<readonly IdentityKey[]> {
  for (;;) {
    const text = await keyText(path)
    const stored = await keysIn(text, passphrase)
    const wanted = change(stored)
    if (wanted === stored) return stored
    const seal = needsPassphrase(text) ? passphrase : undefined
    // What stays is not sealed anew: that takes a while.
    const lines = wanted.map(one => {
      const line = linesOf(text)[stored.indexOf(one)]
      return line === undefined ? writeKeyFile(one, seal) : `${line}\n`
    })
    if (await replaceKeys(path, text, (await Promise.all(lines)).join(''))) return wanted
  }
}

/** Writes a party's keys with another passphrase, or without one. @throws like `openDirectory` */
export async function sealAnew(
  path: string,
  schema: ConfigSchema,
  before: string | undefined,
  after: string | undefined,
): Promise<readonly IdentityKey[]> {
  await readConfig(path, schema)
  for (;;) {
    const text = await keyText(path)
    const keys = await keysIn(text, before)
    const sealed = await Promise.all(keys.map(key => writeKeyFile(key, after)))
    if (await replaceKeys(path, text, sealed.join(''))) return keys
  }
}

/**
 * Puts another text in the place of a key file, and overwrites the one before, unless the new one goes on from it.
 * @returns whether it did: not if the file has become another one
 */
async function replaceKeys(path: string, before: string, after: string): Promise<boolean> {
  const file = join(path, KEY)
  const part = `${file}.part`
  await writeFile(part, after, { mode: 0o600, flush: true })
  if (readFileSync(file, 'utf8') !== before) {
    await rm(part, { force: true })
    return false
  }
  if (after.startsWith(before)) keepFile(part, file)
  else overwriting(file, before, () => keepFile(part, file))
  return true
}

/** Replaces a file so that nothing of its text is left where that was. */
function overwriting(file: string, text: string, replace: () => void): void {
  const earlier = openSync(file, 'r+')
  try {
    replace()
    writeSync(earlier, Buffer.alloc(Buffer.byteLength(text)), 0, undefined, 0)
    fsyncSync(earlier)
  } finally {
    closeSync(earlier)
  }
}

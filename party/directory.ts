import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { z } from 'zod'
import { type IdentityKey, readKeyFile, writeKeyFile } from '#crypto/signature.ts'
import { fault } from '#specs/errors.ts'
import { describeIssues } from '#specs/query.ts'

/** The folder in which a party lives: config.yaml, keys/identity, its databases, and what it receives and sends. */
export interface PartyDirectory<Config> {
  readonly path: string
  readonly config: Config
  readonly key: IdentityKey
}

const CONFIG = 'config.yaml'
const KEY = join('keys', 'identity')

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

/** Writes a new party's directory, readable by its owner only. The configuration comes last: it makes the directory valid. */
export async function createDirectory(
  path: string,
  config: Record<string, unknown>,
  key: IdentityKey,
  passphrase: string | undefined,
): Promise<void> {
  await checkUnused(path)
  await mkdir(join(path, 'keys'), { recursive: true, mode: 0o700 })
  await chmod(path, 0o700)
  await writeFile(join(path, KEY), await writeKeyFile(key, passphrase), { mode: 0o600 })
  await writeFile(join(path, CONFIG), stringify(config), { mode: 0o600 })
}

/** @throws InbondError `not-initialised`, `bad-config` */
export async function readConfig<S extends z.ZodType>(path: string, schema: S): Promise<z.output<S>> {
  const text = await readFile(join(path, CONFIG), 'utf8').catch(cause => {
    throw fault('not-initialised', `${path} is not the directory of a party`, cause)
  })
  let document: unknown
  try {
    document = parse(text)
  } catch (cause) {
    throw fault('bad-config', `${join(path, CONFIG)} is not YAML`, cause)
  }
  const parsed = schema.safeParse(document)
  if (parsed.success) return parsed.data
  throw fault('bad-config', `${join(path, CONFIG)} does not fit: ${describeIssues(parsed.error)}`)
}

/** @throws InbondError `not-initialised`, `bad-config`, `wrong-passphrase` */
export async function openDirectory<S extends z.ZodType>(
  path: string,
  schema: S,
  passphrase: string | undefined,
): Promise<PartyDirectory<z.output<S>>> {
  const config = await readConfig(path, schema)
  const keyFile = await readFile(join(path, KEY), 'utf8').catch(cause => {
    throw fault('not-initialised', `${path} has no identity key`, cause)
  })
  return { path, config, key: await readKeyFile(keyFile, passphrase) }
}

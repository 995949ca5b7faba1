import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LayerName, Layers } from './layers.ts'

/** The form of specs/vectors/*.json, as specs/vectors/README.md describes it. It knows nothing of what the vectors are about. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** An input or output in which every description of bytes has become the bytes. */
export type Value = null | boolean | number | string | Uint8Array | readonly Value[] | { readonly [key: string]: Value }

export type Fields = { readonly [key: string]: Json }

export interface Positive {
  readonly name: string
  readonly layer: LayerName
  readonly input: Fields
  readonly expected: Fields
}

/** The input of another vector with one field changed. */
export interface Negative {
  readonly name: string
  readonly layer: LayerName
  readonly like: string
  readonly change: Fields
  readonly fault: string
  readonly code: string
}

export interface VectorFile {
  readonly description: string
  readonly protocol: number
  /** Bytes that several vectors share. */
  readonly bytes: Fields
  readonly vectors: readonly (Positive | Negative)[]
}

const FOLDER = join(import.meta.dirname, '../../specs/vectors')

export function vectorFiles(): { readonly name: string; readonly file: VectorFile }[] {
  const names = readdirSync(FOLDER).filter(name => name.endsWith('.json'))
  return names.map(name => ({ name, file: JSON.parse(vectorText(name)) as VectorFile }))
}

export function vectorText(name: string): string {
  return readFileSync(join(FOLDER, name), 'utf8')
}

export function isNegative(vector: Positive | Negative): vector is Negative {
  return 'like' in vector
}

/** The whole input of a vector, with its bytes. */
export function inputOf(file: VectorFile, vector: Positive | Negative): { [key: string]: Value } {
  let fields: Fields
  if (isNegative(vector)) {
    const base = file.vectors.find(one => one.name === vector.like)
    if (!base || isNegative(base)) throw new Error(`${vector.name} is like ${vector.like}, which is no positive vector`)
    fields = { ...base.input, ...vector.change }
  } else fields = vector.input
  return resolve(fields, file.bytes) as { [key: string]: Value }
}

function resolve(value: Json, named: Fields): Value {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(one => resolve(one, named))
  const described = value as Fields
  return (
    bytesOf(described, named) ??
    Object.fromEntries(Object.entries(described).map(([key, one]) => [key, resolve(one, named)]))
  )
}

function bytesOf(described: Fields, named: Fields): Uint8Array | undefined {
  const bytes = (inner: Json | undefined) => resolve(inner as Json, named) as Uint8Array
  if ('base64url' in described) return new Uint8Array(Buffer.from(described.base64url as string, 'base64url'))
  if ('utf8' in described) return new TextEncoder().encode(described.utf8 as string)
  if ('bytes' in described) return bytes(named[described.bytes as string])
  if ('seed' in described) return seeded(described.seed as string, described.length as number)
  if ('repeat' in described) return new Uint8Array(described.length as number).fill(described.repeat as number)
  if ('join' in described) return new Uint8Array(Buffer.concat((described.join as Json[]).map(one => bytes(one))))
  if ('part' in described) return bytes(described.part).slice(described.start as number, described.end as number)
  if ('in' in described) {
    const changed = bytes(described.in).slice()
    changed.set(bytes(described.put), described.at as number)
    return changed
  }
  return undefined
}

function seeded(seed: string, length: number): Uint8Array {
  const hash = createHash('shake128', { outputLength: length }).update(seed).update(new Uint8Array(4))
  return new Uint8Array(hash.digest())
}

/** What differs between what was expected and what a reader made; undefined if nothing does. */
export function difference(expected: Json, actual: Value, where = 'output'): string | undefined {
  if (actual instanceof Uint8Array) return bytesDifference(expected as Fields, actual, where)
  if (expected === null || typeof expected !== 'object' || actual === null || typeof actual !== 'object') {
    return expected === actual ? undefined : `${where} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`
  }
  const keys = new Set([...Object.keys(expected), ...Object.keys(actual)])
  for (const key of keys) {
    const found = difference((expected as Fields)[key] as Json, (actual as Fields)[key] as Value, `${where}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

function bytesDifference(expected: Fields | undefined, actual: Uint8Array, where: string): string | undefined {
  if (expected !== undefined && 'sha256' in expected) {
    const hash = createHash('sha256').update(actual).digest('hex')
    if (expected.sha256 === hash && expected.length === actual.length) return undefined
    return `${where} has ${actual.length} bytes with the hash ${hash}`
  }
  return expected?.base64url === Buffer.from(actual).toString('base64url') ? undefined : `${where} has other bytes`
}

/**
 * Runs one vector. @returns what is wrong, or undefined: a positive vector gives what it says, a negative one is refused by its
 * layer with its code.
 */
export async function failure(
  vector: Positive | Negative,
  layers: Layers,
  input: { readonly [key: string]: Value },
): Promise<string | undefined> {
  const layer = layers[vector.layer] as (input: unknown) => Value | Promise<Value>
  if (!isNegative(vector)) return difference(vector.expected, await layer(input))
  try {
    await layer(input)
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown }
    return code === vector.code ? undefined : `refused with ${code} (${message}), not ${vector.code}`
  }
  return 'not refused'
}

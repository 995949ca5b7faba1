import { createHash } from 'node:crypto'
import type { Fields, Json, Negative, Positive, Value, VectorFile } from './format.ts'
import { inputOf } from './format.ts'
import type { LayerName, Layers } from './layers.ts'

/** Bytes longer than this are expected by their hash. */
const SHOWN = 64

export function base64url(bytes: Uint8Array): Fields {
  return { base64url: Buffer.from(bytes).toString('base64url') }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function json(value: Value): Json {
  if (value instanceof Uint8Array) {
    return value.length <= SHOWN ? base64url(value) : { sha256: sha256(value), length: value.length }
  }
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(json)
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, json(one)]))
}

/** A file of vectors while it is written: what is expected comes from the layers that it is given. */
export class Writing {
  readonly #layers: Layers
  readonly #description: string
  readonly #bytes: { [name: string]: Json } = {}
  readonly #vectors: (Positive | Negative)[] = []

  constructor(layers: Layers, description: string) {
    this.#layers = layers
    this.#description = description
  }

  get file(): VectorFile {
    return { description: this.#description, protocol: 1, bytes: this.#bytes, vectors: this.#vectors }
  }

  /** Gives bytes a name. @returns how a vector refers to them */
  bytes(name: string, bytes: Uint8Array | Fields): Fields {
    if (name in this.#bytes) throw new Error(`there are bytes of the name ${name}`)
    this.#bytes[name] = bytes instanceof Uint8Array ? base64url(bytes) : bytes
    return { bytes: name }
  }

  /** A vector that must be taken. @returns what its layer makes of it */
  async takes(layer: LayerName, name: string, input: Fields): Promise<{ readonly [key: string]: Value }> {
    const vector: Positive = { name, layer, input, expected: {} }
    const run = this.#layers[layer] as (input: unknown) => Promise<Value>
    const output = (await run(inputOf(this.file, vector))) as { readonly [key: string]: Value }
    this.#add({ ...vector, expected: json(output) as Fields })
    return output
  }

  /** Vectors that must be refused: each is `like` another one with one field changed. */
  refuses(like: string, refusals: readonly (readonly [code: string, fault: string, change: Fields])[]): void {
    const base = this.#vectors.find(one => one.name === like)
    if (!base) throw new Error(`there is no vector ${like}`)
    for (const [code, fault, change] of refusals) {
      this.#add({ name: `${like}: ${fault}`, layer: base.layer, like, change, fault, code })
    }
  }

  #add(vector: Positive | Negative): void {
    if (this.#vectors.some(one => one.name === vector.name)) throw new Error(`there are two vectors ${vector.name}`)
    this.#vectors.push(vector)
  }
}

/** One line for each name and each vector, so that a change shows which. */
export function textOf({ description, protocol, bytes, vectors }: VectorFile): string {
  const lines = (items: readonly string[]) => items.map(item => `    ${item}`).join(',\n')
  const named = Object.entries(bytes).map(([name, one]) => `${JSON.stringify(name)}: ${JSON.stringify(one)}`)
  return `{
  "description": ${JSON.stringify(description)},
  "protocol": ${protocol},
  "bytes": {
${lines(named)}
  },
  "vectors": [
${lines(vectors.map(one => JSON.stringify(one)))}
  ]
}
`
}

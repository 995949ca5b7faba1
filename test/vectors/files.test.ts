import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { effort, seed } from '#test/effort.ts'
import { files } from './files.ts'
import {
  failure,
  inputOf,
  isNegative,
  type Positive,
  type Value,
  type VectorFile,
  vectorFiles,
  vectorText,
} from './format.ts'
import type { LayerName } from './layers.ts'
import { productLayers } from './product/layers.ts'
import { secondReaderLayers } from './second-reader/layers.ts'

describe('the files of vectors', () => {
  test('are what `npm run vectors` writes', async () => {
    const written: string[] = []
    for await (const { name, text } of files()) {
      written.push(name)
      // Not toBe: a difference of a megabyte is not worth printing.
      expect(text === vectorText(name), `${name} is what would be written`).toBe(true)
    }
    expect(written.sort()).toEqual(vectorFiles().map(({ name }) => name))
  })

  test('have negative vectors that differ in one field from a positive one', () => {
    for (const { file } of vectorFiles()) {
      for (const vector of file.vectors.filter(isNegative)) {
        const like = file.vectors.find(one => one.name === vector.like) as Positive
        const [field, ...more] = Object.keys(vector.change)
        expect([like.layer, more]).toEqual([vector.layer, []])
        expect(JSON.stringify(vector.change[field as string])).not.toBe(JSON.stringify(like.input[field as string]))
      }
    }
  })

  test('are about every layer, and have a refusal for each that can refuse', () => {
    const all = vectorFiles().flatMap(({ file }) => file.vectors)
    const taken = new Set(all.filter(one => !isNegative(one)).map(one => one.layer))
    expect([...taken].sort()).toEqual(Object.keys(productLayers).sort())
    const neverRefuse: LayerName[] = [
      ...(['centred-binomial', 'uniform-residues', 'pack-chunk', 'pack-share', 'cell-bound', 'encode-cells'] as const),
      ...(['decode-cells', 'agrees', 'smallest-budget', 'sealing-key', 'share-context', 'opening-context'] as const),
      ...([
        'fingerprint',
        'sign',
        'draw',
        'log-head',
        'inclusion-proof',
        'consistency-proof',
        'sign-checkpoint',
      ] as const),
    ]
    const refused = new Set(all.filter(isNegative).map(one => one.layer))
    expect([...refused, ...neverRefuse].sort()).toEqual([...taken].sort())
  })
})

/** Every place in an input where there are bytes, as a path. */
function places(value: Value, path: readonly string[] = []): string[][] {
  if (value instanceof Uint8Array) return [[...path]]
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([key, one]) => places(one, [...path, key]))
}

function withBit(value: Value, path: readonly string[], at: number): Value {
  if (value instanceof Uint8Array) {
    const bytes = value.slice()
    bytes[(at >> 3) % bytes.length] = (bytes[(at >> 3) % bytes.length] as number) ^ (1 << (at & 7))
    return bytes
  }
  const [key, ...rest] = path as [string, ...string[]]
  const changed = withBit((value as { [key: string]: Value })[key] as Value, rest, at)
  if (Array.isArray(value)) return value.map((one, i) => (String(i) === key ? changed : one))
  return { ...(value as { [key: string]: Value }), [key]: changed }
}

describe('one bit of the bytes that a positive vector gives', () => {
  // Of drawn bytes some bits are not used, and a share that disagrees may disagree in another bit too.
  const idle = ({ input, expected }: Positive) =>
    'randomness' in input || expected.agrees === false || JSON.stringify(expected.disagreeing ?? []) !== '[]'
  const changeable = vectorFiles().flatMap(({ file }) =>
    file.vectors
      .filter((one): one is Positive => !isNegative(one) && !idle(one))
      .map(vector => ({ file, vector }))
      .filter(one => places(inputOf(one.file, one.vector)).length > 0),
  )

  test.each([
    ['product', productLayers],
    ['second reader', secondReaderLayers],
  ] as const)(
    'makes another result in the %s, or a refusal',
    async (_, layers) => {
      const fails = async ({ file, vector }: { file: VectorFile; vector: Positive }, which: number, at: number) => {
        const input = inputOf(file, vector)
        const all = places(input)
        const bent = withBit(input, all[which % all.length] as string[], at) as { [key: string]: Value }
        try {
          return (await failure(vector, layers, bent)) !== undefined
        } catch (error) {
          return typeof (error as { code?: unknown }).code === 'string'
        }
      }
      // By their places: the vectors themselves are too long to be printed.
      await fc.assert(
        fc.asyncProperty(fc.nat(changeable.length - 1), fc.nat(), fc.nat(), async (place, which, at) => {
          const one = changeable[place] as (typeof changeable)[0]
          expect(await fails(one, which, at), one.vector.name).toBe(true)
        }),
        { seed, numRuns: effort(40, 500) },
      )
    },
    effort(60_000, 600_000),
  )
})

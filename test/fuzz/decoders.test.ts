import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, describe, expect, test } from 'vitest'
import { messageId } from '#crypto/signature.ts'
import { agree } from '#member-node/custody.ts'
import { effort, seed } from '../effort.ts'
import { loadSealWithMemory } from '../seal-memory.ts'
import { workOf } from '../steps.ts'
import { answerDecoders, answered } from './answers.ts'
import { ciphertextDecoders } from './ciphertexts.ts'
import { attempt, type Decoder, fuzz } from './decoder.ts'
import { fileDecoders } from './files.ts'
import { logDecoders } from './log.ts'
import { record } from './recording.ts'
import { releaseDecoders } from './releases.ts'
import { messageDecoders } from './signed.ts'
import { wordDecoders } from './words.ts'

/**
 * Every decoder against hostile bytes: it refuses with an error of its own, or accepts what the input says and nothing else, in
 * bounded time, and keeps nothing of it.
 */

const CASES = effort(150, 10_000)
const SLOW_CASES = effort(30, 10_000)

const { seal, memory } = await loadSealWithMemory()
const recording = await record()
const { federation } = recording
afterAll(() => federation[Symbol.dispose]())

const decoders: readonly Decoder[] = [
  ...messageDecoders(recording),
  ...(await answerDecoders(recording)),
  ...(await ciphertextDecoders(seal)),
  ...(await fileDecoders(join(federation.directory, 'files'), federation.researcher.key)),
  ...wordDecoders,
  ...logDecoders(recording),
  ...(await releaseDecoders(recording)),
]
const named = decoders.map(one => [one.name, one] as const)

describe(`with seed ${seed}`, () => {
  test.each(named)(
    '%s',
    async (_, one) => {
      for (const example of one.examples) expect(await attempt(one, example)).toBe(true)
      const refused = await fuzz(one, one.isSlow ? SLOW_CASES : CASES)
      expect(refused).toBeGreaterThan(0)
      // Decoding leaves no trace in the decoder.
      for (const example of one.examples) expect(await attempt(one, example)).toBe(true)
    },
    1_200_000,
  )

  test('every name is one decoder', () => {
    expect(new Set(decoders.map(one => one.name)).size).toBe(decoders.length)
  })
})

describe('afterwards', () => {
  test('no upload left a file of its own', () => {
    const files = readdirSync(federation.coordinator.context.uploads, { recursive: true }).map(String)
    expect(files.filter(file => file.endsWith('.part'))).toEqual([])
  })

  test('shares of a cohort without end are given up', async () => {
    const node = federation.node('BR')
    const { round } = recording.rounds.closed
    const work = (await workOf(node, 'agree')).find(one => messageId(one.round) === round)
    const frames: Uint8Array[] = []
    for await (const part of await node.connection.stream(`/rounds/${round}/shares`)) frames.push(part)
    let sent = 0
    function* again() {
      for (; sent < 1000; sent++) yield* frames
    }
    const connection = answered(node.key, () => new Response(ReadableStream.from(again())))
    if (work === undefined) throw new Error('there is no cohort to agree to')
    await expect(agree({ ...node, connection }, work)).rejects.toMatchObject({ code: 'bad-cohort' })
    expect(sent).toBeLessThan(3)
  })

  test('memory is what it was, in JavaScript and in SEAL', async () => {
    setFlagsFromString('--expose_gc')
    const collect = runInNewContext('gc') as () => void
    const used = async () => {
      // What streams and timers still hold is let go in the turns between.
      for (let turn = 0; turn < 4; turn++) {
        collect()
        await new Promise(resolve => setImmediate(resolve))
      }
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      return heapUsed + arrayBuffers
    }
    const cases = effort(10, 500)
    const fuzzAll = async () => {
      for (const one of decoders) await fuzz(one, cases)
    }
    // Whatever is compiled or cached at first use is there by then.
    await fuzzAll()
    await fuzzAll()
    const [before, sealBefore] = [await used(), memory.buffer.byteLength]
    await fuzzAll()
    const kept = (await used()) - before
    // Two megabytes for what the engine compiles meanwhile, and of each case less than a small object.
    expect(kept).toBeLessThan(2 * 1024 * 1024 + decoders.length * cases * 100)
    expect(memory.buffer.byteLength).toBe(sealBefore)
  }, 1_200_000)
})

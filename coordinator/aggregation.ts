import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readSync, writeFileSync } from 'node:fs'
import { Aggregator } from '#crypto/one-shot.ts'
import { CHUNK_BYTES } from '#crypto/parameters.ts'
import { loadSeal, POLYNOMIALS_PER_PAIR } from '#crypto/seal.ts'
import { keepFile } from '#party/keep-file.ts'

/** Adds up the stored contributions of a cohort; long work, done in a thread of its own. */
export interface AggregationTask {
  /** Stored contributions of the cohort, and where the ciphertext begins in each. */
  readonly contributions: readonly { readonly path: string; readonly offset: number }[]
  readonly chunks: number
  /** Where the packed sum goes. */
  readonly output: string
}

/** Adds up a cohort's ciphertexts. Returns the SHA-256 of the sum, in hex. */
export type Aggregate = (task: AggregationTask) => Promise<string>

/** Reads the same two chunks of every contribution, adds them, writes their sum, and goes on to the next two. */
export async function aggregate(task: AggregationTask): Promise<string> {
  const files = task.contributions.map(({ path, offset }) => ({ descriptor: openSync(path, 'r'), offset }))
  const part = `${task.output}.part`
  const output = openSync(part, 'w')
  const hash = createHash('sha256')
  try {
    using aggregator = new Aggregator(await loadSeal())
    const buffer = new Uint8Array(POLYNOMIALS_PER_PAIR * CHUNK_BYTES)
    for (let first = 0; first < task.chunks; first += POLYNOMIALS_PER_PAIR) {
      const length = Math.min(POLYNOMIALS_PER_PAIR, task.chunks - first) * CHUNK_BYTES
      const sum = aggregator.sum(readAll(files, first * CHUNK_BYTES, buffer.subarray(0, length)))
      hash.update(sum)
      // Unlike writeSync, it does not leave off where the disk is full.
      writeFileSync(output, sum)
    }
    fsyncSync(output)
  } finally {
    for (const descriptor of [output, ...files.map(file => file.descriptor)]) closeSync(descriptor)
  }
  keepFile(part, task.output)
  return hash.digest('hex')
}

function* readAll(
  files: readonly { descriptor: number; offset: number }[],
  position: number,
  buffer: Uint8Array,
): Generator<Uint8Array> {
  for (const { descriptor, offset } of files) {
    if (readSync(descriptor, buffer, 0, buffer.length, offset + position) !== buffer.length) {
      throw new Error('a stored contribution is shorter than it was')
    }
    yield buffer
  }
}

import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { aggregate } from '#coordinator/aggregation.ts'
import { CHUNK_BYTES, chunksFor, contributionBound } from '#crypto/parameters.ts'
import { generateSealingKeyPair } from '#crypto/sealing.ts'
import { type ComputationTask, compute } from '#member-node/computation.ts'
import { systemClock } from '#party/clock.ts'
import type { MemberId, RoundId } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { loadRecords } from '../federation.ts'
import { hashOf } from '../federation-keys.ts'
import { type Bench, type Family, timed } from './bench.ts'
import { csvOf } from './declarations.ts'
import { queryFile, type Slots } from './questions.ts'

/** Cells at a member and at the coordinator, without the protocol around them. */

const CUSTODIANS = 5
const THRESHOLD = 4
const MEMBERS = 20
/** So few that reading them takes no time. */
const RECORDS = 1000

async function taskOf(slots: Slots, output: string): Promise<ComputationTask> {
  const custodians = Array.from({ length: CUSTODIANS }, async (_, i) => ({
    id: `C${i + 1}` as MemberId,
    index: i + 1,
    prekey: hashOf(`prekey ${i}`),
    sealingKey: (await generateSealingKeyPair(randomBytes)).publicKey,
  }))
  return {
    question: parseQueryFile(queryFile(slots)).question,
    asOf: systemClock.now(),
    round: hashOf('a round') as RoundId,
    dealer: 'KR' as MemberId,
    custodians: await Promise.all(custodians),
    threshold: THRESHOLD,
    bound: contributionBound(MEMBERS),
    output,
  }
}

async function encrypt(bench: Bench): Promise<void> {
  const folder = bench.folder()
  loadRecords(folder, csvOf('KR', RECORDS), systemClock)
  const output = join(folder, 'ciphertext')
  const [small, large] = [await taskOf(100_000, output), await taskOf(1_000_000, output)]
  const contribute = (task: ComputationTask) =>
    timed(() => compute(task, join(folder, 'warehouse.sqlite'), randomBytes))
  bench.says('encryption: warming up')
  await contribute(small)
  await bench.repeat('encryption of 100,000 and of 1,000,000 cells', async () => {
    const few = await contribute(small)
    const many = await contribute(large)
    // Seconds for a million cells are microseconds for one.
    bench.record('encrypt-cell', many.wall)
    bench.record('encrypt-tenfold', many.cpu / few.cpu)
    bench.note('encrypt-cell', `${many.cpu.toFixed(2)} µs on the processor`)
  })
}

async function add(bench: Bench): Promise<void> {
  const folder = bench.folder()
  loadRecords(folder, csvOf('KR', RECORDS), systemClock)
  const task = await taskOf(1_000_000, '')
  const paths = Array.from({ length: MEMBERS }, (_, i) => join(folder, `${i}.ciphertext`))
  for (const [i, output] of paths.entries()) {
    bench.says(`addition: contribution ${i + 1} of ${MEMBERS} is made`)
    await compute({ ...task, output }, join(folder, 'warehouse.sqlite'), randomBytes)
  }
  const [few, many] = [chunksFor(100_000), chunksFor(1_000_000)]
  /** Ten stretches of every file, which hardly overlap, stand for ten times as many members. */
  const tenfold = paths.flatMap(path =>
    Array.from({ length: 10 }, (_, i) => ({ path, offset: i * (few - 1) * CHUNK_BYTES })),
  )
  const whole = paths.map(path => ({ path, offset: 0 }))
  const sum = async (contributions: typeof whole, chunks: number) => {
    const output = join(folder, 'sum')
    const taken = await timed(() => aggregate({ contributions, chunks, output }))
    rmSync(output)
    return taken
  }
  await sum(whole, few)
  await bench.repeat(`addition of ${MEMBERS} and of ${10 * MEMBERS} members`, async () => {
    const base = await sum(whole, few)
    const cells = await sum(whole, many)
    const members = await sum(tenfold, few)
    bench.record('add-cell', (cells.wall * 1e9) / (MEMBERS * 1_000_000))
    bench.record('add-cells-tenfold', cells.cpu / base.cpu)
    bench.record('add-members-tenfold', members.cpu / base.cpu)
    bench.note('add-cell', `${((cells.cpu * 1e9) / (MEMBERS * 1_000_000)).toFixed(1)} ns on the processor`)
  })
}

export const cells: readonly Family[] = [
  { ids: ['encrypt-cell', 'encrypt-tenfold'], runs: 5, measure: encrypt },
  { ids: ['add-cell', 'add-cells-tenfold', 'add-members-tenfold'], runs: 5, measure: add },
]

import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, writeFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { contribute } from '#crypto/one-shot.ts'
import { packShare } from '#crypto/packing.ts'
import type { Randomness } from '#crypto/sampling.ts'
import { loadSeal } from '#crypto/seal.ts'
import { SEALED_BYTES, seal } from '#crypto/sealing.ts'
import { keepFile, partOf } from '#party/keep-file.ts'
import { fault } from '#specs/errors.ts'
import type { Coverage, MemberId, RoundId } from '#specs/messages.ts'
import { type Plan, plan, type Question } from '#specs/query.ts'
import type { RoundCustodian } from '#specs/rules/round.ts'
import { shareContext } from '#specs/sealed-context.ts'
import { type Examination, type ExaminationTask, examine } from './examination.ts'
import { openWarehouse, type PeriodCoverage } from './warehouse/warehouse.ts'

/** From a question to encrypted cells: the long part of an answer, done in a thread of its own. */
export interface ComputationTask {
  readonly question: Question
  /** The moment as of which the question is answered, in milliseconds since 1970. */
  readonly asOf: number
  readonly round: RoundId
  readonly dealer: MemberId
  readonly custodians: readonly RoundCustodian[]
  readonly threshold: number
  readonly bound: bigint
  /** What was found in the node's own records when this answer was allowed. */
  readonly examined?: { readonly task: ExaminationTask; readonly found: Examination }
  /** Where the ciphertext goes. */
  readonly output: string
}

export interface ComputationResult {
  readonly slots: number
  /** SHA-256 of the ciphertext, in hex. */
  readonly ciphertext: string
  /** 14,448 bytes for each custodian, in their order. */
  readonly sealedShares: Uint8Array
  readonly coverage: readonly Coverage[]
}

export type Compute = (task: ComputationTask) => Promise<ComputationResult>

/**
 * Aggregates, encrypts under a fresh key, and seals the key's shares. Neither the cells nor the key leave this function.
 * @param warehouse the path of the administration's data
 * @throws InbondError `cell-too-large`, `records-changed`, before anything can be sent
 */
export async function compute(
  task: ComputationTask,
  warehouse: string,
  randomness: Randomness,
): Promise<ComputationResult> {
  const asked = plan(task.question)
  const { cells, coverage } = readWarehouse(warehouse, asked, task)
  const contribution = contribute(
    await loadSeal(),
    {
      roundId: Buffer.from(task.round, 'hex'),
      bound: task.bound,
      threshold: task.threshold,
      custodians: task.custodians.map(one => one.index),
    },
    cells,
    randomness,
  )
  const ciphertext = writeDurably(task.output, contribution.ciphertext)
  cells.fill(0n)
  const sealedShares = new Uint8Array(task.custodians.length * SEALED_BYTES)
  for (const [i, custodian] of task.custodians.entries()) {
    const share = contribution.shares[i] as (typeof contribution.shares)[number]
    const context = shareContext({
      round: task.round,
      dealer: task.dealer,
      custodian: custodian.id,
      prekey: custodian.prekey,
      ciphertext,
    })
    const packed = packShare(share.residues)
    sealedShares.set(await seal('inbond/share/v1', custodian.sealingKey, context, packed, randomness), i * SEALED_BYTES)
    packed.fill(0)
    share.residues.fill(0)
  }
  return { slots: asked.slots, ciphertext, sealedShares, coverage }
}

function readWarehouse(
  path: string,
  { dataset, where, axes, measures, months }: Plan,
  { asOf, examined }: Pick<ComputationTask, 'asOf' | 'examined'>,
) {
  using warehouse = openWarehouse(path, { readonly: true })
  // A question without a period is about the months that the member has, or has by now.
  const stated = (one: PeriodCoverage) => months !== undefined || one.latest > 0
  return warehouse.snapshot(() => {
    if (examined && !isDeepStrictEqual(examine(warehouse, examined.task), examined.found))
      throw fault('records-changed', 'the records changed while the answer was prepared')
    return {
      cells: warehouse.aggregate({ dataset, where, by: axes, measures }, asOf),
      coverage: warehouse.coverage(dataset, months?.from, months?.to, asOf).filter(stated),
    }
  })
}

/** Writes a file that is there whole or not at all. Returns its SHA-256. */
function writeDurably(path: string, chunks: Iterable<Uint8Array>): string {
  const part = partOf(path)
  const file = openSync(part, 'w', 0o600)
  const hash = createHash('sha256')
  try {
    for (const chunk of chunks) {
      hash.update(chunk)
      // Unlike writeSync, it does not leave off where the disk is full.
      writeFileSync(file, chunk)
    }
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  keepFile(part, path)
  return hash.digest('hex')
}

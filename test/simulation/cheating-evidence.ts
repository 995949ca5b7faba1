import { readFileSync, writeFileSync } from 'node:fs'
import { aggregate } from '#coordinator/aggregation.ts'
import { Aggregator } from '#crypto/one-shot.ts'
import { encodeCells, packWords } from '#crypto/packing.ts'
import { CELLS_PER_CHUNK } from '#crypto/parameters.ts'
import { loadSeal } from '#crypto/seal.ts'
import type { AnswerEvidence } from '#specs/api.ts'
import { cohort, manifest, sum } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'
import type { Federation } from '../federation.ts'
import { logged } from '../forked-log.ts'
import { type Adversary, keyOf, roomOf } from './adversary.ts'
import { sha256 } from './history.ts'

/** One more in every cell: added like a ciphertext that has neither key nor error. */
async function shift(total: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const seal = await loadSeal()
  const more = packWords(seal.transformPlain(encodeCells(new BigInt64Array(CELLS_PER_CHUNK).fill(1n))))
  using aggregator = new Aggregator(seal)
  return new Uint8Array(aggregator.sum([total, more]))
}

/** A coordinator that adds one to every cell of the sum, and signs the result. */
export const shiftedSum: Adversary = {
  add: async task => {
    await aggregate(task)
    const shifted = await shift(readFileSync(task.output))
    writeFileSync(task.output, shifted)
    return sha256(shifted)
  },
}

/** A coordinator that tells the recipient of a smaller cohort than the one that was opened. */
export function concealedMember(federation: Federation): Adversary {
  return {
    show: async (message, answer) => {
      if (roomOf(message).what !== 'answer') return undefined
      const evidence = (await answer.json()) as AnswerEvidence
      const key = keyOf(federation)
      const told = claims(cohort, evidence.cohort).payload
      const fewer = await sign(key, cohort, { ...told, manifests: told.manifests.filter(one => one.member !== 'KR') })
      const signed = claims(sum, evidence.sum).payload
      const total = await sign(key, sum, { ...signed, cohort: fewer.id as typeof signed.cohort })
      const manifests = evidence.manifests.filter(one => claims(manifest, one).payload.member !== 'KR')
      const changed = { ...evidence, cohort: fewer.compact, sum: total.compact, manifests }
      return Response.json(logged(federation.coordinator.context, changed))
    },
  }
}

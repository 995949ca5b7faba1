import { Aggregator } from '#crypto/one-shot.ts'
import { loadSeal } from '#crypto/seal.ts'

/** One step of a recount: long work, done in a thread of its own, on memory that both threads have. */
export interface AdditionTask {
  /** Packed; the running sum, which is changed. */
  readonly sum: Uint8Array
  readonly contribution: Uint8Array
}

/** Adds a ciphertext to a running sum, in place. @throws InbondError `bad-length`, `bad-residue` */
export type AddUp = (task: AdditionTask) => Promise<void>

export async function addUp({ sum, contribution }: AdditionTask): Promise<void> {
  using aggregator = new Aggregator(await loadSeal())
  aggregator.addTo(sum, contribution)
}

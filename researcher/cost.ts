import { CHUNK_BYTES, chunksFor } from '#crypto/parameters.ts'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import { plan, type Question } from '#specs/query.ts'

/** What an answer costs everybody, in bytes where nothing else is said; follows from the layout of cells and the charter alone. */
export interface Cost {
  readonly cells: number
  readonly slots: number
  /** Polynomials of 4,096 slots that each member encrypts. */
  readonly chunks: number
  /** What each member sends: its ciphertext and a sealed share for each custodian. */
  readonly memberSends: number
  /** What the researcher receives: the sum, the openings, and the contributions where it adds them up again. */
  readonly researcherReceives: number
  readonly addsUpAgain: boolean
  /** What the custodian receives that is drawn to add them up in its place, where it does not. */
  readonly drawnReceives: number
  /** What each custodian receives, opens and adds up: a share of every member. */
  readonly custodianReceives: number
  readonly custodians: number
}

/**
 * @param members how many could be in the answer
 * @param custodians of the charter
 * @param recountFrom from so many bytes on a custodian adds up in the researcher's place
 * @throws InbondError `bad-query`, `unknown-dataset`, `too-many-slots`
 */
export function costOf(question: Question, members: number, custodians: number, recountFrom: number): Cost {
  const { cells, slots } = plan(question)
  const chunks = chunksFor(slots)
  const ciphertext = chunks * CHUNK_BYTES
  const addsUpAgain = ciphertext * members < recountFrom
  return {
    cells,
    slots,
    chunks,
    memberSends: ciphertext + custodians * SEALED_BYTES,
    researcherReceives: ciphertext + custodians * SEALED_BYTES + (addsUpAgain ? ciphertext * members : 0),
    addsUpAgain,
    drawnReceives: addsUpAgain ? 0 : ciphertext * members,
    custodianReceives: members * SEALED_BYTES,
    custodians,
  }
}

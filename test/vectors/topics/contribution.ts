import { contributionBound } from '#crypto/parameters.ts'
import type { Json } from '../format.ts'
import type { Writing } from '../writing.ts'

export const description = 'What a member makes for a round: ciphertext and shares.'

const P = 67_108_859

export async function write(file: Writing): Promise<void> {
  const dealing = {
    roundId: { repeat: 0, length: 32 },
    roster: 3,
    threshold: 3,
    custodians: [1, 2, 3],
    randomness: 'one-shot-sum',
  }
  const bound = contributionBound(3)
  const cells = (...runs: readonly (readonly [bigint | number, number])[]): Json =>
    runs.map(([value, times]) => [String(value), times])
  await file.takes('contribute', 'three cells', { ...dealing, cells: cells([1, 1], [-2, 1], [3, 1]) })
  await file.takes('contribute', 'two full chunks at the bound', {
    ...dealing,
    cells: cells([bound, 4096], [-bound, 4096]),
  })
  await file.takes('contribute', 'one cell in the third chunk, 4 of 5 custodians', {
    roundId: { seed: 'a round', length: 32 },
    roster: 5,
    threshold: 4,
    custodians: [1, 2, 3, 4, 5],
    cells: cells([0, 8192], [5, 1]),
    randomness: 'three chunks',
  })
  file.refuses('three cells', [
    ['cell-too-large', 'a cell of one more than the bound', { cells: cells([1, 1], [bound + 1n, 1], [3, 1]) }],
    ['cell-too-large', 'a cell of one less than the bound below', { cells: cells([1, 4097], [-bound - 1n, 1]) }],
    ['bad-share', 'custodian 0', { custodians: [0, 1, 2] }],
    ['bad-share', 'custodian p', { custodians: [1, 2, P] }],
    ['bad-share', 'a custodian twice', { custodians: [1, 2, 1] }],
    ['bad-share', 'a threshold of 1', { threshold: 1 }],
    ['bad-share', 'a threshold above the custodians', { threshold: 4 }],
    ['bad-length', 'a round id of 31 bytes', { roundId: { repeat: 0, length: 31 } }],
  ])
}

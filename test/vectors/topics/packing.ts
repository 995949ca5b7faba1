import type { Writing } from '../writing.ts'

export const description = 'Words of a ciphertext, residues of a key share, and cells as residues modulo t.'

const N = 4096
const CHUNK = 2 * N * 5
const SHARE = (N * 26) / 8
const Q0 = 1_099_511_390_209
const Q1 = 1_099_511_480_321
const P = 67_108_859
const T = 1_152_921_504_606_830_593n

/** A word of 40 bits at its place in a chunk. */
function withWord(at: number, word: number) {
  const bytes = Buffer.alloc(5)
  bytes.writeUIntLE(word, 0, 5)
  return { chunk: { in: { bytes: 'chunk' }, at: 5 * at, put: { base64url: bytes.toString('base64url') } } }
}

/** A residue whose 26 bits begin at a byte: one in four; its neighbour takes the other 6 bits of the last byte and is 0. */
function withResidue(at: number, residue: number) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(residue)
  return {
    share: { in: { repeat: 0, length: SHARE }, at: (26 * at) / 8, put: { base64url: bytes.toString('base64url') } },
  }
}

export async function write(file: Writing): Promise<void> {
  await writeChunks(file)
  await writeShares(file)
  await writeCells(file)
}

async function writeChunks(file: Writing): Promise<void> {
  const words = [
    [0, 1],
    [1, 0x0102030405],
    [2, 2 ** 32],
    [N - 1, Q0 - 1],
    [N, Q1 - 1],
    [N + 1, Q0],
    [2 * N - 1, Q1 - 1],
  ]
  const { chunk } = await file.takes('pack-chunk', 'words at both ends of both limbs', { words })
  file.bytes('chunk', chunk as Uint8Array)
  await file.takes('unpack-chunk', 'the same words', { chunk: { bytes: 'chunk' } })
  await file.takes('unpack-chunk', 'all zeros', { chunk: { repeat: 0, length: CHUNK } })
  file.refuses('the same words', [
    ['bad-residue', 'the first word is its prime', withWord(0, Q0)],
    ['bad-residue', 'a word in the middle of limb 0 is its prime', withWord(N / 2, Q0)],
    ['bad-residue', 'a word of limb 0 is below the other prime only', withWord(N / 2 + 1, Q1 - 1)],
    ['bad-residue', 'the last word of limb 0 is its prime', withWord(N - 1, Q0)],
    ['bad-residue', 'the first word of limb 1 is its prime', withWord(N, Q1)],
    ['bad-residue', 'a word in the middle of limb 1 is one more than its prime', withWord(N + N / 2, Q1 + 1)],
    ['bad-residue', 'the last word is the largest of 40 bits', withWord(2 * N - 1, 2 ** 40 - 1)],
    ['bad-length', 'a byte is missing', { chunk: { part: { bytes: 'chunk' }, start: 0, end: CHUNK - 1 } }],
    ['bad-length', 'a byte too many', { chunk: { join: [{ bytes: 'chunk' }, { repeat: 0, length: 1 }] } }],
    ['bad-length', 'two chunks', { chunk: { join: [{ bytes: 'chunk' }, { bytes: 'chunk' }] } }],
    ['bad-length', 'nothing', { chunk: { repeat: 0, length: 0 } }],
  ])
}

async function writeShares(file: Writing): Promise<void> {
  const residues = [
    [0, 1],
    [1, P - 1],
    [2, 0x2345678],
    [3, P - 1],
    [2047, 1],
    [N - 1, P - 1],
  ]
  const { share } = await file.takes('pack-share', 'residues on each position within a byte', { residues })
  file.bytes('share', share as Uint8Array)
  await file.takes('unpack-share', 'the same residues', { share: { bytes: 'share' } })
  file.refuses('the same residues', [
    ['bad-share', 'the first residue is p', withResidue(0, P)],
    ['bad-share', 'a residue in the middle is p', withResidue(2048, P)],
    ['bad-share', 'a residue is the largest of 26 bits', withResidue(4092, 2 ** 26 - 1)],
    [
      'bad-share',
      'the last residue is p + 1',
      // The last 26 bits end with the last byte: 6 bits of the residue before, 0 here, then they.
      { share: { in: { repeat: 0, length: SHARE }, at: SHARE - 4, put: lastResidue(P + 1) } },
    ],
    ['bad-length', 'a byte is missing', { share: { part: { bytes: 'share' }, start: 0, end: SHARE - 1 } }],
    ['bad-length', 'a byte too many', { share: { join: [{ bytes: 'share' }, { repeat: 0, length: 1 }] } }],
    ['bad-length', 'residues of 32 bits', { share: { repeat: 0, length: 4 * N } }],
    ['bad-length', 'nothing', { share: { repeat: 0, length: 0 } }],
  ])
}

function lastResidue(residue: number) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(residue * 2 ** 6)
  return { base64url: bytes.toString('base64url') }
}

async function writeCells(file: Writing): Promise<void> {
  for (const roster of [3, 4, 7, 186, 1000, 4096]) {
    await file.takes('cell-bound', `of a roster of ${roster}`, { roster })
  }
  const bound = (T - 1n) / 2n / 5n
  const cells = (value: bigint): [string, number][] => [
    ['7', 4096],
    [String(value), 1],
    ['-7', 1],
  ]
  await file.takes('check-cells', 'at the bound', { roster: 5, cells: cells(bound) })
  await file.takes('check-cells', 'at the bound below', { roster: 5, cells: cells(-bound) })
  file.refuses('at the bound', [
    ['cell-too-large', 'one more than the bound, in the second chunk', { cells: cells(bound + 1n) }],
    ['cell-too-large', 'one less than the bound below', { cells: cells(-bound - 1n) }],
    ['cell-too-large', 'the largest of 64 bits', { cells: cells(2n ** 63n - 1n) }],
    ['cell-too-large', 'the smallest of 64 bits', { cells: cells(-(2n ** 63n)) }],
    ['cell-too-large', 'a roster of one more', { roster: 6 }],
  ])
  const most = (T - 1n) / 2n
  const edges = ['0', '1', '-1', String(bound), String(-bound), String(most), String(-most)]
  await file.takes('encode-cells', 'edges', { cells: edges.map(value => [value, 1] as const) })
  const residues = [0n, 1n, T - 1n, most, most + 1n].map(value => [String(value), 1] as const)
  await file.takes('decode-cells', 'edges of residues', { residues: [...residues, ['0', N - 5]] })
}

import type { Writing } from '../writing.ts'

export const description = 'The public polynomial, and how keys, errors and blinding polynomials are drawn.'

const ZEROS = { repeat: 0, length: 32 }
const KEY_BYTES = 32_768
const RESIDUES_BYTES = 16_384

/** 32-bit words, little endian. */
function words(...values: readonly number[]) {
  return { base64url: Buffer.from(Uint32Array.from(values).buffer).toString('base64url') }
}

export async function write(file: Writing): Promise<void> {
  await file.takes('public-polynomial', 'nothing dropped', { roundId: ZEROS, chunk: 0 })
  // Found by search: about one polynomial in 700 drops a word.
  await file.takes('public-polynomial', 'word 140 of limb 1 dropped', { roundId: ZEROS, chunk: 156 })
  await file.takes('public-polynomial', 'word 683 of limb 0 dropped', { roundId: ZEROS, chunk: 719 })
  await file.takes('public-polynomial', 'the last chunk that has a number', { roundId: ZEROS, chunk: 2 ** 32 - 1 })
  await file.takes('public-polynomial', 'of another round', {
    roundId: { seed: 'another round', length: 32 },
    chunk: 256,
  })
  file.refuses('nothing dropped', [
    ['bad-length', 'a round id of 31 bytes', { roundId: { repeat: 0, length: 31 } }],
    ['bad-length', 'a round id of 33 bytes', { roundId: { repeat: 0, length: 33 } }],
    ['bad-length', 'a round id in hexadecimal digits', { roundId: { repeat: 0x30, length: 64 } }],
    ['bad-length', 'no round id', { roundId: { repeat: 0, length: 0 } }],
  ])

  await file.takes('centred-binomial', 'from a seed', { randomness: 'binomial' })
  await file.takes('centred-binomial', 'every coin heads is 0', { randomness: [{ repeat: 255, length: KEY_BYTES }] })
  await file.takes('centred-binomial', 'the largest, the smallest, and bits above the 21st', {
    randomness: [
      {
        in: { repeat: 0, length: KEY_BYTES },
        at: 0,
        put: words(0x1fffff, 0, 0, 0x1fffff, 0xffe00000, 0, 0x200001, 0xe0000003),
      },
    ],
  })

  await file.takes('uniform-residues', 'from a seed, modulo p', { randomness: 'residues' })
  await file.takes(
    'uniform-residues',
    'p - 1 is taken, p and above are asked for again, bits above the 26th are not used',
    {
      randomness: [
        {
          in: { repeat: 0, length: RESIDUES_BYTES },
          at: 4,
          put: words(67_108_858, 67_108_859, 67_108_863, 0xffffffff, 0xfc000005),
        },
        words(67_108_860, 1, 2),
        words(3),
      ],
    },
  )
}

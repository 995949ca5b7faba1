import { centredBinomial } from '#crypto/sampling.ts'
import { seededRandomness } from '#test/randomness.ts'
import type { Fields } from '../format.ts'
import type { Writing } from '../writing.ts'

export const description = 'Dealing a key among custodians, and rebuilding it.'

const P = 67_108_859
const SHARE_BYTES = 13_312

export async function write(file: Writing): Promise<void> {
  const key = file.bytes('key', new Uint8Array(centredBinomial(seededRandomness('a key')).buffer))
  const randomness = 'blinding'
  await file.takes('deal', '3 of 3', { key, threshold: 3, custodians: [1, 2, 3], randomness })
  await file.takes('deal', '2 of 2, far apart', { key, threshold: 2, custodians: [P - 1, 1], randomness })
  await file.takes('deal', '8 of 15', {
    key,
    threshold: 8,
    custodians: Array.from({ length: 15 }, (_, i) => i + 1),
    randomness,
  })
  await file.takes('deal', 'a key of the largest coefficients', {
    key: { repeat: 256 - 21, length: 4096 },
    threshold: 2,
    custodians: [1, 2, 3],
    randomness,
  })
  file.refuses('3 of 3', [
    ['bad-share', 'custodian 0, whose share is the key', { custodians: [0, 2, 3] }],
    ['bad-share', 'a custodian twice', { custodians: [1, 2, 2] }],
    ['bad-share', 'custodian p, which is 0', { custodians: [1, 2, P] }],
    ['bad-share', 'custodian p + 1, which is 1', { custodians: [1, 2, P + 1] }],
    ['bad-share', 'custodian -1', { custodians: [-1, 2, 3] }],
    ['bad-share', 'a number that is not whole', { custodians: [1, 1.5, 2] }],
    ['bad-share', 'a threshold of 1, which makes every share the key', { threshold: 1 }],
    ['bad-share', 'a threshold of 0', { threshold: 0 }],
    ['bad-share', 'a threshold that is not whole', { threshold: 2.5 }],
    ['bad-share', 'a threshold above the custodians', { threshold: 4 }],
  ])

  const { shares } = await file.takes('deal', '3 of 5', { key, threshold: 3, custodians: [1, 2, 3, 4, 5], randomness })
  const share = (custodian: number): Fields => ({ custodian, share: { bytes: `share ${custodian}` } })
  for (const [i, one] of (shares as Uint8Array[]).entries()) file.bytes(`share ${i + 1}`, one)
  await file.takes('interpolate', 'from the first three', { shares: [share(1), share(2), share(3)] })
  await file.takes('interpolate', 'from others, in another order', { shares: [share(5), share(1), share(4)] })
  await file.takes('interpolate', 'from all five', { shares: [1, 2, 3, 4, 5].map(share) })
  await file.takes('interpolate', 'from two, which gives something else', { shares: [share(1), share(2)] })
  await file.takes('interpolate', 'one number exchanged, which gives something else', {
    shares: [share(1), share(2), { ...share(3), custodian: 4 }],
  })
  const damaged = { in: { bytes: 'share 3' }, at: 13_000, put: { repeat: 0, length: 4 } }
  file.refuses('from the first three', [
    ['bad-share', 'custodian 0', { shares: [{ ...share(1), custodian: 0 }, share(2), share(3)] }],
    ['bad-share', 'custodian p', { shares: [{ ...share(1), custodian: P }, share(2), share(3)] }],
    ['bad-share', 'a custodian twice', { shares: [share(1), share(2), share(2)] }],
    [
      'bad-share',
      'a custodian twice, with another share',
      { shares: [share(1), share(2), { ...share(3), custodian: 2 }] },
    ],
    [
      'bad-share',
      'a residue of one share is not below p',
      { shares: [share(1), share(2), { custodian: 3, share: { repeat: 255, length: SHARE_BYTES } }] },
    ],
    [
      'bad-length',
      'a share of one byte less',
      {
        shares: [
          share(1),
          share(2),
          { custodian: 3, share: { part: { bytes: 'share 3' }, start: 1, end: SHARE_BYTES } },
        ],
      },
    ],
  ])
  const basis = [share(1), share(2), share(4)]
  await file.takes('agrees', 'on the polynomial', { shares: basis, other: share(5) })
  await file.takes('agrees', 'of another custodian', { shares: basis, other: { ...share(5), custodian: 3 } })
  await file.takes('agrees', 'two residues altered', { shares: basis, other: { custodian: 3, share: damaged } })
}

import { packShare } from '#crypto/packing.ts'
import type { Fields } from '../format.ts'
import { scenario } from '../scenario.ts'
import { base64url, type Writing } from '../writing.ts'

export const description = 'Adding up the shares of one custodian.'

const SHARE = 13_312

export async function write(file: Writing): Promise<void> {
  const { contributions } = await scenario()
  const share = (custodian: number, member: string): Fields => ({
    custodian,
    share: { bytes: `share ${custodian} of ${member}` },
  })
  for (const { member, shares } of contributions) {
    for (const { index, residues } of shares) file.bytes(`share ${index} of ${member}`, packShare(residues))
  }
  const [first, second, third] = contributions.map(one => String(one.member)) as [string, string, string]
  const own = [first, second, third].map(member => share(2, member))
  const [one, two] = own as [Fields, Fields]
  await file.takes('open', 'three dealers', { custodian: 2, shares: own })
  await file.takes('open', 'in another order', { custodian: 2, shares: [...own].reverse() })
  await file.takes('open', 'one dealer', { custodian: 2, shares: [two] })
  const most = Buffer.alloc(4)
  most.writeUInt32LE(67_108_858)
  await file.takes('open', 'p - 1 and p - 1 is p - 2', {
    custodian: 7,
    shares: [1, 2].map(() => ({
      custodian: 7,
      share: { in: { repeat: 0, length: SHARE }, at: 0, put: base64url(most) },
    })),
  })
  file.refuses('three dealers', [
    ['bad-share', 'custodian 0', { custodian: 0 }],
    ['bad-share', 'a share of another custodian', { shares: [one, two, share(3, third)] }],
    [
      'bad-share',
      'a residue that is not below p',
      {
        shares: [
          one,
          two,
          { custodian: 2, share: { in: { bytes: `share 2 of ${third}` }, at: 6500, put: { repeat: 255, length: 4 } } },
        ],
      },
    ],
    [
      'bad-length',
      'a share that lacks a byte',
      {
        shares: [
          one,
          two,
          { custodian: 2, share: { part: { bytes: `share 2 of ${third}` }, start: 0, end: SHARE - 1 } },
        ],
      },
    ],
  ])
}

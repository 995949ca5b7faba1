import type { Fields } from '../format.ts'
import { scenario } from '../scenario.ts'
import { base64url, type Writing } from '../writing.ts'

export const description = 'Adding up ciphertexts, at the coordinator and again at the recipient.'

const CHUNK = 40_960

function word(value: number): Fields {
  const bytes = Buffer.alloc(5)
  bytes.writeUIntLE(value, 0, 5)
  return base64url(bytes)
}

export async function write(file: Writing): Promise<void> {
  const { contributions, total } = await scenario()
  const all = contributions.map(one => file.bytes(`ciphertext of ${one.member}`, one.ciphertext))
  const [first, second, third] = all as [Fields, Fields, Fields]
  const largest = { in: { repeat: 0, length: CHUNK }, at: 0, put: word(1_099_511_390_208) }
  const one = { in: { repeat: 0, length: CHUNK }, at: 0, put: word(1) }
  await file.takes('aggregate', 'three of two chunks', { ciphertexts: all })
  await file.takes('aggregate', 'in another order', { ciphertexts: [third, first, second] })
  await file.takes('aggregate', 'one alone', { ciphertexts: [second] })
  await file.takes('aggregate', 'q₀ - 1 and 1 is 0', { ciphertexts: [largest, one] })
  const part = (start: number, end: number) => ({ part: second, start, end })
  file.refuses('three of two chunks', [
    ['bad-length', 'none', { ciphertexts: [] }],
    ['bad-length', 'nothing in it', { ciphertexts: [{ repeat: 0, length: 0 }] }],
    ['bad-length', 'a chunk less', { ciphertexts: [first, part(0, CHUNK), third] }],
    ['bad-length', 'a chunk more', { ciphertexts: [first, { join: [second, part(0, CHUNK)] }, third] }],
    ['bad-length', 'a byte less', { ciphertexts: [first, part(0, 2 * CHUNK - 1), third] }],
    ['bad-length', 'all a byte less', { ciphertexts: [part(1, 2 * CHUNK), part(1, 2 * CHUNK)] }],
    [
      'bad-residue',
      'the first word of the first is its prime',
      { ciphertexts: [{ in: first, at: 0, put: word(1_099_511_390_209) }, second, third] },
    ],
    [
      'bad-residue',
      'a word in the middle of the last is its prime',
      { ciphertexts: [first, second, { in: third, at: CHUNK + 5 * 6000, put: word(1_099_511_480_321) }] },
    ],
  ])

  const sum = file.bytes('sum', total)
  const signed = contributions.map(({ member, manifest }, i) => ({
    member,
    ciphertext: all[i] as Fields,
    hash: manifest.payload.ciphertext,
  }))
  const [own, ...others] = signed as [(typeof signed)[0], (typeof signed)[0], (typeof signed)[0]]
  const flipped = base64url(Buffer.of((total[2 * CHUNK - 2] as number) ^ 1))
  await file.takes('add-up-again', 'the sum of what the members signed', { contributions: signed, sum })
  file.refuses('the sum of what the members signed', [
    ['bad-evidence', 'a bit of the sum changed', { sum: { in: sum, at: 2 * CHUNK - 2, put: flipped } }],
    ['bad-evidence', 'the sum without one of them', { contributions: others }],
    ['bad-evidence', 'one of them twice', { contributions: [...signed, { ...own, member: 'NO' }] }],
    [
      'bad-evidence',
      'chunks exchanged',
      { sum: { join: [CHUNK, 0].map(at => ({ part: sum, start: at, end: at + CHUNK })) } },
    ],
    [
      'bad-evidence',
      'a ciphertext that its member did not sign',
      { contributions: [{ ...own, ciphertext: second }, ...others] },
    ],
  ])
}

import { signMessage } from '#crypto/signature.ts'
import type { Fields, Json } from '../format.ts'
import { scenario } from '../scenario.ts'
import { base64url, sha256, type Writing } from '../writing.ts'

export const description = 'The body of a contribution, as the coordinator takes it for an announced round.'

const CHUNK = 40_960
const WORDS = 8192
const SEALED = 14_448

interface Parts {
  readonly magic: string
  readonly manifest: string
  /** What the body says; the true length if left out. */
  readonly length?: number
  readonly shares: readonly Json[]
  readonly chunks: readonly Json[]
}

function body({ magic, manifest, length = manifest.length, shares, chunks }: Parts): Fields {
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32LE(length)
  return { body: { join: [{ utf8: magic }, base64url(prefix), { utf8: manifest }, ...shares, ...chunks] } }
}

export async function write(file: Writing): Promise<void> {
  const { federation, round, input, contributions, cohort } = await scenario()
  const [own, other] = contributions as [(typeof contributions)[0], (typeof contributions)[0]]
  const key = federation.keyOf(own.member)
  const signed = own.manifest.payload
  const [one, two, three] = signed.shares as [object, { prekey: string; sealed: string }, object]
  const [first, second, third] = own.sealed.map((sealed, i) => file.bytes(`sealed share ${i + 1}`, sealed)) as [
    Fields,
    Fields,
    Fields,
  ]
  const [low, high] = [0, 1].map(i => file.bytes(`chunk ${i}`, own.ciphertext.slice(i * CHUNK, (i + 1) * CHUNK))) as [
    Fields,
    Fields,
  ]
  const foreign = file.bytes('sealed share 1 of another dealer', other.sealed[0] as Uint8Array)
  const parts: Parts = {
    magic: 'INBOND01',
    manifest: own.manifest.compact,
    shares: [first, second, third],
    chunks: [low, high],
  }
  const whole = file.bytes('body', body(parts).body as Fields)
  const manifestLength = parts.manifest.length
  const size = 12 + manifestLength + 3 * SEALED + 2 * CHUNK

  const cut = (end: number): Fields => ({ body: { part: whole, start: 0, end } })
  const changed = (change: Partial<Parts>) => body({ ...parts, ...change })
  /** The same body under a manifest that says something else, well signed. */
  const saying = async (change: object, by = key) =>
    changed({ manifest: (await signMessage(by, 'inbond-manifest', { ...signed, ...change })).compact })
  /** With another word in the ciphertext, and the manifest that belongs to it. */
  const withWord = async (at: number, word: number) => {
    const bytes = Buffer.alloc(5)
    bytes.writeUIntLE(word, 0, 5)
    const ciphertext = Buffer.from(own.ciphertext)
    bytes.copy(ciphertext, 5 * at)
    const bend = (chunk: Fields) => ({ in: chunk, at: (5 * at) % CHUNK, put: base64url(bytes) })
    const { compact } = await signMessage(key, 'inbond-manifest', { ...signed, ciphertext: sha256(ciphertext) })
    return changed({ manifest: compact, chunks: at < WORDS ? [bend(low), high] : [low, bend(high)] })
  }
  const flipped = Buffer.of((own.ciphertext[100] as number) ^ 1)

  await file.takes('take-contribution', 'a whole body', {
    ...input,
    member: own.member,
    publicKey: key.publicKey,
    slots: round.plan.slots,
    ...body(parts),
  })
  file.refuses('a whole body', [
    ['bad-body', 'another beginning', changed({ magic: 'INBOND02' })],
    ['bad-body', 'no beginning', { body: { part: whole, start: 8, end: size } }],
    ['truncated-body', 'nothing', cut(0)],
    ['truncated-body', 'cut in the beginning', cut(7)],
    ['truncated-body', 'cut in the length', cut(11)],
    ['truncated-body', 'cut in the manifest', cut(12 + 100)],
    ['truncated-body', 'cut in a sealed share', cut(12 + manifestLength + SEALED + 1)],
    ['truncated-body', 'cut after the sealed shares', cut(size - 2 * CHUNK)],
    ['truncated-body', 'cut in a chunk', cut(size - CHUNK - 1)],
    ['truncated-body', 'cut after the first chunk', cut(size - CHUNK)],
    ['truncated-body', 'cut before the last byte', cut(size - 1)],
    ['bad-body', 'a byte too many', { body: { join: [whole, { repeat: 0, length: 1 }] } }],
    ['bad-body', 'a chunk too many', changed({ chunks: [low, high, { repeat: 0, length: CHUNK }] })],
  ])
  file.refuses('a whole body', [
    ['bad-body', 'a length of one more than the longest manifest', changed({ length: 262_145 })],
    ['bad-body', 'the largest length', changed({ length: 2 ** 32 - 1 })],
    ['truncated-body', 'a length beyond the end', changed({ length: 262_144 })],
    ['bad-signature', 'a length of one byte less', changed({ length: manifestLength - 1 })],
    ['bad-signature', 'a length of one byte more', changed({ length: manifestLength + 1 })],
    ['bad-signature', 'no manifest', changed({ length: 0 })],
    ['bad-signature', 'a manifest that a stranger signed', await saying({}, federation.stranger)],
    ['bad-signature', 'the manifest of another member', changed({ manifest: other.manifest.compact })],
    ['upgrade-needed', 'a manifest of protocol version 2', await saying({ protocol: 2 })],
    ['bad-message', 'a manifest with a field too many', await saying({ more: 1 })],
    ['bad-body', 'a manifest in the name of another member', await saying({ member: other.member })],
    ['bad-body', 'a manifest of another round', await saying({ round: cohort.id })],
    ['bad-body', 'a slot less than the question has', await saying({ slots: round.plan.slots - 1 })],
    ['bad-body', 'a slot more than the question has', await saying({ slots: round.plan.slots + 1 })],
    ['bad-body', 'custodians in another order', await saying({ shares: [two, one, three] })],
    ['bad-body', 'a custodian left out', await saying({ shares: [one, two] })],
    ['bad-body', 'a custodian twice', await saying({ shares: [one, two, two] })],
    ['bad-body', "another custodian's prekey", await saying({ shares: [{ ...one, prekey: two.prekey }, two, three] })],
  ])
  file.refuses('a whole body', [
    [
      'bad-body',
      'another hash of a sealed share',
      await saying({ shares: [{ ...one, sealed: two.sealed }, two, three] }),
    ],
    ['bad-body', 'another hash of the ciphertext', await saying({ ciphertext: other.manifest.payload.ciphertext })],
    ['bad-body', 'sealed shares exchanged', changed({ shares: [second, first, third] })],
    ['bad-body', 'a sealed share of another dealer', changed({ shares: [foreign, second, third] })],
    ['bad-body', 'chunks exchanged', changed({ chunks: [high, low] })],
    [
      'bad-body',
      'a bit of the ciphertext changed',
      changed({ chunks: [{ in: low, at: 100, put: base64url(flipped) }, high] }),
    ],
    ['bad-residue', 'the first word is its prime', await withWord(0, 1_099_511_390_209)],
    [
      'bad-residue',
      'a word in the middle of the second chunk is its prime',
      await withWord(WORDS + 6000, 1_099_511_480_321),
    ],
    ['bad-residue', 'the last word is the largest of 40 bits', await withWord(2 * WORDS - 1, 2 ** 40 - 1)],
  ])
}

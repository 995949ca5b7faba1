import { packShare } from '#crypto/packing.ts'
import type { Share } from '#crypto/shamir.ts'
import type { RoundCustodian } from '#specs/rules/round.ts'
import type { Fields } from '../format.ts'
import { scenario } from '../scenario.ts'
import { base64url, sha256, type Writing } from '../writing.ts'

export const description =
  'Sealing shares to prekeys and openings to the recipient, with what is authenticated beside them.'

const ENCAPSULATED = 1120
const SEALED = 14_448
const SHARE = 'inbond/share/v1'
const OPENING = 'inbond/opening/v1'

export async function write(file: Writing): Promise<void> {
  const { federation, round, pairs, contributions, openings, contextOf, cohort } = await scenario()
  const [dealer, other] = contributions as [(typeof contributions)[0], (typeof contributions)[0]]
  const [, custodian, third] = round.custodians as [RoundCustodian, RoundCustodian, RoundCustodian]
  const { privateKey, publicKey } = pairs.get(custodian.id) as NonNullable<ReturnType<typeof pairs.get>>
  const content = file.bytes('share', packShare((dealer.shares[1] as Share).residues))
  const sealed = file.bytes('sealed share', dealer.sealed[1] as Uint8Array)
  const ciphertext = sha256(dealer.ciphertext)
  const context = contextOf(dealer.member, custodian, dealer.ciphertext)

  await file.takes('sealing-key', 'from a seed', { randomness: 'sealing key' })
  await file.takes('sealing-key', 'from zeros', { randomness: [{ repeat: 0, length: 32 }] })
  await file.takes('share-context', 'of a share', {
    round: round.id,
    dealer: dealer.member,
    custodian: custodian.id,
    prekey: custodian.prekey,
    ciphertext,
  })
  await file.takes('opening-context', 'of an opening', { round: round.id, cohort: cohort.id, custodian: custodian.id })

  const key = base64url(publicKey)
  await file.takes('seal', 'a share to a prekey', { kind: SHARE, publicKey: key, context, content, randomness: 'seal' })
  file.refuses('a share to a prekey', [
    ['bad-length', 'a key that lacks a byte', { publicKey: { part: key, start: 0, end: 1215 } }],
    ['bad-length', 'a key of X25519 alone', { publicKey: { part: key, start: 1184, end: 1216 } }],
    [
      'bad-seal',
      'a key with a coefficient that is not below 3329',
      { publicKey: { in: key, at: 0, put: { repeat: 255, length: 2 } } },
    ],
    [
      'bad-seal',
      'a key with the point 0, to which every shared secret is 0',
      { publicKey: { in: key, at: 1184, put: { repeat: 0, length: 32 } } },
    ],
    ['bad-length', 'a content that lacks a byte', { content: { part: content, start: 0, end: 13_311 } }],
  ])

  const own = base64url(privateKey)
  await file.takes('unseal', 'a share', { kind: SHARE, privateKey: own, context, sealed })
  const lines = context.split('\n') as [string, string, string, string, string]
  const line = (at: number, text: string): Fields => ({
    context: lines.map((one, i) => (i === at ? text : one)).join('\n'),
  })
  const bit = (at: number): Fields => {
    const byte = (dealer.sealed[1] as Uint8Array)[at] as number
    return { sealed: { in: sealed, at, put: base64url(Buffer.of(byte ^ 1)) } }
  }
  file.refuses('a share', [
    ['bad-seal', 'another round', line(0, cohort.id)],
    ['bad-seal', 'another dealer', line(1, other.member)],
    ['bad-seal', 'another custodian', line(2, third.id)],
    ['bad-seal', 'another prekey', line(3, third.prekey)],
    ['bad-seal', 'another ciphertext', line(4, sha256(other.ciphertext))],
    ['bad-seal', 'a line feed at the end', { context: `${context}\n` }],
    ['bad-seal', 'line feeds with carriage returns', { context: lines.join('\r\n') }],
    ['bad-seal', 'capital hexadecimal digits', line(0, round.id.toUpperCase())],
    ['bad-seal', 'the last line left out', { context: lines.slice(0, 4).join('\n') }],
    ['bad-seal', 'no context', { context: '' }],
    ['bad-seal', 'taken for an opening', { kind: OPENING }],
    ['bad-seal', 'another private key', { privateKey: base64url(pairs.get(third.id)?.privateKey as Uint8Array) }],
    ['bad-seal', 'a private key that lacks a byte', { privateKey: base64url(privateKey.subarray(0, 31)) }],
    [
      'bad-seal',
      'a private key of a byte more',
      { privateKey: base64url(Buffer.concat([privateKey, Buffer.alloc(1)])) },
    ],
    ['bad-seal', 'a bit of the ML-KEM ciphertext changed', bit(0)],
    ['bad-seal', 'a bit of the X25519 point changed', bit(ENCAPSULATED - 32)],
    [
      'bad-seal',
      'the X25519 point 0',
      { sealed: { in: sealed, at: ENCAPSULATED - 32, put: { repeat: 0, length: 32 } } },
    ],
    ['bad-seal', 'a bit of the encrypted share changed', bit(7000)],
    ['bad-seal', 'the last bit of the tag changed', bit(SEALED - 1)],
    [
      'bad-seal',
      'a share sealed for another custodian',
      { sealed: file.bytes('sealed to another', dealer.sealed[2] as Uint8Array) },
    ],
    ['bad-length', 'a byte is missing', { sealed: { part: sealed, start: 0, end: SEALED - 1 } }],
    ['bad-length', 'a byte too many', { sealed: { join: [sealed, { repeat: 0, length: 1 }] } }],
    ['bad-length', 'the encapsulated key alone', { sealed: { part: sealed, start: 0, end: ENCAPSULATED } }],
    ['bad-length', 'nothing', { sealed: { repeat: 0, length: 0 } }],
  ])

  const opening = openings[1] as (typeof openings)[0]
  const parts = opening.context.split('\n') as [string, string, string]
  await file.takes('unseal', 'an opening', {
    kind: OPENING,
    privateKey: base64url(federation.recipient.privateKey),
    context: opening.context,
    sealed: file.bytes('sealed opening', opening.sealed),
  })
  const aside = (at: number, text: string): Fields => ({
    context: parts.map((one, i) => (i === at ? text : one)).join('\n'),
  })
  file.refuses('an opening', [
    ['bad-seal', 'another round', aside(0, cohort.id)],
    ['bad-seal', 'another cohort', aside(1, round.id)],
    ['bad-seal', 'another custodian', aside(2, third.id)],
    ['bad-seal', 'taken for a share', { kind: SHARE }],
    ['bad-seal', "a custodian's prekey", { privateKey: own }],
    ['bad-seal', 'a share in its place', { sealed }],
  ])
}

import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { cryptoError } from './error.ts'
import type { LogHead } from './log.ts'
import { fingerprint, type IdentityKey, type PublicKey } from './signature.ts'

/**
 * A signed head of the coordinator's log: a C2SP checkpoint (c2sp.org/tlog-checkpoint) in a C2SP signed note
 * (c2sp.org/signed-note), with one Ed25519 signature and no extension lines. Origin and key name are `inbond/` and the fingerprint
 * of the coordinator's key. No signed message is a note's text: that has line feeds.
 */

/** Longer than any, so that no more is looked at. */
const LONGEST = 400
/** Base64 of 32 and of 68 bytes, whose last characters have two bits too many: they must be 0, or one note had many forms. */
const NOTE =
  /^((\S+)\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)\n)\n\u2014 (\S+) ([A-Za-z0-9+/]{90}[AEIMQUYcgkosw048]=)\n$/
const ED25519_NOTE = 0x01

export interface Checkpoint extends LogHead {
  /** As it travels. */
  readonly text: string
}

export function logOrigin(fingerprint: string): string {
  return `inbond/${fingerprint}`
}

/** SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key), the first 4 bytes. */
export function noteKeyId(name: string, publicKey: PublicKey): Uint8Array {
  const hash = createHash('sha256').update(name).update(Uint8Array.of(0x0a, ED25519_NOTE))
  return hash.update(Buffer.from(publicKey, 'base64url')).digest().subarray(0, 4)
}

function noteText(origin: string, head: LogHead): string {
  return `${origin}\n${head.size}\n${Buffer.from(head.root, 'hex').toString('base64')}\n`
}

/** The same bytes for the same head. */
export function signCheckpoint(key: IdentityKey, head: LogHead): string {
  const origin = logOrigin(key.fingerprint)
  const text = noteText(origin, head)
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: key.publicKey, d: key.privateKey }
  const signature = sign(null, Buffer.from(text), createPrivateKey({ key: jwk, format: 'jwk' }))
  const signed = Buffer.concat([noteKeyId(origin, key.publicKey), signature]).toString('base64')
  return `${text}\n\u2014 ${origin} ${signed}\n`
}

/**
 * Verifies a checkpoint of the coordinator with this key.
 * @throws InbondError `bad-checkpoint`
 */
export async function verifyCheckpoint(text: string, publicKey: PublicKey): Promise<Checkpoint> {
  const [, note = '', origin, size, root = '', name, signed = ''] = (text.length <= LONGEST && NOTE.exec(text)) || []
  if (!Number.isSafeInteger(Number(size))) {
    throw cryptoError('bad-checkpoint', 'this is not a checkpoint with one signature')
  }
  const expected = logOrigin(await fingerprint(publicKey))
  if (origin !== expected || name !== expected) {
    throw cryptoError('bad-checkpoint', 'the checkpoint is of the log of another coordinator')
  }
  const bytes = Buffer.from(signed, 'base64')
  if (!bytes.subarray(0, 4).equals(noteKeyId(expected, publicKey)) || !isSigned(note, bytes.subarray(4), publicKey)) {
    throw cryptoError('bad-checkpoint', 'the checkpoint is not signed with the expected key')
  }
  return { text, size: Number(size), root: Buffer.from(root, 'base64').toString('hex') }
}

function isSigned(note: string, signature: Uint8Array, publicKey: PublicKey): boolean {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' })
  return verify(null, Buffer.from(note), key, signature)
}

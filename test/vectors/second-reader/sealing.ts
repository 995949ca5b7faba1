import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  type KeyObject,
} from 'node:crypto'
import type { Source } from './drawing.ts'
import { encapsulate } from './ml-kem.ts'
import { Refusal, requireLength, SEALED_BYTES, SHARE_BYTES } from './parameters.ts'

/** "Sealing" of specs/one-shot-sum.md: HPKE (RFC 9180) in base mode, with X-Wing (draft-connolly-cfrg-xwing-kem) as its KEM. */

const MLKEM_CIPHERTEXT_BYTES = 1088
const ENCAPSULATED_BYTES = MLKEM_CIPHERTEXT_BYTES + 32

/** A raw private key as node:crypto takes it: the constant beginning of its PKCS #8 form, then the key. */
function privateKey(pkcs8: string, key: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([Buffer.from(pkcs8, 'hex'), key]), format: 'der', type: 'pkcs8' })
}

function publicBytes(key: KeyObject, length: number): Buffer {
  return createPublicKey(key as never)
    .export({ format: 'der', type: 'spki' })
    .subarray(-length)
}

const MLKEM_KEY_BYTES = 1184
const POINT_BYTES = 32

function x25519Key(scalar: Uint8Array): KeyObject {
  return privateKey('302e020100300506032b656e04220420', scalar)
}

function x25519(own: KeyObject, point: Uint8Array): Buffer {
  const spki = Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), point])
  const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  return diffieHellman({ privateKey: own, publicKey })
}

/** The two private keys that a private key of 32 bytes stands for. */
function expand(seed: Uint8Array) {
  const expanded = createHash('shake256', { outputLength: 96 }).update(seed).digest()
  return {
    mlkem: privateKey('3054020100300b060960864801650304040204428040', expanded.subarray(0, 64)),
    curve: x25519Key(expanded.subarray(64)),
  }
}

/** From 32 random bytes: a private key of 32 bytes, and the two public keys after one another. */
export function keyPair(source: Source): { readonly privateKey: Uint8Array; readonly publicKey: Uint8Array } {
  const seed = createHash('shake256', { outputLength: 32 }).update(source(32)).digest()
  const { mlkem, curve } = expand(seed)
  const publicKey = Buffer.concat([publicBytes(mlkem, MLKEM_KEY_BYTES), publicBytes(curve, POINT_BYTES)])
  return { privateKey: new Uint8Array(seed), publicKey: new Uint8Array(publicKey) }
}

function combined(mlkem: Uint8Array, curve: Uint8Array, ephemeral: Uint8Array, recipient: Uint8Array): Buffer {
  return createHash('sha3-256')
    .update(mlkem)
    .update(curve)
    .update(ephemeral)
    .update(recipient)
    .update('\\.//^\\')
    .digest()
}

/** The secrets of both key agreements, of which it takes both to open what was sealed. */
export interface Secrets {
  readonly mlkem: Uint8Array
  readonly curve: Uint8Array
}

export function secretsOf(seed: Uint8Array, sealed: Uint8Array): Secrets {
  const { mlkem, curve } = expand(seed)
  return {
    mlkem: decapsulate(mlkem, sealed.subarray(0, MLKEM_CIPHERTEXT_BYTES)),
    curve: x25519(curve, sealed.subarray(MLKEM_CIPHERTEXT_BYTES, ENCAPSULATED_BYTES)),
  }
}

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
  return createHmac('sha256', key).update(Buffer.concat(parts)).digest()
}

/** "HPKE" ‖ KEM 0x647a ‖ KDF 0x0001 ‖ AEAD 0x0002. */
const SUITE = Buffer.concat([Buffer.from('HPKE'), Buffer.from('647a00010002', 'hex')])

function labeledExtract(salt: Uint8Array, label: string, ikm: Uint8Array): Buffer {
  return hmac(salt, Buffer.from('HPKE-v1'), SUITE, Buffer.from(label), ikm)
}

/** HKDF-Expand for at most one block of 32 bytes. */
function labeledExpand(prk: Uint8Array, label: string, info: Uint8Array, length: number): Buffer {
  const labeled = [Buffer.of(0, length), Buffer.from('HPKE-v1'), SUITE, Buffer.from(label), info]
  return hmac(prk, ...labeled, Buffer.of(1)).subarray(0, length)
}

/** RFC 9180 § 5.1 with mode_base and neither psk nor psk_id: key and nonce of the only message. */
function keySchedule(secret: Uint8Array, info: Uint8Array) {
  const nothing = new Uint8Array(0)
  const context = Buffer.concat([
    Buffer.of(0),
    labeledExtract(nothing, 'psk_id_hash', nothing),
    labeledExtract(nothing, 'info_hash', info),
  ])
  const extracted = labeledExtract(secret, 'secret', nothing)
  return {
    key: labeledExpand(extracted, 'key', context, 32),
    nonce: labeledExpand(extracted, 'base_nonce', context, 12),
  }
}

/** Draws 64 bytes: 32 for ML-KEM, then the ephemeral private key of X25519. */
export function seal(kind: string, publicKey: Uint8Array, context: string, content: Uint8Array, source: Source) {
  requireLength(publicKey, MLKEM_KEY_BYTES + POINT_BYTES)
  requireLength(content, SHARE_BYTES)
  try {
    const drawn = source(64)
    const own = x25519Key(drawn.subarray(32))
    const ephemeral = publicBytes(own, POINT_BYTES)
    const recipient = publicKey.subarray(MLKEM_KEY_BYTES)
    const { secret, ciphertext } = encapsulate(publicKey.subarray(0, MLKEM_KEY_BYTES), drawn.subarray(0, 32))
    const shared = combined(secret, x25519(own, recipient), ephemeral, recipient)
    const { key, nonce } = keySchedule(shared, Buffer.from(kind))
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
    const encrypted = [cipher.update(content), cipher.final()]
    return new Uint8Array(Buffer.concat([ciphertext, ephemeral, ...encrypted, cipher.getAuthTag()]))
  } catch (error) {
    throw new Refusal('bad-seal', String(error))
  }
}

export function unseal(kind: string, seed: Uint8Array, context: string, sealed: Uint8Array): Uint8Array {
  requireLength(sealed, SEALED_BYTES)
  if (seed.length !== 32) throw new Refusal('bad-seal', 'a private key has 32 bytes')
  try {
    const point = publicBytes(expand(seed).curve, POINT_BYTES)
    return unsealWith(kind, secretsOf(seed, sealed), point, context, sealed)
  } catch (error) {
    throw new Refusal('bad-seal', String(error))
  }
}

/** @param point the recipient's public key of X25519 */
export function unsealWith(
  kind: string,
  { mlkem, curve }: Secrets,
  point: Uint8Array,
  context: string,
  sealed: Uint8Array,
): Uint8Array {
  const shared = combined(mlkem, curve, sealed.subarray(MLKEM_CIPHERTEXT_BYTES, ENCAPSULATED_BYTES), point)
  const { key, nonce } = keySchedule(shared, Buffer.from(kind))
  const decipher = createDecipheriv('aes-256-gcm', key, nonce)
  decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(-16))
  const content = Buffer.concat([decipher.update(sealed.subarray(ENCAPSULATED_BYTES, -16)), decipher.final()])
  return new Uint8Array(content)
}

export function shareContext(of: Record<'round' | 'dealer' | 'custodian' | 'prekey' | 'ciphertext', string>): string {
  return [of.round, of.dealer, of.custodian, of.prekey, of.ciphertext].join('\n')
}

export function openingContext(of: Record<'round' | 'cohort' | 'custodian', string>): string {
  return [of.round, of.cohort, of.custodian].join('\n')
}

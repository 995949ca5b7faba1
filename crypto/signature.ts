import { createHash, createPrivateKey } from 'node:crypto'
import {
  CompactEncrypt,
  CompactSign,
  calculateJwkThumbprint,
  compactDecrypt,
  compactVerify,
  decodeProtectedHeader,
  errors,
  exportJWK,
  generateKeyPair,
  importJWK,
} from 'jose'
import { cryptoError } from './error.ts'

/**
 * Signed messages: JSON payloads as compact JWS (RFC 7515) with Ed25519 (RFC 8037, RFC 9864), verified over the exact
 * bytes that arrived. The protected header names the kind of message in `typ`, so that a signature on one kind is never
 * taken for another, and the signer's key in `kid` (RFC 7638 thumbprint).
 */

/** An Ed25519 public key: 32 bytes as base64url, the `x` of its JWK. */
export type PublicKey = string

export interface IdentityKey {
  readonly publicKey: PublicKey
  /** RFC 7638 thumbprint: what people compare. */
  readonly fingerprint: string
  /** The private scalar, base64url: the `d` of the JWK. It leaves this object only towards a key file. */
  readonly privateKey: string
}

export interface SignedBytes {
  /** SHA-256 over the JWS signing input, in hex: the message's id. It covers header and payload, not the signature. */
  readonly id: string
  /** The message as it travels: three base64url parts. */
  readonly compact: string
  readonly payload: unknown
}

function jwk(publicKey: PublicKey) {
  return { kty: 'OKP', crv: 'Ed25519', x: publicKey }
}

export function fingerprint(publicKey: PublicKey): Promise<string> {
  return calculateJwkThumbprint(jwk(publicKey))
}

/** A new key whose fingerprint does not begin with a hyphen: people type it as an argument, where that would make it an option. */
export async function generateIdentityKey(): Promise<IdentityKey> {
  for (;;) {
    const { publicKey, privateKey } = await generateKeyPair('Ed25519', { extractable: true })
    const { x } = await exportJWK(publicKey)
    const { d } = await exportJWK(privateKey)
    const key = await identityKey(x as string, d as string)
    if (!key.fingerprint.startsWith('-')) return key
  }
}

async function identityKey(x: string, d: string): Promise<IdentityKey> {
  return { publicKey: x, fingerprint: await fingerprint(x), privateKey: d }
}

/** The id of a message: see `SignedBytes.id`. */
export function messageId(compact: string): string {
  return createHash('sha256')
    .update(compact.slice(0, compact.lastIndexOf('.')))
    .digest('hex')
}

export async function signMessage(key: IdentityKey, typ: string, payload: unknown): Promise<SignedBytes> {
  const privateKey = await importJWK({ ...jwk(key.publicKey), d: key.privateKey }, 'Ed25519')
  const compact = await new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'Ed25519', typ, kid: key.fingerprint })
    .sign(privateKey)
  return { id: messageId(compact), compact, payload }
}

/**
 * Three base64url parts, the last of exactly 64 bytes. Decoders skip white space and the four bits that the last character
 * has too many, so that one signed message would have many forms, of any length.
 */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]$/

/** @throws InbondError `bad-signature` if `compact` is not a message of this `typ` signed with this key */
export async function verifyMessage(compact: string, typ: string, publicKey: PublicKey): Promise<SignedBytes> {
  try {
    if (!COMPACT.test(compact)) throw new Error('it is not three parts of base64url')
    const key = await importJWK(jwk(publicKey), 'Ed25519')
    const { payload, protectedHeader } = await compactVerify(compact, key, { algorithms: ['Ed25519'] })
    if (protectedHeader.typ !== typ) throw new Error(`it is a ${protectedHeader.typ}`)
    return { id: messageId(compact), compact, payload: parseJson(payload) }
  } catch (cause) {
    throw cryptoError('bad-signature', `this is no ${typ} signed with the expected key`, cause)
  }
}

/**
 * What a message claims before anything is verified: only good for finding out whose key to verify it with.
 * @throws InbondError `bad-signature` if it is not a compact JWS of this `typ` with a JSON payload
 */
export function claimed(compact: string, typ: string): { kid: string; payload: unknown } {
  try {
    const header = decodeProtectedHeader(compact)
    if (header.typ !== typ) throw new Error(`it is a ${header.typ}`)
    const payload = parseJson(Buffer.from(compact.split('.')[1] ?? '', 'base64url'))
    return { kid: header.kid ?? '', payload }
  } catch (cause) {
    throw cryptoError('bad-signature', `this is no ${typ}`, cause)
  }
}

/** In one form alone: with white space between its parts, or a name twice, one content would have many ids, of any length. */
function parseJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  const payload = JSON.parse(text)
  if (JSON.stringify(payload) !== text) throw new Error('its payload is not written as JSON.stringify does')
  return payload
}

/** OWASP's figure for PBKDF2 with HMAC-SHA-512 is 210,000; a key file is opened once a start, so it may cost more. */
const PBES2_ITERATIONS = 600_000

/** The text of a key file: plain JSON, or, with a passphrase, a compact JWE (PBES2-HS512+A256KW, RFC 7518 § 4.8). */
export async function writeKeyFile(key: IdentityKey, passphrase: string | undefined): Promise<string> {
  const plain = JSON.stringify({ ...jwk(key.publicKey), d: key.privateKey })
  if (passphrase === undefined) return `${plain}\n`
  const sealed = await new CompactEncrypt(new TextEncoder().encode(plain))
    .setProtectedHeader({ alg: 'PBES2-HS512+A256KW', enc: 'A256GCM' })
    .setKeyManagementParameters({ p2c: PBES2_ITERATIONS })
    .encrypt(new TextEncoder().encode(passphrase))
  return `${sealed}\n`
}

export function needsPassphrase(keyFile: string): boolean {
  return !keyFile.startsWith('{')
}

/** @throws InbondError `wrong-passphrase`, or `bad-key-file` for what is no key, or the halves of two */
export async function readKeyFile(keyFile: string, passphrase: string | undefined): Promise<IdentityKey> {
  let plain = keyFile
  if (needsPassphrase(keyFile)) {
    if (passphrase === undefined) throw cryptoError('wrong-passphrase', 'the identity key is sealed with a passphrase')
    try {
      const opened = await compactDecrypt(keyFile.trim(), new TextEncoder().encode(passphrase), {
        keyManagementAlgorithms: ['PBES2-HS512+A256KW'],
        maxPBES2Count: PBES2_ITERATIONS,
      })
      plain = new TextDecoder().decode(opened.plaintext)
    } catch (cause) {
      if (!(cause instanceof errors.JOSEError)) throw cause
      throw cryptoError('wrong-passphrase', 'the passphrase does not open the identity key', cause)
    }
  }
  return parseKey(plain)
}

/** A key whose halves do not belong together would sign what nobody can verify. */
async function parseKey(plain: string): Promise<IdentityKey> {
  try {
    const { x, d } = JSON.parse(plain)
    const own = createPrivateKey({ key: { ...jwk(x), d }, format: 'jwk' }).export({ format: 'jwk' })
    if (own.x !== x || own.d !== d) throw new Error('the halves do not belong together')
    return await identityKey(x, d)
  } catch {
    // Not as the cause: what a parser says may quote the key.
    throw cryptoError('bad-key-file', 'the file of the identity key does not hold one')
  }
}

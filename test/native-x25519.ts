import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import { HkdfSha256, X25519 } from '@hpke/dhkem-x25519'

/**
 * X25519 of the platform in the place of the one in JavaScript of the HPKE library, where a test runs thousands of sealings: it
 * took most of their time. The bytes are the same (native-x25519.test.ts).
 */

/** PKCS #8 and SPKI of X25519 keys (RFC 8410) up to their 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')
const SPKI = Buffer.from('302a300506032b656e032100', 'hex')

export async function nativeX25519(privateKey: Uint8Array, publicKey: Uint8Array): Promise<Uint8Array> {
  const own = createPrivateKey({ key: Buffer.concat([PKCS8, privateKey]), format: 'der', type: 'pkcs8' })
  const other = createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: 'der', type: 'spki' })
  return new Uint8Array(diffieHellman({ privateKey: own, publicKey: other }))
}

const { derive } = X25519.prototype

/** As the library has it. */
export async function portableX25519(privateKey: Uint8Array, publicKey: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await derive.call(new X25519(new HkdfSha256()), privateKey, publicKey))
}

export function useNativeX25519(): void {
  X25519.prototype.derive = nativeX25519
}

import { createHash, createPrivateKey } from 'node:crypto'
import type { Randomness } from '#crypto/sampling.ts'
import { type IdentityKey, readKeyFile } from '#crypto/signature.ts'

/**
 * Reproducible randomness, for tests and test vectors only: call number i (from 0, as u32 little endian) for b bytes returns
 * the first b bytes of SHAKE128(UTF-8(seed) ‖ i).
 */
export function seededRandomness(seed: string): Randomness {
  const counter = new Uint8Array(4)
  let calls = 0
  return bytes => {
    new DataView(counter.buffer).setUint32(0, calls++, true)
    const hash = createHash('shake128', { outputLength: bytes }).update(seed).update(counter)
    return new Uint8Array(hash.digest())
  }
}

/** PKCS #8 of an Ed25519 key (RFC 8410) up to its 32 bytes. */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** A reproducible identity key, for tests alone. */
export async function seededIdentityKey(seed: string): Promise<IdentityKey> {
  const der = Buffer.concat([ED25519_PKCS8, seededRandomness(seed)(32)])
  const { x, d } = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' })
  return readKeyFile(JSON.stringify({ x, d }), undefined)
}

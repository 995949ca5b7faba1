import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core'
import { XWing } from '@hpke/hybridkem-x-wing'
import { cryptoError, expectLength, InbondError } from './error.ts'
import { SHARE_BYTES } from './parameters.ts'
import type { Randomness } from './sampling.ts'

/**
 * Sealing of key shares and openings: HPKE (RFC 9180) in base mode with X-Wing (X25519 and ML-KEM-768, so that a recorder
 * needs to break both), HKDF-SHA256 and AES-256-GCM. A private key is a fresh 32-byte seed and serves once.
 */

const PUBLIC_KEY_BYTES = 1216
const PRIVATE_KEY_BYTES = 32
const ENCAPSULATED_BYTES = 1120
const TAG_BYTES = 16

/** Every sealed thing is one packed key share (see `SHARE_BYTES`), 14,448 bytes when sealed. */
export const SEALED_BYTES = ENCAPSULATED_BYTES + SHARE_BYTES + TAG_BYTES

/** Goes into the key schedule, so that a sealed share can never be opened as an opening. */
export type SealedKind = 'inbond/share/v1' | 'inbond/opening/v1'

export interface SealingKeyPair {
  readonly publicKey: Uint8Array
  readonly privateKey: Uint8Array
}

const kem = new XWing()
const suite = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() })

function copy(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

export async function generateSealingKeyPair(randomness: Randomness): Promise<SealingKeyPair> {
  const pair = await kem.deriveKeyPair(copy(randomness(PRIVATE_KEY_BYTES)))
  return {
    publicKey: new Uint8Array(await kem.serializePublicKey(pair.publicKey)),
    privateKey: new Uint8Array(await kem.serializePrivateKey(pair.privateKey)),
  }
}

/**
 * @param context authenticated with the content: what it is for, so that it cannot be moved elsewhere
 * @returns 14,448 bytes: encapsulated key, then the encrypted share
 * @throws InbondError `bad-length`, `bad-seal`
 */
export async function seal(
  kind: SealedKind,
  publicKey: Uint8Array,
  context: string,
  share: Uint8Array,
  randomness: Randomness,
): Promise<Uint8Array> {
  expectLength('a sealing key', publicKey, PUBLIC_KEY_BYTES)
  expectLength('a key share', share, SHARE_BYTES)
  try {
    const sender = await suite.createSenderContext({
      recipientPublicKey: await kem.deserializePublicKey(copy(publicKey)),
      info: new TextEncoder().encode(kind),
      ekm: copy(randomness(2 * PRIVATE_KEY_BYTES)),
    })
    const sealed = new Uint8Array(SEALED_BYTES)
    sealed.set(new Uint8Array(sender.enc))
    sealed.set(new Uint8Array(await sender.seal(copy(share), new TextEncoder().encode(context))), ENCAPSULATED_BYTES)
    return sealed
  } catch (cause) {
    throw cryptoError('bad-seal', 'this key cannot be sealed to', cause)
  }
}

/** Whether a key is one to which something can be sealed: not every byte string is. */
export async function isSealingKey(publicKey: Uint8Array): Promise<boolean> {
  const nothing = new Uint8Array(SHARE_BYTES)
  return seal('inbond/share/v1', publicKey, '', nothing, length => new Uint8Array(length)).then(
    () => true,
    error => {
      if (error instanceof InbondError) return false
      throw error
    },
  )
}

/** @throws InbondError `bad-length`, or `bad-seal` if kind, key, context or content differ from what was sealed */
export async function unseal(
  kind: SealedKind,
  privateKey: Uint8Array,
  context: string,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  expectLength('a sealed share', sealed, SEALED_BYTES)
  try {
    const opened = await suite.open(
      {
        recipientKey: await kem.deserializePrivateKey(copy(privateKey)),
        enc: copy(sealed.subarray(0, ENCAPSULATED_BYTES)),
        info: new TextEncoder().encode(kind),
      },
      copy(sealed.subarray(ENCAPSULATED_BYTES)),
      new TextEncoder().encode(context),
    )
    return new Uint8Array(opened)
  } catch (cause) {
    throw cryptoError('bad-seal', 'a sealed share does not open with this key in this context', cause)
  }
}

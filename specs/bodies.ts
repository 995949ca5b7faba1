import { InbondError } from '#crypto/error.ts'
import { SEALED_BYTES } from '#crypto/sealing.ts'

/**
 * The two binary bodies (specs/one-shot-sum.md): a member's contribution, and what a custodian fetches of a cohort.
 *
 *     contribution  =  "INBOND01"  u32le(length)  manifest  sealed share…  ciphertext
 *     shares        =  ( u32le(length)  manifest  sealed share )…
 *
 * A manifest is a compact message in ASCII, a sealed share has 14,448 bytes, and the order of the shares is the manifest's.
 */
const MAGIC = new TextEncoder().encode('INBOND01')
export const LONGEST_MANIFEST = 256 * 1024

function lengthPrefixed(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  const framed = new Uint8Array(4 + bytes.length)
  new DataView(framed.buffer).setUint32(0, bytes.length, true)
  framed.set(bytes, 4)
  return framed
}

/** Everything of a contribution that comes before its ciphertext. */
export function contributionHead(manifest: string, sealedShares: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([MAGIC, lengthPrefixed(manifest), ...sealedShares])
}

/** One dealer's part of what a custodian fetches. */
export function shareFrame(manifest: string, sealedShare: Uint8Array): Uint8Array {
  return Buffer.concat([lengthPrefixed(manifest), sealedShare])
}

/** Reads exact numbers of bytes from a stream of any chunks, and hands on what is left. */
export class BodyReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #held: Uint8Array = new Uint8Array(0)

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#chunks = body[Symbol.asyncIterator]()
  }

  /** @throws InbondError `truncated-body` if the stream ends before */
  async take(bytes: number): Promise<Uint8Array> {
    const parts = [this.#held]
    let length = this.#held.length
    while (length < bytes) {
      const { value, done } = await this.#chunks.next()
      if (done) throw new InbondError('truncated-body', `the body ended ${bytes - length} bytes too early`)
      parts.push(value)
      length += value.length
    }
    const all = parts.length === 1 ? this.#held : Buffer.concat(parts)
    this.#held = all.subarray(bytes)
    return all.subarray(0, bytes)
  }

  async atEnd(): Promise<boolean> {
    while (this.#held.length === 0) {
      const { value, done } = await this.#chunks.next()
      if (done) return true
      this.#held = value
    }
    return false
  }

  async takeManifest(): Promise<string> {
    const prefix = await this.take(4)
    const length = new DataView(prefix.buffer, prefix.byteOffset, 4).getUint32(0, true)
    if (length > LONGEST_MANIFEST) throw new InbondError('bad-body', `a manifest of ${length} bytes is too long`)
    // Not 'ascii', which would take a byte with its high bit set for the one without.
    return Buffer.from(await this.take(length)).toString('latin1')
  }

  async takeMagic(): Promise<void> {
    const magic = await this.take(MAGIC.length)
    if (!MAGIC.every((byte, i) => byte === magic[i])) {
      throw new InbondError('bad-body', 'the body does not begin like a contribution')
    }
  }

  takeSealedShare(): Promise<Uint8Array> {
    return this.take(SEALED_BYTES)
  }
}

/** Where a custodian's sealed share begins in a stored contribution. */
export function sealedShareOffset(manifest: string, position: number): number {
  return MAGIC.length + 4 + manifest.length + position * SEALED_BYTES
}

/** Where the ciphertext begins in a stored contribution. */
export function ciphertextOffset(manifest: string, shares: number): number {
  return sealedShareOffset(manifest, shares)
}

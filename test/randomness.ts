import { createHash } from 'node:crypto'
import type { Randomness } from '#crypto/sampling.ts'

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

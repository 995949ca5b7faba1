import fc from 'fast-check'
import { expect, test } from 'vitest'
import { effort, seed } from './effort.ts'
import { nativeX25519, portableX25519 } from './native-x25519.ts'

const key = fc.uint8Array({ minLength: 32, maxLength: 32 })

test("the platform's X25519 gives what the library's does", async () => {
  const base = Uint8Array.of(9, ...new Uint8Array(31))
  const same = fc.asyncProperty(key, key, async (own, other) => {
    const publicKey = await nativeX25519(other, base)
    expect(publicKey).toEqual(await portableX25519(other, base))
    expect(await nativeX25519(own, publicKey)).toEqual(await portableX25519(own, publicKey))
  })
  await fc.assert(same, { numRuns: effort(20, 1000), seed })
})

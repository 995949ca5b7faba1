import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { seededRandomness } from '#test/randomness.ts'
import { SHARE_BYTES } from './parameters.ts'
import { generateSealingKeyPair, SEALED_BYTES, type SealingKeyPair, seal, unseal } from './sealing.ts'

const randomness = seededRandomness('sealing')
const SHARE = 'inbond/share/v1'
const OPENING = 'inbond/opening/v1'
const content = new Uint8Array(randomness(SHARE_BYTES))
const CONTEXT = 'round\ndealer\ncustodian'

let pair: SealingKeyPair
let other: SealingKeyPair
let sealed: Uint8Array
beforeAll(async () => {
  pair = await generateSealingKeyPair(randomness)
  other = await generateSealingKeyPair(randomness)
  sealed = await seal(SHARE, pair.publicKey, CONTEXT, content, randomness)
})

const badSeal = expect.objectContaining({ code: 'bad-seal' })
const badLength = expect.objectContaining({ code: 'bad-length' })

describe('what is sealed', () => {
  test('opens with its kind, key and context', async () => {
    expect(sealed).toHaveLength(SEALED_BYTES)
    expect(await unseal(SHARE, pair.privateKey, CONTEXT, sealed)).toEqual(content)
  })

  test('does not open as another kind, with another key, or in another context', async () => {
    await expect(unseal(OPENING, pair.privateKey, CONTEXT, sealed)).rejects.toEqual(badSeal)
    await expect(unseal(SHARE, other.privateKey, CONTEXT, sealed)).rejects.toEqual(badSeal)
    for (const context of ['', `${CONTEXT}\n`, CONTEXT.replace('dealer', 'Dealer')]) {
      await expect(unseal(SHARE, pair.privateKey, context, sealed)).rejects.toEqual(badSeal)
    }
  })

  test('does not open with one bit changed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(SEALED_BYTES - 1), fc.nat(7), async (at, bit) => {
        const bent = new Uint8Array(sealed)
        bent[at] = (bent[at] as number) ^ (1 << bit)
        await expect(unseal(SHARE, pair.privateKey, CONTEXT, bent)).rejects.toEqual(badSeal)
      }),
      { numRuns: 30 },
    )
  })

  test('is another one every time', async () => {
    const again = await seal(SHARE, pair.publicKey, CONTEXT, content, randomness)
    expect(Buffer.from(again).equals(sealed)).toBe(false)
    expect(Buffer.from(again.subarray(0, 32)).equals(sealed.subarray(0, 32))).toBe(false)
  })

  test('does not hold what it seals', () => {
    expect(Buffer.from(sealed).includes(Buffer.from(content.subarray(0, 8)))).toBe(false)
  })

  test('has one length only', async () => {
    for (const length of [0, 1, SEALED_BYTES - 1, SEALED_BYTES + 1]) {
      await expect(unseal(SHARE, pair.privateKey, CONTEXT, new Uint8Array(length))).rejects.toEqual(badLength)
    }
    await expect(seal(SHARE, pair.publicKey, CONTEXT, content.subarray(1), randomness)).rejects.toEqual(badLength)
    await expect(seal(SHARE, pair.publicKey.subarray(1), CONTEXT, content, randomness)).rejects.toEqual(badLength)
  })

  test('is refused to a private key of another length', async () => {
    await expect(unseal(SHARE, pair.privateKey.subarray(1), CONTEXT, sealed)).rejects.toEqual(badSeal)
  })

  test('comes from the randomness that was handed in, and nothing else', async () => {
    const made = async () => {
      const seeded = seededRandomness('again')
      const { publicKey } = await generateSealingKeyPair(seeded)
      return seal(SHARE, publicKey, CONTEXT, content, seeded)
    }
    expect(await made()).toEqual(await made())
  })
})

import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  claimed,
  fingerprint,
  generateIdentityKey,
  type IdentityKey,
  messageId,
  needsPassphrase,
  readKeyFile,
  signMessage,
  verifyMessage,
  writeKeyFile,
} from './signature.ts'

let key: IdentityKey
let other: IdentityKey
beforeAll(async () => {
  key = await generateIdentityKey()
  other = await generateIdentityKey()
})

const badSignature = expect.objectContaining({ code: 'bad-signature' })
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('a signed message', () => {
  test('carries any JSON, and is verified with its kind and key', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async value => {
        const payload = JSON.parse(JSON.stringify(value))
        const signed = await signMessage(key, 'inbond-test', payload)
        const read = await verifyMessage(signed.compact, 'inbond-test', key.publicKey)
        expect(read).toEqual({ id: signed.id, compact: signed.compact, payload })
        expect(claimed(signed.compact, 'inbond-test')).toEqual({ kid: key.fingerprint, payload })
      }),
      { numRuns: 30 },
    )
  })

  test('has as its id the SHA-256 of what is signed', async () => {
    const { id, compact } = await signMessage(key, 'inbond-test', { a: 1 })
    const [header, payload] = compact.split('.')
    expect(id).toBe(createHash('sha256').update(`${header}.${payload}`).digest('hex'))
    expect(messageId(compact)).toBe(id)
  })

  test('in which one character is another is none', async () => {
    const { compact } = await signMessage(key, 'inbond-test', { figure: 12345 })
    await fc.assert(
      fc.asyncProperty(fc.nat(compact.length - 1), fc.constantFrom(...'AZaz09-_.'), async (at, character) => {
        fc.pre(compact[at] !== character)
        const bent = compact.slice(0, at) + character + compact.slice(at + 1)
        await expect(verifyMessage(bent, 'inbond-test', key.publicKey)).rejects.toEqual(badSignature)
      }),
      { numRuns: 60 },
    )
  })

  test('has one form: no white space, no padding, no bits that mean nothing', async () => {
    const { compact } = await signMessage(key, 'inbond-test', {})
    const [header, payload, signature = ''] = compact.split('.')
    const sameBits = String.fromCharCode(signature.charCodeAt(85) + 1)
    const forms = [
      `${compact} `,
      `${compact}==`,
      `\n${compact}`,
      `${header}.${payload}.${signature.slice(0, 9)}\t${signature.slice(9)}`,
      `${compact.slice(0, -1)}${sameBits}`,
      `${compact}${' '.repeat(1000)}`,
    ]
    for (const form of forms) {
      await expect(verifyMessage(form, 'inbond-test', key.publicKey)).rejects.toEqual(badSignature)
    }
  })

  test('of another key or kind is refused', async () => {
    const { compact } = await signMessage(key, 'inbond-test', {})
    await expect(verifyMessage(compact, 'inbond-test', other.publicKey)).rejects.toEqual(badSignature)
    await expect(verifyMessage(compact, 'inbond-tests', key.publicKey)).rejects.toEqual(badSignature)
    expect(() => claimed(compact, 'inbond-tests')).toThrow(badSignature)
  })

  test.each([
    ['without a signature', { alg: 'none', typ: 'inbond-test' }],
    ['with a shared secret', { alg: 'HS256', typ: 'inbond-test' }],
    ['with its own key', { alg: 'Ed25519', typ: 'inbond-test', jwk: { kty: 'OKP', crv: 'Ed25519', x: 'x' } }],
    ['with an extension that must be understood', { alg: 'Ed25519', typ: 'inbond-test', crit: ['b64'], b64: false }],
  ])('%s is refused', async (_, header) => {
    const { compact } = await signMessage(key, 'inbond-test', {})
    const signature = compact.split('.')[2]
    for (const end of ['', signature]) {
      await expect(verifyMessage(`${part(header)}.${part({})}.${end}`, 'inbond-test', key.publicKey)).rejects.toEqual(
        badSignature,
      )
    }
  })

  test.each(['', '.', '..', '...', 'a.b.c', 'a.b.c.d', '{}', '\u0000', 'ä.ö.ü', '='.repeat(100)])(
    '%j is none',
    async text => {
      await expect(verifyMessage(text, 'inbond-test', key.publicKey)).rejects.toEqual(badSignature)
      expect(() => claimed(text, 'inbond-test')).toThrow(badSignature)
    },
  )

  test.each(['', 'short', 'A'.repeat(42), 'A'.repeat(44), '!'.repeat(43)])(
    'is not verified with %j as a key',
    async publicKey => {
      const { compact } = await signMessage(key, 'inbond-test', {})
      await expect(verifyMessage(compact, 'inbond-test', publicKey)).rejects.toEqual(badSignature)
    },
  )

  test('whose payload is not UTF-8, not JSON, or JSON in another form is refused, though well signed', async () => {
    const { compact } = await signMessage(key, 'inbond-test', {})
    const [header] = compact.split('.')
    const others = ['{', '', '{} ', ' {}', '{"a":1,"a":2}', '{"a": 1}', '1.0', '"\\u0061"']
    for (const bytes of [Buffer.of(0xff, 0xfe), ...others.map(text => Buffer.from(text))]) {
      expect(() => claimed(`${header}.${bytes.toString('base64url')}.`, 'inbond-test')).toThrow(badSignature)
    }
  })
})

describe('an identity key', () => {
  test('is named by the thumbprint of its public half (the example of RFC 8037)', async () => {
    const known = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'
    expect(await fingerprint(known)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
    expect(key.fingerprint).toBe(await fingerprint(key.publicKey))
  })

  test('is read from the file that it was written to', async () => {
    const file = await writeKeyFile(key, undefined)
    expect(needsPassphrase(file)).toBe(false)
    expect(await readKeyFile(file, undefined)).toEqual(key)
    expect(await readKeyFile(file, 'one too many')).toEqual(key)
  })

  test.each<[string, () => string]>([
    ['empty object', () => '{}'],
    ['cut', () => '{"kty":"OKP"'],
    ['null', () => '{"x":null,"d":null}'],
    ['of the halves of two', () => JSON.stringify({ x: key.publicKey, d: other.privateKey })],
    ['with a half too short', () => JSON.stringify({ x: key.publicKey, d: key.privateKey.slice(1) })],
    ['with a half in other characters', () => JSON.stringify({ x: `${key.publicKey}=`, d: key.privateKey })],
  ])('is not read from a file that is %s', async (_, file) => {
    const error = await readKeyFile(file(), undefined).catch(caught => caught)
    expect(error.code).toBe('bad-key-file')
    // What a parser says may quote the key.
    expect(error.cause).toBeUndefined()
  })

  test('under a passphrase is read with that one only, and nothing of it shows', async () => {
    const file = await writeKeyFile(key, 'correct horse')
    expect(needsPassphrase(file)).toBe(true)
    expect(file).not.toContain(key.privateKey)
    expect(Buffer.from(file.split('.')[0] as string, 'base64url').toString()).not.toContain(key.publicKey)
    expect(await readKeyFile(file, 'correct horse')).toEqual(key)
    const wrong = expect.objectContaining({ code: 'wrong-passphrase' })
    await expect(readKeyFile(file, 'correct horse ')).rejects.toEqual(wrong)
    await expect(readKeyFile(file, undefined)).rejects.toEqual(wrong)
    await expect(readKeyFile(`${file.slice(0, -4)}AAA\n`, 'correct horse')).rejects.toEqual(wrong)
  })
})

test('the fingerprint of a new key is no option of a command', async () => {
  const keys = await Promise.all(Array.from({ length: 300 }, generateIdentityKey))
  expect(keys.filter(one => one.fingerprint.startsWith('-'))).toEqual([])
})

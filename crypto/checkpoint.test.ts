import { createPrivateKey, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noteKeyId, signCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import type { LogHead } from './log.ts'
import { fingerprint, generateIdentityKey, type IdentityKey } from './signature.ts'

const key = await generateIdentityKey()
const head: LogHead = { size: 20_852_163, root: '0ac5181a91863e1a3d9e4321a8f0ae9bf5d7d23c3db9d7c1d8f03f23da3db1a6' }
const text = signCheckpoint(key, head)

const refused = (changed: string, publicKey = key.publicKey) =>
  expect(verifyCheckpoint(changed, publicKey)).rejects.toMatchObject({ code: 'bad-checkpoint' })

/** A note of any text that the coordinator itself signed. */
function note(body: string, by: IdentityKey = key, name = `inbond/${key.fingerprint}`): string {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: by.publicKey, d: by.privateKey }
  const signature = sign(null, Buffer.from(body), createPrivateKey({ key: jwk, format: 'jwk' }))
  const id = Buffer.from(text.trimEnd().split(' ').at(-1) as string, 'base64').subarray(0, 4)
  return `${body}\n\u2014 ${name} ${Buffer.concat([id, signature]).toString('base64')}\n`
}

describe('a checkpoint', () => {
  test('is a note of three lines and one signature', async () => {
    const lines = text.split('\n')
    const origin = `inbond/${await fingerprint(key.publicKey)}`
    expect(lines.slice(0, 4)).toEqual([origin, '20852163', 'CsUYGpGGPho9nkMhqPCum/XX0jw9udfB2PA/I9o9saY=', ''])
    expect(lines[4]).toMatch(new RegExp(`^\u2014 ${origin} [A-Za-z0-9+/]{91}=$`))
    expect(lines.slice(5)).toEqual([''])
    expect(note(lines.slice(0, 3).join('\n').concat('\n'))).toBe(text)
  })

  test('says its head to whoever has the key', async () => {
    expect(await verifyCheckpoint(text, key.publicKey)).toEqual({ text, ...head })
    const heads = fc.record({
      size: fc.oneof(fc.maxSafeNat(), fc.constant(0)),
      root: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => Buffer.from(bytes).toString('hex')),
    })
    await fc.assert(
      fc.asyncProperty(heads, async any => {
        expect(await verifyCheckpoint(signCheckpoint(key, any), key.publicKey)).toMatchObject(any)
      }),
    )
  })

  test('has the key id of signed notes', () => {
    // The example of golang.org/x/mod/sumdb/note: kind of key and key after name and id.
    const [name, id, kindAndKey] = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'.split('+')
    const publicKey = Buffer.from(kindAndKey as string, 'base64')
      .subarray(1)
      .toString('base64url')
    expect(Buffer.from(noteKeyId(name as string, publicKey)).toString('hex')).toBe(id)
  })

  test('of another coordinator is refused', async () => {
    const other = await generateIdentityKey()
    await refused(text, other.publicKey)
    await refused(signCheckpoint(other, head))
    // In the name of this one, with its own signature.
    await refused(signCheckpoint({ ...other, fingerprint: key.fingerprint }, head))
    await refused(note(`inbond/${key.fingerprint}\n1\n${'A'.repeat(43)}=\n`, other))
  })

  test.each([
    ['an extension line', `inbond/${key.fingerprint}\n1\n${'A'.repeat(43)}=\nmore\n`],
    ['no root', `inbond/${key.fingerprint}\n1\n`],
    ['a short root', `inbond/${key.fingerprint}\n1\n${'A'.repeat(40)}=\n`],
    ['idle bits', `inbond/${key.fingerprint}\n1\n${'A'.repeat(42)}B=\n`],
    ['a zero before the size', `inbond/${key.fingerprint}\n01\n${'A'.repeat(43)}=\n`],
    ['a sign before the size', `inbond/${key.fingerprint}\n-1\n${'A'.repeat(43)}=\n`],
    ['a size past whole numbers', `inbond/${key.fingerprint}\n9007199254740993\n${'A'.repeat(43)}=\n`],
    ['carriage returns', `inbond/${key.fingerprint}\r\n1\r\n${'A'.repeat(43)}=\r\n`],
    ['another origin', `inbond/${'A'.repeat(43)}\n1\n${'A'.repeat(43)}=\n`],
  ])('signed by the coordinator, but with %s, is refused', async (_, body) => {
    await refused(note(body))
  })

  test('with a second signature, or another name beside it, is refused', async () => {
    const line = text.split('\n')[4] as string
    await refused(`${text}${line}\n`)
    await refused(note(text.split('\n\n')[0]?.concat('\n') as string, key, 'inbond/other'))
  })

  test('with any byte changed, left out or added is refused', async () => {
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [0, 1, 2, 3, 4, 5, 6, 7]) {
        const bent = Buffer.from(bytes)
        bent[at] = (bent[at] as number) ^ (1 << bit)
        await refused(bent.toString('latin1'))
        await refused(bent.toString())
      }
      await refused(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]).toString())
      await refused(Buffer.concat([bytes.subarray(0, at), Buffer.from(' '), bytes.subarray(at)]).toString())
    }
  })
})

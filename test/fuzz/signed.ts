import { createPrivateKey, createPublicKey, sign, verify as verifyBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { z } from 'zod'
import { type IdentityKey, messageId } from '#crypto/signature.ts'
import { messageKinds } from '#specs/messages.ts'
import { claims, type Signed, verify } from '#specs/signed.ts'
import { type Decoder, decoder } from './decoder.ts'
import { mutatedJson, mutatedText } from './mutations.ts'
import type { Recording } from './recording.ts'

type Kind = (typeof messageKinds)[number]

/** As many as there is variety in them. */
const MOST_EXAMPLES = 4

const publicHalf = (key: IdentityKey) => ({ kty: 'OKP', crv: 'Ed25519', x: key.publicKey })
const bothHalves = (key: IdentityKey) => ({ ...publicHalf(key), d: key.privateKey })
const base64url = (text: string) => Buffer.from(text).toString('base64url')
const text = (part: string | undefined) => Buffer.from(part ?? '', 'base64url').toString()

/** A well signed message of any header and payload, as a dishonest party makes it. */
function signedAs(key: IdentityKey, header: string, payload: string): string {
  const input = `${base64url(header)}.${base64url(payload)}`
  const signature = sign(null, Buffer.from(input), createPrivateKey({ key: bothHalves(key), format: 'jwk' }))
  return `${input}.${signature.toString('base64url')}`
}

/** A message whose signer says something else in it. */
export function resigned(key: IdentityKey, compact: string): fc.Arbitrary<string> {
  const [header = '', payload = ''] = compact.split('.').map(text)
  return mutatedJson([JSON.parse(payload)]).map(changed => signedAs(key, header, changed))
}

/** Every kind of signed message: bent on its way, or made so by its signer. */
export function messageDecoders({ messages, signerOf }: Recording): Decoder[] {
  return messageKinds.map(kind => {
    const known = messages.get(kind.typ) as readonly string[]
    const signer = signerOf(known[0] as string)
    const examples = known.filter(one => signerOf(one) === signer).slice(0, MOST_EXAMPLES)
    return messageDecoder(kind, examples, signer)
  })
}

function messageDecoder(kind: Kind, examples: readonly string[], signer: IdentityKey): Decoder {
  const parts = examples.map(one => one.split('.').map(text) as [string, string])
  const headers = parts.map(([header]) => JSON.parse(header))
  const payloads = parts.map(([, payload]) => JSON.parse(payload))
  const inputs = fc.oneof(
    mutatedText(examples),
    mutatedJson(payloads).map(payload => signedAs(signer, JSON.stringify(headers[0]), payload)),
    mutatedJson(headers).map(header => signedAs(signer, header, JSON.stringify(payloads[0]))),
  )
  return decoder<string, Signed<unknown>>({
    name: kind.typ,
    examples,
    inputs,
    codes: ['bad-signature', 'bad-message', 'upgrade-needed'],
    decode: compact => verify<z.ZodType>(kind, compact, signer.publicKey),
    believe: (signed, compact) => {
      const [header = '', payload = '', signature = ''] = compact.split('.')
      const key = createPublicKey({ key: publicHalf(signer), format: 'jwk' })
      const input = Buffer.from(`${header}.${payload}`)
      expect(verifyBytes(null, input, key, Buffer.from(signature, 'base64url'))).toBe(true)
      expect(Buffer.from(signature, 'base64url').toString('base64url')).toBe(signature)
      expect(JSON.parse(text(header))).toMatchObject({ alg: 'Ed25519', typ: kind.typ })
      expect([signed.id, signed.compact]).toEqual([messageId(compact), compact])
      // Whatever it says was taken, and read again it says the same.
      expect(signed.payload).toMatchObject(JSON.parse(text(payload)))
      expect(kind.schema.parse(signed.payload)).toEqual(signed.payload)
      expect(claims<z.ZodType>(kind, compact).payload).toEqual(signed.payload)
    },
  })
}

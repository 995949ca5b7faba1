import { createHash, createPrivateKey, createPublicKey, sign as signBytes, verify as verifyBytes } from 'node:crypto'
import { Refusal } from './parameters.ts'

/** "Form" of specs/messages.md: a JSON object in a compact JWS with Ed25519. */

export interface Message {
  readonly id: string
  readonly kid: unknown
  readonly payload: Record<string, unknown>
}

const LONGEST = 4 * 1024 * 1024

/** RFC 7638: SHA-256 of the required members of the JWK, in the order of their names, without white space. */
export function fingerprint(publicKey: string): string {
  return createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${publicKey}"}`).digest('base64url')
}

/** SHA-256 of the first two parts and the dot between them. */
export function messageId(message: string): string {
  return createHash('sha256').update(message.split('.').slice(0, 2).join('.')).digest('hex')
}

function json(part: string): unknown {
  const bytes = Buffer.from(part, 'base64url')
  return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
}

/** Header and payload of a message of this kind, whoever signed it: only to find out whose key to verify it with. */
export function claimed(message: string, typ: string): Message {
  if (message.length > LONGEST) throw new Refusal('bad-message', 'longer than 4 MiB')
  // The last of 86 characters holds two bits of the 64 bytes; the other four are 0.
  if (!/^[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]$/.test(message)) {
    throw new Refusal('bad-signature', 'not three parts of base64url in their one form')
  }
  try {
    const [header, payload] = message.split('.') as [string, string]
    const { alg, typ: kind, kid, crit } = json(header) as Record<string, unknown>
    if (alg !== 'Ed25519' || kind !== typ || crit !== undefined) throw new Error(`a ${kind} with ${alg}`)
    return { id: messageId(message), kid, payload: json(payload) as Message['payload'] }
  } catch (error) {
    throw new Refusal('bad-signature', String(error))
  }
}

/** Steps 1 and 2 of "Reading". */
export function verifySignature(message: string, typ: string, publicKey: string): Message {
  const read = claimed(message, typ)
  const dot = message.lastIndexOf('.')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' })
  const signature = Buffer.from(message.slice(dot + 1), 'base64url')
  if (!verifyBytes(null, Buffer.from(message.slice(0, dot)), key, signature)) {
    throw new Refusal('bad-signature', 'another key, or another message')
  }
  return read
}

export function sign(privateKey: string, typ: string, payload: string): { message: string; id: string } {
  const pkcs8 = Buffer.concat([
    Buffer.from('302e020100300506032b657004220420', 'hex'),
    Buffer.from(privateKey, 'base64url'),
  ])
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  const { x } = createPublicKey(key as never).export({ format: 'jwk' })
  const header = JSON.stringify({ alg: 'Ed25519', typ, kid: fingerprint(x as string) })
  const input = [header, payload].map(part => Buffer.from(part).toString('base64url')).join('.')
  const message = `${input}.${signBytes(null, Buffer.from(input), key).toString('base64url')}`
  return { message, id: messageId(message) }
}

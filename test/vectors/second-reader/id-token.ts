import { constants, createHash, createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import { Refusal } from './parameters.ts'

/** "Binding" of a login, and what a certificate may say after an ID token, in specs/messages.md. */

type Fields = Record<string, unknown>

const DAY_MS = 86_400_000
const TOLERANCE_S = 120
const BASE64URL = /^[\w-]+$/

function json(part: string): Fields {
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url')))
}

function isSigned(key: Fields, input: string, signature: string): boolean {
  const publicKey = createPublicKey({ key: key as JsonWebKey, format: 'jwk' })
  const alg = key.alg as string
  const hash = /^(RS|PS|ES)/.test(alg) ? `sha${alg.slice(2)}` : null
  const padding = alg.startsWith('PS') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  const how = {
    key: publicKey,
    ...(key.kty === 'RSA' ? { padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : {}),
    dsaEncoding: 'ieee-p1363' as const,
  }
  return verify(hash, Buffer.from(input), how, Buffer.from(signature, 'base64url'))
}

function claimsOf(token: string, sponsored: Fields): Fields {
  const parts = token.split('.') as [string, string, string]
  if (parts.length !== 3 || !parts.every(part => BASE64URL.test(part))) throw new Error('it is no JWS')
  const header = json(parts[0])
  const key = (sponsored.keys as Fields[]).find(one => one.kid === header.kid && one.alg === header.alg)
  if (key === undefined || header.crit !== undefined) throw new Error('nobody knows its key')
  if (!isSigned(key, `${parts[0]}.${parts[1]}`, parts[2])) throw new Error('its signature is another')
  return json(parts[1])
}

/** @returns the name and the last moment, in milliseconds since 1970, of whoever has this key */
export function readIdToken(token: string, sponsored: Fields, publicKey: string): { name: string; until: number } {
  try {
    const { iss, aud, azp, sub, iat, exp, nonce, name } = claimsOf(token, sponsored)
    const [salt, bound] = (nonce as string).split('.')
    const lines = ['inbond/login/v1', sponsored.federation, publicKey, salt].join('\n')
    const sound =
      iss === sponsored.issuer &&
      [aud].flat().length === 1 &&
      [aud].flat()[0] === sponsored.clientId &&
      (azp === undefined || azp === sponsored.clientId) &&
      typeof sub === 'string' &&
      typeof iat === 'number' &&
      typeof exp === 'number' &&
      exp > iat - TOLERANCE_S &&
      createHash('sha256').update(lines).digest('base64url') === bound
    if (!sound) throw new Error('it is of something else')
    const until = Math.min((iat as number) * 1000 + 30 * DAY_MS, Date.parse(sponsored.notAfter as string))
    return { name: typeof name === 'string' ? name : (sub as string), until }
  } catch (error) {
    throw new Refusal('bad-id-token', String(error))
  }
}

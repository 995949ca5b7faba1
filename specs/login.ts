import { createHash } from 'node:crypto'
import type { IdToken } from '#crypto/id-token.ts'
import { fault } from './errors.ts'
import { typedName } from './messages.ts'
import { inOneLine } from './printable.ts'

/**
 * How a login with an organisation's own provider belongs to an identity key: through the nonce that the provider puts into the ID
 * token. A token that is shown with another key, or in another federation, is worth nothing.
 */

const DOMAIN = 'inbond/login/v1'
const NONCE = /^([\w-]{22})\.([\w-]{43})$/

function binding(salt: string, federation: string, publicKey: string): string {
  return createHash('sha256').update([DOMAIN, federation, publicKey, salt].join('\n')).digest('base64url')
}

/** @param random 16 bytes: the provider does not learn which key it is, and no two logins look alike */
export function nonceFor(federation: string, publicKey: string, random: Uint8Array): string {
  const salt = Buffer.from(random).toString('base64url')
  return `${salt}.${binding(salt, federation, publicKey)}`
}

/** @throws InbondError `bad-id-token` */
export function checkNonce(nonce: string, federation: string, publicKey: string): void {
  const [, salt = '', bound] = NONCE.exec(nonce) ?? []
  if (bound === binding(salt, federation, publicKey)) return
  throw fault('bad-id-token', 'the ID token was made for another key')
}

/** What a person is called: the provider's `name`, or what it tells persons apart by. */
export function nameIn(token: IdToken): string {
  const name = typedName.safeParse(inOneLine(token.name ?? '', 200))
  return name.success ? name.data : typedName.parse(inOneLine(token.subject, 200))
}

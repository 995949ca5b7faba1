import { decodeJwt, decodeProtectedHeader, importJWK, type JWK, jwtVerify } from 'jose'
import { cryptoError } from './error.ts'

/**
 * ID tokens of OpenID Connect (Core 1.0, § 2 and § 3.1.3.7), verified offline: with keys that were taken down before, whoever shows
 * the token, and long after it was issued too.
 */

/** A provider of identities, as somebody who knows it wrote it down. */
export interface Provider {
  readonly issuer: string
  /** Of this program at the provider: tokens for another one are refused. */
  readonly clientId: string
  /** Public keys, each good for its own algorithm alone. */
  readonly keys: readonly (JWK & { readonly kid: string; readonly alg: string })[]
}

/** What a token says. Times in milliseconds since 1970. */
export interface IdToken {
  /** The person, as the provider tells it from all others. */
  readonly subject: string
  readonly name: string | undefined
  readonly nonce: string
  readonly issuedAt: number
  readonly expiresAt: number
}

/** How far the provider's clock may differ, in milliseconds. */
const TOLERANCE_MS = 120_000

/**
 * Verifies a token with one of the provider's keys: signature, issuer, audience, and, where a time is given, that it is still fresh.
 * @param now milliseconds since 1970; undefined where the token was fresh when something was made of it
 * @throws InbondError `bad-id-token`
 */
export async function verifyIdToken(token: string, provider: Provider, now: number | undefined): Promise<IdToken> {
  try {
    const { kid, alg } = decodeProtectedHeader(token)
    const known = provider.keys.filter(one => one.alg === alg)
    const key = known.find(one => one.kid === kid) ?? (kid === undefined && known.length === 1 ? known[0] : undefined)
    if (key === undefined) throw new Error(`the provider has no key ${kid} for ${alg}`)
    const { payload } = await jwtVerify(token, await importJWK(key, key.alg), {
      algorithms: [key.alg],
      issuer: provider.issuer,
      audience: provider.clientId,
      requiredClaims: ['sub', 'iat', 'exp', 'nonce'],
      clockTolerance: TOLERANCE_MS / 1000,
      currentDate: new Date(now ?? Number(decodeJwt(token).iat) * 1000),
    })
    const { sub, iat, exp, nonce, name, aud, azp } = payload
    if ([aud].flat().length !== 1 || (azp !== undefined && azp !== provider.clientId)) {
      throw new Error('it is for several programs')
    }
    const issuedAt = Number(iat) * 1000
    if (now !== undefined && issuedAt > now + TOLERANCE_MS) throw new Error('it is issued in the future')
    if (typeof nonce !== 'string') throw new Error('its nonce is no text')
    return {
      subject: sub as string,
      name: typeof name === 'string' ? name : undefined,
      nonce,
      issuedAt,
      expiresAt: Number(exp) * 1000,
    }
  } catch (cause) {
    throw cryptoError('bad-id-token', `this is not a valid ID token of ${provider.issuer} for this program`, cause)
  }
}

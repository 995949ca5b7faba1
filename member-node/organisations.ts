import { z } from 'zod'
import { type Fetch, jsonOf } from '#party/connection.ts'
import { reasonOf } from '#party/unreachable.ts'
import { fault } from '#specs/errors.ts'
import { issuerAddress, type SigningKey, signingKeys } from '#specs/messages.ts'

/** What an organisation's OpenID Connect provider says of itself (Discovery 1.0), as far as a sponsor writes it down. */

const discovery = z.object({ issuer: issuerAddress, jwks_uri: issuerAddress })
const keySet = z.object({ keys: z.array(z.record(z.string(), z.unknown())) })

/** The algorithm of a key that does not name it: what OpenID Connect signs with unless agreed otherwise. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  RSA: 'RS256',
  'P-256': 'ES256',
  'P-384': 'ES384',
  'P-521': 'ES512',
  Ed25519: 'EdDSA',
}
const PARTS: Readonly<Record<string, readonly string[]>> = { RSA: ['n', 'e'], EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'] }

/**
 * The keys with which a provider signs now.
 * @throws InbondError `login-failed` if it does not answer, or not as OpenID Connect has it
 */
export async function providerKeys(issuer: string, fetch: Fetch): Promise<SigningKey[]> {
  const said = await document(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, discovery, fetch)
  if (said.issuer !== issuer) throw fault('login-failed', `${issuer} calls itself ${said.issuer}`)
  const { keys } = await document(said.jwks_uri, keySet, fetch)
  const usable = keys.filter(one => one.use !== 'enc').map(publicPart)
  const known = usable.flatMap(one => signingKeys.element.safeParse(one).data ?? [])
  if (known.length > 0) return known
  throw fault('login-failed', `${issuer} publishes no key that ID tokens may be signed with`)
}

function publicPart(jwk: Record<string, unknown>): Record<string, unknown> {
  const kind = String(jwk.kty === 'RSA' ? 'RSA' : jwk.crv)
  const parts = (PARTS[String(jwk.kty)] ?? []).map(name => [name, jwk[name]])
  return { kty: jwk.kty, kid: jwk.kid, alg: jwk.alg ?? ALGORITHMS[kind], ...Object.fromEntries(parts) }
}

async function document<S extends z.ZodType>(address: string, schema: S, fetch: Fetch): Promise<z.output<S>> {
  const response = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(30_000) }).catch(cause => {
    throw fault('login-failed', `${address} does not answer (${reasonOf(cause)})`, cause)
  })
  const parsed = schema.safeParse(await jsonOf(response))
  if (parsed.success) return parsed.data
  throw fault('login-failed', `${address} does not answer like an OpenID Connect provider (status ${response.status})`)
}

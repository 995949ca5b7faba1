import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { sponsorOrganisation } from '#member-node/researchers.ts'
import { Connection } from '#party/connection.ts'
import { loginReceipt, organisationList } from '#specs/api.ts'
import { nonceFor } from '#specs/login.ts'
import { login } from '#specs/messages.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { type Federation, VOUCHING } from '../federation.ts'
import { signJws } from '../federation-keys.ts'

/** Somebody logs in with an organisation for which `member` vouches, and whose provider is nothing but a key. */
export async function logInMadeUp(among: Federation, member: string): Promise<IdentityKey> {
  const { researcher, clock } = among
  const [provider, key] = [await generateIdentityKey(), await generateIdentityKey()]
  const access = { issuer: 'https://login.example', clientId: 'inbond' }
  const keys = [{ kty: 'OKP', kid: 'first', alg: 'EdDSA', crv: 'Ed25519', x: provider.publicKey } as const]
  const sponsorship = await sponsorOrganisation(among.node(member), {
    ...VOUCHING,
    organisation: 'Bank of tests',
    ...access,
    keys,
  })
  const connection = new Connection(researcher.to, key, clock, researcher.fetch)
  await connection.get('/organisations', organisationList)
  const { federation } = researcher.to
  const iat = Math.floor(clock.now() / 1000)
  const idToken = signJws(provider, {
    iss: access.issuer,
    aud: access.clientId,
    sub: 'eve',
    name: 'Eve',
    nonce: nonceFor(federation, key.publicKey, new Uint8Array(16)),
    iat,
    exp: iat + 3600,
  })
  const { publicKey } = key
  const signed = await sign(key, login, { protocol: PROTOCOL, federation, publicKey, sponsorship, idToken })
  await connection.post('/logins', { login: signed.compact }, loginReceipt)
  return key
}

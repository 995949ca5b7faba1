import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import Provider from 'oidc-provider'

/** An organisation's OpenID Connect provider on this machine, and a person with a browser. */

export interface RunningProvider extends AsyncDisposable {
  readonly issuer: string
  /** With which it signs, public half and private. */
  readonly key: JWK & { readonly kid: string; readonly alg: string }
}

export const CLIENT = 'inbond'

export async function startProvider({ claimsParameter = true } = {}): Promise<RunningProvider> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), kid: 'first', alg: 'RS256', use: 'sig' }
  const server: Server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT,
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/callback'],
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    jwks: { keys: [key] },
    claims: { openid: ['sub'], profile: ['name'] },
    features: { claimsParameter: { enabled: claimsParameter } },
    cookies: { keys: ['a key of a test'] },
    conformIdTokenClaims: false,
    findAccount: (_: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, name: `${id[0]?.toUpperCase()}${id.slice(1)} Lovelace` }),
    }),
    ttl: { IdToken: 3600, AccessToken: 3600, Grant: 3600, Session: 3600, Interaction: 3600 },
  })
  server.on('request', provider.callback())
  const close = () => {
    server.closeAllConnections()
    return new Promise<void>(resolve => server.close(() => resolve()))
  }
  return { issuer, key, [Symbol.asyncDispose]: close }
}

/** What a person does at a page of the provider: fills a form in, agrees, or goes away. */
type Person = (page: string) => Readonly<Record<string, string>> | 'cancel'

/** Logs in under a name, and agrees to everything. */
export const personCalled =
  (login: string): Person =>
  page =>
    page.includes('name="login"') ? { prompt: 'login', login, password: 'secret' } : { prompt: 'consent' }

/** A browser with cookies and without a picture. Ends with the last page that it was led to. */
export async function browse(address: string, person: Person): Promise<Response> {
  const cookies = new Map<string, string>()
  let next = { url: address, init: {} as RequestInit }
  for (let steps = 0; steps < 20; steps++) {
    const cookie = [...cookies].map(pair => pair.join('=')).join('; ')
    const response = await fetch(next.url, {
      ...next.init,
      redirect: 'manual',
      headers: { ...next.init.headers, cookie },
    })
    for (const set of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      cookies.set(name, value)
    }
    const to = response.headers.get('location')
    if (to !== null) {
      await response.body?.cancel()
      next = { url: new URL(to, next.url).href, init: {} }
      continue
    }
    if (!new URL(next.url).pathname.startsWith('/interaction/')) return response
    const page = await response.text()
    const answer = person(page)
    if (answer === 'cancel') {
      next = { url: `${next.url.replace(/\/$/, '')}/abort`, init: {} }
    } else {
      const [, action = next.url] = /action="([^"]+)"/.exec(page) ?? []
      next = { url: new URL(action, next.url).href, init: { method: 'POST', body: new URLSearchParams(answer) } }
    }
  }
  throw new Error('the provider sends the browser in a circle')
}

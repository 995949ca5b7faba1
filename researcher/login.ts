import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oauth from 'oauth4webapi'
import type { Randomness } from '#crypto/sampling.ts'
import { fault } from '#specs/errors.ts'
import { nonceFor } from '#specs/login.ts'
import type { OrganisationSponsorship } from '#specs/messages.ts'

/**
 * A login with an organisation's own OpenID Connect provider: authorisation code with PKCE (RFC 7636), back to this machine over the
 * loopback interface (RFC 8252, § 7.3). What comes of it is an ID token that is bound to the researcher's key.
 */

export interface LoginOptions {
  readonly sponsored: Pick<OrganisationSponsorship, 'issuer' | 'clientId' | 'federation'>
  readonly publicKey: string
  readonly randomness: Randomness
  /** Shows a person the address to open. */
  readonly show: (address: string) => void
  readonly signal: AbortSignal
}

/** The least that a name is in: members see whatever the token says. */
const SCOPE = 'openid profile'
const CALLBACK = '/callback'
const PATIENCE_MS = 30_000

/**
 * Lets a person log in, and returns the ID token.
 * @throws InbondError `login-failed`; whatever aborted `signal`
 */
export async function logIn(options: LoginOptions): Promise<string> {
  const { sponsored, publicKey, randomness, show, signal } = options
  const provider = await discover(sponsored.issuer, signal)
  const client: oauth.Client = { client_id: sponsored.clientId }
  const server = await listen()
  try {
    const redirect = `http://127.0.0.1:${(server.address() as AddressInfo).port}${CALLBACK}`
    const [state, verifier] = [oauth.generateRandomState(), oauth.generateRandomCodeVerifier()]
    const nonce = nonceFor(sponsored.federation, publicKey, randomness(16))
    const returning = comesBack(server, state, signal)
    show(await address(provider, { ...client, redirect, state, nonce, verifier }))
    const came = await returning
    const answer = await attempt(async () => {
      const parameters = oauth.validateAuthResponse(provider, client, came, state)
      const request = oauth.authorizationCodeGrantRequest
      const response = await request(
        provider,
        client,
        oauth.None(),
        parameters,
        redirect,
        verifier,
        way(provider, signal),
      )
      return oauth.processAuthorizationCodeResponse(provider, client, response, {
        expectedNonce: nonce,
        requireIdToken: true,
      })
    }, signal)
    return answer.id_token as string
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

async function discover(issuer: string, signal: AbortSignal): Promise<oauth.AuthorizationServer> {
  const at = new URL(issuer)
  return attempt(async () => {
    const request = { algorithm: 'oidc' as const, ...way({ issuer }, signal) }
    return oauth.processDiscoveryResponse(at, await oauth.discoveryRequest(at, request))
  }, signal)
}

/** Without TLS only to this machine: see `issuerAddress`. */
function way({ issuer }: Pick<oauth.AuthorizationServer, 'issuer'>, signal: AbortSignal) {
  return {
    [oauth.allowInsecureRequests]: issuer.startsWith('http:'),
    signal: () => AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
  }
}

interface Asked {
  readonly client_id: string
  readonly redirect: string
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

async function address(provider: oauth.AuthorizationServer, asked: Asked): Promise<string> {
  if (provider.authorization_endpoint === undefined) throw fault('login-failed', 'the provider lets nobody log in')
  const url = new URL(provider.authorization_endpoint)
  const byClaim = provider.claims_parameter_supported === true
  const parameters = {
    client_id: asked.client_id,
    redirect_uri: asked.redirect,
    response_type: 'code',
    // Only the name of what a profile holds, where the provider can tell it apart.
    scope: byClaim ? 'openid' : SCOPE,
    ...(byClaim ? { claims: JSON.stringify({ id_token: { name: null } }) } : {}),
    state: asked.state,
    nonce: asked.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(asked.verifier),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.href
}

/** On any free port of this machine alone. */
function listen(): Promise<Server> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}

/** The address at which the person's browser comes back. What does not know the state is not it, and goes on being waited for. */
function comesBack(server: Server, state: string, signal: AbortSignal): Promise<URL> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    server.on('request', (request, response) => {
      const url = new URL(request.url ?? '/', 'http://127.0.0.1')
      const isIt = request.method === 'GET' && url.pathname === CALLBACK && url.searchParams.get('state') === state
      response.writeHead(isIt ? 200 : 404, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
      response.end(isIt ? 'You can close this page and go back to the terminal.\n' : 'There is nothing here.\n')
      if (isIt) response.on('finish', () => resolve(url))
    })
  })
}

async function attempt<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    signal.throwIfAborted()
    if (cause instanceof oauth.AuthorizationResponseError || cause instanceof oauth.ResponseBodyError) {
      const said = cause.error_description ?? ''
      throw fault('login-failed', `the provider refused the login: ${cause.error} ${said}`.trim(), cause)
    }
    throw fault('login-failed', `the provider did not answer as expected: ${(cause as Error).message}`, cause)
  }
}

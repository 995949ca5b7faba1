import { mkdirSync } from 'node:fs'
import { exportJWK, generateKeyPair, importJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { providerKeys } from '#member-node/organisations.ts'
import { learnRevocation, organisationsOf, revokeOrganisation, sponsorOrganisation } from '#member-node/researchers.ts'
import { revocations } from '#member-node/schema.ts'
import { Connection } from '#party/connection.ts'
import { fetchCertificate } from '#researcher/certificate.ts'
import { prepare } from '#researcher/client.ts'
import { logIn } from '#researcher/login.ts'
import { becomeResearcher } from '#researcher/person.ts'
import { fetchCharter, type Researcher } from '#researcher/researcher.ts'
import { loginReceipt } from '#specs/api.ts'
import { nonceFor } from '#specs/login.ts'
import {
  type Certificate,
  certificate,
  login,
  type OrganisationSponsorship,
  type SponsorshipId,
} from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { loggedIn, verifyCertificate } from '#specs/rules/researcher.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { Federation, openResearcher, VOUCHING } from '../federation.ts'
import { browse, CLIENT, personCalled, type RunningProvider, startProvider } from './provider.ts'

/** People log in with their organisation's provider, a real one; members believe its keys, which a sponsor wrote down, and nobody else. */

const QUESTION = `dataset: declarations
measures: [{ sum: value }]
purpose: who logs in
need: { atLeast: 3 }
closes: 1h
`
const DAY_MS = 86_400_000
const never = new AbortController().signal

let federation: Federation
let provider: RunningProvider
let sponsorship: SponsorshipId

beforeAll(async () => {
  ;[federation, provider] = await Promise.all([Federation.create({ members: ['BR', 'JP', 'KR'] }), startProvider()])
  for (const id of federation.nodes.keys()) federation.load(id, 'flow,period,hs6,value\nimport,2020-01,010121,1.25\n')
  // The provider lives by the clock of this machine.
  federation.clock.advance(Date.now() - federation.clock.now())
  await federation.settle()
  sponsorship = await vouch()
})
afterAll(async () => {
  federation?.[Symbol.dispose]()
  await provider?.[Symbol.asyncDispose]()
})

async function vouch(): Promise<SponsorshipId> {
  const keys = await providerKeys(provider.issuer, fetch)
  const purposes = ['official-statistics', 'research'] as const
  const said = { ...VOUCHING, purposes, organisation: 'Bank of Korea', issuer: provider.issuer, clientId: CLIENT, keys }
  return sponsorOrganisation(federation.node('KR'), said)
}

let people = 0

async function newcomer(): Promise<Researcher> {
  const key = await generateIdentityKey()
  const { to, fetch: way, clock, randomness } = federation.researcher
  const connection = new Connection(to, key, clock, way)
  const directory = `${federation.directory}/person-${++people}`
  mkdirSync(directory)
  return openResearcher(directory, { key, to, connection, fetch: way, clock, randomness })
}

/** Opens the address in a browser as soon as it is shown. */
function withBrowser(person: Parameters<typeof browse>[1]) {
  const pages: Promise<Response>[] = []
  return { pages, show: (address: string) => void pages.push(browse(address, person)) }
}

async function logInAs(researcher: Researcher, name: string): Promise<string> {
  return becomeResearcher(researcher, undefined, withBrowser(personCalled(name)).show, never)
}

async function certified(researcher: Researcher): Promise<Certificate> {
  return claims(certificate, await fetchCertificate(researcher, await fetchCharter(researcher))).payload
}

describe('a person', () => {
  test('logs in with the organisation, asks, and is answered by members who verified the token themselves', async () => {
    const ada = await newcomer()
    expect(await logInAs(ada, 'ada')).toBe('Ada Lovelace')
    const { idToken, ...said } = await certified(ada)
    expect(said).toMatchObject({ name: 'Ada Lovelace', organisation: 'Bank of Korea', sponsor: 'KR', role: 'analyst' })
    expect(Date.parse(said.notAfter)).toBeLessThanOrEqual(Date.now() + 30 * DAY_MS)
    // No more than a name: not even an address.
    const token = JSON.parse(Buffer.from((idToken as string).split('.')[1] as string, 'base64url').toString())
    expect(Object.keys(token).sort()).toEqual(['aud', 'exp', 'iat', 'iss', 'name', 'nonce', 'sub'])
    const asking = Object.assign(Object.create(federation), { researcher: ada }) as Federation
    expect((await asking.ask(QUESTION)).cohort).toEqual(['BR', 'JP', 'KR'])
  })

  test('logs in again with the same key, and then holds another certificate', async () => {
    const grace = await newcomer()
    await logInAs(grace, 'grace')
    const first = await certified(grace)
    await logInAs(grace, 'grace')
    const { idToken, ...said } = await certified(grace)
    expect(idToken).not.toBe(first.idToken)
    expect(said).toMatchObject({ name: first.name, publicKey: first.publicKey })
  })

  test('who goes away is not let in', async () => {
    const { show, pages } = withBrowser(() => 'cancel')
    const attempt = becomeResearcher(await newcomer(), undefined, show, never)
    await expect(attempt).rejects.toMatchObject({
      code: 'login-failed',
      message: expect.stringMatching(/refused the login: access_denied/),
    })
    expect(await (await (pages[0] as Promise<Response>)).text()).toMatch(/close this page/)
  })

  test('who presses Ctrl-C leaves nothing that listens', async () => {
    const leaving = new AbortController()
    let shown = ''
    const attempt = becomeResearcher(
      await newcomer(),
      undefined,
      address => {
        shown = address
        leaving.abort(new DOMException('left', 'AbortError'))
      },
      leaving.signal,
    )
    await expect(attempt).rejects.toMatchObject({ name: 'AbortError' })
    const callback = new URL(shown).searchParams.get('redirect_uri') as string
    await expect(fetch(callback)).rejects.toThrow()
  })

  test('comes back with the state that was given, or is waited for', async () => {
    let tried: Promise<number[]> | undefined
    const attempt = becomeResearcher(
      await newcomer(),
      undefined,
      address => {
        const { searchParams } = new URL(address)
        const back = searchParams.get('redirect_uri') as string
        const wrong = [
          `${back}?code=stolen&state=another`,
          `${back}?code=stolen`,
          `${new URL(back).origin}/favicon.ico`,
        ]
        tried = Promise.all(wrong.map(async url => (await fetch(url)).status)).then(async statuses => {
          await fetch(`${back}?error=server_error&state=${searchParams.get('state')}&iss=${provider.issuer}`)
          return statuses
        })
      },
      never,
    )
    await expect(attempt).rejects.toMatchObject({
      code: 'login-failed',
      message: expect.stringMatching(/server_error/),
    })
    expect(await tried).toEqual([404, 404, 404])
  })

  test('of a provider that is not there, or is none, is told', async () => {
    const key = await generateIdentityKey()
    const sponsored = { issuer: 'http://127.0.0.1:9', clientId: CLIENT, federation: key.fingerprint }
    const options = { sponsored, publicKey: key.publicKey, randomness: federation.researcher.randomness }
    await expect(logIn({ ...options, show: () => undefined, signal: never })).rejects.toMatchObject({
      code: 'login-failed',
    })
    await expect(providerKeys('http://127.0.0.1:9', fetch)).rejects.toMatchObject({ code: 'login-failed' })
    const strange = async () =>
      Response.json({ issuer: 'https://another.example', jwks_uri: 'https://another.example/k' })
    await expect(providerKeys('https://login.example', strange)).rejects.toMatchObject({
      message: expect.stringMatching(/calls itself https:\/\/another.example/),
    })
  })
})

describe('an ID token', () => {
  let holder: IdentityKey
  const now = () => federation.clock.now()

  beforeAll(async () => {
    holder = await generateIdentityKey()
  })

  /** What the provider would sign for the holder, with something wrong. */
  async function token(
    change: { readonly [claim: string]: unknown } = {},
    { key = provider.key, alg = 'RS256', kid = 'first' as string | undefined } = {},
  ): Promise<string> {
    const said: JWTPayload = {
      iss: provider.issuer,
      aud: CLIENT,
      sub: 'ada',
      name: 'Ada Lovelace',
      nonce: nonceFor(federation.coordinator.context.key.fingerprint, holder.publicKey, new Uint8Array(16)),
      iat: Math.floor(now() / 1000),
      exp: Math.floor(now() / 1000) + 3600,
      ...change,
    }
    return new SignJWT(said).setProtectedHeader({ alg, ...(kid ? { kid } : {}) }).sign(await importJWK(key, alg))
  }

  async function sent(idToken: string, by = holder, of: SponsorshipId = sponsorship): Promise<string> {
    const { to, fetch: way, clock } = federation.researcher
    const signed = await sign(by, login, {
      protocol: PROTOCOL,
      federation: to.federation,
      publicKey: by.publicKey,
      sponsorship: of,
      idToken,
    })
    const connection = new Connection(to, by, clock, way)
    return (await connection.post('/logins', { login: signed.compact }, loginReceipt)).certificate
  }

  test('that is as it should be is certified, and the same one twice is the same certificate', async () => {
    const good = await token()
    const first = await sent(good)
    expect(await sent(good)).toBe(first)
    expect(claims(certificate, first).payload).toMatchObject({ name: 'Ada Lovelace', publicKey: holder.publicKey })
  })

  test('without a name calls the person as the provider does', async () => {
    const { payload } = claims(certificate, await sent(await token({ name: undefined, sub: 'c0ffee' })))
    expect(payload.name).toBe('c0ffee')
  })

  const ownKey = async () => ({
    ...(await exportJWK((await generateKeyPair('RS256', { extractable: true })).privateKey)),
  })
  const withKey = async (kid: string | undefined) =>
    token({}, { key: { ...(await ownKey()), kid: 'first', alg: 'RS256' }, kid })
  const secret = { kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url'), kid: 'first', alg: 'HS256' }

  const wrong: [string, () => Promise<string>][] = [
    ['of another issuer', () => token({ iss: 'https://login.example' })],
    ['for another program', () => token({ aud: 'webmail' })],
    ['for several programs', () => token({ aud: [CLIENT, 'webmail'], azp: CLIENT })],
    ['that another program was given', () => token({ azp: 'webmail' })],
    ['without a nonce', () => token({ nonce: undefined })],
    ['with a nonce of nothing', () => token({ nonce: 'abc' })],
    [
      'with a nonce for another federation',
      () => token({ nonce: nonceFor('A'.repeat(43), holder.publicKey, new Uint8Array(16)) }),
    ],
    ['that has expired', () => token({ exp: Math.floor(now() / 1000) - 121 })],
    ['that is issued in the future', () => token({ iat: Math.floor(now() / 1000) + 600 })],
    ['without a person', () => token({ sub: undefined })],
    ['signed with another key', () => withKey('first')],
    ['signed with another key under no name', () => withKey(undefined)],
    ['signed with a key that nobody wrote down', () => withKey('second')],
    ['signed with another algorithm of the same key', () => token({}, { alg: 'PS256' })],
    ['signed with a shared secret', () => token({}, { key: secret, alg: 'HS256' })],
    ['that nobody signed', async () => new UnsecuredJWT({ iss: provider.issuer, aud: CLIENT, sub: 'ada' }).encode()],
    ['that is none', async () => 'a.b.c'],
  ]
  test.each(wrong)('%s is refused by the coordinator and by every reader', async (what, make) => {
    const bad = await make()
    await expect(sent(bad)).rejects.toMatchObject({ code: 'bad-id-token' })
    // An expired one was fresh when the certificate was made of it.
    if (what === 'that has expired' || what === 'that is issued in the future') return
    await expect(forged({ idToken: bad })).rejects.toMatchObject({ code: 'bad-id-token' })
  })

  test("is of no use to another key, nor a person's certificate to another person", async () => {
    const good = await token()
    await expect(sent(good, await generateIdentityKey())).rejects.toMatchObject({ code: 'bad-id-token' })
    await expect(forged({ idToken: good, publicKey: federation.researcher.key.publicKey })).rejects.toMatchObject({
      code: 'bad-id-token',
    })
  })

  /** What a coordinator that cheats would certify, as every member reads it. */
  async function forged(change: Partial<Certificate>): Promise<unknown> {
    const honest = claims(certificate, await sent(await token())).payload
    const signed = await sign(federation.coordinator.context.key, certificate, { ...honest, ...change })
    return verifyCertificate(signed.compact, (await fetchCharter(federation.researcher)).payload)
  }

  test('limits what a coordinator can certify', async () => {
    const beyond: Partial<Certificate>[] = [
      { name: 'Somebody else' },
      { organisation: 'Another bank' },
      { purposes: ['risk-analysis'] },
      { notAfter: new Date(now() + 31 * DAY_MS).toISOString() },
      { idToken: null },
    ]
    for (const change of beyond) await expect(forged(change)).rejects.toMatchObject({ code: 'bad-certificate' })
    await expect(forged({})).resolves.toBeDefined()
  })

  test('is not taken for a key that was invited', async () => {
    const { key } = federation.researcher
    const bound = nonceFor(federation.coordinator.context.key.fingerprint, key.publicKey, new Uint8Array(16))
    await expect(sent(await token({ nonce: bound }), key)).rejects.toMatchObject({ code: 'already-enrolled' })
  })

  test('bounds the certificate by the sponsorship too', async () => {
    const own = { ...(await organisation()), notAfter: new Date(now() + DAY_MS).toISOString() }
    expect(await loggedIn(own, holder.publicKey, await token(), now())).toMatchObject({ notAfter: own.notAfter })
  })

  async function organisation(): Promise<OrganisationSponsorship> {
    return {
      protocol: PROTOCOL,
      federation: federation.coordinator.context.key.fingerprint,
      of: 'organisation',
      issuer: provider.issuer,
      clientId: CLIENT,
      keys: await providerKeys(provider.issuer, fetch),
      administration: null,
      organisation: 'Bank of Korea',
      role: VOUCHING.role,
      purposes: ['official-statistics'],
      sponsor: federation.node('KR').id,
      notAfter: new Date(now() + 30 * DAY_MS).toISOString(),
    }
  }
})

describe('an organisation', () => {
  test('that its sponsor revokes lets nobody ask any more, old certificates included', async () => {
    const eve = await newcomer()
    await logInAs(eve, 'eve')
    await prepare(eve, parseQueryFile(QUESTION))
    const node = federation.node('KR')
    await expect(revokeOrganisation(federation.node('JP'), sponsorship, 'x')).rejects.toMatchObject({
      code: 'not-allowed',
    })
    expect(organisationsOf(node)).toMatchObject([{ id: sponsorship, payload: { organisation: 'Bank of Korea' } }])
    await revokeOrganisation(node, sponsorship, 'its provider was broken into')
    const refusal = { code: 'researcher-revoked', message: expect.stringMatching(/its provider was broken into/) }
    await expect(prepare(eve, parseQueryFile(QUESTION))).rejects.toMatchObject(refusal)
    await expect(logInAs(await newcomer(), 'mallory')).rejects.toMatchObject({ code: 'not-found' })
    const stored = node.db.select().from(revocations).get()
    await learnRevocation(federation.node('BR'), (stored as NonNullable<typeof stored>).compact)
    expect(organisationsOf(node)).toEqual([])
    // What was revoked stays so, word by word.
    federation.clock.advance(1000)
    await vouch()
    expect(await logInAs(eve, 'eve')).toBe('Eve Lovelace')
    await prepare(eve, parseQueryFile(QUESTION))
  })
})

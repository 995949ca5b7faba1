import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyCheckpoint } from '#crypto/checkpoint.ts'
import { append, emptyLog, headOf, leafHash } from '#crypto/log.ts'
import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { isoTime } from '#party/clock.ts'
import { errorCodes } from '#specs/errors.ts'
import { entriesOf, entryBytes, hashesOf } from '#specs/log-tiles.ts'
import { messageKinds, refusal } from '#specs/messages.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { Federation } from '#test/federation.ts'
import { bearer, problemOf, request, type Sent } from '#test/requests.ts'
import { pose } from '#test/steps.ts'

const QUESTION = `dataset: declarations
measures: [{ count: records }]
purpose: a round to ask about
`
const NOTHING = '0'.repeat(64)
const MINUTE = 60_000

let federation: Federation
let member: IdentityKey
let researcher: IdentityKey
let stranger: IdentityKey

beforeAll(async () => {
  federation = await Federation.create({ members: ['BR', 'JP', 'KR', 'VN'], custodians: ['BR', 'JP', 'KR'] })
  member = federation.node('BR').key
  researcher = federation.researcher.key
  stranger = await generateIdentityKey()
})
afterAll(() => {
  federation[Symbol.dispose]()
})

const ask = (key: IdentityKey | null, path: string, sent?: Sent) => request(federation.coordinator, key, path, sent)

async function refused(answer: Promise<Response>, status: number, code: string): Promise<string> {
  const problem = await problemOf(answer)
  expect([problem.status, problem.code]).toEqual([status, code])
  expect(errorCodes).toContain(problem.code)
  return problem.detail
}

describe('a token', () => {
  test('of an enrolled party is accepted', async () => {
    expect((await ask(member, '/work')).status).toBe(200)
    expect((await ask(researcher, '/queries')).status).toBe(200)
  })

  test('counts without its query string', async () => {
    expect((await ask(researcher, '/queries?anything=else')).status).toBe(200)
  })

  test('must be there', async () => {
    await refused(ask(null, '/work'), 401, 'bad-token')
  })

  test.each([
    '',
    'Bearer',
    'Bearer ',
    'Bearer a.b.c',
    'Bearer abc',
    'Basic YTpi',
    `Bearer ${'a'.repeat(5000)}`,
    'Bearer eyJhbGciOiJub25lIn0.e30.',
  ])('must not be %j', async authorization => {
    await refused(ask(null, '/work', { headers: { authorization } }), 401, 'bad-token')
  })

  test('of a key that is not enrolled is refused', async () => {
    await refused(ask(stranger, '/work'), 401, 'bad-token')
  })

  test("signed by a stranger in a member's name is refused", async () => {
    const impostor = { ...stranger, fingerprint: member.fingerprint }
    await refused(ask(impostor, '/work'), 401, 'bad-token')
  })

  test('that is another kind of message is refused', async () => {
    const other = await sign(member, refusal, {
      protocol: PROTOCOL,
      round: NOTHING as never,
      member: 'BR' as never,
      step: 'open',
      code: 'x',
      reason: 'x',
    })
    await refused(ask(null, '/work', { headers: { authorization: `Bearer ${other.compact}` } }), 401, 'bad-token')
  })

  test.each([
    ['path', { path: '/prekeys' }],
    ['path with a slash too many', { path: '/work/' }],
    ['method', { method: 'POST' }],
  ])('of another %s is refused', async (_, token) => {
    expect(await refused(ask(member, '/work', { token }), 401, 'bad-token')).toMatch(/another request/)
  })

  test('of another federation is refused', async () => {
    await refused(ask(member, '/work', { token: { federation: stranger.fingerprint } }), 409, 'wrong-federation')
  })

  test.each([-2 * MINUTE, 2 * MINUTE])('may be %i ms away', async away => {
    const issuedAt = isoTime(federation.clock.now() + away)
    expect((await ask(member, '/work', { token: { issuedAt } })).status).toBe(200)
  })

  test.each([-2 * MINUTE - 1000, 2 * MINUTE + 1000])('must not be %i ms away, and the refusal says so', async away => {
    const issuedAt = isoTime(federation.clock.now() + away)
    expect(await refused(ask(member, '/work', { token: { issuedAt } }), 401, 'clock-skew')).toMatch(/differ by 121 s/)
  })

  test('is good for one path only, whoever sends it', async () => {
    const authorization = await bearer(federation.coordinator, member, 'GET', '/work')
    await refused(ask(null, '/queries', { headers: { authorization } }), 401, 'bad-token')
  })
})

describe('a body', () => {
  test.each(['{', 'null', '[]', '"text"', '{}', '{"query":5}', '', '\u0000', '{"query":"a"'])(
    "of %j is the sender's mistake",
    async body => {
      await refused(ask(researcher, '/queries', { method: 'POST', body }), 400, 'bad-request')
    },
  )

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', ''])(
    'of type %j is refused',
    async type => {
      const sent = { method: 'POST', body: '{"query":"a"}', headers: { 'content-type': type } }
      await refused(ask(researcher, '/queries', sent), 400, 'bad-request')
    },
  )

  test('that is missing is refused', async () => {
    await refused(ask(researcher, '/queries', { method: 'POST' }), 400, 'bad-request')
    await refused(ask(member, `/rounds/${NOTHING}/contribution`, { method: 'PUT' }), 400, 'bad-body')
  })

  test('that is too long is refused, announced or not, signed or not', async () => {
    const long = JSON.stringify({ query: 'a'.repeat(6 * 1024 * 1024) })
    const chunks = () =>
      ReadableStream.from([Buffer.from(long.slice(0, 3_000_000)), Buffer.from(long.slice(3_000_000))])
    await refused(ask(researcher, '/queries', { method: 'POST', body: long }), 413, 'too-large')
    await refused(ask(researcher, '/queries', { method: 'POST', body: chunks() }), 413, 'too-large')
    await refused(ask(null, '/enrolments', { method: 'POST', body: chunks() }), 413, 'too-large')
  })

  test('that is nested ten thousand deep is refused', async () => {
    const body = `{"query":${'['.repeat(10_000)}${']'.repeat(10_000)}}`
    await refused(ask(researcher, '/queries', { method: 'POST', body }), 400, 'bad-request')
  })

  const messages: [string, string, object][] = [
    ['/enrolments', 'public', { enrolment: 'a.b.c' }],
    ['/consents', 'member', { consent: 'a.b.c' }],
    ['/prekeys', 'member', { prekeys: ['a.b.c'] }],
    ['/queries', 'researcher', { query: 'a.b.c' }],
    [`/queries/${NOTHING}/cancellation`, 'researcher', { cancellation: 'a.b.c' }],
    [`/rounds/${NOTHING}/refusals`, 'member', { refusal: 'a.b.c' }],
    [`/rounds/${NOTHING}/agreements`, 'member', { agreement: 'a.b.c' }],
    [`/rounds/${NOTHING}/openings`, 'member', { opening: 'a.b.c', sealed: '' }],
  ]
  test.each(messages)('to %s with a message that is none is refused', async (path, who, body) => {
    const key = { public: null, member, researcher }[who] ?? null
    await refused(ask(key, path, { body }), 400, 'bad-signature')
  })
})

describe('who may do what', () => {
  const ofMembers: [string, string, object | null][] = [
    ['GET', '/work', null],
    ['POST', '/prekeys', { prekeys: ['a'] }],
    ['POST', '/consents', { consent: 'a' }],
    ['PUT', `/rounds/${NOTHING}/contribution`, new Uint8Array(9)],
    ['POST', `/rounds/${NOTHING}/refusals`, { refusal: 'a' }],
    ['GET', `/rounds/${NOTHING}/shares`, null],
    ['POST', `/rounds/${NOTHING}/agreements`, { agreement: 'a' }],
    ['POST', `/rounds/${NOTHING}/openings`, { opening: 'a', sealed: 'aa' }],
  ]
  test.each(ofMembers)('a researcher may not %s %s', async (method, path, body) => {
    await refused(ask(researcher, path, { method, body }), 403, 'not-allowed')
  })

  const ofResearchers: [string, string, object | null][] = [
    ['POST', '/queries', { query: 'a' }],
    ['GET', '/queries', null],
    ['GET', `/queries/${NOTHING}`, null],
    ['POST', `/queries/${NOTHING}/cancellation`, { cancellation: 'a' }],
  ]
  test.each(ofResearchers)('a member may not %s %s', async (method, path, body) => {
    await refused(ask(member, path, { method, body }), 403, 'not-allowed')
  })

  test("a running round is nobody's to read but, once opened, its recipient's", async () => {
    const { round } = await pose(federation, QUESTION)
    for (const path of ['answer', 'sum', 'contributions/BR']) {
      await refused(ask(member, `/rounds/${round}/${path}`), 403, 'not-allowed')
      await refused(ask(researcher, `/rounds/${round}/${path}`), 404, 'not-found')
    }
    await refused(ask(member, `/rounds/${round}/shares`), 404, 'not-found')
    await federation.settle()
    await refused(ask(federation.node('VN').key, `/rounds/${round}/shares`), 403, 'not-allowed')
    await refused(ask(member, `/rounds/${round}/sum`), 403, 'not-allowed')
    await refused(ask(researcher, `/rounds/${round}/contributions/ZZ`), 404, 'not-found')
    expect((await ask(researcher, `/rounds/${round}/contributions/BR`)).status).toBe(200)
  })

  test('what does not exist is not found, and says so to its party only', async () => {
    await refused(ask(researcher, `/queries/${NOTHING}`), 404, 'not-found')
    await refused(ask(member, `/rounds/${NOTHING}/shares`), 404, 'not-found')
    await refused(ask(member, `/charters/${NOTHING}`), 404, 'not-found')
    await refused(ask(researcher, `/rounds/${NOTHING}/answer`), 404, 'not-found')
    await refused(ask(null, `/queries/${NOTHING}`), 401, 'bad-token')
  })

  test.each(['xyz', '%00', "'%20OR%201=1", '..%2F..%2Fcoordinator.sqlite', 'A'.repeat(64)])(
    'an id like %s is refused',
    async id => {
      await refused(ask(member, `/rounds/${id}/shares`), 400, 'bad-request')
      await refused(ask(researcher, `/rounds/${NOTHING}/contributions/${id}`), 400, 'bad-request')
    },
  )
})

describe('what is not there', () => {
  test.each(['/nothing', '/healthz/more', '/charters', '/favicon.ico', '/.env'])('%s', async path => {
    await refused(ask(member, path), 404, 'not-found')
  })

  test.each([
    ['DELETE', '/queries'],
    ['PUT', '/work'],
    ['GET', '/enrolments'],
    ['PATCH', '/federation'],
    ['POST', '/healthz'],
  ])('%s %s', async (method, path) => {
    const body = method === 'PATCH' || method === 'PUT' || method === 'POST' ? {} : null
    await refused(ask(member, path, { method, body }), 404, 'not-found')
  })
})

describe('too many requests', () => {
  async function flood(key: IdentityKey | null): Promise<number> {
    for (let sent = 0; sent < 2000; sent++) {
      if ((await ask(key, '/queries')).status === 429) return sent
    }
    return Number.POSITIVE_INFINITY
  }

  test('in a minute are refused, for this party alone and for this minute', async () => {
    federation.clock.advance(MINUTE)
    expect(await flood(researcher)).toBe(1200)
    expect(await refused(ask(researcher, '/queries'), 429, 'too-many-requests')).toMatch(/1200/)
    expect((await ask(member, '/work')).status).toBe(200)
    federation.clock.advance(MINUTE)
    expect((await ask(researcher, '/queries')).status).toBe(200)
  })

  test("in somebody else's name do not use up what that party may ask", async () => {
    federation.clock.advance(MINUTE)
    expect(await flood({ ...stranger, fingerprint: member.fingerprint })).toBe(1200)
    expect((await ask(member, '/work')).status).toBe(200)
    await refused(ask(null, '/enrolments', { body: { enrolment: 'a.b.c' } }), 429, 'too-many-requests')
  })
})

describe('what operators and readers ask for', () => {
  const VERBS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH']
  const OF_THE_SERVICE = ['/', '/healthz', '/readyz', '/openapi.json', '/reference']
  const routes = () => [
    ...new Set(
      federation.coordinator.app.routes
        .filter(({ method, path }) => VERBS.includes(method) && !OF_THE_SERVICE.includes(path))
        .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)(?:\{\.\+\})?/g, '{$1}')}`),
    ),
  ]

  interface Operation {
    readonly summary?: string
    readonly security?: readonly object[]
    readonly parameters?: readonly { in: string; name: string; required?: boolean }[]
    readonly responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>
  }
  async function document() {
    const answer = await ask(null, '/openapi.json')
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    return (await answer.json()) as {
      openapi: string
      info: { title: string; version: string }
      paths: Record<string, Record<string, Operation>>
      components: { securitySchemes: Record<string, object> }
    }
  }

  test('/healthz and /readyz', async () => {
    for (const path of ['/healthz', '/readyz']) expect((await ask(null, path)).status).toBe(200)
  })

  test('an OpenAPI 3.1 document with every route, what it needs and what it answers', async () => {
    const { openapi, info, paths, components } = await document()
    expect(openapi).toMatch(/^3\.1\.\d$/)
    expect(info).toMatchObject({ title: expect.stringMatching(/\S/), version: '1' })
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path}`,
        path,
        operation,
      })),
    )
    expect(operations.map(one => one.name).toSorted()).toEqual(routes().toSorted())
    for (const { path, operation } of operations) {
      expect(operation.summary).toMatch(/^[A-Z]/)
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const declared = (operation.parameters ?? []).filter(one => one.in === 'path' && one.required)
      expect(declared.map(one => one.name)).toEqual(inPath)
      expect(Object.keys(operation.responses).some(status => /^2\d\d$/.test(status))).toBe(true)
      expect(operation.responses.default?.content).toHaveProperty(['application/problem+json', 'schema'])
      for (const scheme of operation.security ?? []) expect(components.securitySchemes).toMatchObject(mapValues(scheme))
    }
  })

  test('every reference in the document leads somewhere', async () => {
    const whole = await document()
    const references = [...JSON.stringify(whole).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path as string)
    for (const path of references) expect(whole).toHaveProperty(path.split('/'))
  })

  test('what the document says to need a token does, and nothing else', async () => {
    federation.clock.advance(MINUTE)
    const { paths } = await document()
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const body = method === 'get' ? null : {}
        const answer = await ask(null, path.replaceAll(/\{\w+\}/g, NOTHING), { method: method.toUpperCase(), body })
        expect([path, answer.status === 401]).toEqual([path, (operation.security ?? []).length > 0])
      }
    }
  })

  test('a reference page with every path and every kind of message', async () => {
    const answer = await ask(null, '/reference')
    expect(answer.headers.get('content-type')).toMatch(/^text\/html/)
    const page = await answer.text()
    for (const path of Object.keys((await document()).paths)) expect(page).toContain(`<code>${path}</code>`)
    for (const { typ } of messageKinds) expect(page).toContain(`<code>${typ}</code>`)
  })

  test('nothing was wrong inside', () => {
    expect(federation.errors).toEqual([])
  })
})

function mapValues(scheme: object): object {
  return Object.fromEntries(Object.keys(scheme).map(name => [name, expect.anything()]))
}

describe('the log', () => {
  const read = async (path: string, key: IdentityKey | null = null) => {
    const response = await ask(key, path)
    expect([path, response.status]).toEqual([path, 200])
    return response
  }

  test('is for everybody, and ends in a signed head', async () => {
    const { context } = federation.coordinator
    const response = await read('/log/checkpoint')
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; charset=utf-8$/i)
    expect(response.headers.get('cache-control')).toBe('no-cache')
    const text = await response.text()
    const head = await verifyCheckpoint(text, context.key.publicKey)
    expect(head).toMatchObject(context.log.head())
    expect(await (await read('/log/checkpoint', member)).text()).toBe(text)
    expect(head.size).toBeGreaterThan(5)
    const bundle = await read(`/log/tile/entries/000.p/${head.size}`)
    const entries = entriesOf(new Uint8Array(await bundle.arrayBuffer()), head.size)
    const tile = await read(`/log/tile/0/000.p/${head.size}`)
    const hashes = hashesOf(new Uint8Array(await tile.arrayBuffer()), head.size)
    expect(hashes.map(hex)).toEqual(entries.map(one => hex(leafHash(entryBytes(one)))))
    expect(headOf(hashes.reduce((frontier, hash) => append(frontier, hash), emptyLog))).toEqual(context.log.head())
    for (const { headers } of [bundle, tile]) {
      expect(headers.get('content-type')).toBe('application/octet-stream')
      expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    }
  })

  test.each([
    '/log/tile/0/000',
    '/log/tile/0/000.p/255',
    '/log/tile/1/000.p/1',
    '/log/tile/entries/001.p/1',
    '/log/tile/0/000.p/0',
    '/log/tile/0/%30%30%30.p/1',
    '/log/tile/0/x000%2f000.p/1',
    '/log/tile/0',
    '/log/tile/',
    '/log',
  ])('has nothing at %s, and nobody is told to remember that', async path => {
    const response = await ask(null, path)
    expect(response.headers.get('cache-control')).toBeNull()
    await refused(Promise.resolve(response), 404, 'not-found')
  })

  test('is not closed to members by strangers who read too much', async () => {
    federation.clock.advance(MINUTE)
    for (let i = 0; i < 1200; i++) await ask(null, '/log/tile/0/000.p/1')
    await refused(ask(null, '/log/checkpoint'), 429, 'too-many-requests')
    await read('/log/checkpoint', member)
    await refused(ask(stranger, '/log/checkpoint'), 401, 'bad-token')
    federation.clock.advance(MINUTE)
    await read('/log/checkpoint')
  })
})

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

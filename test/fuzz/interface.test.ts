import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { invite } from '#coordinator/enrolment.ts'
import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { type ErrorCode, errorCodes, statuses } from '#specs/errors.ts'
import { enrolment, type MemberId } from '#specs/messages.ts'
import { remedyOf } from '#specs/problem.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { effort, seed } from '../effort.ts'
import { request, URL_OF_COORDINATOR } from '../requests.ts'
import { mutatedBytes, mutatedJson, PIECES } from './mutations.ts'
import { type Exchange, record } from './recording.ts'
import { resigned } from './signed.ts'

/**
 * The coordinator's interface, driven from its own OpenAPI document: what honest parties sent, sent again, with one thing wrong,
 * and with most things wrong. Whatever comes, the answer is one that the document promises, and never a 500.
 */

const recording = await record()
const { federation, rounds } = recording
const { coordinator, clock } = federation
afterAll(() => federation[Symbol.dispose]())

interface Operation {
  readonly method: string
  readonly path: string
  readonly pattern: RegExp
  readonly isPublic: boolean
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: object }> }>
}

type Paths = Record<string, Record<string, Pick<Operation, 'responses'> & { readonly security?: readonly object[] }>>

const { paths } = (await (await request(coordinator, null, '/openapi.json')).json()) as { paths: Paths }
const operations: Operation[] = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { responses, security = [] }]) => ({
    method: method.toUpperCase(),
    path,
    // The index of a tile has slashes in it.
    pattern: new RegExp(`^${path.replace('{index}', '.+').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    isPublic: security.length === 0,
    responses,
  })),
)

function operationOf(method: string, path: string): Operation | undefined {
  // As it arrives: a path to .. is another.
  const { pathname } = new URL(path, URL_OF_COORDINATOR)
  return operations.find(one => one.method === method && one.pattern.test(pathname))
}

/** A researcher beside the one who asked. */
async function another(): Promise<{ key: IdentityKey; enrolled: Pick<Exchange, 'method' | 'path' | 'sent'> }> {
  const key = await generateIdentityKey()
  invite(coordinator.context, { role: 'researcher', subject: 'Grace', sponsor: 'BR' as MemberId }, 'g'.repeat(24))
  const signed = await sign(key, enrolment, {
    protocol: PROTOCOL,
    role: 'researcher',
    federation: coordinator.context.key.fingerprint,
    invitation: 'g'.repeat(24),
    publicKey: key.publicKey,
    name: 'Grace',
  })
  const enrolled = {
    method: 'POST',
    path: '/enrolments',
    sent: Buffer.from(JSON.stringify({ enrolment: signed.compact })),
  }
  return { key, enrolled }
}

const grace = await another()
const keys: Readonly<Record<string, IdentityKey>> = {
  ...Object.fromEntries([...federation.nodes].map(([id, node]) => [id, node.key])),
  researcher: federation.researcher.key,
  Grace: grace.key,
  stranger: await generateIdentityKey(),
}
const NOBODY = 'nobody'

/** A request, of which anything may be wrong. */
interface Attempt {
  readonly who: string
  readonly method: string
  readonly path: string
  readonly body: Uint8Array
  readonly headers?: Record<string, string>
  /** Replaces fields of the token. */
  readonly token?: object
}

/** What honest parties sent, at least one request of every operation. */
const honest: readonly Attempt[] = [
  { who: NOBODY, ...grace.enrolled, body: grace.enrolled.sent },
  ...recording.exchanges.map(({ who, method, path, sent }) => ({
    who,
    method,
    path: path.replace(/\?since=.*/, ''),
    body: sent,
  })),
  { who: 'BR', method: 'PUT', path: `/rounds/${rounds.open.round}/contribution`, body: recording.held },
  { who: 'BR', method: 'GET', path: '/prekeys', body: Buffer.of() },
  {
    who: 'BR',
    method: 'POST',
    path: '/prekeys/withdrawals',
    body: Buffer.from(JSON.stringify({ prekeys: ['0'.repeat(64)] })),
  },
  { who: 'BR', method: 'GET', path: `/revocations/${recording.revocation}`, body: Buffer.of() },
  { who: 'researcher', method: 'GET', path: '/queries', body: Buffer.of() },
  ...['/log/checkpoint', '/log/tile/0/000.p/3', '/log/tile/entries/000.p/3', '/releases', recording.release].map(
    path => ({
      who: NOBODY,
      method: 'GET',
      path,
      body: Buffer.of(),
    }),
  ),
]

/** One of each operation and sender, newest first. */
const distinct = [
  ...new Map(honest.map(one => [`${one.who} ${operationOf(one.method, one.path)?.path} ${one.method}`, one])).values(),
]

let sent = 0

async function send({ who, method, path, body, headers, token }: Attempt): Promise<Response> {
  // A party may ask 1,200 times in a minute.
  if (++sent % 500 === 0) clock.advance(60_000)
  const key = keys[who] ?? null
  return request(coordinator, key, path, {
    method,
    body: body.length === 0 || method === 'GET' || method === 'HEAD' ? null : new Uint8Array(body),
    headers: { ...(method === 'GET' ? {} : { 'content-type': contentType(method) }), ...headers },
    ...(token === undefined ? {} : { token }),
  })
}

function contentType(method: string): string {
  return method === 'PUT' ? 'application/octet-stream' : 'application/json'
}

const LEAKS = /\bat .+[(/].+:\d+:\d+|node_modules|file:\/\/|\bSELECT\b|\bINSERT\b|SQLITE|\.sqlite|node:internal/

/** What every answer must be, whatever was asked. */
async function check(operation: Operation | undefined, method: string, response: Response): Promise<void> {
  const { status } = response
  const type = response.headers.get('content-type')?.split(';')[0]
  const bytes = Buffer.from(await response.arrayBuffer())
  expect(status).not.toBe(500)
  if (status >= 400) {
    expect(type).toBe('application/problem+json')
    if (method === 'HEAD') return
    const problem = JSON.parse(bytes.toString())
    expect(errorCodes).toContain(problem.code)
    expect(problem).toMatchObject({
      status,
      type: `urn:inbond:error:${problem.code}`,
      detail: expect.stringMatching(/\S/),
      remedy: remedyOf(problem.code),
    })
    expect(statuses[problem.code as ErrorCode]).toBe(status)
    expect(problem.detail.length).toBeLessThan(2000)
    expect(bytes.toString()).not.toMatch(LEAKS)
    expect(bytes.toString()).not.toContain(federation.directory)
  }
  if (operation === undefined) return
  const promised = operation.responses[status] ?? operation.responses.default
  const content = promised?.content ?? {}
  if (bytes.length === 0) expect(content).toEqual({})
  else expect(Object.keys(content)).toContain(type)
  const schema = content[type ?? '']?.schema
  if (schema && type?.endsWith('json')) {
    expect(z.fromJSONSchema(schema as never).safeParse(JSON.parse(bytes.toString())).error).toBeUndefined()
  }
}

describe('the OpenAPI document', () => {
  test('promises in detail: every JSON schema says which fields there are', () => {
    for (const { responses, path } of operations) {
      for (const { content = {} } of Object.values(responses)) {
        for (const [type, { schema }] of Object.entries(content)) {
          if (type === 'text/plain') expect(schema).toMatchObject({ type: 'string' })
          else if (type === 'application/octet-stream')
            expect(schema).toMatchObject({ type: 'string', format: 'binary' })
          else
            expect([path, schema]).toEqual([
              path,
              expect.objectContaining({ type: 'object', properties: expect.anything() }),
            ])
        }
      }
    }
  })

  test('keeps its promises to honest parties, in every operation', async () => {
    const answered = new Set<string>()
    for (const one of distinct) {
      const operation = operationOf(one.method, one.path)
      const response = await send(one)
      if (response.ok) answered.add(`${operation?.method} ${operation?.path}`)
      await check(operation, one.method, response)
    }
    expect([...answered].toSorted()).toEqual(operations.map(one => `${one.method} ${one.path}`).toSorted())
  })
})

const IDS = [
  ...Object.values(rounds).flatMap(one => [one.round, one.query]),
  '0'.repeat(64),
  'A'.repeat(64),
  '..',
  '%2e%2e%2f',
  '%00',
  '%zz',
  'BR',
  'ZZ',
  "'",
  'x'.repeat(900),
]
const who = fc.constantFrom(...Object.keys(keys), NOBODY)

/** The same body with its message said otherwise and well signed, or bent, or something else altogether. */
function hostileBody({ who: sender, method, body }: Attempt): fc.Arbitrary<Uint8Array> {
  if (method === 'PUT') return mutatedBytes([body])
  const strange = fc.constantFrom('', '{', 'null', '[]', '"x"', '{"a":'.repeat(5000), `[${'0,'.repeat(100_000)}0]`)
  const bytes = (text: fc.Arbitrary<string>) => text.map(one => Buffer.from(one) as Uint8Array)
  const document = body.length === 0 ? {} : JSON.parse(Buffer.from(body).toString())
  const [field, message] = Object.entries(document)[0] ?? []
  const bent = bytes(fc.oneof({ weight: 4, arbitrary: mutatedJson([document]) }, { weight: 1, arbitrary: strange }))
  if (field === undefined) return bent
  const compact = Array.isArray(message) ? message[0] : message
  const key = keys[sender] ?? keys.Grace
  if (typeof compact !== 'string' || !compact.startsWith('eyJ') || key === undefined) return bent
  const said = resigned(key, compact).map(one =>
    JSON.stringify({ ...document, [field]: Array.isArray(message) ? [one] : one }),
  )
  return fc.oneof(bent, bytes(said))
}

const header = fc.oneof(
  fc
    .constantFrom(
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      '',
      'application/json; charset=utf-16',
    )
    .map(type => ({ 'content-type': type })),
  fc
    .constantFrom('Bearer', 'Bearer x', `Bearer ${'a.'.repeat(1500)}`, 'Basic YTpi', 'Bearer eyJ9.e30.AAAA')
    .map(authorization => ({
      authorization,
    })),
  fc.constantFrom('0', '-1', '99999999999999999999', 'x', '5, 6').map(length => ({ 'content-length': length })),
  fc
    .constantFrom('gzip', 'identity', 'x'.repeat(9000))
    .map(encoding => ({ 'content-encoding': encoding, accept: encoding })),
  fc
    .constantFrom('x', '\u00e9', 'a'.repeat(300), '00000000-0000-0000-0000-000000000000')
    .map(id => ({ 'x-request-id': id })),
)

const token = fc.constantFrom(
  { path: '/work' },
  { method: 'DELETE' },
  { federation: 'x'.repeat(43) },
  { issuedAt: '2000-01-01T00:00:00.000Z' },
  { issuedAt: '9999-12-31T23:59:59.999Z' },
)

const otherPath = (path: string) =>
  fc.oneof(
    fc.tuple(fc.constantFrom(...IDS), fc.constantFrom(...IDS)).map(([one, two]) => {
      const ids = [one, two]
      return path.replaceAll(/[0-9a-f]{64}|(?<=contributions\/)\w+/g, () => ids.shift() as string)
    }),
    fc
      .constantFrom(...PIECES, 'x'.repeat(65), 'a&since=b', 'a&a=b')
      .map(piece => `${path}?since=${encodeURIComponent(piece.toWellFormed())}`),
    fc.constantFrom(...PIECES).map(piece => `${path}/${encodeURIComponent(piece.toWellFormed())}`),
    fc.constantFrom('/', '//', '/.', '?', '#x', '%2f', ';a=b').map(end => path + end),
  )

/** Some operations are asked for hundreds of times in a recording, others once. */
const ofEachOperation = [...Map.groupBy(distinct, ({ method, path }) => operationOf(method, path)).values()]

/** One to three things are wrong with an honest request. */
const attempts: fc.Arbitrary<Attempt> = fc
  .constantFrom(...ofEachOperation)
  .chain(some => fc.constantFrom(...some))
  .chain(one => {
    const change: fc.Arbitrary<Partial<Attempt>> = fc.oneof(
      { weight: 6, arbitrary: fc.record({ body: hostileBody(one) }) },
      { weight: 2, arbitrary: fc.record({ path: otherPath(one.path) }) },
      { weight: 1, arbitrary: fc.record({ who }) },
      {
        weight: 1,
        arbitrary: fc.record({ method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS') }),
      },
      { weight: 1, arbitrary: fc.record({ headers: header }) },
      { weight: 1, arbitrary: fc.record({ token }) },
    )
    return fc
      .array(change, { minLength: 1, maxLength: 3 })
      .map(changes => Object.assign({}, one, ...changes) as Attempt)
  })

describe(`with seed ${seed}`, () => {
  test('whatever is sent, the answer is one that the document promises', async () => {
    const seen = new Map<string, Set<number>>()
    await fc.assert(
      fc.asyncProperty(attempts, async attempt => {
        const response = await send(attempt)
        const operation = operationOf(attempt.method, attempt.path)
        if (operation) {
          const name = `${operation.method} ${operation.path}`
          seen.set(name, (seen.get(name) ?? new Set()).add(response.status))
        }
        await check(operation, attempt.method, response)
        expect(federation.errors).toEqual([])
      }),
      { numRuns: effort(500, 50_000), seed, examples: ofEachOperation.map(([intact]) => [intact as Attempt]) },
    )
    expect([...seen.keys()].toSorted()).toEqual(operations.map(one => `${one.method} ${one.path}`).toSorted())
  }, 3_600_000)
})

describe('who asks for what', () => {
  /** Who is enrolled sees charters, the ledger of cohorts, and what members offer; everybody sees releases. */
  const isForAll = ({ method, path }: Pick<Exchange, 'method' | 'path'>) =>
    /^\/(charters|cohorts|releases|revocations|void-certificates)\//.test(path) ||
    (method === 'GET' && path === '/offers')
  /** A recipient adds up again, or the custodian that was drawn. */
  const isForBoth = (path: string) => path.includes('/contributions/')
  const secured = operations.filter(one => !one.isPublic)

  test('a stranger and nobody are told nothing but that', async () => {
    for (const one of distinct.filter(({ method, path }) => secured.includes(operationOf(method, path) as Operation))) {
      for (const sender of [NOBODY, 'stranger']) {
        const response = await send({ ...one, who: sender })
        expect([one.path, response.status]).toEqual([one.path, 401])
      }
    }
  })

  test('the other role may do nothing of it', async () => {
    for (const one of distinct.filter(({ method, path }) => secured.includes(operationOf(method, path) as Operation))) {
      if (isForAll(one) || (isForBoth(one.path) && one.who !== 'researcher')) continue
      const response = await send({ ...one, who: one.who === 'researcher' ? 'BR' : 'researcher' })
      expect([one.method, one.path, response.status]).toEqual([one.method, one.path, 403])
    }
  })

  test("another researcher's is not there, or not theirs", async () => {
    for (const one of distinct.filter(({ who, path }) => who === 'researcher' && /[0-9a-f]{64}/.test(path))) {
      if (isForAll(one)) continue
      const response = await send({ ...one, who: 'Grace' })
      expect([one.path, [400, 403, 404].includes(response.status)]).toEqual([one.path, true])
    }
  })

  test('what there is not is not found', async () => {
    for (const one of distinct.filter(({ method, path }) => method === 'GET' && /[0-9a-f]{64}/.test(path))) {
      const response = await send({ ...one, path: one.path.replace(/[0-9a-f]{64}/, '0'.repeat(64)) })
      expect([one.path, response.status]).toEqual([one.path, 404])
    }
  })
})

import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { InbondError } from '#crypto/error.ts'
import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { token } from '#specs/messages.ts'
import { verify } from '#specs/signed.ts'
import { TestClock } from '#test/clock.ts'
import { Connection, type Fetch, mayPass } from './connection.ts'

const TO = { url: 'https://coordinator.test', federation: 'f'.repeat(43) }
const schema = z.object({ figure: z.number() })
const clock = new TestClock()

let key: IdentityKey
beforeAll(async () => {
  key = await generateIdentityKey()
})

const connected = (fetch: Fetch) => new Connection(TO, key, clock, fetch)
const answering = (response: () => Response) => connected(async () => response())
const problem = (code: string, status: number) =>
  new Response(JSON.stringify({ type: 't', title: 't', status, detail: 'because', code, remedy: 'r' }), {
    status,
    headers: { 'content-type': 'application/problem+json' },
  })

describe('a request', () => {
  test('carries a token for its method and path, without the query string', async () => {
    const seen: { url: string; method: string; payload: unknown }[] = []
    const connection = connected(async (url, init) => {
      const { authorization } = (init as { headers: Record<string, string> }).headers
      const bearer = (authorization as string).replace('Bearer ', '')
      const { payload } = await verify(token, bearer, key.publicKey)
      seen.push({ url, method: init?.method as string, payload })
      return Response.json({ figure: 1 })
    })
    await connection.get('/work?since=abc', schema)
    await connection.post('/queries', {}, schema)
    await connection.put('/rounds/1/contribution', new Blob(['x']))
    const issuedAt = new Date(clock.now()).toISOString()
    expect(seen).toEqual([
      {
        url: `${TO.url}/work?since=abc`,
        method: 'GET',
        payload: { federation: TO.federation, method: 'GET', path: '/work', issuedAt },
      },
      {
        url: `${TO.url}/queries`,
        method: 'POST',
        payload: { federation: TO.federation, method: 'POST', path: '/queries', issuedAt },
      },
      {
        url: `${TO.url}/rounds/1/contribution`,
        method: 'PUT',
        payload: { federation: TO.federation, method: 'PUT', path: '/rounds/1/contribution', issuedAt },
      },
    ])
  })

  const cases: [string, () => Response, string][] = [
    ["a refusal keeps the coordinator's code", () => problem('too-late', 409), 'too-late'],
    ['a code that this version does not know is kept', () => problem('from-the-future', 418), 'from-the-future'],
    ["a proxy's page is no answer", () => new Response('<html>', { status: 502 }), 'bad-answer'],
    ["a proxy's limit of bodies is not tried again", () => new Response('<html>', { status: 413 }), 'too-large'],
    ['an empty refusal is no answer', () => new Response(null, { status: 500 }), 'bad-answer'],
    ['half a problem is no answer', () => Response.json({ code: 'too-late' }, { status: 409 }), 'bad-answer'],
    ['an answer that is not JSON is none', () => new Response('ok'), 'bad-answer'],
    ['an answer of another shape is none', () => Response.json({ figure: '1' }), 'bad-answer'],
  ]
  test.each(cases)('%s', async (_, response, code) => {
    await expect(answering(response).get('/work', schema)).rejects.toMatchObject({ code })
    if (!response().ok) await expect(answering(response).stream('/work')).rejects.toMatchObject({ code })
  })

  test('does not follow where something else leads', async () => {
    const asked: (string | undefined)[] = []
    const elsewhere = connected(async (_, init) => {
      asked.push(init?.redirect)
      return new Response(null, { status: 307, headers: { location: 'http://elsewhere.example/work' } })
    })
    await expect(elsewhere.get('/work', schema)).rejects.toMatchObject({ code: 'bad-answer' })
    await expect(elsewhere.put('/rounds/1/contribution', new Blob(['x']))).rejects.toMatchObject({ code: 'bad-answer' })
    expect(asked).toEqual(['manual', 'manual'])
  })

  test('is not answered by JSON without end', async () => {
    const piece = new TextEncoder().encode(' '.repeat(1024 * 1024))
    let sent = 0
    let ended = false
    async function* pieces() {
      try {
        for (;;) {
          sent++
          yield piece
        }
      } finally {
        ended = true
      }
    }
    for (const status of [200, 409]) {
      sent = 0
      ended = false
      const endless = answering(() => new Response(ReadableStream.from(pieces()), { status }))
      await expect(endless.get('/work', schema)).rejects.toMatchObject({ code: 'bad-answer' })
      expect(sent).toBeLessThan(300)
      expect(ended).toBe(true)
    }
    sent = 0
    await answering(() => new Response(ReadableStream.from(pieces()))).put('/rounds/1/contribution', new Blob(['x']))
    expect(sent).toBeLessThan(300)
  })

  test('that does not get through says why', async () => {
    const refusing = connected(async () => {
      throw new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }) })
    })
    await expect(refusing.get('/work', schema)).rejects.toMatchObject({
      code: 'coordinator-unreachable',
      message: expect.stringMatching(/ECONNREFUSED/),
    })
  })

  test("that its own party gave up is not the coordinator's fault", async () => {
    const ending = new AbortController()
    const reason = new Error('Ctrl-C')
    const begun = Promise.withResolvers<void>()
    const hanging = connected(
      (_, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(new Error()))
          begun.resolve()
        }),
    )
    const answer = hanging.get('/work', schema, ending.signal)
    await begun.promise
    ending.abort(reason)
    await expect(answer).rejects.toBe(reason)
  })

  test('whose transfer breaks off is one that may be tried again', async () => {
    async function* half() {
      yield new Uint8Array(3)
      throw new TypeError('terminated')
    }
    const stream = await answering(() => new Response(ReadableStream.from(half()))).stream('/sum')
    const reading = (async () => {
      for await (const _ of stream);
    })()
    await expect(reading).rejects.toMatchObject({ code: 'coordinator-unreachable' })
    await expect(answering(() => new Response(null)).stream('/sum')).rejects.toMatchObject({ code: 'bad-answer' })
  })
})

test('what may pass by itself is tried again, and nothing else', () => {
  for (const code of [
    'coordinator-unreachable',
    'shutting-down',
    'too-many-requests',
    'internal-error',
    'bad-answer',
    'out-of-space',
    'database-busy',
    'database-damaged',
  ]) {
    expect(mayPass(new InbondError(code, ''))).toBe(true)
  }
  for (const code of ['too-late', 'bad-token', 'clock-skew', 'not-allowed', 'bad-round', 'differs-from-stored']) {
    expect(mayPass(new InbondError(code, ''))).toBe(false)
  }
  expect(mayPass(new TypeError('a mistake of ours'))).toBe(false)
})

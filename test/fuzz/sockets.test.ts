import { connect } from 'node:net'
import { afterAll, describe, expect, test } from 'vitest'
import { serve } from '#coordinator/serve.ts'
import { Federation } from '../federation.ts'
import { bearer } from '../requests.ts'

/**
 * What is no HTTP, or is HTTP that two readers could read in two ways, over a real connection. Node refuses most of it before the
 * coordinator sees it, with a status and no body.
 */

const federation = await Federation.create({ members: ['BR', 'JP', 'KR'] })
const { coordinator } = federation
const stopping = new AbortController()
const listening = Promise.withResolvers<number>()
const serving = serve(coordinator, { host: '127.0.0.1', port: 0 }, stopping.signal, listening.resolve)
const port = await listening.promise
afterAll(async () => {
  stopping.abort()
  let isOver = false
  void serving.finally(() => {
    isOver = true
  })
  // What waits for a client that says nothing more is given up after a while.
  while (!isOver) {
    federation.clock.advance(1000)
    await new Promise(resolve => setImmediate(resolve))
  }
  federation[Symbol.dispose]()
})

const authorization = await bearer(coordinator, federation.node('BR').key, 'GET', '/work')
const host = 'Host: coordinator.test\r\n'
const close = 'Connection: close\r\n'
const post = (headers: string, body: string) =>
  `POST /enrolments HTTP/1.1\r\n${host}${close}Content-Type: application/json\r\n${headers}\r\n${body}`
const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\n${host}${close}${headers}\r\n`

const cases: [string, string | Uint8Array, breaksOff?: true][] = [
  ['bytes of value 0', Buffer.alloc(100)],
  ['TLS', Buffer.from('16030100c8010000c40303', 'hex'), true],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a version that there is not', `GET /healthz HTTP/9.9\r\n${host}\r\n`],
  ['HTTP/1.0 without a host', 'GET /healthz HTTP/1.0\r\n\r\n'],
  ['HTTP/1.1 without a host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ['two hosts', get('/healthz', host)],
  ['a host that is none', 'GET /healthz HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n'],
  ['a host with a path', 'GET /healthz HTTP/1.1\r\nHost: a/b?c#d@e\r\nConnection: close\r\n\r\n'],
  ['a host with a space', 'GET /healthz HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n'],
  ['an empty host', 'GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n'],
  ['an absolute address', get('http://elsewhere.example/work')],
  ['an absolute address that is none', get('http://[/work')],
  ['an address of another kind', get('ftp://elsewhere.example/work')],
  ['an address without a slash', get('healthz')],
  ['an address of two slashes', get('//healthz')],
  ['a percent sign and no digits', get('/rounds/%zz/sum')],
  ['a percent sign and no UTF-8', get('/rounds/%ff/sum', `Authorization: ${authorization}\r\n`)],
  ['raw bytes above 127 in the address', Buffer.from(get('/\u00ff\u00fe'), 'latin1')],
  ['an address of 100,000 characters', get(`/${'x'.repeat(100_000)}`)],
  ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${host}${close}\r\n`],
  ['CONNECT', `CONNECT elsewhere.example:443 HTTP/1.1\r\n${host}\r\n`],
  ['TRACE', `TRACE / HTTP/1.1\r\n${host}${close}\r\n`],
  ['a method that there is not', `BREW / HTTP/1.1\r\n${host}${close}\r\n`],
  ['20,000 headers', get('/healthz', 'X: y\r\n'.repeat(20_000))],
  ['3,000 short headers', get('/healthz', 'X: \r\n'.repeat(3_000))],
  ['a header of 100,000 characters', get('/healthz', `X: ${'y'.repeat(100_000)}\r\n`)],
  ['a header without a colon', get('/healthz', 'nonsense\r\n')],
  ['a header with a space before its colon', get('/healthz', 'X : y\r\n')],
  ['a header over two lines', get('/healthz', 'X: y\r\n z\r\n')],
  ['a header with a byte of value 0', get('/healthz', 'X: \0\r\n')],
  ['two tokens', get('/work', `Authorization: ${authorization}\r\nAuthorization: ${authorization}\r\n`)],
  ['two lengths', post('Content-Length: 2\r\nContent-Length: 3\r\n', '{}')],
  ['a length and chunks', post('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '2\r\n{}\r\n0\r\n\r\n')],
  ['a negative length', post('Content-Length: -2\r\n', '{}')],
  ['a length beyond every number', post(`Content-Length: ${'9'.repeat(30)}\r\n`, '{}')],
  ['a length that is too long', post('Content-Length: 99999999999\r\n', '{}')],
  ['a length that lies', post('Content-Length: 5\r\n', '{}'), true],
  ['no length', post('', '{}')],
  ['chunks of no size', post('Transfer-Encoding: chunked\r\n', 'zz\r\n{}\r\n')],
  ['chunks of a size beyond every number', post('Transfer-Encoding: chunked\r\n', `${'f'.repeat(17)}\r\n{}\r\n`)],
  ['chunks that break off', post('Transfer-Encoding: chunked\r\n', '10\r\n{}'), true],
  ['chunks with extensions', post('Transfer-Encoding: chunked\r\n', `2;${'x'.repeat(50_000)}\r\n{}\r\n0\r\n\r\n`)],
  ['chunks twice encoded', post('Transfer-Encoding: chunked, gzip\r\n', '2\r\n{}\r\n0\r\n\r\n')],
  ['an expectation', post('Expect: everything\r\nContent-Length: 2\r\n', '{}')],
  ['an upgrade', get('/healthz', 'Connection: Upgrade\r\nUpgrade: websocket\r\n')],
  ['a line that does not end', 'GET /healthz HTTP/1.1\r\nHost: a', true],
  ['requests one after the other', `${get('/healthz').replace(close, '')}${get('/work')}`],
  [
    'an upload that breaks off',
    `PUT /rounds/${'0'.repeat(64)}/contribution HTTP/1.1\r\n${host}Content-Length: 900000\r\n\r\nINBOND01`,
    true,
  ],
]

/** Everything that comes back until the other side ends it; or this one, which breaks off what it was about to say. */
async function exchange(bytes: string | Uint8Array, breaksOff = false): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', data => {
    answer += data.toString('latin1')
  })
  // A side that is cut off while it still sends sees a reset.
  socket.on('error', () => undefined)
  if (breaksOff) socket.end(bytes)
  else socket.write(bytes)
  await new Promise(resolve => socket.once('close', resolve))
  return answer
}

/** What Node itself refuses with: the statuses are its, and the body is empty, as it is or as one chunk. */
const OF_THE_SERVER = [400, 408, 413, 417, 431]
const EMPTY = ['', '0\r\n\r\n']

describe('a connection that carries', () => {
  test.each(cases)('%s', async (_, bytes, breaksOff) => {
    const answer = await exchange(bytes, breaksOff)
    for (const part of answer.split(/(?=HTTP\/1\.1 \d{3} )/)) {
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(part)?.[1] ?? 0)
      const body = part.slice(part.indexOf('\r\n\r\n') + 4)
      expect(status).toBeLessThan(500)
      if (status >= 400 && !(OF_THE_SERVER.includes(status) && EMPTY.includes(body))) {
        expect(part).toMatch(/content-type: application\/problem\+json/i)
      }
      expect(part).not.toMatch(/node_modules|node:internal|\.ts:\d/)
    }
    expect(federation.errors).toEqual([])
  })

  test('nothing of it keeps the next one from being served', async () => {
    expect(await exchange(get('/healthz'))).toMatch(/^HTTP\/1\.1 200 /)
    expect(await exchange(get('/work', `Authorization: ${authorization}\r\n`))).toMatch(/^HTTP\/1\.1 200 /)
    expect(federation.errors).toEqual([])
  })
})

import { expect, test } from 'vitest'
import { notTheCoordinator, unreachable } from './unreachable.ts'

const URL = 'https://stats.example.org'
const failed = (cause: object) => new TypeError('fetch failed', { cause: Object.assign(new Error(), cause) })

const cases: [what: string, error: unknown, message: RegExp][] = [
  [
    'that does not run',
    failed({ code: 'ECONNREFUSED', port: 443 }),
    /^https:\/\/stats.example.org does not answer \(nothing listens there, ECONNREFUSED\)$/,
  ],
  ['without a name', failed({ code: 'ENOTFOUND', hostname: 'stats.example.org' }), /^https:.*there is no such name/],
  [
    'behind a proxy that does not run',
    failed({ code: 'ECONNREFUSED', port: 3128 }),
    /^the proxy on the way to https:.*nothing listens there/,
  ],
  ['behind a proxy without a name', failed({ code: 'ENOTFOUND', hostname: 'proxy' }), /^the proxy on the way/],
  [
    'behind a proxy that asks who it is',
    failed({ cause: new Error('Proxy response (407) !== 200 when HTTP Tunneling') }),
    /HTTPS_PROXY=http:\/\/name:password@/,
  ],
  [
    'behind a proxy that forbids it',
    failed({ code: 0, cause: new Error('Proxy response (403) !== 200 when HTTP Tunneling') }),
    /does not let requests through to https:.*\(status 403\)/,
  ],
  [
    'with a certificate of an unknown authority',
    failed({ code: 'SELF_SIGNED_CERT_IN_CHAIN' }),
    /certificate of https:.* not trusted .*NODE_EXTRA_CA_CERTS/,
  ],
  ['with an old certificate', failed({ code: 'CERT_HAS_EXPIRED' }), /its certificate has expired, CERT_HAS_EXPIRED/],
  ['that is silent', new DOMException('late', 'TimeoutError'), /it took too long/],
  ['with an error that nobody has seen', failed({ code: 'EODD' }), /\(EODD\)$/],
  ['with an error of no kind', new TypeError('terminated'), /\(TypeError\)$/],
]
test.each(cases)('a coordinator %s', (_, error, message) => {
  expect(unreachable(URL, error)).toMatchObject({
    code: 'coordinator-unreachable',
    message: expect.stringMatching(message),
  })
})

test('what a proxy answers in the place of the coordinator may pass, except that a body is too long', () => {
  expect(notTheCoordinator(502)).toMatchObject({ code: 'bad-answer', message: expect.stringMatching(/proxy .*502/) })
  expect(notTheCoordinator(413)).toMatchObject({
    code: 'too-large',
    message: expect.stringMatching(/bodies of this size/),
  })
})

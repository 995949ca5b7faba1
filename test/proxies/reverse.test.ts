import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answerOf, Federation, freePort, ROOT, until } from '../processes/federation.ts'
import { Authority, type Certificate } from './certificates.ts'
import { load, QUESTION } from './question.ts'
import { openFolder, type Server, startNginx } from './server.ts'

/** A coordinator behind nginx: configured as docs/coordinator.md says, below a path, and not configured at all. */

const MEGABYTE = 1 << 20

const folder = openFolder('reverse')
let nginx: Server
let federation: Federation
/** Ports of nginx. */
let ports: { recommended: number; plain: number }

beforeAll(async () => {
  const authority = new Authority(folder.path, 'authority')
  const certificate = authority.issue('localhost')
  ports = { recommended: await freePort(), plain: await freePort() }
  federation = await Federation.create({
    members: ['AA', 'BB', 'CC', 'DD'],
    environment: { NODE_EXTRA_CA_CERTS: authority.certificate },
    front: async inside => {
      const blocks = [recommended(inside, certificate), plain(inside, certificate)]
      nginx = await startNginx(folder.path, blocks.join('\n'), Object.values(ports))
      return `https://localhost:${ports.recommended}`
    },
  })
  await load(federation)
  // Two members take other ways to the same coordinator.
  redirect('CC', `https://localhost:${ports.recommended}/inbond`)
  redirect('DD', `https://localhost:${ports.plain}`)
  await federation.startMembers()
}, 180_000)
afterAll(async () => {
  await federation?.[Symbol.asyncDispose]()
  await nginx?.[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** The block of docs/coordinator.md, and beside it what the page says of a path. */
function recommended(inside: string, { certificate, key }: Certificate): string {
  const page = readFileSync(join(ROOT, 'docs', 'coordinator.md'), 'utf8')
  const [, block = ''] = /^```nginx\n([\s\S]*?)^```$/m.exec(page) ?? []
  const changes: [string, string][] = [
    ['listen 443 ssl;', `listen 127.0.0.1:${ports.recommended} ssl;`],
    ['stats.example.org;', 'localhost;'],
    ['/etc/ssl/stats.example.org.crt', certificate],
    ['/etc/ssl/stats.example.org.key', key],
    ['http://127.0.0.1:8400', inside],
  ]
  const actual = changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`docs/coordinator.md does not say ${from}`)
    return text.replace(from, to)
  }, block)
  const below = actual.slice(actual.indexOf('  location / {'), actual.lastIndexOf('}'))
  const path = below.replace('location /', 'location /inbond/').replace(`${inside};`, `${inside}/;`)
  return actual.replace('  location / {', `${path}\n  location / {`)
}

/** As nginx is without any line about uploads or time. */
function plain(inside: string, { certificate, key }: Certificate): string {
  return `server { listen 127.0.0.1:${ports.plain} ssl; ssl_certificate ${certificate}; ssl_certificate_key ${key};
    location / { proxy_pass ${inside}; } }`
}

function redirect(id: string, url: string): void {
  const file = join(federation.of(id), 'config.yaml')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace(/url: .*/, `url: ${url}`))
}

describe('a coordinator behind nginx', () => {
  it('answers who goes as the page says, and who goes below a path; who goes through limits says so', async () => {
    const answer = answerOf(await federation.ask(QUESTION).ended)
    expect(answer.rows).toEqual([expect.objectContaining({ hs4: '8517', 'sum(value)': '6.00' })])
    expect(answer.cohort).toEqual(['AA', 'BB', 'CC'])
    expect(answer.missing).toEqual([
      { member: 'DD', reason: 'a proxy between here and the coordinator refuses bodies of this size (status 413)' },
    ])
    const uploads = [...nginx.read('nginx.log').matchAll(/^PUT (\S+) (\d+) (\d+)/gm)]
    expect(uploads.filter(([, , status, bytes]) => status === '204' && Number(bytes) > MEGABYTE)).toHaveLength(3)
    expect(uploads.filter(([, path]) => path?.startsWith('/inbond/rounds/'))).toHaveLength(1)
    expect(uploads.filter(([, , status]) => status === '413')).toHaveLength(1)
    expect(federation.process('DD').stderr).toMatch(/"code":"too-large"/)
  }, 120_000)

  it('keeps requests for news open as long as the coordinator does', async () => {
    for (const path of ['/work', '/inbond/work']) {
      const polls = new RegExp(`^GET ${path}\\?since=\\S+ 200 \\d+ (\\S+)$`, 'gm')
      await until(
        () => [...nginx.read('nginx.log').matchAll(polls)].some(([, seconds]) => Number(seconds) > 24),
        () => `a request for news at ${path} to end by itself`,
        90_000,
      )
    }
    for (const id of federation.ids)
      expect(federation.process(id).stderr).not.toMatch(/coordinator-unreachable|bad-answer/)
  }, 240_000)

  it('that stops is told from its proxy, and found again', async () => {
    await federation.process('coordinator').kill()
    const { stderr } = await federation.line.run(['query', 'list', '--as', federation.of('researcher')])
    expect(stderr).toMatch(/^Warning: a proxy between here and the coordinator answered in its place \(status 502\);/)
    await federation.process('AA').says(/a proxy between here and the coordinator answered in its place \(status 502\)/)
    await federation.startCoordinator()
    expect(answerOf(await federation.ask(QUESTION).ended).cohort).toEqual(['AA', 'BB', 'CC'])
  }, 180_000)
})

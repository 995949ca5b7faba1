import { spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answerOf, Federation, freePort, until } from '../processes/federation.ts'
import { Authority } from './certificates.ts'
import { load, QUESTION } from './question.ts'
import { openFolder, requireProgram, type Server, startNginx, startSquid } from './server.ts'

/**
 * An organisation's network: its proxy (squid) asks for a name and a password, and lets through, or opens with its own authority,
 * what members and researchers send to a coordinator behind TLS (nginx) under a name that nobody outside knows.
 */

const HOST = 'coordinator.test'
const LONG_POLL_S = 24

const SQUIDS = [
  { how: 'lets connections through', intercepts: false },
  { how: 'opens connections with its own authority', intercepts: true },
]

describe.each(SQUIDS)('a proxy that $how', ({ intercepts }) => {
  const folder = openFolder('forward')
  let squid: Server
  let nginx: Server
  let federation: Federation
  let proxy: string
  let trusted: string
  let url: string

  beforeAll(async () => {
    const version = requireProgram('/usr/sbin/squid', 'squid-openssl')
    if (intercepts && !version.includes('--with-openssl')) {
      throw new Error('this squid cannot open connections; these tests need: apt-get install squid-openssl')
    }
    const coordinators = new Authority(folder.path, 'coordinator-authority')
    const proxys = new Authority(folder.path, 'proxy-authority')
    trusted = intercepts ? proxys.certificate : coordinators.certificate
    const port = await freePort()
    squid = await startSquid(folder.path, port, listening(proxys), rules(coordinators))
    proxy = `127.0.0.1:${port}`
    federation = await Federation.create({
      members: ['AA', 'BB', 'CC'],
      environment: { HTTPS_PROXY: `http://customs:pass%20word@${proxy}`, NODE_EXTRA_CA_CERTS: trusted },
      front: async inside => {
        const { certificate, key } = coordinators.issue(HOST)
        const outside = await freePort()
        const block = `server { listen 127.0.0.1:${outside} ssl; client_max_body_size 32m;
          ssl_certificate "${certificate}"; ssl_certificate_key "${key}"; location / { proxy_pass ${inside}; } }`
        nginx = await startNginx(folder.path, block, [outside])
        url = `https://${HOST}:${outside}`
        return url
      },
    })
    await load(federation)
    await federation.startMembers()
  }, 180_000)
  afterAll(async () => {
    await federation?.[Symbol.asyncDispose]()
    for (const server of [squid, nginx]) await server?.[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })

  function listening(authority: Authority): string {
    if (!intercepts) return ''
    return `ssl-bump generate-host-certificates=on tls-cert=${authority.certificate} tls-key=${authority.key}`
  }

  function rules(coordinators: Authority): string {
    writeFileSync(join(folder.path, 'hosts'), `127.0.0.1 ${HOST}\n`)
    const passwords = join(folder.path, 'passwords.sh')
    writeFileSync(passwords, 'while read -r who; do [ "$who" = "customs pass%20word" ] && echo OK || echo ERR; done\n')
    const certificates = join(folder.path, 'ssl_db')
    const bump = `sslcrtd_program /usr/lib/squid/security_file_certgen -s ${certificates} -M 4MB
tls_outgoing_options cafile=${coordinators.certificate}
ssl_bump bump all`
    if (intercepts) {
      spawnSync('/usr/lib/squid/security_file_certgen', ['-c', '-s', certificates, '-M', '4MB'])
      spawnSync('chmod', ['-R', 'a+rwX', certificates])
    }
    for (const file of [coordinators.certificate, passwords]) chmodSync(file, 0o644)
    return `hosts_file ${folder.path}/hosts
auth_param basic program /bin/sh ${passwords}
acl known proxy_auth REQUIRED
acl forbidden dstdomain forbidden.test
http_access deny forbidden
http_access allow known
http_access deny all
${intercepts ? bump : ''}`
  }

  const ask = async () => answerOf(await federation.ask(QUESTION).ended)
  const list = (environment: Record<string, string>) =>
    federation.line.run(['query', 'list', '--as', federation.of('researcher')], { environment })

  it('carries a whole question, contributions of a megabyte among it', async () => {
    const { rows, cohort } = await ask()
    expect(cohort).toEqual(federation.ids)
    expect(rows).toEqual([expect.objectContaining({ hs4: '8517', 'sum(value)': '6.00' })])
    const log = squid.read('access.log')
    expect(log).toMatch(new RegExp(`CONNECT ${HOST}:\\d+ customs `))
    if (intercepts) expect(log.match(/PUT https:\/\/\S+\/contribution customs/g)).toHaveLength(3)
  }, 120_000)

  it('holds a long poll as long as the coordinator does', async () => {
    const polls = /^GET \/work\?since=\S+ 200 \d+ (\S+)$/gm
    await until(
      () => [...nginx.read('nginx.log').matchAll(polls)].some(([, seconds]) => Number(seconds) > LONG_POLL_S),
      () => 'a long poll to end by itself',
      90_000,
    )
    for (const id of federation.ids)
      expect(federation.process(id).stderr).not.toMatch(/coordinator-unreachable|bad-answer/)
    expect((await ask()).cohort).toEqual(federation.ids)
  }, 240_000)

  it('that wants a password is named', async () => {
    for (const HTTPS_PROXY of [`http://${proxy}`, `http://customs:wrong@${proxy}`]) {
      const { stderr } = await list({ HTTPS_PROXY })
      expect(stderr).toMatch(/^Warning: the proxy wants a name and a password.*;/)
    }
  }, 60_000)

  it('an authority that is not trusted is told, and how to trust it', async () => {
    const { stderr } = await list({ NODE_EXTRA_CA_CERTS: '' })
    expect(stderr).toMatch(
      /^Warning: the certificate of https:\/\/coordinator\.test:\d+ is not trusted .* NODE_EXTRA_CA_CERTS;/,
    )
    expect(stderr).not.toMatch(/\n\s+at |pass%20word/)
  }, 60_000)

  it('an authority that the machine trusts is trusted', async () => {
    expect(await list({ NODE_EXTRA_CA_CERTS: '', SSL_CERT_FILE: trusted })).toMatchObject({ status: 0, stderr: '' })
  }, 60_000)

  it('that forbids the way, or is not there, is told', async () => {
    const invitation = `https://forbidden.test#researcher.${'a'.repeat(24)}.${'b'.repeat(43)}`
    const enrolling = ['researcher', 'init', federation.line.path('eve'), '--name', 'Eve', '--invite', invitation]
    const forbidden = await federation.line.run(enrolling)
    expect(forbidden.stderr).toMatch(
      intercepts
        ? /^inbond: https:\/\/forbidden\.test does not answer like a coordinator \(status 403\)/
        : /^inbond: the proxy does not let requests through to https:\/\/forbidden\.test \(status 403\)/,
    )
    const absent = await list({ HTTPS_PROXY: `127.0.0.1:${await freePort()}` })
    expect(absent.stderr).toMatch(
      /^Warning: the proxy on the way to https:\S+ does not answer \(nothing listens there, ECONNREFUSED\)/,
    )
    const wrong = await list({ HTTPS_PROXY: 'socks5://127.0.0.1:1080' })
    expect(wrong).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^inbond: HTTPS_PROXY is not the address of an HTTP/),
    })
  }, 60_000)
})

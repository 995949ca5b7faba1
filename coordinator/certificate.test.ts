import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { loggable } from '#party/logged-error.ts'
import { selfSigned } from '#test/certificate.ts'
import { TestClock } from '#test/clock.ts'
import { CertificateFiles } from './certificate.ts'
import { checkEncryption, config } from './config.ts'

const HOST = 'stats.example.org'
const DAY = 86_400_000
const folder = mkdtempSync(join(tmpdir(), 'inbond-certificate-'))
afterAll(() => rmSync(folder, { recursive: true }))
const files = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') }

const clock = new TestClock()
const around = { from: clock.now() - DAY, to: clock.now() + DAY }
const own = selfSigned(HOST, around)
const other = selfSigned(HOST, around)

function put({ cert, key }: { cert: string; key: string }): void {
  writeFileSync(files.certificate, cert)
  writeFileSync(files.key, key)
}

const read = (url = `https://${HOST}/inbond`) => new CertificateFiles(files, url, clock).read()

beforeEach(() => put(own))

describe('a certificate', () => {
  test('is read with its key', async () => {
    expect(await read()).toEqual(own)
    put(selfSigned('127.0.0.1', around))
    expect(await read('https://127.0.0.1:8400')).toMatchObject({ key: expect.stringContaining('PRIVATE KEY') })
  })

  const sealed = createPrivateKey(own.key).export({
    format: 'pem',
    type: 'pkcs8',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  })
  // biome-ignore format: a table reads better with a case on each line
  test.each([
    ['of another key', { ...own, key: other.key }, /the key in .*tls\.key is not that of .*tls\.crt/],
    ['that has expired', selfSigned(HOST, { from: 0, to: clock.now() - 1000 }), /has expired \(Dec 31 /],
    ['that is not valid yet', selfSigned(HOST, { from: clock.now() + 1000, to: clock.now() + DAY }), /is not valid yet/],
    ['for another name', selfSigned('elsewhere.example', around), /is not for stats\.example\.org/],
    ['that is none', { ...own, cert: 'hello' }, /tls\.crt is no certificate in PEM/],
    ['whose key is none', { ...own, key: 'hello' }, /tls\.key is no private key in PEM/],
    ['whose key has a passphrase', { ...own, key: String(sealed) }, /or it has a passphrase/],
  ])('%s is refused', async (_, pair, reason) => {
    put(pair)
    await expect(read()).rejects.toMatchObject({ code: 'bad-tls-certificate', message: expect.stringMatching(reason) })
    const refused: Error = await read().then(() => new Error(), error => error)
    expect(`${refused.stack} ${JSON.stringify(loggable(refused))}`).not.toContain(pair.key.split('\n')[1])
  })

  test('that is not there is refused', async () => {
    rmSync(files.key)
    await expect(read()).rejects.toMatchObject({ code: 'file-not-readable' })
  })

  test('is read again when it was replaced, and a failure is told once', async () => {
    const certificate = new CertificateFiles(files, `https://${HOST}`, clock)
    await certificate.read()
    expect(await certificate.readIfReplaced()).toBeUndefined()
    writeFileSync(files.certificate, other.cert)
    await expect(certificate.readIfReplaced()).rejects.toMatchObject({ code: 'bad-tls-certificate' })
    expect(await certificate.readIfReplaced()).toBeUndefined()
    writeFileSync(files.key, other.key)
    expect(await certificate.readIfReplaced()).toEqual(other)
  })
})

describe('a coordinator', () => {
  const settings = (change: object) =>
    config.parse({
      role: 'coordinator',
      name: 'X',
      currency: 'USD',
      host: '127.0.0.1',
      port: 8400,
      url: `https://${HOST}`,
      ...change,
    })
  const outside = { host: '0.0.0.0' }

  test.each([
    ['on this machine alone', { url: 'http://127.0.0.1:8400' }],
    ['by the name of this machine', { host: 'localhost', url: 'http://localhost:8400' }],
    ['on this machine in IPv6', { host: '::1', url: 'http://[::1]:8400' }],
    ['behind a proxy on this machine', {}],
    ['behind a proxy on another machine', { ...outside, behindProxy: true }],
    ['with a certificate', { ...outside, tls: files }],
    ['that insists', { ...outside, url: 'http://10.0.0.1:8400', plainHttp: true }],
  ])('%s may be started', (_, change) => {
    expect(() => checkEncryption(settings(change))).not.toThrow()
  })

  test.each([
    ['on every address of its machine', outside],
    ['on an address that is not this machine’s alone', { host: '10.0.0.1' }],
    ['at a name', { host: HOST }],
    ['behind a proxy that speaks HTTP', { ...outside, behindProxy: true, url: `http://${HOST}` }],
    ['with a certificate, at an address that is not HTTPS', { ...outside, tls: files, url: `http://${HOST}` }],
    ['on this machine alone, with an address for others', { url: `http://${HOST}` }],
  ])('%s may not', (_, change) => {
    expect(() => checkEncryption(settings(change))).toThrow(expect.objectContaining({ code: 'plain-http' }))
  })
})

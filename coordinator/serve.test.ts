import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { selfSigned } from '#test/certificate.ts'
import { Federation } from '#test/federation.ts'
import { CertificateFiles } from './certificate.ts'
import { serve } from './serve.ts'

const DAY = 86_400_000
const folder = mkdtempSync(join(tmpdir(), 'inbond-serve-'))
const federation = await Federation.create({ members: ['BR', 'JP', 'KR'] })
afterAll(() => {
  federation[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})
const { coordinator, clock } = federation

/** Lets time pass until something is over. */
async function until<T>(what: Promise<T>): Promise<T> {
  let isOver = false
  const end = () => {
    isOver = true
  }
  what.then(end, end)
  while (!isOver) {
    clock.advance(250)
    await new Promise(resolve => setImmediate(resolve))
  }
  return what
}

/** Asks over a new connection, trusting one certificate alone. */
function ask(port: number, ca: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path: '/healthz', ca, agent: false }, response => {
      response.resume()
      resolve(response.statusCode)
    })
    asked.on('error', reject).end()
  })
}

test('a coordinator speaks HTTPS with its certificate, and with a new one from when that is there', async () => {
  const files = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') }
  const fresh = () => {
    // Node.js checks it against the time of the machine, the coordinator against that of the test.
    const pair = selfSigned('127.0.0.1', { from: 0, to: Date.now() + 400 * DAY })
    writeFileSync(files.key, pair.key)
    writeFileSync(files.certificate, pair.cert)
    return pair.cert
  }
  const first = fresh()
  const stopping = new AbortController()
  const listening = Promise.withResolvers<number>()
  const certificate = new CertificateFiles(files, 'https://127.0.0.1', clock)
  const serving = serve(coordinator, { host: '127.0.0.1', port: 0 }, stopping.signal, listening.resolve, certificate)
  const port = await listening.promise
  expect(await until(ask(port, first))).toBe(200)
  const second = fresh()
  let status: number | undefined
  for (let turn = 0; turn < 100 && status === undefined; turn++)
    status = await until(ask(port, second)).catch(() => undefined)
  expect(status).toBe(200)
  await expect(until(ask(port, first))).rejects.toThrow()
  stopping.abort()
  await until(serving)
})

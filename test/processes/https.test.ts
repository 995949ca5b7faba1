import { afterAll, expect, it } from 'vitest'
import { selfSigned } from '../certificate.ts'
import { CommandLine, freePort } from './federation.ts'

/** A coordinator that speaks HTTPS itself, and parties that reach it so. */

const DAY = 86_400_000
// Certificates are trusted when a process begins.
const line = new CommandLine(([party]) => (party === 'member' ? {} : undefined))
afterAll(() => line[Symbol.asyncDispose]())

it('members enrol over HTTPS, with a certificate that they trust', async () => {
  const { cert, key } = selfSigned('localhost', { from: Date.now() - DAY, to: Date.now() + DAY })
  const authority = line.write('tls.crt', cert)
  const port = String(await freePort())
  const secured = ['--tls-cert', authority, '--tls-key', line.write('tls.key', key)]
  const address = ['--port', port, '--url', `https://localhost:${port}`]
  const coordinator = line.path('coordinator')
  await line.succeed('coordinator', 'init', coordinator, '--name', 'Secured', ...secured, ...address)
  await line.start(['coordinator', 'start', coordinator]).says(/is ready/)
  const invitation = (await line.succeed('coordinator', 'invite', coordinator, '--member', 'KR')).trim()
  expect(invitation).toMatch(new RegExp(`^https://localhost:${port}#member\\.`))
  const enrolling = ['member', 'init', line.path('kr'), '--id', 'KR', '--name', 'KR', '--invite', invitation]
  const distrusting = await line.run(enrolling, { environment: { NODE_EXTRA_CA_CERTS: '' } })
  expect(distrusting.stderr).toMatch(/the certificate of https:\/\/localhost:\d+ is not trusted here/)
  const environment = { NODE_EXTRA_CA_CERTS: authority }
  expect(await line.run(enrolling, { environment })).toMatchObject({
    status: 0,
    stderr: expect.stringContaining('Enrolled'),
  })
  const readable = ['member', 'init', line.path('plain'), '--id', 'KR', '--name', 'KR']
  const plain = invitation.replace('https', 'http')
  const refused = await line.run([...readable, '--invite', plain], { environment })
  expect(refused.stderr).toMatch(/^inbond: http:\/\/localhost:\d+ does not answer/)
}, 60_000)

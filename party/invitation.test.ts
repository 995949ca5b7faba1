import fc from 'fast-check'
import { expect, test } from 'vitest'
import { generateIdentityKey } from '#crypto/signature.ts'
import { formatInvitation, meetCoordinator, parseInvitation } from './invitation.ts'

const letters = fc.constantFrom(...'ABCXYZabcxyz0189-_')
const text = (minLength: number, maxLength: number) => fc.string({ unit: letters, minLength, maxLength })
const invitation = fc.record({
  url: fc.constantFrom('http://127.0.0.1:8400', 'https://inbond.example', 'https://[::1]:1', 'https://a.example/path'),
  role: fc.constantFrom('member' as const, 'researcher' as const),
  code: text(16, 64),
  federation: text(43, 43),
})
const FINGERPRINT = 'a'.repeat(43)
const CODE = 'c'.repeat(24)

test('an invitation is one line that is read as it was written', () => {
  fc.assert(
    fc.property(invitation, fc.constantFrom('', '\n', ' ', '\r\n'), (made, around) => {
      const line = formatInvitation(made)
      expect(line).not.toMatch(/[\s'"$`\\]/)
      expect(parseInvitation(around + line + around)).toEqual(made)
    }),
  )
})

test('a slash at the end of the address does not matter', () => {
  expect(parseInvitation(`https://a.example//#member.${CODE}.${FINGERPRINT}`).url).toBe('https://a.example')
})

test.each([
  '',
  '#',
  'https://a.example',
  `#member.${CODE}.${FINGERPRINT}`,
  `a.example#member.${CODE}.${FINGERPRINT}`,
  `javascript:alert(1)#member.${CODE}.${FINGERPRINT}`,
  `file:///etc/passwd#member.${CODE}.${FINGERPRINT}`,
  `https://a.example#coordinator.${CODE}.${FINGERPRINT}`,
  `https://a.example#member.${CODE}`,
  `https://a.example#member.short.${FINGERPRINT}`,
  `https://a.example#member.${CODE}.${FINGERPRINT}a`,
  `https://a.example#member.${CODE}.${FINGERPRINT}.more`,
  `https://a.example#member.${CODE}.${FINGERPRINT}#more`,
  `https://a.example#member.${'c'.repeat(65)}.${FINGERPRINT}`,
  `https://a.example?x=#member.${CODE}.${FINGERPRINT}`,
  `https://a.example/a b#member.${CODE}.${FINGERPRINT}`,
  `https://a.example\0#member.${CODE}.${FINGERPRINT}`,
  `https://user:password@a.example#member.${CODE}.${FINGERPRINT}`,
])('%j is no invitation', line => {
  expect(() => parseInvitation(line)).toThrow(expect.objectContaining({ code: 'bad-invitation' }))
})

test('a line that is much too long is no invitation, and it takes no time to find out', () => {
  const line = `https://a.example${'/'.repeat(100_000)}x#member.${CODE}.${FINGERPRINT}`
  const before = process.cpuUsage()
  expect(() => parseInvitation(line)).toThrow(expect.objectContaining({ code: 'bad-invitation' }))
  expect(process.cpuUsage(before).user / 1e6).toBeLessThan(1)
})

test('a line that was cut anywhere is no invitation', () => {
  const line = formatInvitation({ url: 'https://a.example', role: 'member', code: CODE, federation: FINGERPRINT })
  for (let length = 0; length < line.length; length++) {
    expect(() => parseInvitation(line.slice(0, length))).toThrow(expect.objectContaining({ code: 'bad-invitation' }))
  }
})

test('a coordinator is believed only with the key that is expected of it', async () => {
  const key = await generateIdentityKey()
  const info = {
    protocol: 1,
    name: 'Test',
    publicKey: key.publicKey,
    currency: 'USD',
    now: new Date(0).toISOString(),
    inForce: null,
    proposed: null,
  }
  const meet = (federation: string, answer: () => Promise<Response>) =>
    meetCoordinator({ url: 'https://a.example', federation }, answer)
  expect(await meet(key.fingerprint, async () => Response.json(info))).toMatchObject({ name: 'Test' })
  const refused = async (code: string, federation: string, answer: () => Promise<Response>) =>
    expect(meet(federation, answer)).rejects.toMatchObject({ code })
  await refused('wrong-federation', FINGERPRINT, async () => Response.json(info))
  await refused('bad-answer', key.fingerprint, async () => new Response('<html>'))
  await refused('bad-answer', key.fingerprint, async () => Response.json({ ...info, publicKey: 5 }))
  await refused('wrong-federation', key.fingerprint, async () => Response.json({ ...info, publicKey: '' }))
  await refused('coordinator-unreachable', key.fingerprint, async () => {
    throw new TypeError('fetch failed')
  })
})

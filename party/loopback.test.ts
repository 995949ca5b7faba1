import { expect, test } from 'vitest'
import { generateIdentityKey } from '#crypto/signature.ts'
import { TestClock } from '#test/clock.ts'
import { Connection } from './connection.ts'
import { meetCoordinator } from './invitation.ts'
import { isLoopback, isReadable } from './loopback.ts'

test.each(['127.0.0.1', '127.9.9.9', '::1', '[::1]', 'localhost'])('%s is this machine alone', host => {
  expect(isLoopback(host)).toBe(true)
})

test.each([
  '0.0.0.0',
  '::',
  '10.0.0.1',
  '128.0.0.1',
  '126.255.255.255',
  '::2',
  'localhost.example',
  '127.0.0.1.example',
  '127.1.example',
  '',
])('%j is not', host => {
  expect(isLoopback(host)).toBe(false)
})

test.each([
  ['http://127.1:8400', false],
  ['http://0x7f000001', false],
  ['http://[0:0:0:0:0:0:0:1]', false],
  ['https://stats.example.org', false],
  ['http://stats.example.org', true],
  ['http://2130706434', false],
  ['http://3232235777', true],
])('whether requests to %s could be read on the way: %s', (url, expected) => {
  expect(isReadable(url)).toBe(expected)
})

test('a party sends nothing without encryption, unless it insists', async () => {
  const sent: string[] = []
  const fetch = async (url: string) => {
    sent.push(url)
    return new Response('', { status: 500 })
  }
  const key = await generateIdentityKey()
  const to = { url: 'http://stats.example.org', federation: 'f'.repeat(43) }
  const refused = expect.objectContaining({ code: 'plain-http' })
  expect(() => new Connection(to, key, new TestClock(), fetch)).toThrow(refused)
  await expect(meetCoordinator(to, fetch)).rejects.toEqual(refused)
  expect(sent).toEqual([])
  await expect(meetCoordinator({ ...to, plainHttp: true }, fetch)).rejects.toMatchObject({ code: 'bad-answer' })
  expect(sent).toEqual(['http://stats.example.org/federation'])
})

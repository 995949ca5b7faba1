import { expect, test } from 'vitest'
import { Federation } from '#test/federation.ts'
import { Presence } from './presence.ts'

test('a party is written at once when it comes or comes back, and every ten seconds while it stays', async () => {
  using federation = await Federation.create({ members: ['BR', 'JP', 'KR'] })
  const { db, key } = { db: federation.coordinator.context.db, key: federation.node('BR').key }
  const stored = db.$client.prepare('SELECT last_seen_at FROM parties WHERE fingerprint = ?').pluck()
  const presence = new Presence()
  const start = federation.clock.now()
  const seenAt = (after: number) => {
    presence.note(key.fingerprint, start + after)
    presence.write(db, start + after)
    return (stored.get(key.fingerprint) as number) - start
  }
  expect([1, 5_000, 10_000, 10_001, 12_000].map(seenAt)).toEqual([1, 1, 1, 10_001, 10_001])
  presence.write(db, start + 20_001)
  expect(stored.get(key.fingerprint)).toBe(start + 12_000)
  // Somebody else was written just now, which is no reason to wait.
  presence.note(federation.node('JP').key.fingerprint, start + 80_000)
  presence.write(db, start + 80_000)
  expect([80_001, 80_002].map(seenAt)).toEqual([80_001, 80_001])
})

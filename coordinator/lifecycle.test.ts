import { expect, test } from 'vitest'
import { Federation } from '#test/federation.ts'

test('what goes wrong again and again is told once a minute', async () => {
  using federation = await Federation.create({ members: ['BR', 'JP', 'KR'] })
  const { context, lifecycle } = federation.coordinator
  context.db.$client.close()
  const look = async (times: number) => {
    for (let i = 0; i < times; i++) {
      federation.clock.advance(250)
      await expect(lifecycle.advance()).rejects.toThrow('not open')
    }
    await lifecycle.finish().catch(() => undefined)
  }
  await look(20)
  expect(federation.errors).toEqual([expect.objectContaining({ message: expect.stringContaining('not open') })])
  await look(240)
  expect(federation.errors).toHaveLength(2)
})

import type { Context as HonoContext } from 'hono'
import { expect, test } from 'vitest'
import { TestClock } from '#test/clock.ts'
import { Changes } from './changes.ts'
import type { Context } from './context.ts'
import { LONGEST_POLL_MS, longPoll } from './long-poll.ts'

/** A request that knows version `a`, and a clock that can be wrong while waits last as long as ever. */
function polling() {
  const clock = new TestClock()
  const changes = new Changes()
  let wrongBy = 0
  let version = 'a'
  let isAnswered = false
  const context = { changes, clock: { now: () => clock.now() + wrongBy, wait: clock.wait.bind(clock) } } as Context
  const request = { req: { query: () => 'a', raw: { signal: new AbortController().signal } } } as unknown as HonoContext
  const answer = longPoll(request, context, 'members', () => ({ version })).finally(() => {
    isAnswered = true
  })
  return {
    answer,
    advance: (milliseconds: number) => clock.advance(milliseconds),
    jump: (milliseconds: number) => {
      wrongBy = milliseconds
    },
    change: (to: string) => {
      version = to
      changes.announce('members')
    },
    isAnswered: async () => {
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
      return isAnswered
    },
  }
}

test('a long poll is answered after 25 seconds without news', async () => {
  const poll = polling()
  poll.advance(LONGEST_POLL_MS - 1)
  expect(await poll.isAnswered()).toBe(false)
  poll.advance(1)
  expect(await poll.answer).toEqual({ version: 'a' })
})

test.each([-180_000, 180_000])('and no earlier or later when the clock jumps by %d ms', async jump => {
  const poll = polling()
  poll.jump(jump)
  poll.advance(LONGEST_POLL_MS - 1)
  poll.change('a')
  expect(await poll.isAnswered()).toBe(false)
  poll.advance(1)
  expect(await poll.isAnswered()).toBe(true)
})

test('and at once when there is news', async () => {
  const poll = polling()
  poll.change('a')
  expect(await poll.isAnswered()).toBe(false)
  poll.change('b')
  expect(await poll.answer).toEqual({ version: 'b' })
})

import { z } from '@hono/zod-openapi'
import type { Context as HonoContext } from 'hono'
import { fault } from '#specs/errors.ts'
import type { Audience } from './changes.ts'
import type { Context } from './context.ts'

/** Proxies drop what stays silent for longer. */
export const LONGEST_POLL_MS = 25_000

export const since = z.object({ since: z.string().max(64).optional() })

/**
 * Answers at once if `look` sees another version than the caller has, else when it does, or after 25 seconds.
 * @param audience who asks: not every change concerns everybody
 * @throws InbondError `shutting-down`
 */
export async function longPoll<T extends { readonly version: string }>(
  c: HonoContext,
  context: Context,
  audience: Audience,
  look: () => T,
): Promise<T> {
  const known = c.req.query('since')
  const until = context.clock.now() + LONGEST_POLL_MS
  let seen = look()
  for (let left = LONGEST_POLL_MS; seen.version === known && left > 0; left = until - context.clock.now()) {
    await context.changes.wait(audience, context.clock, left, c.req.raw.signal)
    if (context.changes.ended) throw fault('shutting-down', 'the coordinator is being stopped')
    if (c.req.raw.signal.aborted) break
    seen = look()
  }
  return seen
}

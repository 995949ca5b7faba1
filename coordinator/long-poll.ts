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
  const gone = c.req.raw.signal
  // One wait for all of it, which no jump of the clock makes longer.
  const answered = new AbortController()
  const over = new AbortController()
  void context.clock.wait(LONGEST_POLL_MS, answered.signal).then(() => over.abort())
  const until = AbortSignal.any([gone, over.signal])
  try {
    let seen = look()
    while (seen.version === known && !until.aborted) {
      await context.changes.wait(audience, context.clock, LONGEST_POLL_MS, until)
      if (context.changes.ended) throw fault('shutting-down', 'the coordinator is being stopped')
      if (!gone.aborted) seen = look()
    }
    return seen
  } finally {
    answered.abort()
  }
}

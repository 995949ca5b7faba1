import { randomUUID } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { Clock } from '#party/clock.ts'
import { REQUEST_ID, requestId } from '#specs/api.ts'
import { problemOf } from '#specs/problem.ts'
import type { RequestEvent, Tell } from './events.ts'
import { type Env, ownError, type Party } from './http.ts'

/** Asked every few seconds, by machines. */
const PROBES = ['/healthz', '/readyz']
const MESSAGE_ID = /^[0-9a-f]{64}$/

/** Gives every request an id, which its answer carries too, and tells of it when the answer begins. */
export function tellRequests(tell: Tell, clock: Clock): MiddlewareHandler<Env> {
  return async (c, next) => {
    const request = requestId.safeParse(c.req.header(REQUEST_ID)).data ?? randomUUID()
    c.set('request', request)
    const began = clock.now()
    await next()
    c.header(REQUEST_ID, request)
    const route = templateOf(matchedRoutes(c))
    const party: Party | undefined = c.var.party
    const { round, query } = c.req.param() as Record<string, string | undefined>
    const problem = c.error === undefined ? undefined : problemOf(ownError(c.error))
    tell({
      msg: 'request',
      request,
      method: c.req.method,
      route,
      status: c.res.status,
      ms: Math.max(0, clock.now() - began),
      ...(c.req.query('since') !== undefined || PROBES.includes(route) ? { waits: true } : {}),
      ...(party === undefined ? {} : { party: party.role === 'member' ? party.subject : party.fingerprint }),
      ...(round !== undefined && MESSAGE_ID.test(round) ? { round } : {}),
      ...(query !== undefined && MESSAGE_ID.test(query) ? { query } : {}),
      ...(problem === undefined ? {} : { code: problem.code, reason: problem.detail }),
    } satisfies RequestEvent)
  }
}

/** The path as the interface describes it, never as it was sent; middleware is registered for all methods. */
function templateOf(routes: readonly { readonly method: string; readonly path: string }[]): string {
  const path = routes.findLast(one => one.method !== 'ALL')?.path
  return path?.replaceAll(/:(\w+)(?:\{\.\+\})?/g, '{$1}') ?? 'none'
}

import { createRoute, OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi'
import { eq } from 'drizzle-orm'
import type { Context as HonoContext, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import { storageFault } from '#party/system-errors.ts'
import { problem } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { CLOCK_TOLERANCE_MS, type MemberId, token } from '#specs/messages.ts'
import { problemOf } from '#specs/problem.ts'
import { claims, verify } from '#specs/signed.ts'
import { describeIssues } from '#specs/wording.ts'
import { type Context, charterInForce, type Member } from './context.ts'
import type { Lifecycle } from './lifecycle.ts'
import { parties } from './schema.ts'

/** Who sent a request, from its token. */
export type Party = Pick<typeof parties.$inferSelect, 'fingerprint' | 'role' | 'subject' | 'publicKey' | 'endedAt'>
export type Env = { Variables: { party: Party; request: string } }
export type App = OpenAPIHono<Env>

/** What the routes work with: the coordinator's state, and what moves its rounds on. */
export interface Service {
  readonly context: Context
  readonly lifecycle: Lifecycle
}

/** Nothing but contributions is longer; a query may list 10,000 codes a condition. */
const LONGEST_JSON = 5 * 1024 * 1024
/** Of somebody who is not known yet: an enrolment or a login. */
const LONGEST_OF_STRANGERS = 64 * 1024
const REQUESTS_A_MINUTE = 1200

export function newApp(): App {
  return new OpenAPIHono<Env>({
    defaultHook: result => {
      if (!result.success) throw fault('bad-request', `the request is not well-formed: ${describeIssues(result.error)}`)
    },
  })
}

type Definition = Pick<RouteConfig, 'method' | 'path' | 'summary' | 'description' | 'request' | 'responses' | 'tags'>

const problems = { default: { description: 'A problem', content: { 'application/problem+json': { schema: problem } } } }

/** A route for whoever brings a valid token, or for everybody. */
export function route<const R extends Definition>(definition: R, access: 'token' | 'public' = 'token') {
  return createRoute({
    ...definition,
    security: access === 'token' ? [{ token: [] }] : [],
    responses: { ...definition.responses, ...problems },
  } as R & { responses: R['responses'] })
}

export function json<S extends z.ZodType>(description: string, schema: S) {
  return { description, content: { 'application/json': { schema } } }
}

export const binary = { 'application/octet-stream': { schema: z.any().openapi({ type: 'string', format: 'binary' }) } }

export function body<S extends z.ZodType>(schema: S) {
  return { body: { content: { 'application/json': { schema } }, required: true } }
}

/**
 * Hono's own refusals, of bodies that are not JSON for example, are the sender's mistakes too, and so are bodies that break
 * off: a coordinator has no other connections. A full disk is nobody's.
 */
export function ownError(error: unknown): unknown {
  if (error instanceof HTTPException && error.status < 500) return fault('bad-request', error.message, error)
  if ((error as NodeJS.ErrnoException).code === 'ECONNRESET')
    return fault('truncated-body', 'the request broke off', error)
  return storageFault(error, 'of the coordinator') ?? error
}

export function answerProblem(error: unknown, c: HonoContext): Response {
  const answer = { ...problemOf(ownError(error)), instance: `urn:inbond:request:${c.get('request')}` }
  return c.newResponse(JSON.stringify(answer), answer.status as 400, { 'content-type': 'application/problem+json' })
}

/** Bodies are read whole, but for contributions: after it is known who sends them. */
export function limitBodies(): MiddlewareHandler<Env> {
  const [limit, limitOfStrangers] = [LONGEST_JSON, LONGEST_OF_STRANGERS].map(maxSize =>
    bodyLimit({
      maxSize,
      onError: () => {
        throw fault('too-large', `a request has at most ${maxSize} bytes`)
      },
    }),
  ) as [MiddlewareHandler, MiddlewareHandler]
  return (c, next) => {
    if (c.var.party === undefined) return limitOfStrangers(c, next)
    return c.req.method === 'PUT' ? next() : limit(c, next)
  }
}

/** So many requests a minute for each party, and together for all who are not known yet. */
export function limitRates(context: Context): (who: string) => void {
  let minute = 0
  let counts = new Map<string, number>()
  return who => {
    const now = Math.floor(context.clock.now() / 60_000)
    if (now !== minute) {
      minute = now
      counts = new Map()
    }
    const count = (counts.get(who) ?? 0) + 1
    counts.set(who, count)
    if (count > REQUESTS_A_MINUTE)
      throw fault('too-many-requests', `more than ${REQUESTS_A_MINUTE} requests in a minute`)
  }
}

/**
 * Finds out who sent a request: a token of this federation, for this method and path, signed within two minutes of now with
 * the identity key of an enrolled party.
 */
export function authenticate(context: Context, countRequest: (who: string) => void): MiddlewareHandler<Env> {
  return async (c, next) => {
    const [, bearer] = /^Bearer (\S{1,4000})$/.exec(c.req.header('authorization') ?? '') ?? []
    // Whoever only claims to be a party must not use up what that party may ask.
    const stranger = (reason: string, cause?: unknown) => {
      countRequest('anonymous')
      return fault('bad-token', reason, cause)
    }
    if (bearer === undefined) throw stranger('the request carries no token')
    const kid = signerOf(bearer)
    const party = context.db.select().from(parties).where(eq(parties.fingerprint, kid)).get()
    if (!party) throw stranger('the token is signed with a key that is not enrolled here')
    const { payload } = await verify(token, bearer, party.publicKey).catch(cause => {
      throw stranger('the token is not signed with the key that it names', cause)
    })
    countRequest(kid)
    const path = new URL(c.req.url).pathname
    if (payload.federation !== context.key.fingerprint)
      throw fault('wrong-federation', 'the token is for another federation')
    if (payload.method !== c.req.method || payload.path !== path)
      throw fault('bad-token', 'the token is for another request')
    const difference = Math.abs(Date.parse(payload.issuedAt) - context.clock.now())
    if (difference > CLOCK_TOLERANCE_MS) {
      throw fault('clock-skew', `the clocks of both sides differ by ${Math.round(difference / 1000)} seconds`)
    }
    refuseReplaced(context, party)
    context.presence.note(kid, context.clock.now())
    c.set('party', party)
    await next()
  }
}

/** A member that left may still read which charter left it out. @throws InbondError `key-replaced` */
function refuseReplaced(context: Context, { role, subject, publicKey, endedAt }: Party): void {
  if (role !== 'member' || endedAt === null) return
  const charter = charterInForce(context.db)?.payload
  const entry = charter?.members.find(one => one.id === subject)
  if (entry === undefined || entry.publicKey === publicKey) return
  throw fault('key-replaced', `the charter of epoch ${charter?.epoch} has another key of ${subject}`)
}

function signerOf(bearer: string): string {
  try {
    return claims(token, bearer).kid
  } catch {
    return ''
  }
}

/** The member who sent a request; under a charter, only if it is on the roster with this key. */
export function memberOf(context: Context, party: Party): Member {
  const member = enrolledMember(party)
  if (isMember(context, member)) return member
  throw fault('not-on-roster', `${member.id} is not on the roster of the charter in force`)
}

/** Whether the charter in force, if there is one, names a member with this key. */
export function isMember(context: Context, { id, publicKey }: Member): boolean {
  const charter = charterInForce(context.db)?.payload
  return charter === undefined || charter.members.some(one => one.id === id && one.publicKey === publicKey)
}

/** The member who sent a request, whether a charter names it or not. */
export function enrolledMember(party: Party): Member {
  if (party.role !== 'member') throw fault('not-allowed', 'only a member may do this')
  return { id: party.subject as MemberId, publicKey: party.publicKey }
}

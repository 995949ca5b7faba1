import type { Coordinator } from '#coordinator/app.ts'
import type { IdentityKey } from '#crypto/signature.ts'
import { isoTime } from '#party/clock.ts'
import { token } from '#specs/messages.ts'
import { sign } from '#specs/signed.ts'

/** Requests to a coordinator as anybody could send them: with a right token, or with a token in which one thing is wrong. */
export const URL_OF_COORDINATOR = 'https://coordinator.test'

export interface Sent {
  readonly method?: string
  readonly body?: string | object | null
  readonly headers?: Record<string, string>
  /** Replaces fields of the token. */
  readonly token?: object
}

/** The token that a party sends with a request. */
export async function bearer(coordinator: Coordinator, key: IdentityKey, method: string, path: string, change = {}) {
  const { context } = coordinator
  const payload = {
    federation: context.key.fingerprint,
    method,
    path: path.split('?')[0] as string,
    issuedAt: isoTime(context.clock.now()),
  }
  return `Bearer ${(await sign(key, token, { ...payload, ...change })).compact}`
}

/** Sends one request, signed with `key` unless that is null; an object as body goes as JSON. */
export async function request(
  coordinator: Coordinator,
  key: IdentityKey | null,
  path: string,
  sent: Sent = {},
): Promise<Response> {
  const method = sent.method ?? (sent.body == null ? 'GET' : 'POST')
  const raw = sent.body == null || typeof sent.body === 'string' || isStreamLike(sent.body)
  return coordinator.app.request(`${URL_OF_COORDINATOR}${path}`, {
    method,
    body: (raw ? (sent.body ?? null) : JSON.stringify(sent.body)) as NonNullable<RequestInit['body']> | null,
    headers: {
      ...(sent.body == null ? {} : { 'content-type': 'application/json' }),
      ...(key === null ? {} : { authorization: await bearer(coordinator, key, method, path, sent.token) }),
      ...sent.headers,
    },
    duplex: 'half',
  } as RequestInit)
}

function isStreamLike(body: object): boolean {
  return body instanceof Uint8Array || body instanceof Blob || body instanceof ReadableStream
}

export interface Problem {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly remedy: string
}

/** A refusal, which must be a whole RFC 9457 problem in the coordinator's own words. */
export async function problemOf(response: Response | Promise<Response>): Promise<Problem> {
  const answer = await response
  const text = await answer.text()
  if (answer.headers.get('content-type') !== 'application/problem+json') {
    throw new Error(`status ${answer.status} is no problem: ${text.slice(0, 200)}`)
  }
  const problem = JSON.parse(text)
  const whole = ['type', 'title', 'detail', 'code', 'remedy'].every(field => /\S/.test(problem[field]))
  if (!whole || problem.status !== answer.status || problem.type !== `urn:inbond:error:${problem.code}`) {
    throw new Error(`not a whole problem: ${text}`)
  }
  return problem
}

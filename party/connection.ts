import type { z } from 'zod'
import { InbondError } from '#crypto/error.ts'
import type { IdentityKey } from '#crypto/signature.ts'
import { problem, REQUEST_ID, requestId } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { token } from '#specs/messages.ts'
import { sign } from '#specs/signed.ts'
import { type Clock, isoTime } from './clock.ts'
import { type Coordinates, checkEncryption } from './coordinates.ts'
import { notTheCoordinator, reasonOf, unreachable } from './unreachable.ts'

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>

/** The evidence for an answer of 4,096 members fits; more is not an answer, and would fill the memory. */
const LONGEST_JSON = 256 * 1024 * 1024

/** Everything but a long poll and a transfer of ciphertexts is answered within this time. */
const PATIENCE_MS = 60_000

/** What the coordinator refused, with the id under which its log has the request. */
export class RefusedRequest extends InbondError {
  readonly request: string | undefined

  constructor(code: string, message: string, request: string | undefined) {
    super(code, message)
    this.request = request
  }
}

/** Requests to the coordinator, each with a token of its own that is signed for this method and path; without one where there is no key yet. */
export class Connection {
  readonly #to: Coordinates
  readonly #key: () => IdentityKey | undefined
  readonly #clock: Clock
  readonly #fetch: Fetch
  #grantedAt: number | undefined

  /**
   * @param key or what tells which one it is now
   * @throws InbondError `plain-http`
   */
  constructor(
    to: Coordinates,
    key: IdentityKey | (() => IdentityKey) | undefined,
    clock: Clock,
    fetch: Fetch = globalThis.fetch,
  ) {
    checkEncryption(to)
    this.#to = to
    this.#key = typeof key === 'function' ? key : () => key
    this.#clock = clock
    this.#fetch = fetch
  }

  /** The same, with tokens of another key. */
  as(key: IdentityKey | (() => IdentityKey)): Connection {
    return new Connection(this.#to, key, this.#clock, this.#fetch)
  }

  /** When the coordinator last did what it was asked for, in milliseconds since 1970. */
  get grantedAt(): number | undefined {
    return this.#grantedAt
  }

  /** @throws InbondError the coordinator's own code, `coordinator-unreachable`, or `bad-answer` */
  async get<S extends z.ZodType>(path: string, schema: S, signal?: AbortSignal): Promise<z.output<S>> {
    return read(schema, await this.#request('GET', path, null, {}, withPatience(signal)))
  }

  /** @throws like `get` */
  async post<S extends z.ZodType>(path: string, body: object, schema: S, signal?: AbortSignal): Promise<z.output<S>> {
    const headers = { 'content-type': 'application/json' }
    return read(schema, await this.#request('POST', path, JSON.stringify(body), headers, withPatience(signal)))
  }

  /** Sends a file-backed body without holding it in memory. @throws like `get` */
  async put(path: string, body: Blob, signal?: AbortSignal): Promise<void> {
    const response = await this.#request('PUT', path, body, { 'content-type': 'application/octet-stream' }, signal)
    await response.body?.cancel()
  }

  /** A binary answer as a stream. @throws like `get` */
  async stream(path: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#request('GET', path, null, {}, signal)
    if (response.body === null) throw fault('bad-answer', `${path} was answered without a body`)
    return interruptible(response.body as unknown as AsyncIterable<Uint8Array>)
  }

  async #request(
    method: string,
    path: string,
    body: string | Blob | null,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const response = await this.#fetch(`${this.#to.url}${path}`, {
      method,
      body,
      headers: { ...headers, ...(await this.#authorization(method, path)) },
      // A coordinator leads nowhere else; what would, could lead to where nothing is encrypted.
      redirect: 'manual',
      ...(signal ? { signal } : {}),
    }).catch(cause => {
      if (signal?.aborted && signal.reason?.name !== 'TimeoutError') throw signal.reason
      throw unreachable(this.#to.url, cause)
    })
    if (!response.ok) throw await refusalOf(response)
    this.#grantedAt = this.#clock.now()
    return response
  }

  async #authorization(method: string, path: string): Promise<Record<string, string>> {
    const key = this.#key()
    if (key === undefined) return {}
    const issuedAt = isoTime(this.#clock.now())
    const pathname = path.split('?')[0] as string
    const bearer = await sign(key, token, { federation: this.#to.federation, method, path: pathname, issuedAt })
    return { authorization: `Bearer ${bearer.compact}` }
  }
}

function withPatience(signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(PATIENCE_MS)
  return signal ? AbortSignal.any([signal, timeout]) : timeout
}

async function* interruptible(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* body
  } catch (cause) {
    throw fault(
      'coordinator-unreachable',
      `the connection broke in the middle of a transfer (${reasonOf(cause)})`,
      cause,
    )
  }
}

/** What a response says, or undefined if that is no JSON, broke off, or has more than 256 MiB. */
export async function jsonOf(response: Response): Promise<unknown> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const part of response.body ?? []) {
      length += part.length
      if (length > LONGEST_JSON) return undefined
      parts.push(part)
    }
    return JSON.parse(Buffer.concat(parts).toString())
  } catch {
    return undefined
  }
}

async function refusalOf(response: Response): Promise<InbondError> {
  const parsed = problem.safeParse(await jsonOf(response))
  const request = requestId.safeParse(response.headers.get(REQUEST_ID)).data
  if (parsed.success) return new RefusedRequest(parsed.data.code, parsed.data.detail, request)
  return notTheCoordinator(response.status)
}

async function read<S extends z.ZodType>(schema: S, response: Response): Promise<z.output<S>> {
  const parsed = schema.safeParse(await jsonOf(response))
  if (parsed.success) return parsed.data
  throw fault('bad-answer', `the answer to ${new URL(response.url || 'http://unknown/').pathname} is not understood`)
}

/** Errors that may pass by themselves, so that a party tries again. */
export function mayPass(error: unknown): boolean {
  const passing = [
    'coordinator-unreachable',
    'truncated-body',
    'shutting-down',
    'too-many-requests',
    'internal-error',
    'bad-answer',
    'out-of-space',
    'database-busy',
    'database-damaged',
  ]
  return error instanceof InbondError && passing.includes(error.code)
}

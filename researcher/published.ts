import { open } from 'node:fs/promises'
import type { Connection, Fetch } from '#party/connection.ts'
import { type Coordinates, checkEncryption } from '#party/coordinates.ts'
import { unreadable } from '#party/system-errors.ts'
import { notTheCoordinator, unreachable } from '#party/unreachable.ts'
import { problem } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import type { ReleaseId } from '#specs/messages.ts'
import { LONGEST_RELEASE } from '#specs/release.ts'

/** Releases as anybody gets them: a file, or an address. Nothing here has a key or a token. */

/** Where a coordinator publishes a release; other addresses are those of copies. */
export interface PublishedAt {
  readonly coordinator: string
  readonly id: ReleaseId
}

const PATIENCE_MS = 300_000
const PUBLISHED = /^(.+)\/releases\/([0-9a-f]{64})$/
const LONGEST_PROBLEM = 100_000

export function isAddress(source: string): boolean {
  return /^https?:\/\//i.test(source)
}

/** @throws InbondError `bad-option` for what is no address */
export function publishedAt(address: string): PublishedAt | undefined {
  if (URL.parse(address) === null) throw fault('bad-option', `"${address}" is not an address`)
  const [, coordinator = '', id = ''] = PUBLISHED.exec(address) ?? []
  return id === '' ? undefined : { coordinator, id: id as ReleaseId }
}

/** @throws InbondError `file-not-readable`, `not-a-release` for a file that is too long */
export async function readReleaseFile(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    if (size > LONGEST_RELEASE) throw tooLong()
    return await file.readFile()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause
    throw fault('file-not-readable', unreadable(path, cause), cause)
  }
}

/** Where something public is, and whether the reader insists on plain HTTP. */
type Public = Pick<Coordinates, 'url' | 'plainHttp'>

/** @throws InbondError `plain-http`, `coordinator-unreachable`, `not-found`, `bad-answer`, `not-a-release` for a file that is too long */
export async function fetchRelease(from: Public, fetch: Fetch, signal?: AbortSignal): Promise<Uint8Array> {
  return bytesOf(await requested(from, fetch, signal), from.url, LONGEST_RELEASE)
}

/** The public part of a coordinator's interface, for readers of its log. */
export function publicConnection(to: Public, fetch: Fetch): Pick<Connection, 'stream'> {
  return {
    stream: async (path, signal) => {
      const { body } = await requested({ ...to, url: `${to.url}${path}` }, fetch, signal)
      if (body === null) throw fault('bad-answer', `${path} was answered without a body`)
      return body as unknown as AsyncIterable<Uint8Array>
    },
  }
}

async function requested(from: Public, fetch: Fetch, signal: AbortSignal | undefined): Promise<Response> {
  const { url: address } = from
  checkEncryption(from)
  const patience = AbortSignal.any([AbortSignal.timeout(PATIENCE_MS), ...(signal ? [signal] : [])])
  const response = await fetch(address, { redirect: 'manual', signal: patience }).catch(cause => {
    if (signal?.aborted) throw signal.reason
    throw unreachable(address, cause)
  })
  if (response.ok) return response
  if (response.status === 404) throw fault('not-found', `there is nothing at ${address}`)
  const text = Buffer.from(await bytesOf(response, address, LONGEST_PROBLEM).catch(() => new Uint8Array(0))).toString()
  const refused = problem.safeParse(parsed(text))
  throw refused.success ? fault('bad-answer', `${address}: ${refused.data.detail}`) : notTheCoordinator(response.status)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function bytesOf(response: Response, address: string, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const part of response.body ?? []) {
      length += part.length
      if (length > most) throw tooLong()
      parts.push(part)
    }
  } catch (error) {
    throw (error as { code?: unknown }).code === 'not-a-release' ? error : unreachable(address, error)
  }
  return Buffer.concat(parts)
}

function tooLong() {
  return fault('not-a-release', `a release has at most ${LONGEST_RELEASE} bytes`)
}

import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https'
import { createAdaptorServer } from '@hono/node-server'
import type { Clock } from '#party/clock.ts'
import { listen } from '#party/listening.ts'
import { loggable } from '#party/logged-error.ts'
import type { Coordinator } from './app.ts'
import type { CertificateFiles } from './certificate.ts'
import type { Tell } from './events.ts'

/** How often deadlines and what other commands wrote are looked at. */
const TICK_MS = 250
const SWEEP_MS = 3_600_000
/** Slow links may take this long for one contribution; one that stands still is given up much earlier. */
const LONGEST_REQUEST_MS = 3_600_000
/** How long a shutdown waits for transfers to end by themselves. Long polls are answered at once. */
const GRACE_MS = 2_000
/** How long answers that are complete may take to leave. */
const FLUSH_MS = 250

/**
 * Serves a coordinator until `signal` aborts: over HTTPS where there is a certificate, which is exchanged when its files are.
 * @param listening told the port once requests are answered
 * @throws InbondError `address-in-use`, `bad-tls-certificate`, `file-not-readable`
 */
export async function serve(
  coordinator: Coordinator,
  address: { host: string; port: number },
  signal: AbortSignal,
  listening: (port: number) => void,
  certificate?: CertificateFiles,
): Promise<void> {
  const { app, context, lifecycle } = coordinator
  const answering = new Set<Promise<unknown>>()
  const secure = certificate && { createServer: createSecureServer, serverOptions: await certificate.read() }
  const server = createAdaptorServer({ fetch: remembering(answering, app.fetch), ...secure }) as Server
  server.requestTimeout = LONGEST_REQUEST_MS
  server.headersTimeout = 30_000
  await lifecycle.removeParts()
  await lifecycle.sweep()
  await lifecycle.advance()
  await listen(server, address)
  listening((server.address() as { port: number }).port)
  let seen = dataVersion(coordinator)
  let swept = context.clock.now()
  while (!signal.aborted) {
    await context.clock.wait(TICK_MS, signal)
    await lifecycle.advance().catch(() => undefined)
    if (certificate) await renew(server as SecureServer, certificate, context.tell)
    // Commands that work on the same database beside this process are noticed by SQLite's counter of others' commits.
    if (dataVersion(coordinator) !== seen) {
      seen = dataVersion(coordinator)
      context.changes.announce('everybody')
    }
    if (context.clock.now() - swept > SWEEP_MS) {
      swept = context.clock.now()
      await lifecycle.sweep()
    }
  }
  context.changes.end()
  server.close()
  await atMost(GRACE_MS, Promise.allSettled(answering), context.clock)
  server.closeIdleConnections()
  await atMost(FLUSH_MS, once(server, 'close'), context.clock)
  server.closeAllConnections()
  // What was cut off gives up its files and leaves the database alone before it is closed.
  await atMost(GRACE_MS, Promise.allSettled(answering), context.clock)
}

/** For connections that begin from now on. A pair that does not fit, as while one of its files is replaced, changes nothing. */
async function renew(server: SecureServer, certificate: CertificateFiles, tell: Tell): Promise<void> {
  try {
    const pair = await certificate.readIfReplaced()
    if (pair === undefined) return
    server.setSecureContext(pair)
    tell({ msg: 'certificate renewed' })
  } catch (error) {
    tell({ msg: 'certificate not renewed', ...loggable(error) })
  }
}

async function atMost(milliseconds: number, what: Promise<unknown>, clock: Clock): Promise<void> {
  const over = new AbortController()
  await Promise.race([what, clock.wait(milliseconds, over.signal)])
  over.abort()
}

/** Keeps each request in `answering` until it has its response. */
function remembering<Args extends unknown[]>(
  answering: Set<Promise<unknown>>,
  fetch: (...args: Args) => Response | Promise<Response>,
): (...args: Args) => Promise<Response> {
  return async (...args) => {
    const answer = Promise.resolve(fetch(...args))
    answering.add(answer)
    return answer.finally(() => answering.delete(answer))
  }
}

function dataVersion(coordinator: Coordinator): unknown {
  return coordinator.context.db.$client.pragma('data_version', { simple: true })
}

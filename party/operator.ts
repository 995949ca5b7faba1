import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type Database from 'better-sqlite3'
import type { Registry } from 'prom-client'
import { type Address, listen } from './listening.ts'
import type { Log, LogEvent } from './log.ts'
import { newRegistry } from './metrics.ts'

/** Whoever monitors asks for little and reads it at once. */
const LONGEST_REQUEST_MS = 10_000

/** What a running party tells its operator: a log, and metrics where an address for them is configured. */
export class Operator<Event extends LogEvent> implements AsyncDisposable {
  /** Writes an event to the log and counts it. */
  readonly tell: (event: Event) => void
  readonly #registry: Registry | undefined
  readonly #address: Address | undefined
  #stop = async () => {}

  /** @param counting registers what counts events, and returns it */
  constructor(log: Log<Event>, address: Address | undefined, counting: (registry: Registry) => (event: Event) => void) {
    this.#address = address
    this.#registry = address && newRegistry()
    const count = this.#registry && counting(this.#registry)
    this.tell = event => {
      log(event)
      count?.(event)
    }
  }

  /**
   * Answers `/metrics` in the text format of Prometheus and `/readyz`, at an address of their own: no rule of a reverse proxy is
   * all that keeps them from the public, and no password is needed where that address is this machine's alone.
   * @param measuring registers what is measured whenever it is asked for
   * @param database of the party, which is ready as long as it answers
   * @throws InbondError `address-in-use`, `bad-config`
   */
  async serve(measuring: (registry: Registry) => void, database: { $client: Database.Database }): Promise<void> {
    if (!this.#registry || !this.#address) return
    measuring(this.#registry)
    this.#stop = await serve(this.#address, this.#registry, () => database.$client.prepare('SELECT 1').get())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop()
  }
}

async function serve(address: Address, registry: Registry, checkReady: () => void): Promise<() => Promise<void>> {
  const pages: Readonly<Record<string, () => string | Promise<string>>> = {
    '/metrics': () => registry.metrics(),
    '/readyz': () => {
      checkReady()
      return 'ready\n'
    },
  }
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const page = Object.hasOwn(pages, request.url ?? '') ? pages[request.url as string] : undefined
    if (page === undefined) return send(response, 404, 'there is /metrics and /readyz\n')
    if (request.method !== 'GET') return send(response, 405, 'GET alone\n')
    const text = await page()
    send(response, 200, text, request.url === '/metrics' ? registry.contentType : undefined)
  }
  const server = createServer((request, response) => {
    void answer(request, response).catch(() => send(response, 500, 'failed\n'))
  })
  server.requestTimeout = LONGEST_REQUEST_MS
  server.headersTimeout = LONGEST_REQUEST_MS
  await listen(server, address)
  return async () => {
    server.closeAllConnections()
    await new Promise<void>(resolve => server.close(() => resolve()))
  }
}

function send(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type }).end(text)
}

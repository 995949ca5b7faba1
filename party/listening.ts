import { once } from 'node:events'
import type { Server } from 'node:http'
import { z } from 'zod'
import { fault } from '#specs/errors.ts'

export const address = z.strictObject({
  host: z.string().default('127.0.0.1'),
  port: z.number().int().min(1).max(65535),
})
export type Address = z.infer<typeof address>

/** What stands after an option that takes a port. @throws InbondError `bad-option` */
export function portOption(option: string, text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return port
  throw fault('bad-option', `${option} ${text} is not a port; it lies between 1 and 65535`)
}

/** `--metrics-port` as config.yaml has it: an address of this machine alone. @throws InbondError `bad-option` */
export function metricsOption(port: string | undefined): { metrics?: Address } {
  return port === undefined ? {} : { metrics: { host: '127.0.0.1', port: portOption('--metrics-port', port) } }
}

/** Resolves when a server listens. @throws InbondError `address-in-use`, `bad-config` */
export async function listen(server: Server, { host, port }: Address): Promise<void> {
  server.listen(port, host)
  await once(server, 'listening').catch(cause => {
    if (cause.code !== 'EADDRINUSE') {
      throw fault('bad-config', `this machine cannot listen on ${host}:${port} (${cause.code})`, cause)
    }
    throw fault('address-in-use', `${host}:${port} is in use by another program`, cause)
  })
}

import { z } from 'zod'
import { coordinatorUrl } from '#party/coordinates.ts'
import { address } from '#party/listening.ts'
import { isLoopback, isReadable } from '#party/loopback.ts'
import { fault } from '#specs/errors.ts'
import { typedName } from '#specs/messages.ts'

/** config.yaml of a coordinator. */
export const config = z.strictObject({
  role: z.literal('coordinator'),
  name: typedName,
  currency: z.string().regex(/^[A-Z]{3}$/, 'a currency is three capital letters, such as USD'),
  host: z.string(),
  port: z.number().int().min(1).max(65535),
  /** Where members and researchers reach it; a proxy's address, where there is one. */
  url: coordinatorUrl,
  /** Files in PEM: with them it speaks HTTPS itself. */
  tls: z.strictObject({ certificate: z.string(), key: z.string() }).optional(),
  /** A reverse proxy has the certificate; the way from there to here is its operator's. */
  behindProxy: z.literal(true).optional(),
  /** Insists on HTTP where it could be read. */
  plainHttp: z.literal(true).optional(),
  /** Where the operator reads metrics; nowhere unless it is said. */
  metrics: address.optional(),
})
export type Config = z.infer<typeof config>

/**
 * Requests carry tokens, questions and who asks them: they travel encrypted, or stay on this machine, unless somebody insists.
 * @throws InbondError `plain-http`
 */
export function checkEncryption({ host, url, tls, behindProxy, plainHttp }: Config): void {
  if (plainHttp) return
  if (tls === undefined && !behindProxy && !isLoopback(host)) {
    throw fault('plain-http', `${host} can be reached from other machines, and requests to it would not be encrypted`)
  }
  if (isReadable(url)) throw fault('plain-http', `requests to ${url} would not be encrypted`)
}

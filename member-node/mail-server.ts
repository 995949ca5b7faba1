import { createTransport } from 'nodemailer'
import type { MailTransport } from './notices.ts'

/** In milliseconds: a server that does not answer is tried again later. */
const PATIENCE_MS = 10_000

/**
 * A mail server, over TLS from the beginning (`smtps`) or from the first commands on (`smtp`): without it nothing is sent.
 * @param server such as smtps://user@mail.example.org
 */
export function mailServer(server: string, password: string | undefined): MailTransport {
  const { protocol, hostname, port, username } = new URL(server)
  return createTransport({
    host: hostname,
    port: port === '' ? (protocol === 'smtps:' ? 465 : 587) : Number(port),
    secure: protocol === 'smtps:',
    requireTLS: true,
    connectionTimeout: PATIENCE_MS,
    greetingTimeout: PATIENCE_MS,
    socketTimeout: PATIENCE_MS,
    ...(username === '' ? {} : { auth: { user: decodeURIComponent(username), pass: password ?? '' } }),
  })
}

import type { InbondError } from '#crypto/error.ts'
import { type ErrorCode, fault } from '#specs/errors.ts'

/** What stands between a party and its coordinator when a request does not get through: networks, certificates, proxies. */

const UNTRUSTED = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]
const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  ENOTFOUND: 'there is no such name',
  EAI_AGAIN: 'names cannot be looked up now',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to it',
  ETIMEDOUT: 'it took too long',
  UND_ERR_CONNECT_TIMEOUT: 'it took too long',
  TimeoutError: 'it took too long',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
}

type NetworkError = Error & { readonly code?: unknown; readonly port?: number; readonly hostname?: string }

/**
 * An error of `fetch` as one of Inbond's own.
 * @param url the coordinator's address
 */
export function unreachable(url: string, error: unknown): InbondError {
  const say = (message: string) => fault('coordinator-unreachable', message, error)
  const cause = innermost(error)
  const [, status] = /^Proxy response \((\d+)\)/.exec(cause.message) ?? []
  if (status === '407') return say('the proxy wants a name and a password: HTTPS_PROXY=http://name:password@proxy:port')
  if (status !== undefined) return say(`the proxy does not let requests through to ${url} (status ${status})`)
  const code = codeOf(cause)
  if (UNTRUSTED.includes(code)) {
    return say(
      `the certificate of ${url} is not trusted here (${code}); name the file of its authority, or of the proxy that opens ` +
        'connections, in NODE_EXTRA_CA_CERTS',
    )
  }
  return say(`${isOfProxy(url, cause) ? `the proxy on the way to ${url}` : url} does not answer (${reasonOf(error)})`)
}

/** A reason in words, with its code. */
export function reasonOf(error: unknown): string {
  const cause = innermost(error)
  const code = codeOf(cause)
  const meaning = MEANINGS[code]
  return meaning === undefined ? code : `${meaning}, ${code}`
}

/** Numbers are codes of other catalogues: those of the web platform, or none at all. */
function codeOf({ code, name }: NetworkError): string {
  return typeof code === 'string' ? code : name
}

function innermost(error: unknown): NetworkError {
  let found = error as NetworkError
  while (found.cause instanceof Error) found = found.cause as NetworkError
  return found
}

/** Whether a connection failed that was not to the coordinator itself. */
function isOfProxy(url: string, { port, hostname }: NetworkError): boolean {
  const to = new URL(url)
  const defaultPort = to.protocol === 'https:' ? 443 : 80
  if (hostname !== undefined) return hostname !== to.hostname
  return port !== undefined && port !== Number(to.port || defaultPort)
}

/** What answered in the coordinator's place: a coordinator explains every refusal as RFC 9457 has it. */
export function notTheCoordinator(status: number): InbondError {
  const code: ErrorCode = status === 413 ? 'too-large' : 'bad-answer'
  const reason = status === 413 ? 'refuses bodies of this size' : 'answered in its place'
  return fault(code, `a proxy between here and the coordinator ${reason} (status ${status})`)
}

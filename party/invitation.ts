import { z } from 'zod'
import { fingerprint } from '#crypto/signature.ts'
import { type FederationInfo, federationInfo } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { PROTOCOL } from '#specs/signed.ts'
import { type Fetch, jsonOf } from './connection.ts'
import { type Coordinates, checkEncryption, coordinatorUrl } from './coordinates.ts'
import { unreachable } from './unreachable.ts'

/** A one-time invitation in one line that no shell takes apart: `URL#role.code.fingerprint`. */
export interface Invitation extends Coordinates {
  readonly role: 'member' | 'researcher'
  readonly code: string
}

const LONGEST_LINE = 2000
const parts = z.tuple([
  coordinatorUrl,
  z.enum(['member', 'researcher']),
  z.string().regex(/^[\w-]{16,64}$/),
  z.string().regex(/^[\w-]{43}$/),
])

export function formatInvitation(invitation: Invitation): string {
  return `${invitation.url}#${invitation.role}.${invitation.code}.${invitation.federation}`
}

/** @throws InbondError `bad-invitation` */
export function parseInvitation(line: string): Invitation {
  const [address, fragment, ...more] = line.length > LONGEST_LINE ? [] : line.trim().split('#')
  const parsed = parts.safeParse([address, ...(fragment?.split('.') ?? [])])
  if (!parsed.success || more.length > 0) {
    throw fault('bad-invitation', 'this is not an invitation; it looks like https://address#member.code.fingerprint')
  }
  const [url, role, code, federation] = parsed.data
  return { url, role, code, federation }
}

/**
 * Asks a coordinator who it is, and believes it only if its key has the fingerprint that is known of it.
 * @throws InbondError `plain-http`, `coordinator-unreachable`, `bad-answer`, `wrong-federation`, `upgrade-needed`
 */
export async function meetCoordinator(to: Coordinates, fetch: Fetch = globalThis.fetch): Promise<FederationInfo> {
  checkEncryption(to)
  const signal = AbortSignal.timeout(30_000)
  const response = await fetch(`${to.url}/federation`, { redirect: 'manual', signal }).catch(cause => {
    throw unreachable(to.url, cause)
  })
  const parsed = federationInfo.safeParse(await jsonOf(response))
  if (!parsed.success)
    throw fault('bad-answer', `${to.url} does not answer like a coordinator (status ${response.status})`)
  if (parsed.data.protocol !== PROTOCOL) {
    throw fault(
      'upgrade-needed',
      `the coordinator speaks protocol version ${parsed.data.protocol}; this is version ${PROTOCOL}`,
    )
  }
  // What is no key at all has no fingerprint.
  if ((await fingerprint(parsed.data.publicKey).catch(() => undefined)) !== to.federation) {
    throw fault('wrong-federation', `the coordinator at ${to.url} does not have the key that is expected of it`)
  }
  return parsed.data
}

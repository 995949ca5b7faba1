import type { z } from 'zod'
import { InbondError } from '#crypto/error.ts'
import { claimed, type IdentityKey, type PublicKey, signMessage, verifyMessage } from '#crypto/signature.ts'
import { describeIssues } from './wording.ts'

/**
 * What every signed message has in common: a JSON payload of one schema in a compact JWS (crypto/signature.ts), parsed once, at
 * the edge, by `verify`; inside a party there are only `Signed` values. The messages themselves: messages.ts.
 */

/** Version of the protocol; a party that reads another one says so (`upgrade-needed`) and does nothing else. */
export const PROTOCOL = 1

/** The longest compact message that anybody reads; a charter of 4,096 members has about 1 MB. */
export const LONGEST_MESSAGE = 4 * 1024 * 1024

/** A kind of message: what its signature is on. */
export interface Kind<S extends z.ZodType> {
  /** The JWS `typ`. */
  readonly typ: string
  /** Who signs it, as the reference page says it. */
  readonly signer: 'coordinator' | 'member' | 'custodian' | 'researcher' | 'member or coordinator' | 'any party'
  readonly meaning: string
  readonly schema: S
}

export function kind<S extends z.ZodType>(
  name: string,
  signer: Kind<S>['signer'],
  meaning: string,
  schema: S,
): Kind<S> {
  return { typ: `inbond-${name}`, signer, meaning, schema }
}

declare const verified: unique symbol

/** A message whose signature and schema were checked. Only `verify` and `sign` make one. */
export interface Signed<T, Id extends string = string> {
  readonly id: Id
  readonly compact: string
  readonly payload: T
  readonly [verified]: true
}

/** Signs what the schema describes. @throws InbondError `bad-message` if the payload is not of the schema */
export async function sign<S extends z.ZodType, Id extends string = string>(
  key: IdentityKey,
  kind: Kind<S>,
  payload: z.input<S>,
): Promise<Signed<z.output<S>, Id>> {
  const checked = parse(kind, payload)
  const { id, compact } = await signMessage(key, kind.typ, checked)
  return { id, compact, payload: checked } as Signed<z.output<S>, Id>
}

/**
 * Verifies the signature of one known signer and parses the payload.
 * @throws InbondError `bad-signature`, `bad-message`, `upgrade-needed`
 */
export async function verify<S extends z.ZodType, Id extends string = string>(
  kind: Kind<S>,
  compact: string,
  publicKey: PublicKey,
): Promise<Signed<z.output<S>, Id>> {
  checkSize(compact)
  const { id, payload } = await verifyMessage(compact, kind.typ, publicKey)
  return { id, compact, payload: parse(kind, payload) } as Signed<z.output<S>, Id>
}

/**
 * What a message claims, to find out whose key to verify it with; `verify` must follow.
 * @throws InbondError `bad-signature`, `bad-message`, `upgrade-needed`
 */
export function claims<S extends z.ZodType>(kind: Kind<S>, compact: string): { kid: string; payload: z.output<S> } {
  checkSize(compact)
  const { kid, payload } = claimed(compact, kind.typ)
  return { kid, payload: parse(kind, payload) }
}

function checkSize(compact: string): void {
  if (compact.length > LONGEST_MESSAGE) throw new InbondError('bad-message', 'a message is longer than 4 MiB')
}

function parse<S extends z.ZodType>(kind: Kind<S>, payload: unknown): z.output<S> {
  const parsed = kind.schema.safeParse(payload)
  if (parsed.success) return parsed.data
  const version = (payload as { protocol?: unknown } | null)?.protocol
  if (typeof version === 'number' && version !== PROTOCOL) {
    throw new InbondError(
      'upgrade-needed',
      `a ${kind.typ} is of protocol version ${version}; this is version ${PROTOCOL}`,
    )
  }
  throw new InbondError('bad-message', `a ${kind.typ} is not well-formed: ${describeIssues(parsed.error)}`)
}

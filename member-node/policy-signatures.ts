import { and, asc, eq, gt } from 'drizzle-orm'
import { z } from 'zod'
import { InbondError } from '#crypto/error.ts'
import type { IdentityKey, PublicKey } from '#crypto/signature.ts'
import { fault } from '#specs/errors.ts'
import { charter, hash } from '#specs/messages.ts'
import { printable } from '#specs/printable.ts'
import { claims, kind, sign, verify } from '#specs/signed.ts'
import type { Node } from './node.ts'
import type { Policy } from './policy.ts'
import { charters, policies, policySignatures } from './schema.ts'

/**
 * Once a policy in force names stewards, another one takes its place only when enough of these signed it. The signatures stay at home,
 * as decisions do.
 */

export const policySignature = kind(
  'policy-signature',
  'any party',
  'A steward of a member, or the member in place of its stewards, lets a policy follow the one in force.',
  z.strictObject({
    /** SHA-256 of its text, in hex. */
    policy: hash,
    /** The one in force, which says who may sign. Back to an earlier text it takes other signatures than the first time. */
    follows: z.strictObject({ version: z.int().min(1), policy: hash }),
    /** Null for the node's own key, in place of its stewards. */
    steward: printable.min(1).max(100).nullable(),
    at: z.iso.datetime({ precision: 3 }),
  }),
)

type Books = Pick<Node, 'id' | 'db' | 'clock'>

/** A text that may take the place of a policy in force. */
export interface Succession {
  /** SHA-256 of it, in hex. */
  readonly hash: string
  readonly follows: { readonly version: number; readonly hash: string; readonly rules: Policy }
}

/** Who signed a succession. */
export interface Signers {
  /** Names, the first first, each once. */
  readonly stewards: readonly string[]
  /** Whether the node's own key did. */
  readonly node: boolean
}

/** The signatures that count: of stewards whom the policy in force names, with these keys, and of this member's own key. */
export async function signersOf(node: Pick<Books, 'id' | 'db'>, succession: Succession): Promise<Signers> {
  const { hash: policy, follows } = succession
  const ofThis = and(eq(policySignatures.policy, policy), eq(policySignatures.follows, follows.version))
  const stewards = new Set<string>()
  let own = false
  for (const row of node.db.select().from(policySignatures).where(ofThis).orderBy(asc(policySignatures.id)).all()) {
    if (!maySign(node, follows.rules, row)) continue
    const read = (await verify(policySignature, row.compact, row.publicKey).catch(unsigned))?.payload
    const isOfThis = read?.policy === policy && read.follows.version === follows.version
    if (!isOfThis || read.follows.policy !== follows.hash || read.steward !== row.steward) continue
    if (read.steward === null) own = true
    else stewards.add(read.steward)
  }
  return { stewards: [...stewards], node: own }
}

function unsigned(error: unknown): undefined {
  if (!(error instanceof InbondError)) throw error
}

interface Signer {
  /** Null for the node's own key, in place of the stewards. */
  readonly steward: string | null
  readonly publicKey: PublicKey
}

function maySign(node: Pick<Books, 'id' | 'db'>, rules: Policy, { steward, publicKey }: Signer): boolean {
  if (steward === null) return isOwnKey(node, publicKey)
  return rules.stewards.some(one => one.name === steward && one.key === publicKey)
}

/**
 * Whether a charter that this node signed or followed has a key as this member's. Before the first one nothing says which it is, and
 * nothing is answered.
 */
function isOwnKey({ id, db }: Pick<Books, 'id' | 'db'>, key: PublicKey): boolean {
  const known = db.select({ compact: charters.compact }).from(charters).all()
  const named = known.flatMap(({ compact }) => claims(charter, compact).payload.members.filter(one => one.id === id))
  return named.length === 0 || named.some(one => one.publicKey === key)
}

/**
 * Signs that a text may take the place of the policy in force. The same may be signed twice.
 * @param steward who signs, or null for the node's own key in place of the stewards
 * @throws InbondError `not-allowed` for whoever may not; `too-late` where another policy came into force meanwhile
 */
export async function signPolicy(
  node: Books,
  { hash: policy, follows }: Succession,
  steward: string | null,
  key: IdentityKey,
): Promise<void> {
  const { publicKey } = key
  if (!maySign(node, follows.rules, { steward, publicKey })) throw fault('not-allowed', whyNot(follows.rules, steward))
  const at = node.clock.now()
  const { compact } = await sign(key, policySignature, {
    policy,
    follows: { version: follows.version, policy: follows.hash },
    steward,
    at: new Date(at).toISOString(),
  })
  node.db.transaction(() => {
    const later = node.db.select().from(policies).where(gt(policies.version, follows.version)).get()
    if (later) throw fault('too-late', 'another policy came into force meanwhile: look at what this one changes now')
    const row = { policy, follows: follows.version, steward, publicKey, compact, signedAt: at }
    node.db.insert(policySignatures).values(row).onConflictDoNothing().run()
  })
}

function whyNot({ deputies }: Policy, steward: string | null): string {
  if (steward === null) return 'no charter has this key as the own one of this member'
  if (deputies.some(one => one.name === steward)) return `${steward} is a deputy, and deputies sign no policy`
  return `the policy in force names no steward ${steward} with this key`
}

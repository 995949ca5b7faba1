import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { PolicyKeeper, type UnsignedPolicy } from '#member-node/policy-in-force.ts'
import { policySignature } from '#member-node/policy-signatures.ts'
import { contributions, policySignatures } from '#member-node/schema.ts'
import { sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import { pose, step } from '../steps.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene } from './scene.ts'

/**
 * VN's policy leaves every question to two people. One of them is tricked, or bribed, and instead of an approval writes another policy
 * into the file, which answers everything.
 */
async function rewrite(
  scene: Scene,
  more: (keeper: PolicyKeeper, kim: IdentityKey) => Promise<void>,
): Promise<unknown> {
  const node = scene.node('VN')
  const [kim, lee] = await Promise.all([generateIdentityKey(), generateIdentityKey()])
  const stewards = [
    { name: 'Kim', key: kim.publicKey },
    { name: 'Lee', key: lee.publicKey },
  ]
  let file = JSON.stringify({ ...(presets.open as Policy), otherwise: 'two people', stewards })
  const keeper = new PolicyKeeper(node, async () => file)
  Object.assign(node, { policy: () => keeper.inForce() })
  await keeper.inForce()
  file = JSON.stringify(presets.open)
  await more(keeper, kim)
  await pose(scene.federation, QUESTION)
  await step(scene.federation, 'contribute', ['VN'])
  const contributed = node.db.select().from(contributions).all()
  return contributed.length === 0 ? 'a question that waits' : 'a contribution of VN'
}

/** It signs with its own key, and again with that key in the name of the other. */
async function signTwice(scene: Scene, keeper: PolicyKeeper, kim: IdentityKey): Promise<void> {
  await keeper.inForce()
  const { hash: policy, follows } = (keeper.trouble as UnsignedPolicy).succession
  for (const [at, steward] of ['Kim', 'Lee'].entries()) {
    const statement = { policy, follows: { version: follows.version, policy: follows.hash }, steward }
    const { compact } = await sign(kim, policySignature, { ...statement, at: new Date(at).toISOString() })
    const publicKey = follows.rules.stewards[at]?.key as string
    const row = { policy, follows: follows.version, steward, publicKey, compact, signedAt: at }
    scene.node('VN').db.insert(policySignatures).values(row).run()
  }
}

export const attacks: readonly Attack[] = [
  {
    row: 16,
    name: 'one of two people writes another policy into the file',
    attempt: scene => rewrite(scene, async () => undefined),
    holds: { has: 'a question that waits' },
    protection: [
      edit('member-node/policy-in-force.ts', 'last === undefined || needed === 0', 'last === undefined || needed < 99'),
      edit('member-node/migrations/0003_trust-constraints.sql', 'LIMIT 1) > 0', 'LIMIT 1) > 99'),
    ],
    fails: { has: 'a contribution of VN' },
  },
  {
    row: 16,
    name: 'one of two people signs a policy for both',
    attempt: scene => rewrite(scene, (keeper, kim) => signTwice(scene, keeper, kim)),
    holds: { has: 'a question that waits' },
    protection: [
      edit(
        'member-node/policy-signatures.ts',
        'await verify(policySignature, row.compact, row.publicKey)',
        'await verify(policySignature, row.compact, follows.rules.stewards[0]?.key ?? row.publicKey)',
      ),
    ],
    fails: { has: 'a contribution of VN' },
  },
]

import { eq } from 'drizzle-orm'
import { generateIdentityKey } from '#crypto/signature.ts'
import { recordDecision } from '#member-node/decisions.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { contributions, queue } from '#member-node/schema.ts'
import { edit } from '../edits.ts'
import { pose, step } from '../steps.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene } from './scene.ts'

/**
 * VN's policy leaves every question to two people. One of them is tricked, or bribed, and can write into the database of the node: it
 * approves with its own key, and again with that key in the name of the other.
 */
async function approveTwice(scene: Scene): Promise<unknown> {
  const node = scene.node('VN')
  const [kim, lee] = await Promise.all([generateIdentityKey(), generateIdentityKey()])
  const stewards = [
    { name: 'Kim', key: kim.publicKey },
    { name: 'Lee', key: lee.publicKey },
  ]
  node.rules = { ...(presets.open as Policy), otherwise: 'two people', stewards }
  const { round } = await pose(scene.federation, QUESTION)
  await step(scene.federation, 'contribute', ['VN'])
  const { basis } = node.db.select().from(queue).where(eq(queue.round, round)).get() as typeof queue.$inferSelect
  const at = new Date(node.clock.now()).toISOString()
  for (const steward of ['Kim', 'Lee']) {
    await recordDecision(node.db, kim, { round, steward, verdict: 'approve', basis, reason: null, at })
  }
  await step(scene.federation, 'contribute', ['VN'])
  const contributed = node.db.select().from(contributions).where(eq(contributions.round, round)).get()
  return contributed === undefined ? 'a question that waits' : 'a contribution of VN'
}

export const attacks: readonly Attack[] = [
  {
    row: 16,
    name: 'one of two people decides for both',
    attempt: approveTwice,
    holds: { has: 'a question that waits' },
    protection: [
      edit(
        'member-node/decisions.ts',
        'await verify(decision, compact, person.key).catch(unsigned)',
        'await verify(decision, compact, rules.stewards[0]?.key ?? person.key).catch(unsigned)',
      ),
    ],
    fails: { has: 'a contribution of VN' },
  },
]

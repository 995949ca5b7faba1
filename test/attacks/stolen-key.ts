import { charterInForce } from '#coordinator/context.ts'
import { proposeCharter } from '#coordinator/proposals.ts'
import { rotateKey } from '#member-node/rotation.ts'
import { done } from '#specs/api.ts'
import { enrolment, type MemberId } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import { seededIdentityKey } from '../randomness.ts'
import type { Attack } from './attack.ts'
import type { Scene } from './scene.ts'

/**
 * JP heard that somebody copied its key, and has enrolled another one, which waits for a charter. The thief enrols one of its own with
 * the copy, so that the charter would name that one in the place of JP's, and the members who sign without comparing let it in.
 */
async function driveOut(scene: Scene): Promise<unknown> {
  const jp = scene.node('JP')
  await rotateKey(jp)
  const thief = await seededIdentityKey('thief')
  const { payload } = charterInForce(scene.coordinator.db) as SignedCharter
  const { name, conventions } = payload.members.find(one => one.id === 'JP') as (typeof payload.members)[number]
  const { compact } = await sign(thief, enrolment, {
    protocol: PROTOCOL,
    role: 'member',
    federation: jp.federation,
    invitation: null,
    publicKey: thief.publicKey,
    id: 'JP' as MemberId,
    name,
    conventions,
  })
  await jp.connection.post('/keys', { enrolment: compact }, done)
  const proposed = await proposeCharter(scene.coordinator, {})
  const named = proposed.payload.members.find(one => one.id === 'JP')?.publicKey
  return named === thief.publicKey ? 'a charter with the key of the thief' : 'a charter with the key of JP'
}

export const attacks: readonly Attack[] = [
  {
    row: 7,
    name: 'whoever copied a key drives out the one that is to replace it',
    attempt: driveOut,
    holds: { refused: 'already-enrolled', saying: /another key of JP waits for a charter/ },
    protection: [
      edit(
        'coordinator/enrolment.ts',
        'if (tx.select().from(parties).where(isWaiting(member.id)).get()) {',
        'if (tx.update(parties).set({ endedAt: 0 }).where(isWaiting(member.id)).run() === undefined) {',
      ),
    ],
    fails: { has: 'a charter with the key of the thief' },
  },
]

import { SEALED_BYTES } from '#crypto/sealing.ts'
import { messageId } from '#crypto/signature.ts'
import { agree } from '#member-node/custody.ts'
import { sealedShareOffset } from '#specs/bodies.ts'
import { cohort, type ManifestId } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import { bodyOf, framesOf } from '../simulation/adversary.ts'
import { pose, step } from '../steps.ts'
import type { Attack } from './attack.ts'
import { closedAs, closedRound, contributionOf } from './cheating.ts'
import { HOUR, QUESTION, type Scene } from './scene.ts'

/**
 * BR answered one round and stayed away from the next. The coordinator still has its contribution and puts it into the cohort of the
 * second round: BR would be in a sum to which it did not contribute. What a member signed must count in its round alone.
 */
async function replay(scene: Scene): Promise<unknown> {
  const first = await closedRound(scene)
  const old = contributionOf(scene, first.id, 'BR')
  const posed = await pose(scene.federation, QUESTION)
  await step(scene.federation, 'contribute', ['FR', 'JP', 'KR', 'VN'])
  await scene.pass(HOUR)
  const second = closedAs(scene, posed.round, posed.query)
  const honest = claims(cohort, second.announced.cohort).payload
  const replayed = { member: scene.node('BR').id, manifest: messageId(old.manifest) as ManifestId }
  const forged = await sign(scene.coordinatorKey, cohort, { ...honest, manifests: [replayed, ...honest.manifests] })
  scene.between = (_, direct) => async (url, init) => {
    if (url.endsWith('/agreements')) return Response.json({}, { status: 201 })
    const answer = await direct(url, init)
    if (!url.endsWith('/shares')) return answer
    const at = sealedShareOffset(old.manifest, 3)
    const share = old.bytes.subarray(at, at + SEALED_BYTES)
    return bodyOf([{ manifest: old.manifest, share }, ...(await framesOf(answer))])
  }
  await agree(scene.node('KR'), { ...second.announced, cohort: forged.compact })
  return 'an agreement of KR'
}

export const attacks: readonly Attack[] = [
  {
    row: 5,
    name: 'the coordinator counts a contribution in another round',
    attempt: replay,
    holds: { refused: 'bad-cohort', saying: /the manifest of BR is of another round/ },
    // Without the first, the prekeys do not fit; without the second, the share does not open.
    protection: [
      edit('specs/rules/cohort.ts', 'if (signed.payload.round !== round.id) throw', "if (signed.id === '') throw"),
      edit('specs/rules/cohort.ts', 'if (actual !== expected || ', 'if ('),
      edit('member-node/custody.ts', '    await openShare(node, round, index, privateKey, share)\n'),
    ],
    fails: { has: 'an agreement of KR' },
  },
]

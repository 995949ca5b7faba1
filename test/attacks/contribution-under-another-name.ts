import { agree } from '#member-node/custody.ts'
import { cohort, type ManifestId, type MemberId, manifest } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import { bodyOf, framesOf } from '../simulation/adversary.ts'
import type { Attack } from './attack.ts'
import { closedRound, contributionOf } from './cheating.ts'
import type { Scene } from './scene.ts'

/**
 * JP and the coordinator pool what they have. They want the figures of BR twice in the sum, and theirs not at all: JP signs a manifest
 * that names the ciphertext of BR and the shares that BR sealed. A share must open only as that of the dealer who sealed it.
 */
async function countTwice(scene: Scene): Promise<unknown> {
  const closed = await closedRound(scene)
  const stolen = claims(manifest, contributionOf(scene, closed.id, 'BR').manifest).payload
  const copy = await sign<typeof manifest.schema, ManifestId>(scene.node('JP').key, manifest, {
    ...stolen,
    member: 'JP' as MemberId,
  })
  const honest = claims(cohort, closed.announced.cohort).payload
  const manifests = honest.manifests.map(one => (one.member === 'JP' ? { ...one, manifest: copy.id } : one))
  const forged = await sign(scene.coordinatorKey, cohort, { ...honest, manifests })
  scene.between = (_, direct) => async (url, init) => {
    if (url.endsWith('/agreements')) return Response.json({}, { status: 201 })
    const answer = await direct(url, init)
    if (!url.endsWith('/shares')) return answer
    const frames = await framesOf(answer)
    const dealer = (compact: string) => claims(manifest, compact).payload.member
    const ofBr = frames.find(one => dealer(one.manifest) === 'BR') as (typeof frames)[number]
    return bodyOf(frames.map(one => (dealer(one.manifest) === 'JP' ? { ...ofBr, manifest: copy.compact } : one)))
  }
  await agree(scene.node('KR'), { ...closed.announced, cohort: forged.compact })
  return 'an agreement of KR'
}

export const attacks: readonly Attack[] = [
  {
    row: 5,
    name: 'a member and the coordinator count the contribution of another member twice',
    attempt: countTwice,
    holds: { refused: 'bad-seal', saying: /does not open with this key in this context/ },
    protection: [
      edit('specs/sealed-context.ts', 'share.dealer, '),
      edit(
        'member-node/custody.ts',
        'if (new Set(received.map(one => one.ciphertext)).size !== received.length) {',
        'if (received.length === 0) {',
      ),
    ],
    fails: { has: 'an agreement of KR' },
  },
]

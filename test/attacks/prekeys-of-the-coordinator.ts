import { generateSealingKeyPair } from '#crypto/sealing.ts'
import { answer } from '#member-node/answer.ts'
import { manifest, prekey, round } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import { seededRandomness } from '../randomness.ts'
import { documentOf, pose, roundRow } from '../steps.ts'
import type { Attack } from './attack.ts'
import { decrypt, shareOf } from './cheating.ts'
import { FIGURES, MEMBERS, QUESTION, type Scene } from './scene.ts'

/**
 * The coordinator has every contribution and every sealed share, and no key to them. It wants the figures of VN alone, and so
 * announces the round with prekeys that it made itself, under the names of the custodians: their private halves it has.
 * VN must not seal anything to them: a prekey counts only with the signature of its custodian.
 */
async function readOne(scene: Scene): Promise<unknown> {
  const { round: id } = await pose(scene.federation, QUESTION)
  const honest = documentOf(scene.federation, id)
  const pairs = await Promise.all(MEMBERS.map((_, i) => generateSealingKeyPair(seededRandomness(`false prekey ${i}`))))
  const prekeys = await Promise.all(
    honest.prekeys.map(async (compact, i) => {
      const publicKey = Buffer.from(pairs[i]?.publicKey ?? []).toString('base64url')
      return (await sign(scene.coordinatorKey, prekey, { ...claims(prekey, compact).payload, publicKey })).compact
    }),
  )
  const forged = await sign(scene.coordinatorKey, round, { ...honest, prekeys })
  let sent = Buffer.alloc(0)
  scene.between = (_, direct) => async (url, init) => {
    if (init?.method !== 'PUT') return direct(url, init)
    sent = Buffer.from(await new Response(init?.body ?? null).arrayBuffer())
    return new Response(null, { status: 204 })
  }
  const { query } = roundRow(scene.federation, id)
  await answer(scene.node('VN'), { round: forged.compact, query })
  const compact = sent.subarray(12, 12 + sent.readUInt32LE(8)).toString()
  const stored = { manifest: compact, bytes: sent }
  const places = claims(manifest, compact).payload.shares.map((_, i) => i)
  const shares = await Promise.all(
    places.map(place => shareOf(stored, place, place + 1, pairs[place]?.privateKey as Uint8Array)),
  )
  return decrypt([stored], query, shares)
}

export const attacks: readonly Attack[] = [
  {
    row: 1,
    name: 'the coordinator reads one contribution with prekeys that it made itself',
    attempt: readOne,
    holds: { refused: 'bad-signature', saying: /signed with the expected key/ },
    protection: [
      edit('specs/rules/round.ts', 'verify(prekey, compact, entry.publicKey)', 'verify(prekey, compact, coordinator)'),
    ],
    fails: { has: FIGURES.VN },
  },
]

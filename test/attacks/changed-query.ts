import { unpackShare } from '#crypto/packing.ts'
import { generateSealingKeyPair, unseal } from '#crypto/sealing.ts'
import type { Share } from '#crypto/shamir.ts'
import { prepare } from '#researcher/client.ts'
import { storedQuery } from '#researcher/researcher.ts'
import { type CohortId, type MemberId, type QueryId, query, type RoundId } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { openingContext } from '#specs/sealed-context.ts'
import { claims, sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import { seededRandomness } from '../randomness.ts'
import type { Attack } from './attack.ts'
import { contributionOf, decrypt, smuggle } from './cheating.ts'
import { MEMBERS, QUESTION, type Scene, TOTAL } from './scene.ts'

/**
 * A researcher asks. The coordinator records another query in its place, which it signs itself because it cannot sign for the
 * researcher, and announces its round. Members must answer only what a researcher signed.
 */
async function inPlaceOf(scene: Scene, change: object): Promise<RoundId> {
  const { researcher } = scene.federation
  const honest = storedQuery(researcher, await prepare(researcher, parseQueryFile(QUESTION)))
  const { payload } = claims(query, honest.compact)
  const forged = await sign<typeof query.schema, QueryId>(scene.coordinatorKey, query, { ...payload, ...change })
  return smuggle(scene, forged)
}

/** It wants to read the answer itself, and names itself as the recipient. */
async function readAnswer(scene: Scene): Promise<unknown> {
  const { publicKey, privateKey } = await generateSealingKeyPair(seededRandomness('another recipient'))
  const id = await inPlaceOf(scene, { recipient: Buffer.from(publicKey).toString('base64url') })
  const { $client } = scene.coordinator.db
  const cohort = $client.prepare('SELECT cohort_id FROM rounds WHERE id = ?').pluck().get(id) as CohortId
  const openings = $client.prepare('SELECT custodian, sealed FROM openings WHERE round = ?').all(id)
  const shares: Share[] = []
  for (const { custodian, sealed } of openings as { custodian: MemberId; sealed: Buffer }[]) {
    const packed = await unseal(
      'inbond/opening/v1',
      privateKey,
      openingContext({ round: id, cohort, custodian }),
      sealed,
    )
    shares.push({ index: MEMBERS.indexOf(custodian) + 1, residues: unpackShare(packed) })
  }
  const asked = $client.prepare('SELECT compact FROM queries').pluck().get() as string
  return decrypt(
    MEMBERS.map(member => contributionOf(scene, id, member)),
    asked,
    shares,
  )
}

/** It wants to know which goods came, where the researcher asked by transport alone. */
async function askOtherwise(scene: Scene): Promise<unknown> {
  const { question } = parseQueryFile(QUESTION.replace('by: [transport]', 'by: [hs6]'))
  const id = await inPlaceOf(scene, { question })
  return scene.coordinator.db.$client.prepare('SELECT state FROM rounds WHERE id = ?').pluck().get(id)
}

const signature = edit(
  'specs/rules/researcher.ts',
  'verify(query, compact, researcher.publicKey)',
  'verify(query, compact, charter.payload.coordinator)',
)

export const attacks: readonly Attack[] = [
  {
    row: 6,
    name: 'the coordinator makes itself the recipient of an answer',
    attempt: readAnswer,
    holds: { refused: 'bad-signature', saying: /signed with the expected key/ },
    protection: [signature],
    fails: { has: TOTAL },
  },
  {
    row: 6,
    name: 'the coordinator asks more than the researcher did, in its name',
    attempt: askOtherwise,
    holds: { refused: 'bad-signature', saying: /signed with the expected key/ },
    protection: [signature],
    fails: { has: 'opened' },
  },
]

import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { prepare } from '#researcher/client.ts'
import { storedQuery } from '#researcher/researcher.ts'
import { type Certificate, certificate, type QueryId, query, sponsorship } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { claims, sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import type { Attack } from './attack.ts'
import { smuggle } from './cheating.ts'
import { QUESTION, type Scene } from './scene.ts'

/**
 * The coordinator certifies researchers. It would like to have one that does what it wants: nobody at all, in the name of whom it asks
 * and reads; or a real one that passes for somebody to whom policies allow more. Members must answer only whom a member vouches
 * for, as that member said it.
 */
async function askAs(
  scene: Scene,
  key: IdentityKey,
  change: (certified: Certificate) => Promise<Partial<Certificate>>,
): Promise<unknown> {
  const { researcher } = scene.federation
  const { payload } = claims(
    query,
    storedQuery(researcher, await prepare(researcher, parseQueryFile(QUESTION))).compact,
  )
  const { payload: honest } = claims(certificate, payload.certificate)
  const certified = await sign(scene.coordinatorKey, certificate, { ...honest, ...(await change(honest)) })
  const asked = await sign<typeof query.schema, QueryId>(key, query, { ...payload, certificate: certified.compact })
  await smuggle(scene, asked)
  return 'a contribution of VN'
}

async function asNobody(scene: Scene): Promise<unknown> {
  const key = await generateIdentityKey()
  return askAs(scene, key, async ({ sponsorship: honest }) => {
    const { payload } = claims(sponsorship, honest)
    const said = { name: 'Nobody', publicKey: key.publicKey }
    return { ...said, sponsorship: (await sign(scene.coordinatorKey, sponsorship, { ...payload, ...said })).compact }
  })
}

export const attacks: readonly Attack[] = [
  {
    row: 8,
    name: 'the coordinator invents a researcher, and vouches for it in the name of a member',
    attempt: asNobody,
    holds: { refused: 'bad-signature', saying: /inbond-sponsorship signed with the expected key/ },
    protection: [
      edit(
        'specs/rules/researcher.ts',
        'verify(sponsorship, compact, entry.publicKey)',
        'verify(sponsorship, compact, entry.publicKey).catch(() => verify(sponsorship, compact, terms.coordinator))',
      ),
    ],
    fails: { has: 'a contribution of VN' },
  },
  {
    row: 8,
    name: 'the coordinator certifies more of a researcher than its sponsor said',
    attempt: scene =>
      askAs(scene, scene.federation.researcher.key, async () => ({ organisation: 'Statistical office of VN' })),
    holds: { refused: 'bad-certificate', saying: /another organisation than its sponsor signed/ },
    protection: [edit('specs/rules/researcher.ts', 'if (strayed !== undefined) {', "if (strayed === 'publicKey') {")],
    fails: { has: 'a contribution of VN' },
  },
  {
    row: 8,
    name: 'a researcher asks for a purpose for which nobody vouches, and the coordinator lets it',
    attempt: scene =>
      askAs(scene, scene.federation.researcher.key, async () => ({ purposes: ['official-statistics'] })),
    holds: { refused: 'bad-certificate', saying: /sponsored for official-statistics, not for research/ },
    protection: [
      edit('specs/rules/researcher.ts', '  if (purposes.includes(purposeCode)) return', '  if (purposes) return'),
    ],
    fails: { has: 'a contribution of VN' },
  },
]

import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { prepare } from '#researcher/client.ts'
import { storedQuery } from '#researcher/researcher.ts'
import { type Certificate, certificate, type QueryId, query, revocation, sponsorship } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import { pose, step } from '../steps.ts'
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

/** The sponsor stopped a researcher. The coordinator logs it as it must, and shows it to the others with another signature. */
async function spoilRevocation(scene: Scene): Promise<unknown> {
  const { researcher, coordinator } = scene.federation
  const br = scene.node('BR')
  const stopped = { of: 'researcher', publicKey: researcher.key.publicKey } as const
  const signedFor = (reason: string) =>
    sign(br.key, revocation, { protocol: PROTOCOL, federation: br.federation, by: br.id, ...stopped, reason })
  const [signed, another] = await Promise.all([signedFor('left the bank'), signedFor('another one')])
  coordinator.context.db.transaction(tx => coordinator.context.log.append(tx, revocation.typ, signed.id, 0))
  const served = [...signed.compact.split('.').slice(0, 2), another.compact.split('.')[2]].join('.')
  scene.between = (_, direct) => async (url, init) =>
    url.includes('/revocations/') ? Response.json({ revocation: served }) : direct(url, init)
  await pose(scene.federation, QUESTION)
  await step(scene.federation, 'contribute', ['VN'])
  return 'a contribution of VN'
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
  {
    row: 8,
    name: 'the coordinator shows a revocation in the log with another signature',
    attempt: spoilRevocation,
    holds: { refused: 'bad-answer', saying: /a revocation in the log is served with another signature/ },
    protection: [
      edit(
        'member-node/researchers.ts',
        "if (error.code === 'bad-signature')",
        'if (error.code) return\n      if (error.code)',
      ),
    ],
    fails: { has: 'a contribution of VN' },
  },
]

import { loggedProofs } from '#coordinator/answers.ts'
import { publish } from '#researcher/release.ts'
import { verifyRelease } from '#researcher/verification.ts'
import { type QueryId, type Release, release } from '#specs/messages.ts'
import { fileOf, publishedRelease, type ReleaseContent, readFileOf } from '#specs/release.ts'
import { contentHash, entryOf, messagesIn } from '#specs/rules/release.ts'
import { claims, sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene, TOTAL } from './scene.ts'

/**
 * A recipient publishes figures that it did not get, and the coordinator logs whatever it sends: it signs its lie, and everything else
 * in the file is as it was. Or the coordinator hands out another release than the one that a reader asked for. A reader has public data
 * alone.
 */

async function released(scene: Scene) {
  const { query } = await scene.federation.ask(QUESTION)
  return publish(scene.federation.researcher, query as QueryId, null)
}

/** The figure that a reader believes of a release in which the recipient changed something. */
async function believed(scene: Scene, change: (content: ReleaseContent) => ReleaseContent): Promise<unknown> {
  const { file } = await released(scene)
  const honest = readFileOf(publishedRelease, file)
  const content = change(honest.content)
  const payload: Release = { ...claims(release, honest.release).payload, content: contentHash(content) }
  const { compact } = await sign(scene.federation.researcher.key, release, payload)
  const own = entryOf(compact)
  scene.coordinator.db.transaction(tx => scene.coordinator.log.append(tx, own.typ, own.message, 0))
  const log = loggedProofs(scene.coordinator, messagesIn(content), [own])
  await verifyRelease(fileOf({ release: compact, content, log }))
  return content.rows[0]?.['sum(value)']
}

export const attacks: readonly Attack[] = [
  {
    row: 20,
    name: 'a recipient publishes a figure that it did not get',
    attempt: scene =>
      believed(scene, content => ({ ...content, rows: content.rows.map(row => ({ ...row, 'sum(value)': '99.00' })) })),
    holds: { refused: 'bad-release', saying: /figures are not those that the sum decrypts to/ },
    protection: [
      edit(
        'researcher/verification.ts',
        '  if (JSON.stringify(content.rows) === JSON.stringify(rows)) return\n',
        '  if (content.rows.length === rows.length) return\n',
      ),
    ],
    fails: { has: '99.00' },
  },
  {
    row: 20,
    name: 'somebody changes the note beside a published answer',
    attempt: async scene => {
      const { file } = await released(scene)
      const honest = readFileOf(publishedRelease, file)
      const [header, payload = '', signature] = honest.release.split('.')
      const said = Buffer.from(payload, 'base64url').toString().replace('"note":null', '"note":"final"')
      const compact = [header, Buffer.from(said).toString('base64url'), signature].join('.')
      const own = entryOf(compact)
      scene.coordinator.db.transaction(tx => scene.coordinator.log.append(tx, own.typ, own.message, 0))
      const log = loggedProofs(scene.coordinator, messagesIn(honest.content), [own])
      const { release: read } = await verifyRelease(fileOf({ ...honest, release: compact, log }))
      return read.payload.note
    },
    holds: { refused: 'bad-release', saying: /no inbond-release signed with the expected key/ },
    protection: [
      edit(
        'specs/rules/release.ts',
        'await verify(release, sent.release, of.recipient)',
        '{ ...claims(release, sent.release), id: messageId(sent.release), compact: sent.release } as never',
      ),
      edit('specs/rules/release.ts', 'import { type Signed, verify }', 'import { claims, type Signed }'),
    ],
    fails: { has: 'final' },
  },
  {
    row: 20,
    name: 'the coordinator serves another release under the address',
    attempt: async scene => {
      const first = await released(scene)
      const second = await released(scene)
      const { answer } = await verifyRelease(first.file, { id: second.address.slice(-64) })
      return answer.rows[0]?.['sum(value)']
    },
    holds: { refused: 'bad-release', saying: /the address is of release/ },
    protection: [
      edit('researcher/verification.ts', '  if (id !== expected) throw', '  if (id.length !== expected?.length) throw'),
    ],
    fails: { has: TOTAL },
  },
]

import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Fetch } from '#party/connection.ts'
import { resume } from '#researcher/client.ts'
import type { AnswerEvidence } from '#specs/api.ts'
import { charter, cohort, manifest, type QueryId, sum } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'
import { pose, roundRow } from '../steps.ts'
import { foundFederation, QUESTION, Scene, TOTAL } from './scene.ts'

/**
 * The coordinator hands a recipient the answer with the evidence for it, and wants something else to be believed: another sum, another
 * cohort, another question, agreements that there were not. It signs what is its own to sign and leaves out, repeats and swaps
 * the rest. The recipient must find each of these, and must still be able to read the answer afterwards.
 */

const _sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

let scene: Scene
let query: QueryId
beforeAll(async () => {
  scene = new Scene(await foundFederation())
  query = (await pose(scene.federation, QUESTION)).query
  scene.federation.researcher.db.$client.prepare('UPDATE queries SET sent_at = 1 WHERE id = ?').run(query)
  await scene.federation.settle()
})
afterEach(() => {
  scene.between = undefined
})
afterAll(() => scene[Symbol.dispose]())

const answer = () => resume(scene.federation.researcher, query, () => undefined)
const anotherRound = async () => roundRow(scene.federation, (await pose(scene.federation, QUESTION)).round)

const changed = (change: (evidence: AnswerEvidence) => Promise<AnswerEvidence> | AnswerEvidence) =>
  tampering('/answer', async response => Response.json(await change((await response.json()) as AnswerEvidence)))

function tampering(suffix: string, change: (response: Response) => Promise<Response>) {
  return (who: string, direct: Fetch): Fetch =>
    async (url, init) => {
      const response = await direct(url, init)
      return who === 'researcher' && url.endsWith(suffix) ? change(response) : response
    }
}

async function bent(response: Response): Promise<Uint8Array> {
  const bytes = Buffer.from(await response.arrayBuffer())
  bytes[0] = (bytes[0] as number) ^ 1
  return bytes
}

const resigned = async (evidence: AnswerEvidence, change: object) => {
  const { payload } = claims(sum, evidence.sum)
  return (await sign(scene.coordinatorKey, sum, { ...payload, ...change })).compact
}

const cases: [string, string, RegExp, () => (who: string, direct: Fetch) => Fetch][] = [
  [
    'another sum',
    'bad-evidence',
    /not the one that the coordinator signed/,
    () => tampering('/sum', async response => new Response((await bent(response)) as never)),
  ],
  [
    'a sum of another cohort',
    'bad-evidence',
    /another cohort/,
    () => changed(async evidence => ({ ...evidence, sum: await resigned(evidence, { cohort: '0'.repeat(64) }) })),
  ],
  [
    "another member's contribution",
    'bad-evidence',
    /sent another contribution of KR than the one that it signed/,
    () => tampering('/contributions/KR', async response => new Response((await bent(response)) as never)),
  ],
  [
    'a sum that is too long',
    'bad-evidence',
    /longer than/,
    () => tampering('/sum', async response => new Response(Buffer.concat([await bent(response), Buffer.alloc(1)]))),
  ],
  [
    'a manifest left out',
    'bad-evidence',
    /one manifest of every member/,
    () => changed(evidence => ({ ...evidence, manifests: evidence.manifests.slice(1) })),
  ],
  [
    'a manifest twice',
    'bad-evidence',
    /one manifest of every member|same ciphertext/,
    () =>
      changed(evidence => ({
        ...evidence,
        manifests: [...evidence.manifests.slice(1), evidence.manifests[1] as string],
      })),
  ],
  [
    'a manifest that its member did not sign',
    'bad-signature',
    /expected key/,
    () =>
      changed(async evidence => {
        const first = evidence.manifests[0] as string
        const forged = await sign(scene.coordinatorKey, manifest, claims(manifest, first).payload)
        return { ...evidence, manifests: [forged.compact, ...evidence.manifests.slice(1)] }
      }),
  ],
  [
    'another manifest than the one in the cohort',
    'bad-cohort',
    /not the one in the cohort/,
    () =>
      changed(async evidence => {
        const { payload } = claims(manifest, evidence.manifests[0] as string)
        const other = await sign(scene.node(payload.member).key, manifest, { ...payload, alone: !payload.alone })
        return { ...evidence, manifests: [other.compact, ...evidence.manifests.slice(1)] }
      }),
  ],
  [
    'a member dropped from the cohort',
    'bad-cohort',
    /agreed to another cohort|not the one in the cohort/,
    () =>
      changed(async evidence => {
        const { payload } = claims(cohort, evidence.cohort)
        const fewer = { ...payload, manifests: payload.manifests.slice(1) }
        const manifests = evidence.manifests.slice(1)
        return { ...evidence, manifests, cohort: (await sign(scene.coordinatorKey, cohort, fewer)).compact }
      }),
  ],
  [
    'agreements of three',
    'bad-evidence',
    /3 custodians agreed .* 4 must/,
    () => changed(evidence => ({ ...evidence, agreements: evidence.agreements.slice(0, 3) })),
  ],
  [
    'an agreement four times',
    'bad-evidence',
    /1 custodians agreed/,
    () => changed(evidence => ({ ...evidence, agreements: Array(4).fill(evidence.agreements[0]) })),
  ],
  [
    'an opening twice',
    'bad-evidence',
    /opened twice/,
    () => changed(evidence => ({ ...evidence, openings: Array(4).fill(evidence.openings[0]) })),
  ],
  [
    'openings of two under swapped names',
    'bad-evidence',
    /is of something else/,
    () =>
      changed(evidence => {
        const [a, b, ...rest] = evidence.openings as [AnswerEvidence['openings'][0], AnswerEvidence['openings'][0]]
        return { ...evidence, openings: [{ ...a, sealed: b.sealed }, { ...b, sealed: a.sealed }, ...rest] }
      }),
  ],
  [
    'too few openings',
    'sum-not-accepted',
    /no 4 of the 3/,
    () => changed(evidence => ({ ...evidence, openings: evidence.openings.slice(0, 3) })),
  ],
  [
    'another question',
    'bad-evidence',
    /another query/,
    () =>
      changed(async evidence => ({
        ...evidence,
        query: (await anotherRound()).query,
      })),
  ],
  [
    'the round of another question',
    'bad-round',
    /another query/,
    () =>
      changed(async evidence => ({
        ...evidence,
        round: (await anotherRound()).compact,
      })),
  ],
  [
    'a charter that was not in force',
    'bad-charter',
    /was not seen in force/,
    () =>
      changed(async evidence => {
        const { payload } = claims(charter, evidence.charter.charter)
        const { compact } = await sign(scene.coordinatorKey, charter, { ...payload, threshold: payload.threshold + 1 })
        return { ...evidence, charter: { ...evidence.charter, charter: compact } }
      }),
  ],
]

test.each(cases)('%s is refused', async (_, code, reason, cheat) => {
  scene.between = cheat()
  await expect(answer()).rejects.toMatchObject({ code, message: expect.stringMatching(reason) })
})

test('nothing is lost by it', async () => {
  expect((await answer()).rows).toEqual([{ transport: 'sea', 'sum(value)': TOTAL }])
})

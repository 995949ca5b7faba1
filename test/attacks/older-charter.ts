import { bundle } from '#coordinator/context.ts'
import { answer } from '#member-node/answer.ts'
import { isoTime } from '#party/clock.ts'
import { prepare } from '#researcher/client.ts'
import { fetchCharter, storedQuery } from '#researcher/researcher.ts'
import type { FederationInfo } from '#specs/api.ts'
import { query, round } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import type { Attack } from './attack.ts'
import { withoutJp } from './former-member.ts'
import { HOUR, MEMBERS, QUESTION, type Scene } from './scene.ts'

/**
 * JP was a custodian and is not any more: the others agreed on a charter without it. The coordinator is its friend and goes back to the
 * older charter, under which JP opens.
 */

/** It announces a round under the older charter, with a query that was signed while that was in force. */
async function announce(scene: Scene): Promise<unknown> {
  const { researcher } = scene.federation
  const asked = storedQuery(researcher, await prepare(researcher, parseQueryFile(QUESTION)))
  await withoutJp(scene)
  const { id, payload } = { id: asked.id, payload: claims(query, asked.compact).payload }
  const now = scene.federation.clock.now()
  const { $client } = scene.coordinator.db
  const prekeys = $client.prepare('SELECT compact FROM prekeys GROUP BY custodian HAVING max(rowid)').pluck().all()
  const announced = await sign(scene.coordinatorKey, round, {
    protocol: PROTOCOL,
    charter: payload.charter,
    query: id,
    kind: 'value',
    asOf: isoTime(now),
    opens: isoTime(now),
    closes: isoTime(now + HOUR),
    ends: isoTime(now + 2 * HOUR),
    eligible: MEMBERS as never,
    prekeys: prekeys as string[],
    logHead: scene.coordinator.log.head(),
  })
  scene.between = (_, direct) => async (url, init) =>
    init?.method === 'PUT' ? new Response(null, { status: 204 }) : direct(url, init)
  await answer(scene.node('VN'), { round: announced.compact, query: asked.compact })
  return 'a contribution of VN'
}

/** It shows the older charter to a researcher that has seen the newer one. */
async function show(scene: Scene): Promise<unknown> {
  const { researcher } = scene.federation
  const older = await fetchCharter(researcher)
  const inForce = bundle(scene.coordinator.db, older)
  await withoutJp(scene)
  await fetchCharter(researcher)
  scene.between = (_, direct) => async (url, init) => {
    const answer = await direct(url, init)
    return url.endsWith('/federation')
      ? Response.json({ ...((await answer.json()) as FederationInfo), inForce })
      : answer
  }
  return (await fetchCharter(researcher)).payload.epoch
}

export const attacks: readonly Attack[] = [
  {
    row: 7,
    name: 'the coordinator announces a round under an older charter',
    attempt: announce,
    holds: { refused: 'bad-round', saying: /under another charter than the one in force/ },
    protection: [
      edit(
        'member-node/announcements.ts',
        'verifyRound(announced, requirePlace(node), node',
        "verifyRound(announced, charterOf(node, JSON.parse(Buffer.from(announced.round.split('.')[1], 'base64url')).charter), node",
      ),
    ],
    fails: { has: 'a contribution of VN' },
  },
  {
    row: 7,
    name: 'the coordinator shows a researcher an older charter',
    attempt: show,
    holds: { refused: 'bad-charter', saying: /a charter of epoch 1 does not follow the one in force here \(epoch 2\)/ },
    protection: [
      edit(
        'researcher/researcher.ts',
        'researcher.to.federation, id, known)',
        'researcher.to.federation, id, undefined)',
      ),
    ],
    fails: { has: 1 },
  },
]

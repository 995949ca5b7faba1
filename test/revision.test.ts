import { afterEach, beforeEach, expect, test } from 'vitest'
import { answer } from '#member-node/answer.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { isoTime } from '#party/clock.ts'
import { manifest, type RoundId, round } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'
import { Federation } from './federation.ts'
import { documentOf, pose, roundRow } from './steps.ts'

/** Members change months that they answered for. */

const QUESTION = `dataset: declarations
where: { period: 2020-01 }
by: []
measures: [{ sum: value }]
purpose: what was revised
need: all
closes: 1h
`
const HEAD = 'flow,period,hs6,value\n'
const JANUARY = { from: '2020-01', to: '2020-01' }

let federation: Federation
beforeEach(async () => {
  federation = await Federation.create({ members: ['FR', 'JP', 'KR'] })
  for (const node of federation.nodes.values()) {
    node.rules = { ...(presets.open as Policy), alone: false }
    federation.load(node.id, `${HEAD}import,2020-01,010121,1\n`, JANUARY)
  }
})
afterEach(() => federation[Symbol.dispose]())

/** The coverage that KR signed for a round. */
function coverageOf(id: RoundId) {
  const { db } = federation.node('KR')
  const compact = db.$client.prepare('SELECT manifest FROM contributions WHERE round = ?').pluck().get(id) as string
  return claims(manifest, compact).payload.coverage
}

test('a member that revises a closed month alone answers as before, until it closes the month again', async () => {
  const before = await federation.ask(QUESTION)
  federation.load('KR', `${HEAD}import,2020-01,010121,5\n`)
  expect((await federation.ask(QUESTION)).rows).toEqual(before.rows)
  federation.load('KR', `${HEAD}import,2020-01,010121,7\n`, JANUARY)
  await expect(federation.ask(QUESTION)).rejects.toThrow(/would stand apart/)
})

test('a round is answered from the data as of its instant, whatever was closed since, which is said', async () => {
  const asOf = isoTime(federation.clock.now())
  federation.clock.advance(1)
  // Three thousand records of the largest value are beyond what a member may contribute to a cell.
  federation.load('KR', HEAD + 'import,2020-01,851712,1000000000000\n'.repeat(3000), JANUARY)
  const { round: id } = await pose(federation, QUESTION)
  const asked = { ...documentOf(federation, id), asOf }
  const earlier = await sign<typeof round.schema, RoundId>(federation.coordinator.context.key, round, asked)
  const announced = { round: earlier.compact, query: roundRow(federation, id).query }
  // The coordinator knows of no such round.
  await expect(answer(federation.node('KR'), announced)).rejects.toMatchObject({ code: 'not-found' })
  expect(coverageOf(earlier.id)).toMatchObject([{ state: 'complete', version: 1, latest: 2 }])
  const { round: next } = await pose(federation, QUESTION)
  const current = { round: roundRow(federation, next).compact, query: roundRow(federation, next).query }
  await expect(answer(federation.node('KR'), current)).rejects.toMatchObject({ code: 'cell-too-large' })
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle, charterInForce } from '#coordinator/context.ts'
import { withdrawLostPrekeys } from '#member-node/custody.ts'
import { makeOffer } from '#member-node/offers.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { revoke, sponsor } from '#member-node/researchers.ts'
import { rotateKey } from '#member-node/rotation.ts'
import type { Fetch } from '#party/connection.ts'
import { cancel } from '#researcher/client.ts'
import { publish } from '#researcher/release.ts'
import { done } from '#specs/api.ts'
import type { QueryId } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { Federation, VOUCHING } from './federation.ts'
import { logInMadeUp } from './login/made-up.ts'
import { pose, proposeAndSign, step } from './steps.ts'

/** Every request that writes arrives twice at the same moment, as from two processes of one party. */

const QUESTION = `dataset: declarations
measures: [{ sum: value }]
purpose: sent twice
closes: 1h
`

const written = new Set<string>()
let federation: Federation

beforeAll(async () => {
  federation = await Federation.create({
    members: ['BR', 'JP', 'KR', 'VN'],
    recountFrom: 0,
    network: (_, direct) => twice(direct),
  })
  for (const id of federation.nodes.keys()) federation.load(id, 'flow,period,hs6,value\nimport,2020-01,010121,1.25\n')
})
afterAll(() => federation[Symbol.dispose]())

function twice(direct: Fetch): Fetch {
  return async (url, init) => {
    if (init?.method === undefined || init.method === 'GET') return direct(url, init)
    const [first, second] = await Promise.all([direct(url, init), direct(url, init)])
    expect([second.status, await second.text()], url).toEqual([first.status, await first.clone().text()])
    written.add(new URL(url).pathname.replaceAll(/[0-9a-f]{64}/g, '{id}'))
    return first
  }
}

test('an answer comes of it, added up again by a custodian, and is released', async () => {
  const { rows, evidence, query } = await federation.ask(QUESTION)
  expect(rows).toEqual([{ 'sum(value)': '5.00' }])
  expect([...federation.nodes.keys()]).toContain(evidence.recountedBy)
  await publish(federation.researcher, query as QueryId, null)
})

test('a query is withdrawn, and custodians give its round up', async () => {
  const { query } = await pose(federation, QUESTION)
  for (const kind of ['contribute', 'agree'] as const) await step(federation, kind)
  await cancel(federation.researcher, query)
  await federation.settle()
})

test('a member refuses', async () => {
  federation.node('JP').rules = { ...(presets.open as Policy), questionsADay: 0 }
  await expect(federation.ask(QUESTION)).rejects.toMatchObject({ code: 'round-void' })
})

test('somebody logs in with an organisation', async () => {
  await logInMadeUp(federation, 'BR')
})

test('a researcher is sponsored again, and revoked', async () => {
  const { fingerprint } = federation.researcher.key
  await sponsor(federation.node('BR'), fingerprint, VOUCHING)
  await revoke(federation.node('BR'), fingerprint, 'left the organisation')
})

test('a member offers what it would answer', async () => {
  await makeOffer(federation.node('BR'))
})

test('lost prekeys are withdrawn', async () => {
  const node = federation.node('BR')
  node.db.$client.exec('UPDATE prekeys SET private_key = NULL WHERE round IS NULL')
  await withdrawLostPrekeys(node)
})

test('a charter is signed and confirmed, and given back', async () => {
  await proposeAndSign(federation)
  await federation.settle()
  const { context } = federation.coordinator
  const charter = bundle(context.db, charterInForce(context.db) as SignedCharter)
  expect(charter.confirmations).toHaveLength(3)
  await federation.node('BR').connection.post('/charters', charter, done)
})

test('a member enrols another key', async () => {
  await rotateKey(federation.node('BR'))
  const waiting = 'SELECT count(*) FROM parties WHERE is_replacement AND ended_at IS NULL'
  expect(federation.coordinator.context.db.$client.prepare(waiting).pluck().get()).toBe(1)
})

test('nothing is in the log twice', () => {
  const log = federation.coordinator.context.db.$client.prepare('SELECT typ, message FROM log').all()
  expect(log.length).toBeGreaterThan(30)
  expect(new Set(log.map(entry => JSON.stringify(entry))).size).toBe(log.length)
})

test('no request that writes was left out', async () => {
  const { paths } = (await (await federation.coordinator.app.request('/openapi.json')).json()) as { paths: object }
  const writing = Object.entries(paths).filter(([, operations]) => 'post' in operations || 'put' in operations)
  expect([...written].sort()).toEqual(writing.map(([path]) => path.replace(/\{\w+\}/, '{id}')).sort())
})

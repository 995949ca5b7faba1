import { rmSync, truncateSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { unusedPrekeys } from '#coordinator/custodians.ts'
import { generateIdentityKey } from '#crypto/signature.ts'
import type { Announcement } from '#member-node/announcements.ts'
import { answer } from '#member-node/answer.ts'
import { learnCharter, placeOf } from '#member-node/charters.ts'
import { withdrawLostPrekeys } from '#member-node/custody.ts'
import { Keyring } from '#member-node/keyring.ts'
import { ciphertextFile } from '#member-node/node.ts'
import { cancel, prepare } from '#researcher/client.ts'
import { storedQuery } from '#researcher/researcher.ts'
import { done } from '#specs/api.ts'
import type { CharterId, MemberId } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { Federation } from './federation.ts'
import { MemoryKeys } from './memory-keys.ts'
import { forgetCharters } from './restart.ts'
import { doWork, pose, workOf } from './steps.ts'

/** What a party does that has forgotten, because it was restored from a backup, what the others remember of it. */

const QUESTION = `dataset: declarations
where: { flow: import }
by: [hs2]
measures: [{ count: records }]
purpose: after a restore
`

let federation: Federation
/** The members whose uploads do not arrive. */
let cut: string[] = []
beforeAll(async () => {
  federation = await Federation.create({
    members: ['BR', 'JP', 'KR'],
    network: (who, direct) => async (url, init) => {
      if (init?.method === 'PUT' && cut.includes(who)) throw new TypeError('the connection broke')
      return direct(url, init)
    },
  })
  for (const id of federation.nodes.keys()) federation.load(id, 'flow,period,hs6\nimport,2020-01,851712\n')
})
afterAll(() => federation[Symbol.dispose]())
beforeEach(async () => {
  cut = []
  await withdrawLostPrekeys(federation.node('KR'))
  await federation.settle()
})

const unused = (id: string) => unusedPrekeys(federation.coordinator.context, id as MemberId)

describe('a custodian that lost the private halves of its prekeys', () => {
  test('withdraws them, publishes new ones, and opens the next answer', async () => {
    const before = unused('KR')
    const others = unused('JP')
    federation.node('KR').db.$client.exec('UPDATE prekeys SET private_key = NULL')
    await withdrawLostPrekeys(federation.node('KR'))
    expect(unused('KR')).toEqual([])
    await federation.settle()
    expect(unused('KR')).toHaveLength(before.length)
    expect(unused('KR')).not.toEqual(expect.arrayContaining(before.slice(0, 1)))
    expect(unused('JP')).toEqual(others)
    expect((await federation.ask(QUESTION)).evidence.openedBy).toEqual(['BR', 'JP', 'KR'])
  })

  test('withdraws only what is lost, and nothing that serves a round', async () => {
    await pose(federation, QUESTION)
    const { $client } = federation.node('KR').db
    $client.prepare('UPDATE prekeys SET private_key = NULL WHERE id <> ?').run(unused('KR')[0])
    const serving = () => {
      const { $client: coordinator } = federation.coordinator.context.db
      return coordinator.prepare("SELECT id FROM prekeys WHERE custodian = 'KR' AND round IS NOT NULL").pluck().all()
    }
    const before = serving()
    await withdrawLostPrekeys(federation.node('KR'))
    expect(unused('KR')).toHaveLength(1)
    expect(serving()).toEqual(before)
  })

  test('nobody withdraws those of another', async () => {
    const before = unused('KR')
    const { connection } = federation.node('JP')
    await connection.post('/prekeys/withdrawals', { prekeys: before }, done)
    expect(unused('KR')).toEqual(before)
  })

  test('declines the round that names one, and the question ends at once', async () => {
    const { round } = await pose(federation, QUESTION)
    federation.node('KR').db.$client.exec('UPDATE prekeys SET private_key = NULL')
    await federation.settle()
    const { $client } = federation.coordinator.context.db
    expect($client.prepare('SELECT state, reason FROM rounds WHERE id = ?').get(round)).toEqual({
      state: 'void',
      reason: expect.stringMatching(/KR declined/),
    })
  })
})

describe('a member that forgot', () => {
  const inForce = () => federation.node('KR').db.$client.prepare('SELECT id FROM charters').pluck().get() as CharterId

  test('the charter that it signed finds its signature under it', async () => {
    const id = inForce()
    forgetCharters(federation.node('KR'))
    await federation.settle()
    expect(inForce()).toBe(id)
    expect((await federation.ask(QUESTION)).cohort).toEqual(['BR', 'JP', 'KR'])
  })

  test('a charter follows it from the first, and answers nothing where that has another key', async () => {
    const id = inForce()
    forgetCharters(federation.node('KR'))
    const foreign = { ...federation.node('KR'), federation: 'f'.repeat(43) }
    await expect(learnCharter(foreign, id)).rejects.toMatchObject({ code: 'wrong-federation' })
    expect(inForce()).toBeUndefined()
    const key = await generateIdentityKey()
    const keys = new Keyring('KR' as MemberId, new MemoryKeys(key), [key], [])
    const other = { ...federation.node('KR'), key, keys }
    await learnCharter({ ...other, connection: federation.node('KR').connection }, id)
    expect(placeOf(other)).toBe('awaited')
    expect(placeOf(federation.node('KR'))).toBe('member')
    await pose(federation, QUESTION)
    const [asked] = await workOf(federation.node('KR'), 'contribute')
    await expect(answer(other, asked as Announcement)).rejects.toMatchObject({ code: 'not-on-roster' })
    await federation.settle()
  })

  test.each([
    ['all', (file: string) => rmSync(file)],
    ['a part', (file: string) => truncateSync(file, 1000)],
  ])('%s of the ciphertext of its contribution says so, and does not make another', async (_, lose) => {
    const { round } = await pose(federation, QUESTION)
    cut = ['KR']
    await expect(doWork(federation, 'KR', 'contribute')).rejects.toMatchObject({ code: 'coordinator-unreachable' })
    cut = []
    lose(ciphertextFile(federation.node('KR'), round))
    await doWork(federation, 'KR', 'contribute')
    const { $client } = federation.coordinator.context.db
    expect($client.prepare('SELECT member, step, reason FROM refusals WHERE round = ?').all(round)).toEqual([
      { member: 'KR', step: 'contribute', reason: expect.stringMatching(/has lost the ciphertext/) },
    ])
  })
})

test('a query that the coordinator forgot can be withdrawn', async () => {
  const { researcher } = federation
  const query = await prepare(researcher, parseQueryFile(QUESTION))
  researcher.db.$client.prepare('UPDATE queries SET sent_at = 1 WHERE id = ?').run(query)
  await cancel(researcher, query)
  expect(storedQuery(researcher, query)).toMatchObject({
    privateKey: null,
    voidReason: expect.stringMatching(/withdrew/),
  })
})

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { InbondError } from '#crypto/error.ts'
import { publishPrekeys } from '#member-node/custody.ts'
import { ciphertextFile } from '#member-node/node.ts'
import { type Observer, perform, work } from '#member-node/work.ts'
import { cancel } from '#researcher/client.ts'
import type { WorkItem } from '#specs/api.ts'
import { Federation, type TestNode } from '#test/federation.ts'
import { doWork, pose, workOf } from '#test/steps.ts'

/** What a process leaves behind that is killed, or overtaken, between two steps. */

const HOUR = 3_600_000
const DAY = 24 * HOUR
const QUESTION = `dataset: declarations
where: { flow: import }
by: [transport]
measures: [{ sum: value }]
purpose: leftovers
closes: 1h
`

const SILENT: Observer = { done: () => undefined, refused: () => undefined, failed: () => undefined }

let federation: Federation
/** Told of each request before it leaves; what it throws is a broken connection. */
let requested: (who: string, path: string) => void = () => undefined

beforeAll(async () => {
  const network = (who: string, direct: typeof fetch) => async (url: string, init?: RequestInit) => {
    requested(who, new URL(url).pathname)
    return direct(url, init)
  }
  federation = await Federation.create({ members: ['AA', 'BB', 'CC'], network: network as never })
  for (const id of ['AA', 'BB', 'CC']) federation.load(id, 'flow,period,hs6,value\nimport,2020-01,010121,1.25\n')
})
afterAll(() => federation[Symbol.dispose]())

/** Works as a node does, with a clock that waits for nobody, until `done` says so. Returns the pauses that it made. */
async function workUntil(node: TestNode, done: (pauses: readonly number[]) => boolean): Promise<number[]> {
  const pauses: number[] = []
  const over = new AbortController()
  const clock = {
    now: node.clock.now,
    wait: async (milliseconds: number) => {
      pauses.push(milliseconds)
      if (done(pauses)) over.abort()
    },
  }
  await work({ ...node, clock }, SILENT, over.signal)
  return pauses
}

async function cancelledRound() {
  const posed = await pose(federation, QUESTION)
  await doWork(federation, 'AA', 'contribute')
  await cancel(federation.researcher, posed.query)
  await doWork(federation, 'AA', 'void')
  return posed.round
}

/** Does what was listed before its round was over, which is not this node's doing. */
async function expectNoRefusal(node: TestNode, item: WorkItem | undefined, round: string): Promise<void> {
  await expect(perform(node, item as WorkItem, SILENT, undefined, false)).rejects.toBeInstanceOf(InbondError)
  const refusals = node.db.$client.prepare('SELECT count(*) FROM refusals WHERE round = ?').pluck()
  expect(refusals.get(round)).toBe(0)
}

describe('the coordinator', () => {
  test('removes what it kept for a void round, though it was killed before', async () => {
    const round = await cancelledRound()
    const { context, lifecycle } = federation.coordinator
    expect(readdirSync(context.uploads)).not.toContain(round)
    mkdirSync(join(context.uploads, round))
    writeFileSync(join(context.uploads, round, 'a.contribution'), 'ciphertext')
    await lifecycle.sweep()
    expect(readdirSync(context.uploads)).not.toContain(round)
  })

  test('keeps what it needs', async () => {
    const { context, lifecycle } = federation.coordinator
    const { round } = await pose(federation, QUESTION)
    await doWork(federation, 'AA', 'contribute')
    await lifecycle.sweep()
    expect(readdirSync(join(context.uploads, round))).toHaveLength(1)
    await federation.settle()
    await lifecycle.sweep()
    expect(readdirSync(join(context.uploads, round)).toSorted()).toContain('sum')
    expect(readdirSync(join(context.uploads, round))).toHaveLength(4)
    federation.clock.advance(31 * DAY)
    await lifecycle.sweep()
    expect(readdirSync(context.uploads)).toEqual([])
    await federation.settle()
  })
})

describe('a member', () => {
  test('removes a ciphertext that was finished after its round had become void, and one that never was', async () => {
    const node = federation.node('AA')
    const file = ciphertextFile(node, await cancelledRound())
    for (const late of [file, `${file}.part`]) writeFileSync(late, 'ciphertext')
    federation.clock.advance(3 * HOUR)
    requested = () => {
      throw new Error('no network')
    }
    await workUntil(node, () => true)
    requested = () => undefined
    expect([existsSync(file), existsSync(`${file}.part`)]).toEqual([false, false])
  })

  test('that was overtaken by the end of a round keeps nothing of its work, and refuses nothing', async () => {
    const node = federation.node('AA')
    const posed = await pose(federation, QUESTION)
    const slow: TestNode = {
      ...node,
      compute: async task => {
        await cancel(federation.researcher, posed.query)
        await doWork(federation, 'AA', 'void')
        return node.compute(task)
      },
    }
    const [item] = await workOf(slow, 'contribute')
    await expectNoRefusal(slow, item, posed.round)
    expect(existsSync(ciphertextFile(node, posed.round))).toBe(false)
    const contributions = node.db.$client.prepare('SELECT count(*) FROM contributions WHERE round = ?').pluck()
    expect(contributions.get(posed.round)).toBe(0)
  })

  test('whose upload broke off before its round became void refuses nothing', async () => {
    const node = federation.node('AA')
    const posed = await pose(federation, QUESTION)
    const [item] = await workOf(node, 'contribute')
    requested = (_, path) => {
      if (path.endsWith('/contribution')) throw new Error('the connection broke')
    }
    await expect(doWork(federation, 'AA', 'contribute')).rejects.toMatchObject({ code: 'coordinator-unreachable' })
    requested = () => undefined
    await cancel(federation.researcher, posed.query)
    await doWork(federation, 'AA', 'void')
    await expectNoRefusal(node, item, posed.round)
  })

  test('that has a cohort to agree to when its round becomes void refuses nothing', async () => {
    const node = federation.node('AA')
    const posed = await pose(federation, QUESTION)
    for (const id of ['AA', 'BB', 'CC']) await doWork(federation, id, 'contribute')
    await federation.coordinator.lifecycle.advance()
    const [item] = await workOf(node, 'agree')
    await cancel(federation.researcher, posed.query)
    await doWork(federation, 'AA', 'void')
    await expectNoRefusal(node, item, posed.round)
  })

  test('asks again soon after a connection that broke once it had work again', async () => {
    const node = federation.node('AA')
    let asked = 0
    requested = (_, path) => {
      if (path === '/work' && ++asked !== 5) throw new Error('no network')
    }
    const pauses = await workUntil(node, made => made.length === 6)
    requested = () => undefined
    expect(pauses).toEqual([500, 1000, 2000, 4000, 500, 1000])
  })

  test('publishes prekeys, though its clock was ahead when it made some', async () => {
    const node = federation.node('BB')
    const unused = () => federation.coordinator.context.db.$client.prepare(COUNT_UNUSED).pluck().get('BB')
    federation.coordinator.context.db.$client
      .prepare('DELETE FROM prekeys WHERE custodian = ? AND round IS NULL')
      .run('BB')
    const ahead = { ...node.clock, now: () => node.clock.now() + DAY }
    await expect(publishPrekeys({ ...node, clock: ahead }, 32)).rejects.toMatchObject({ code: 'bad-request' })
    expect(unused()).toBe(0)
    await publishPrekeys(node, 32)
    expect(unused()).toBe(32)
  })
})

const COUNT_UNUSED = 'SELECT count(*) FROM prekeys WHERE custodian = ? AND round IS NULL'

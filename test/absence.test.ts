import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { presets } from '#member-node/policy.ts'
import { type Observer, perform } from '#member-node/work.ts'
import { type Connection, RefusedRequest } from '#party/connection.ts'
import { cancel, prepare, resume } from '#researcher/client.ts'
import { storedQuery } from '#researcher/researcher.ts'
import { type QueryStatus, queryReceipt, queryStatus, type WorkItem } from '#specs/api.ts'
import type { QueryId } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { Federation, type TestNode } from './federation.ts'
import { Switchboard, settlePatiently, settleUntil } from './restart.ts'
import { pose, roundRow, step, workOf } from './steps.ts'

const HOUR = 3_600_000
const MEMBERS = ['BR', 'FR', 'JP', 'KR', 'VN']

function question(need = 'all'): string {
  return `dataset: declarations
where: { flow: import, period: { from: 2020-01, to: 2020-03 } }
by: [transport]
measures: [{ sum: value }]
purpose: who is there
need: ${need}
closes: 1h
`
}
const RECORD = 'flow,period,hs6,transport,value\nimport,2020-01,010121,sea,1.25\n'
/** Of as many members. */
const rowsOf = (members: number) => [{ transport: 'sea', 'sum(value)': (1.25 * members).toFixed(2) }]

const switchboard = new Switchboard()
let federation: Federation

beforeAll(async () => {
  federation = await Federation.create({ members: MEMBERS, network: switchboard.network })
  switchboard.federation = federation
  for (const id of MEMBERS) federation.load(id, RECORD)
})
afterAll(() => federation[Symbol.dispose]())
beforeEach(async () => {
  await settlePatiently(federation)
})
afterEach(async () => {
  switchboard.at = () => undefined
  for (const id of MEMBERS) Object.assign(federation.node(id), { stopped: false })
  federation.clock.advance(3 * HOUR)
  await federation.coordinator.lifecycle.advance()
  expect(federation.errors.splice(0)).toEqual([])
})

const NOBODY: Observer = { done: () => undefined, refused: () => undefined, failed: () => undefined }

const stop = (...ids: string[]) => {
  for (const id of ids) federation.node(id).stopped = true
}

async function statusOf(query: QueryId): Promise<QueryStatus> {
  return federation.researcher.connection.get(`/queries/${query}`, queryStatus)
}

/** Poses a question, lets everybody work, and gives the query. */
async function posed(need?: string) {
  const posed = await pose(federation, question(need))
  federation.researcher.db.$client.prepare('UPDATE queries SET sent_at = 1 WHERE id = ?').run(posed.query)
  return posed
}

const read = (query: QueryId) => resume(federation.researcher, query, () => undefined)

describe('an absent custodian', () => {
  test('of five is done without', async () => {
    const { query, round } = await posed()
    await step(federation, 'contribute')
    stop('KR')
    await settlePatiently(federation)
    expect(roundRow(federation, round).state).toBe('opened')
    const { custodians } = await statusOf(query)
    expect(custodians.find(one => one.id === 'KR')?.state).toBe('waiting')
    const answer = await settleUntil(federation, read(query))
    expect(answer.rows).toEqual(rowsOf(5))
    expect(answer.evidence.openedBy).toEqual(['BR', 'FR', 'JP', 'VN'])
  })

  test('that comes later is welcome still', async () => {
    const { query } = await posed()
    await step(federation, 'contribute')
    stop('KR')
    await settlePatiently(federation)
    federation.node('KR').stopped = false
    await settlePatiently(federation)
    expect((await statusOf(query)).custodians.every(one => one.state === 'opened')).toBe(true)
    expect((await settleUntil(federation, read(query))).rows).toEqual(rowsOf(5))
  })

  test('and another one: the round waits, then is void, and the researcher learns why', async () => {
    const { query, round } = await posed()
    await step(federation, 'contribute')
    stop('KR', 'VN')
    await settlePatiently(federation)
    expect(roundRow(federation, round).state).toBe('closed')
    federation.clock.advance(HOUR - 1)
    await settlePatiently(federation)
    expect(roundRow(federation, round).state).toBe('closed')
    federation.clock.advance(1)
    const reason = /3 of the 4 custodians needed agreed to the cohort in time; absent: KR, VN/
    await expect(settleUntil(federation, read(query))).rejects.toMatchObject({
      code: 'round-void',
      message: expect.stringMatching(reason),
    })
    expect(storedQuery(federation.researcher, query)).toMatchObject({ privateKey: null, answer: null })
    await expect(read(query)).rejects.toMatchObject({ code: 'round-void', message: expect.stringMatching(reason) })
  })

  test('between agreeing and opening leaves the round void, and nothing opened before helps', async () => {
    const { query, round } = await posed()
    await step(federation, 'contribute')
    await step(federation, 'agree')
    stop('JP', 'KR')
    await settlePatiently(federation)
    expect(roundRow(federation, round).state).toBe('agreed')
    federation.clock.advance(HOUR)
    await expect(settleUntil(federation, read(query))).rejects.toMatchObject({
      code: 'round-void',
      message: expect.stringMatching(/3 of the 4 custodians needed opened in time; absent: JP, KR/),
    })
  })
})

describe('an absent member', () => {
  test('makes a question to all void at its end, by name', async () => {
    stop('FR', 'JP')
    const { query } = await posed()
    await settlePatiently(federation)
    const waiting = await statusOf(query)
    expect(waiting.state).toBe('open')
    expect(waiting.members.map(one => one.state)).toEqual([
      'contributed',
      'asked',
      'asked',
      'contributed',
      'contributed',
    ])
    federation.clock.advance(HOUR)
    await expect(settleUntil(federation, read(query))).rejects.toMatchObject({
      code: 'round-void',
      message: expect.stringMatching(/3 of the 5 members needed contributed in time; missing: FR, JP/),
    })
    expect((await statusOf(query)).members.map(one => one.state)).toContain('missing')
  })

  test('is missing from the answer to a question to at least four, which comes when it closes', async () => {
    stop('FR')
    const { query, round } = await posed('{ atLeast: 4 }')
    await settlePatiently(federation)
    federation.clock.advance(HOUR - 1)
    await settlePatiently(federation)
    expect(roundRow(federation, round).state).toBe('open')
    federation.clock.advance(1)
    const answer = await settleUntil(federation, read(query))
    expect(answer.rows).toEqual(rowsOf(4))
    expect(answer.cohort).toEqual(['BR', 'JP', 'KR', 'VN'])
    expect(answer.missing).toEqual([
      { member: 'FR', reason: 'the coordinator shows neither a contribution nor a refusal' },
    ])
    expect(Object.keys(answer.coverage)).toEqual(['BR', 'JP', 'KR', 'VN'])
  })

  test('that comes too late finds the round closed and does nothing', async () => {
    stop('FR')
    const { query, round } = await posed('{ atLeast: 4 }')
    await settlePatiently(federation)
    federation.clock.advance(HOUR)
    await federation.coordinator.lifecycle.advance()
    federation.node('FR').stopped = false
    await settlePatiently(federation)
    expect(roundRow(federation, round).state).toBe('opened')
    const answer = await settleUntil(federation, read(query))
    expect(answer.cohort).not.toContain('FR')
    expect(answer.evidence.openedBy).toContain('FR')
  })
})

function withPut(connection: Connection, put: Connection['put']): Connection {
  const get = (_: Connection, name: string) => {
    const own: unknown = Reflect.get(connection, name)
    return name === 'put' ? put : typeof own === 'function' ? own.bind(connection) : own
  }
  return new Proxy(connection, { get: get as ProxyHandler<Connection>['get'] & object })
}

describe('an upload that stands still', () => {
  test('again and again is made again, and never becomes a refusal', async () => {
    const { query, round } = await posed()
    await step(federation, 'contribute', ['BR', 'FR', 'JP', 'VN'])
    const node = federation.node('KR')
    const put = async () => {
      throw new RefusedRequest('truncated-body', 'the upload stood still for 30 seconds', undefined)
    }
    const slow: TestNode = { ...node, connection: withPut(node.connection, put) }
    const [item] = await workOf(node, 'contribute')
    for (let i = 0; i < 5; i++) {
      await expect(perform(slow, item as WorkItem, NOBODY)).rejects.toMatchObject({ code: 'truncated-body' })
    }
    expect(roundRow(federation, round).state).toBe('open')
    await settlePatiently(federation)
    expect((await read(query)).cohort).toEqual(MEMBERS)
  })
})

describe('a member that refuses', () => {
  const strict = { ...presets.standard, mostDimensions: 0 } as TestNode['rules']
  function refuses(id: string): void {
    federation.node(id).rules = strict
  }
  afterEach(() => {
    for (const id of MEMBERS) federation.node(id).rules = presets.open as TestNode['rules']
  })

  test('ends a question to all at once, with its reason', async () => {
    refuses('JP')
    const { query } = await posed()
    await expect(settleUntil(federation, read(query))).rejects.toMatchObject({
      code: 'round-void',
      message: expect.stringMatching(/JP refused, .*; JP: a question may have 0 dimensions; this one has 1$/),
    })
    const jp = (await statusOf(query)).members.find(one => one.id === 'JP')
    expect(jp).toMatchObject({ state: 'refused', reason: 'a question may have 0 dimensions; this one has 1' })
  })

  test('is named with its reason in the answer of the others', async () => {
    refuses('JP')
    const { query, round } = await posed('{ atLeast: 4 }')
    await settlePatiently(federation)
    expect(roundRow(federation, round).state).toBe('opened')
    const answer = await settleUntil(federation, read(query))
    expect(answer.rows).toEqual(rowsOf(4))
    expect(answer.missing).toEqual([{ member: 'JP', reason: 'a question may have 0 dimensions; this one has 1' }])
  })
})

describe('coverage', () => {
  test('is complete, provisional or none, month by month, as each member said', async () => {
    federation.load('BR', 'flow,period,hs6,transport,value\nimport,2020-02,010121,air,0\n', {
      from: '2020-01',
      to: '2020-02',
    })
    const { query } = await posed()
    const { coverage } = await settleUntil(federation, read(query))
    expect(coverage.BR).toEqual({ complete: ['2020-01..2020-02'], provisional: [], none: ['2020-03'] })
    expect(coverage.VN).toEqual({ complete: [], provisional: ['2020-01'], none: ['2020-02..2020-03'] })
  })
})

/** The value of January alone, which the test of coverage does not change. */
const JANUARY = question().replace('{ from: 2020-01, to: 2020-03 }', '2020-01')

describe('a query', () => {
  test('that is withdrawn ends the round, and nobody opens it', async () => {
    const { query, round } = await posed()
    await step(federation, 'contribute')
    await step(federation, 'agree', ['BR', 'FR'])
    await cancel(federation.researcher, query)
    expect(roundRow(federation, round)).toMatchObject({ state: 'void', reason: 'the researcher withdrew the query' })
    await settlePatiently(federation)
    await expect(read(query)).rejects.toMatchObject({ code: 'round-void', message: expect.stringMatching(/withdrew/) })
    expect(storedQuery(federation.researcher, query).privateKey).toBeNull()
    await cancel(federation.researcher, query)
  })

  test('that was never sent is withdrawn although nobody answers', async () => {
    const query = await prepare(federation.researcher, parseQueryFile(JANUARY))
    switchboard.at = () => {
      throw new TypeError('there is no network')
    }
    await cancel(federation.researcher, query)
    expect(storedQuery(federation.researcher, query).privateKey).toBeNull()
  })

  test('that was answered cannot be withdrawn any more', async () => {
    const { query } = await posed()
    await settlePatiently(federation)
    await expect(cancel(federation.researcher, query)).rejects.toMatchObject({ code: 'too-late' })
  })

  test('that arrives after its expiry is refused', async () => {
    const query = await prepare(federation.researcher, parseQueryFile(JANUARY))
    federation.clock.advance(8 * 24 * HOUR)
    await expect(settleUntil(federation, read(query))).rejects.toMatchObject({ code: 'query-expired' })
  })

  test('that finds no prekeys waits for them, and says so', async () => {
    const own = federation.coordinator.context.db.$client
    own.exec("UPDATE prekeys SET not_after = 1 WHERE round IS NULL AND custodian IN ('BR', 'FR')")
    const query = await prepare(federation.researcher, parseQueryFile(JANUARY))
    stop('BR', 'FR')
    const answer = read(query)
    answer.catch(() => undefined)
    const states = new Set<string>()
    for (let turn = 0; turn < 20 && !states.has('waiting'); turn++) {
      await settlePatiently(federation)
      await new Promise(resolve => setImmediate(resolve))
      states.add(
        await statusOf(query).then(
          status => status.state,
          () => 'unknown',
        ),
      )
    }
    expect((await statusOf(query)).reason).toMatch(/prekeys of enough of the 5 custodians/)
    for (const id of ['BR', 'FR']) federation.node(id).stopped = false
    expect((await settleUntil(federation, answer)).rows).toEqual(rowsOf(5))
  })

  test('that waits for prekeys until it expires is void', async () => {
    federation.coordinator.context.db.$client.exec('UPDATE prekeys SET not_after = 1 WHERE round IS NULL')
    stop(...MEMBERS)
    const { researcher, coordinator } = federation
    const query = await prepare(researcher, parseQueryFile(JANUARY))
    await researcher.connection.post('/queries', { query: storedQuery(researcher, query).compact }, queryReceipt)
    expect((await statusOf(query)).state).toBe('waiting')
    federation.clock.advance(8 * 24 * HOUR)
    await coordinator.lifecycle.advance()
    await expect(settleUntil(federation, read(query))).rejects.toMatchObject({
      code: 'round-void',
      message: expect.stringMatching(/expired while it waited for prekeys of enough custodians/),
    })
  })
})

describe("the recipient's own administration", () => {
  test('does not count: three members cannot answer a researcher of one of them', async () => {
    using three = await Federation.create({ members: ['BR', 'JP', 'KR'], administration: 'JP' })
    await expect(three.ask(question())).rejects.toMatchObject({
      code: 'round-void',
      message: expect.stringMatching(/needs 3 members beside the recipient's own administration, and 2 could be asked/),
    })
  })

  test('may be a fourth one', async () => {
    using four = await Federation.create({ members: ['BR', 'JP', 'KR', 'VN'], administration: 'JP' })
    expect((await four.ask(question())).cohort).toEqual(['BR', 'JP', 'KR', 'VN'])
  })
})

import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Aggregate, aggregate } from '#coordinator/aggregation.ts'
import { messageId } from '#crypto/signature.ts'
import { addUpAgain, type Recounting } from '#member-node/recount.ts'
import { resume } from '#researcher/client.ts'
import type { Added } from '#researcher/reading.ts'
import { fetchCharter, storedQuery } from '#researcher/researcher.ts'
import { done, queryStatus } from '#specs/api.ts'
import { type MemberId, type QueryId, type RoundId, recount, type SumId, sum } from '#specs/messages.ts'
import { verifyCohort } from '#specs/rules/cohort.ts'
import { drawnCustodian, verifyRecount, verifySum } from '#specs/rules/recount.ts'
import { verifyRound } from '#specs/rules/round.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { Federation } from './federation.ts'
import {
  restartCoordinator,
  restartNode,
  restartResearcher,
  Switchboard,
  settlePatiently,
  settleUntil,
} from './restart.ts'
import { pose, roundRow, step, workOf } from './steps.ts'

const HOUR = 3_600_000
const MEMBERS = ['BR', 'JP', 'KR']
const QUESTION = `dataset: declarations
where: { flow: import }
by: [transport]
measures: [{ sum: value }]
purpose: a sum that is large
closes: 1h
`
const ROWS = [{ transport: 'sea', 'sum(value)': '6.00' }]

const switchboard = new Switchboard()
let federation: Federation
/** What was asked for, in order: who, method and path with ids left out. */
let asked: string[] = []

beforeAll(async () => {
  federation = await Federation.create({ members: MEMBERS, recountFrom: 0, network: switchboard.network })
  switchboard.federation = federation
  for (const id of MEMBERS) federation.load(id, 'flow,period,hs6,transport,value\nimport,2020-01,010121,sea,2\n')
})
afterAll(() => federation[Symbol.dispose]())
beforeEach(async () => {
  await settlePatiently(federation)
  asked = []
  switchboard.at = listen
})
afterEach(async () => {
  for (const id of MEMBERS) Object.assign(federation.node(id), { stopped: false })
  switchboard.at = () => undefined
  federation.clock.advance(3 * HOUR)
  await federation.coordinator.lifecycle.advance()
  expect(federation.errors.splice(0)).toEqual([])
})

function listen(moment: 'before' | 'after', who: string, path: string, method: string): void {
  if (moment === 'before') asked.push(`${who} ${method} ${path.replaceAll(/[0-9a-f]{64}/g, '…')}`)
}

interface Opened {
  readonly query: QueryId
  readonly round: RoundId
  readonly seed: Buffer
  readonly drawn: MemberId
  /** The custodians that are not. */
  readonly others: readonly MemberId[]
}

/** A round that is opened, and of which nobody has revealed anything yet. */
async function opened(): Promise<Opened> {
  const { query, round } = await pose(federation, QUESTION)
  federation.researcher.db.$client.prepare('UPDATE queries SET sent_at = 1 WHERE id = ?').run(query)
  await settlePatiently(federation)
  expect(roundRow(federation, round).state).toBe('opened')
  const seed = storedQuery(federation.researcher, query).seed as Buffer
  const drawn = drawnCustodian(seed, messageId(sumOf(round)) as SumId, MEMBERS as MemberId[])
  return { query, round, seed, drawn, others: (MEMBERS as MemberId[]).filter(id => id !== drawn) }
}

function stored(sql: string, ...bound: unknown[]): unknown[] {
  return federation.coordinator.context.db.$client
    .prepare(sql)
    .pluck()
    .all(...bound)
}

const sumOf = (round: RoundId) => stored('SELECT "sum" FROM rounds WHERE id = ?', round)[0] as string
const recountsOf = (round: RoundId) => stored('SELECT compact FROM recounts WHERE round = ?', round) as string[]
const recountsInLog = () => stored('SELECT message FROM log WHERE typ = ?', recount.typ).length

const reveal = ({ round, seed }: Opened) =>
  federation.researcher.connection.post(`/rounds/${round}/draw`, { seed: seed.toString('base64url') }, done)

/** The drawn custodian's item, once the seed is revealed. */
async function drawnWork(of: Opened): Promise<Recounting> {
  await reveal(of)
  const items = await workOf(federation.node(of.drawn), 'recount')
  return items.find(one => messageId(one.round) === of.round) as Recounting
}

const answered = (query: QueryId, told: (added: Added) => void = () => undefined) =>
  settleUntil(
    federation,
    resume(federation.researcher, query, (_, added) => added && told(added)),
  )

/** Lets everybody go as far as they can while time stands still. */
async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await settlePatiently(federation)
    await new Promise(resolve => setImmediate(resolve))
  }
}

const refusal = (code: string, reason: RegExp) => ({ code, message: expect.stringMatching(reason) })

describe('a large sum', () => {
  test('is added up again by the custodian that is drawn, and by nobody else', async () => {
    const { query, round, drawn } = await opened()
    asked = []
    const answer = await answered(query)
    expect(answer.rows).toEqual(ROWS)
    expect(answer.evidence).toMatchObject({ addedUpAgain: true, recountedBy: drawn })
    const fetched = asked.filter(one => one.includes('/contributions/'))
    expect(fetched.toSorted()).toEqual(MEMBERS.map(id => `${drawn} GET /rounds/…/contributions/${id}`))
    const [compact, ...more] = recountsOf(round) as [string]
    expect(more).toEqual([])
    const { payload } = claims(recount, compact)
    expect(payload.ciphertext).toBe(claims(sum, sumOf(round)).payload.ciphertext)
    expect(storedQuery(federation.researcher, query)).toMatchObject({ seed: null, privateKey: null })
  })

  test('that is small is added up by the recipient alone, with no request more than before', async () => {
    const { query, round } = await opened()
    Object.assign(federation, { researcher: { ...federation.researcher, recountFrom: Number.POSITIVE_INFINITY } })
    asked = []
    const answer = await answered(query)
    Object.assign(federation, { researcher: { ...federation.researcher, recountFrom: 0 } })
    expect(answer.evidence).toMatchObject({ addedUpAgain: true, recountedBy: null })
    const own = asked.filter(one => one.startsWith('researcher'))
    expect(own.filter(one => !/\/contributions\/|\/log\/tile\//.test(one))).toEqual([
      'researcher GET /queries/…',
      'researcher GET /rounds/…/answer',
      'researcher GET /rounds/…/sum',
    ])
    expect(storedQuery(federation.researcher, query).sum).toBeNull()
    expect(recountsOf(round)).toEqual([])
  })

  test('is added up in the memory of two ciphertexts, whatever the number of members', async () => {
    const work = await opened()
    const node = federation.node(work.drawn)
    const memory = new Set<unknown>()
    let additions = 0
    const watched: typeof node.addUp = async task => {
      for (const { buffer, byteLength } of Object.values(task)) {
        expect(buffer.byteLength).toBe(byteLength)
        memory.add(buffer)
      }
      additions++
      await node.addUp(task)
    }
    await addUpAgain({ ...node, addUp: watched }, await drawnWork(work))
    expect([memory.size, additions]).toEqual([2, MEMBERS.length - 1])
    expect([...memory].every(one => one instanceof SharedArrayBuffer)).toBe(true)
  })
})

/** A coordinator that adds up something else, and signs that. */
const altering: Aggregate = async task => {
  await aggregate(task)
  const bytes = readFileSync(task.output)
  bytes[0] = (bytes[0] as number) ^ 1
  writeFileSync(task.output, bytes)
  return createHash('sha256').update(bytes).digest('hex')
}

describe('a coordinator that alters a large sum', () => {
  afterEach(() => restartCoordinator(federation))

  test('is found by the recount, and nobody is accused', async () => {
    await restartCoordinator(federation, altering)
    const { query, round, drawn } = await opened()
    const reason = new RegExp(`the sum was altered: .* than ${drawn}`)
    await expect(answered(query)).rejects.toMatchObject(refusal('bad-evidence', reason))
    expect(claims(recount, recountsOf(round)[0] as string).payload.ciphertext).not.toBe(
      claims(sum, sumOf(round)).payload.ciphertext,
    )
    expect(storedQuery(federation.researcher, query).answer).toBeNull()
  })

  test('is found where no custodian comes', async () => {
    await restartCoordinator(federation, altering)
    const { query, drawn } = await opened()
    federation.node(drawn).stopped = true
    const reading = resume(federation.researcher, query, () => undefined)
    reading.catch(() => undefined)
    await turns()
    federation.clock.advance(HOUR)
    await expect(reading).rejects.toMatchObject(refusal('bad-evidence', /not the sum of the contributions/))
  })

  test('cannot sign another sum once it knows the seed', async () => {
    const { query, round } = await opened()
    switchboard.at = (_, who, path) => {
      if (who === 'researcher' && path.endsWith('/draw')) throw new TypeError('the connection broke')
    }
    const reading = resume(federation.researcher, query, () => undefined)
    reading.catch(() => undefined)
    await turns()
    expect(storedQuery(federation.researcher, query).sum).toBe(messageId(sumOf(round)))
    const { db, key, log } = federation.coordinator.context
    const { payload } = claims(sum, sumOf(round))
    const other = await sign(key, sum, { ...payload, slots: payload.slots + 1 })
    db.transaction(tx => log.append(tx, sum.typ, other.id, federation.clock.now()))
    db.$client.exec('DROP TRIGGER rounds_one_sum')
    db.$client.prepare('UPDATE rounds SET "sum" = ? WHERE id = ?').run(other.compact, round)
    switchboard.at = listen
    federation.clock.advance(1000)
    await expect(reading).rejects.toMatchObject(refusal('bad-evidence', /another sum than the one for which/))
    expect(() =>
      federation.researcher.db.$client.prepare("UPDATE queries SET sum = 'x' WHERE id = ?").run(query),
    ).toThrow(/revealed for one sum/)
  })
})

describe('a draw', () => {
  test('is not made before there is a sum, nor by another than the recipient', async () => {
    const { query, round } = await pose(federation, QUESTION)
    const seed = (storedQuery(federation.researcher, query).seed as Buffer).toString('base64url')
    const early = () => federation.researcher.connection.post(`/rounds/${round}/draw`, { seed }, done)
    await expect(early()).rejects.toMatchObject(refusal('not-found', /not opened yet/))
    for (const kind of ['contribute', 'agree'] as const) await step(federation, kind)
    await expect(early()).rejects.toMatchObject(refusal('not-found', /not opened yet/))
    await settlePatiently(federation)
    const byMember = federation.node('BR').connection.post(`/rounds/${round}/draw`, { seed }, done)
    await expect(byMember).rejects.toMatchObject({ code: 'not-allowed' })
    const { db } = federation.coordinator.context
    const early_ = await pose(federation, QUESTION)
    const insert = db.$client.prepare("INSERT INTO draws VALUES (?, 'x', 'BR', 1)")
    expect(() => insert.run(early_.round)).toThrow(/when there is a sum/)
  })

  test('with another seed is refused, by the coordinator and by the custodian', async () => {
    const work = await opened()
    const other = Buffer.alloc(32, 7)
    await expect(reveal({ ...work, seed: other })).rejects.toMatchObject(refusal('bad-request', /not the one/))
    const item = { ...(await drawnWork(work)), seed: other.toString('base64url') }
    await expect(addUpAgain(federation.node(work.drawn), item)).rejects.toMatchObject(
      refusal('bad-evidence', /seed is not the one/),
    )
  })

  test('of one custodian gives another nothing to do, to fetch or to say', async () => {
    const work = await opened()
    const item = await drawnWork(work)
    const { round, drawn, others } = work
    for (const id of others) {
      const node = federation.node(id)
      expect(await workOf(node, 'recount')).toEqual([])
      await expect(addUpAgain(node, item)).rejects.toMatchObject(
        refusal('bad-evidence', new RegExp(`${drawn} was drawn`)),
      )
      await expect(node.connection.stream(`/rounds/${round}/contributions/BR`)).rejects.toMatchObject({
        code: 'not-allowed',
      })
      const said = await recountOf(work, id)
      const sent = node.connection.post(`/rounds/${round}/recounts`, { recount: said }, done)
      await expect(sent).rejects.toMatchObject({ code: 'not-allowed' })
    }
    const { $client } = federation.coordinator.context.db
    expect(() => $client.prepare("INSERT INTO recounts VALUES (?, ?, 'x', 1)").run(round, others[0])).toThrow(
      /only the drawn/,
    )
  })
})

async function recountOf({ round }: Opened, id: MemberId, change: object = {}): Promise<string> {
  const of = { round, sum: messageId(sumOf(round)) as SumId, custodian: id }
  const payload = { protocol: PROTOCOL, ...of, ciphertext: claims(sum, sumOf(round)).payload.ciphertext } as const
  return (await sign(federation.node(id).key, recount, { ...payload, ...change })).compact
}

describe('a recount', () => {
  test('of another sum, round or custodian is refused by the coordinator', async () => {
    const work = await opened()
    await reveal(work)
    const { connection } = federation.node(work.drawn)
    const zeros = '0'.repeat(64)
    for (const change of [{ sum: zeros }, { round: zeros }, { custodian: work.others[0] }]) {
      const said = await recountOf(work, work.drawn, change)
      const sent = connection.post(`/rounds/${work.round}/recounts`, { recount: said }, done)
      await expect(sent).rejects.toMatchObject({ code: 'bad-request' })
    }
    expect(recountsOf(work.round)).toEqual([])
  })

  test('of something else is refused by the recipient', async () => {
    const work = await opened()
    const { coordinator, researcher } = federation
    const row = roundRow(federation, work.round)
    const charter = await fetchCharter(researcher)
    const round = await verifyRound({ round: row.compact, query: row.query }, charter, coordinator.context.clock.now())
    const total = await verifySum(sumOf(work.round), round, await verifyCohort(row.cohort, round))
    const read = (compact: string, seed = work.seed) => verifyRecount(compact, round, total, seed)
    const zeros = '0'.repeat(64)
    const cases: [string, RegExp][] = [
      [await recountOf(work, work.drawn, { sum: zeros }), /added up something else/],
      [await recountOf(work, work.drawn, { round: zeros }), /added up something else/],
      [await recountOf(work, work.drawn, { ciphertext: zeros }), /the sum was altered/],
      [await recountOf(work, work.others[0] as MemberId), new RegExp(`but ${work.drawn} was drawn`)],
    ]
    for (const [compact, reason] of cases) {
      await expect(read(compact)).rejects.toMatchObject(refusal('bad-evidence', reason))
    }
    const right = await recountOf(work, work.drawn)
    expect(await read(right)).toBe(work.drawn)
    await expect(read(right, Buffer.alloc(32))).rejects.toMatchObject(refusal('bad-evidence', /seed is not the one/))
  })

  test('is stored before it is sent, and sent again as it was', async () => {
    const work = await opened()
    const item = await drawnWork(work)
    const node = federation.node(work.drawn)
    await addUpAgain(node, item)
    asked = []
    await addUpAgain(node, item)
    expect(asked).toEqual([`${work.drawn} POST /rounds/…/recounts`])
    expect(recountsOf(work.round)).toHaveLength(1)
    const other = await recountOf(work, work.drawn, { ciphertext: '0'.repeat(64) })
    const sent = node.connection.post(`/rounds/${work.round}/recounts`, { recount: other }, done)
    await expect(sent).rejects.toMatchObject({ code: 'differs-from-stored' })
  })

  test('that is a second one is impossible in the databases, and a second draw', async () => {
    const work = await opened()
    await addUpAgain(federation.node(work.drawn), await drawnWork(work))
    const coordinator = federation.coordinator.context.db.$client
    const tables = [
      [federation.node(work.drawn).db.$client, 'recounts'],
      [coordinator, 'recounts'],
      [coordinator, 'draws'],
    ] as const
    for (const [client, table] of tables) {
      const attempts = [
        `UPDATE ${table} SET round = round WHERE round = '${work.round}'`,
        `DELETE FROM ${table} WHERE round = '${work.round}'`,
        `INSERT OR REPLACE INTO ${table} SELECT * FROM ${table} WHERE round = '${work.round}'`,
      ]
      for (const sql of attempts) expect(() => client.exec(sql)).toThrow(/never changed|drawn once/)
    }
  })
})

describe('where the drawn custodian', () => {
  test('is absent, the recipient waits as long as custodians have, then adds up itself', async () => {
    const { query, round, drawn } = await opened()
    federation.node(drawn).stopped = true
    const told: Added[] = []
    let isRead = false
    const reading = resume(federation.researcher, query, (_, added) => void (added && told.push(added)))
    void reading.then(() => {
      isRead = true
    })
    await turns()
    const status = await federation.researcher.connection.get(`/queries/${query}`, queryStatus)
    expect(status.recount).toMatchObject({ custodian: drawn, state: 'asked' })
    expect(status.custodians.every(one => one.state === 'opened')).toBe(true)
    federation.clock.advance(HOUR - 1)
    await turns()
    expect(isRead).toBe(false)
    federation.clock.advance(1)
    const answer = await reading
    expect(answer.rows).toEqual(ROWS)
    expect(answer.evidence).toMatchObject({ addedUpAgain: true, recountedBy: null })
    expect(told.at(-1)).toEqual({ done: 3, of: 3 })
    // Nobody waits for it any more.
    federation.node(drawn).stopped = false
    expect(await workOf(federation.node(drawn), 'recount')).toEqual([])
    expect(recountsOf(round)).toEqual([])
  })

  test('refuses, the recipient adds up itself at once', async () => {
    const { query, drawn } = await opened()
    const before = federation.clock.now()
    const network = switchboard.network
    const node = federation.node(drawn)
    const addUp: typeof node.addUp = async () => {
      throw new Error('out of memory')
    }
    const nodes = federation.nodes as Map<string, typeof node>
    nodes.set(drawn, { ...node, addUp })
    const answer = await answered(query)
    nodes.set(drawn, node)
    expect(network).toBe(switchboard.network)
    expect(answer.evidence).toMatchObject({ addedUpAgain: true, recountedBy: null })
    expect(federation.clock.now() - before).toBeLessThan(HOUR)
    const { recount: state, custodians } = await federation.researcher.connection.get(`/queries/${query}`, queryStatus)
    expect(state).toMatchObject({ custodian: drawn, state: 'refused', reason: expect.stringMatching(/failed inside/) })
    expect(custodians.find(one => one.id === drawn)?.state).toBe('opened')
  })

  test('gets a contribution that its member did not sign, it says so and signs nothing', async () => {
    const work = await opened()
    const item = await drawnWork(work)
    const node = federation.node(work.drawn)
    const stream: typeof node.connection.stream = async path => {
      const parts: Uint8Array[] = []
      for await (const part of await node.connection.stream(path)) parts.push(part)
      const whole = Buffer.concat(parts)
      if (path.endsWith('/KR')) whole[9] = (whole[9] as number) ^ 1
      return ReadableStream.from([whole]) as AsyncIterable<Uint8Array>
    }
    const connection = Object.assign(Object.create(node.connection), {
      stream,
      get: node.connection.get.bind(node.connection),
      post: node.connection.post.bind(node.connection),
    })
    await expect(addUpAgain({ ...node, connection }, item)).rejects.toMatchObject(
      refusal('bad-evidence', /sent another contribution of KR than the one that it signed/),
    )
    expect(recountsOf(work.round)).toEqual([])
  })
})

describe('whoever stops, at whatever request of a recount, goes on:', () => {
  /** Every request of the part of a query that comes after its round was opened. */
  const requests: [string, RegExp][] = [
    ['the draw', /^researcher POST .*\/draw$/],
    ['the status that the recipient waits for', /^researcher GET \/queries\/…$/],
    ['the evidence', /^researcher GET .*\/answer$/],
    ['the manifests', /^\w\w GET \/cohorts\//],
    ['a contribution', /^\w\w GET .*\/contributions\/KR$/],
    ['the recount', /^\w\w POST .*\/recounts$/],
  ]
  const cases = requests.flatMap(([what, pattern]) =>
    (['before', 'after'] as const).map(when => [when, what, pattern] as const),
  )
  test.each(cases)('%s %s', async (when, _, pattern) => {
    const { query, round, drawn } = await opened()
    const before = recountsInLog()
    let stopped: string | undefined
    switchboard.at = (moment, who, path, method) => {
      const request = `${who} ${method} ${path.replaceAll(/[0-9a-f]{64}/g, '…')}`
      if (stopped !== undefined || moment !== when || !pattern.test(request)) return
      stopped = who
      throw new TypeError('the connection broke')
    }
    const gone = new AbortController()
    const first = resume(federation.researcher, query, () => undefined, gone.signal).catch(() => undefined)
    for (let turn = 0; stopped === undefined && turn < 50; turn++) {
      await settlePatiently(federation)
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(stopped).toBeDefined()
    gone.abort()
    await first
    restartResearcher(federation)
    for (const id of MEMBERS) restartNode(federation, id)
    await restartCoordinator(federation)
    const answer = await answered(query)
    expect(answer.rows).toEqual(ROWS)
    expect(answer.evidence.recountedBy).toBe(drawn)
    expect(recountsOf(round)).toHaveLength(1)
    expect(recountsInLog()).toBe(before + 1)
  })
})

import { Registry } from 'prom-client'
import { afterEach, describe, expect, test } from 'vitest'
import { aggregate } from '#coordinator/aggregation.ts'
import { type Coordinator, createCoordinator } from '#coordinator/app.ts'
import { type CoordinatorEvent, levelOf } from '#coordinator/events.ts'
import { countEvents, measureState } from '#coordinator/metrics.ts'
import { concernsOf, overview } from '#coordinator/overview.ts'
import { type NodeEvent, levelOf as nodeLevelOf, observer } from '#member-node/events.ts'
import { perform } from '#member-node/work.ts'
import { openLog } from '#party/log.ts'
import { cancel, resume } from '#researcher/client.ts'
import { Federation } from './federation.ts'
import { request } from './requests.ts'
import { pose, step, workOf } from './steps.ts'

/** What a coordinator and a node tell their operators, event by event and number by number. */

const QUESTION = `dataset: declarations
where: { flow: import }
measures: [{ sum: value }]
purpose: what operators see
closes: 1h
`
const HOUR = 3_600_000

interface Watched extends Disposable {
  readonly federation: Federation
  readonly coordinator: Coordinator
  readonly events: CoordinatorEvent[]
  /** Lines of the log, parsed. */
  readonly lines: Record<string, unknown>[]
  /** The value of one metric, written as Prometheus has it. */
  metric(name: string): Promise<number | undefined>
}

/** A federation of three, whose coordinator is watched from its charter on. */
async function watch(sum = aggregate): Promise<Watched> {
  let watched: Coordinator | undefined
  const federation = await Federation.create({
    members: ['BR', 'JP', 'KR'],
    network: (_, direct) => async (url, init) => (watched ? watched.app.request(url, init) : direct(url, init)),
  })
  const registry = new Registry()
  const count = countEvents(registry)
  const events: CoordinatorEvent[] = []
  const lines: Record<string, unknown>[] = []
  const log = openLog<CoordinatorEvent>({}, levelOf, 'debug', line => void lines.push(JSON.parse(line)))
  const coordinator = createCoordinator({
    ...federation.coordinator.context,
    aggregate: sum,
    onError: error => void federation.errors.push(error),
    tell: event => {
      events.push(event)
      log(event)
      count(event)
    },
  })
  measureState(registry, coordinator.context)
  watched = coordinator
  Object.assign(federation, { coordinator })
  await federation.settle()
  events.length = 0
  return {
    federation,
    coordinator,
    events,
    lines,
    metric: async name => {
      const line = (await registry.metrics()).split('\n').find(one => one.startsWith(`${name} `))
      return line === undefined ? undefined : Number(line.slice(name.length + 1))
    },
    [Symbol.dispose]: () => federation[Symbol.dispose](),
  }
}

let watched: Watched
afterEach(() => watched?.[Symbol.dispose]())

const told = (msg: string) => watched.events.filter(event => event.msg === msg)

describe('a round', () => {
  test('is told step by step with its id, and counted', async () => {
    watched = await watch()
    const { federation, metric } = watched
    const { query, round } = await pose(federation, QUESTION)
    federation.clock.advance(90_000)
    expect(await metric('inbond_rounds{state="open"}')).toBe(1)
    expect(await metric('inbond_oldest_unfinished_round_age_seconds')).toBe(90)
    await federation.settleUntilAnswered(resume(federation.researcher, query, () => undefined))
    const steps = watched.events.filter(one => one.msg !== 'request')
    expect(steps.map(one => one.msg)).toEqual([
      'query recorded',
      'round announced',
      ...Array(3).fill('contribution counted'),
      'round closed',
      expect.stringMatching(/sum made|round agreed/),
      expect.stringMatching(/sum made|round agreed/),
      'round opened',
    ])
    expect(steps.slice(1).every(one => 'round' in one && one.round === round)).toBe(true)
    expect(told('round closed')).toEqual([{ msg: 'round closed', round, cohort: 3 }])
    expect(await metric('inbond_rounds{state="opened"}')).toBe(1)
    expect(await metric('inbond_oldest_unfinished_round_age_seconds')).toBe(0)
    expect(await metric('inbond_contributions_total')).toBe(3)
    expect(await metric('inbond_contribution_bytes_total')).toBe(3 * 40_960)
    expect(await metric('inbond_sums_total{outcome="made"}')).toBe(1)
    expect(await metric('inbond_charter_epoch')).toBe(1)
    const log = federation.coordinator.context.log.head()
    expect(await metric('inbond_log_entries')).toBe(log.size)
  })

  test('that ends without an answer is a warning with its reason', async () => {
    watched = await watch()
    const { query, round } = await pose(watched.federation, QUESTION)
    await cancel(watched.federation.researcher, query)
    expect(watched.lines.filter(one => one.msg === 'round void')).toEqual([
      expect.objectContaining({ level: 'warn', round, reason: 'the researcher withdrew the query' }),
    ])
  })

  test('whose sum fails is told, and tried again', async () => {
    let broken = true
    watched = await watch(async task => {
      if (broken) throw new Error('a stored contribution is shorter than it was')
      return aggregate(task)
    })
    const { federation, metric } = watched
    const { round } = await pose(federation, QUESTION)
    await step(federation, 'contribute')
    expect(told('sum failed')).toEqual([{ msg: 'sum failed', round, ms: 0 }])
    broken = false
    federation.clock.advance(11_000)
    await federation.settle()
    expect(await metric('inbond_sums_total{outcome="failed"}')).toBe(1)
    expect(await metric('inbond_sums_total{outcome="made"}')).toBe(1)
    expect(await metric('inbond_rounds{state="opened"}')).toBe(1)
  })
})

describe('a request', () => {
  const ID = 'from-the-proxy_1.2'

  test('keeps a well-formed id of its sender, in the log, the header and the problem', async () => {
    watched = await watch()
    const { federation, coordinator } = watched
    const { key } = federation.node('BR')
    const answer = await request(coordinator, key, `/rounds/${'ab'.repeat(32)}/shares`, {
      headers: { 'x-request-id': ID },
    })
    expect(answer.headers.get('x-request-id')).toBe(ID)
    expect(await answer.json()).toMatchObject({ code: 'not-found', instance: `urn:inbond:request:${ID}` })
    expect(watched.lines.at(-1)).toMatchObject({
      level: 'info',
      msg: 'request',
      request: ID,
      method: 'GET',
      route: '/rounds/{round}/shares',
      status: 404,
      party: 'BR',
      round: 'ab'.repeat(32),
      code: 'not-found',
    })
  })

  test('with an id that is not well-formed gets another one', async () => {
    watched = await watch()
    for (const id of ['a b', '', 'x'.repeat(65), '{"a":1}', 'a,b', 'a/b', 'é']) {
      const answer = await watched.coordinator.app.request('/federation', { headers: { 'x-request-id': id } })
      expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  test('is counted by template, whatever is asked for', async () => {
    watched = await watch()
    const { coordinator, metric } = watched
    for (const path of ['/secret-1', '/secret-2', '/rounds/secret-3/shares', '/queries/secret-4', '/work/secret-5']) {
      await request(coordinator, null, path)
    }
    await request(coordinator, null, '/prekeys', { method: 'PROPFIND' })
    const { federation } = watched
    await request(coordinator, federation.node('KR').key, '/rounds/secret-6/shares')
    expect(await metric('inbond_requests_total{route="none",method="GET",status="404"}')).toBe(3)
    expect(JSON.stringify(watched.lines)).not.toContain('secret-')
  })

  test('that waits for news is written at the lowest level only, and not timed', async () => {
    watched = await watch()
    const { federation, coordinator, metric } = watched
    const timed = 'inbond_request_duration_seconds_count{route="/work",method="GET"}'
    const before = await metric(timed)
    await request(coordinator, federation.node('KR').key, '/work?since=another')
    expect(watched.lines.at(-1)).toMatchObject({ level: 'debug', route: '/work', status: 200 })
    expect(await metric(timed)).toBe(before)
    await request(coordinator, federation.node('KR').key, '/work')
    expect(await metric(timed)).toBe((before ?? 0) + 1)
  })
})

describe('a node', () => {
  test('names round and query of what it did, and the coordinator’s request of what was refused', async () => {
    watched = await watch()
    const { federation, coordinator } = watched
    const node = federation.node('JP')
    const events: NodeEvent[] = []
    const { round, query } = await pose(federation, QUESTION)
    const [item] = await workOf(node, 'contribute')
    const watching = observer(event => void events.push(event))
    await perform(node, item as NonNullable<typeof item>, watching)
    await cancel(federation.researcher, query)
    await perform(federation.node('KR'), item as NonNullable<typeof item>, watching)
    expect(events).toEqual([
      { msg: 'done', step: 'contribute', round, query },
      expect.objectContaining({ msg: 'refused', step: 'contribute', round, query, code: 'too-late' }),
    ])
    const { request: id } = events[1] as { request?: string }
    expect(watched.lines.find(one => one.request === id)).toMatchObject({
      msg: 'request',
      party: 'KR',
      code: 'too-late',
    })
    expect(events.map(nodeLevelOf)).toEqual(['info', 'warn'])
    expect(coordinator.context.changes.ended).toBe(false)
  })
})

describe('the status of a coordinator', () => {
  test('names whom it has not seen, and what waits', async () => {
    watched = await watch()
    const { federation, coordinator, metric } = watched
    const { clock } = federation
    const now = () => concernsOf(overview(coordinator.context, 'http://here.example', 1), clock.now())
    expect(now()).toEqual([])
    const seen = await metric('inbond_member_last_seen_timestamp_seconds{member="KR"}')
    federation.node('KR').stopped = true
    clock.advance(3 * HOUR)
    await federation.settle()
    // Who was here is written every ten seconds.
    clock.advance(10_000)
    await coordinator.lifecycle.advance()
    expect(now()).toEqual(['1 member has not been seen for 5 minutes: KR (3 hours ago).'])
    expect(await metric('inbond_member_last_seen_timestamp_seconds{member="KR"}')).toBe(seen)
    coordinator.context.db.$client.exec("DELETE FROM prekeys WHERE custodian = 'KR'")
    await expect(pose(federation, QUESTION)).rejects.toThrow(/no round/)
    expect(now().slice(1)).toEqual([
      'These custodians have no prekey left: KR.',
      '1 query waits for prekeys of enough custodians.',
    ])
    expect(await metric('inbond_prekeys{custodian="KR"}')).toBe(0)
    expect(await metric('inbond_waiting_queries')).toBe(1)
    clock.advance(HOUR)
    expect(await metric('inbond_oldest_waiting_query_age_seconds')).toBe(3600)
  })
})

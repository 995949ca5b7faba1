import { and, count, eq, gt, inArray, isNull, max, min } from 'drizzle-orm'
import { Counter, Histogram, type Registry } from 'prom-client'
import { errorCounter, gauge, gaugeBy, measureDisk } from '#party/metrics.ts'
import { roundState } from '#specs/api.ts'
import { type Context, charterInForce } from './context.ts'
import type { RequestEvent, Tell } from './events.ts'
import { waitingQueries } from './queries.ts'
import { log, parties, prekeys, rounds } from './schema.ts'

const UNFINISHED = ['open', 'closed', 'agreed'] as const
/** In seconds. An upload may take minutes, a sum of many contributions too. */
const REQUEST_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800]
const SUM_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800]
/** A sender may write any other. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']

/** Counts what happens while the process runs. Labels are templates of routes, codes and outcomes: nothing that a sender can make up. */
export function countEvents(registry: Registry): Tell {
  const registers = [registry]
  const countRequest = requestCounter(registry)
  const contributions = new Counter({ name: 'inbond_contributions_total', help: 'Contributions counted.', registers })
  const bytes = new Counter({
    name: 'inbond_contribution_bytes_total',
    help: 'Bytes of ciphertext in contributions counted.',
    registers,
  })
  const sums = new Counter({
    name: 'inbond_sums_total',
    help: 'Attempts to add up a cohort.',
    labelNames: ['outcome'],
    registers,
  })
  const sumSeconds = new Histogram({
    name: 'inbond_sum_duration_seconds',
    help: 'Time that it took to add up a cohort.',
    buckets: SUM_BUCKETS,
    registers,
  })
  const internal = new Counter({
    name: 'inbond_internal_errors_total',
    help: 'What should not have happened; the log has it as an error.',
    registers,
  })
  return event => {
    switch (event.msg) {
      case 'request':
        countRequest(event)
        break
      case 'contribution counted':
        contributions.inc()
        bytes.inc(event.bytes)
        break
      case 'sum made':
        sums.inc({ outcome: 'made' })
        sumSeconds.observe(event.ms / 1000)
        break
      case 'sum failed':
        sums.inc({ outcome: 'failed' })
        break
      case 'something went wrong':
        internal.inc()
        break
    }
  }
}

function requestCounter(registry: Registry): (event: RequestEvent) => void {
  const registers = [registry]
  const requests = new Counter({
    name: 'inbond_requests_total',
    help: 'Requests by route, method and status.',
    labelNames: ['route', 'method', 'status'],
    registers,
  })
  const seconds = new Histogram({
    name: 'inbond_request_duration_seconds',
    help: 'Time until the answer began, of requests that do not wait for news.',
    labelNames: ['route', 'method'],
    buckets: REQUEST_BUCKETS,
    registers,
  })
  const countRefusal = errorCounter(registry, 'inbond_refusals_total', 'Requests that were refused, by error code.')
  return ({ route, method: sent, status, ms, waits, code }) => {
    const method = METHODS.includes(sent) ? sent : 'other'
    requests.inc({ route, method, status })
    if (!waits) seconds.observe({ route, method }, ms / 1000)
    if (code !== undefined) countRefusal(code)
  }
}

/** Measures what follows from the database and the disk, whenever it is asked for. */
export function measureState(registry: Registry, context: Context): void {
  const { db, clock } = context
  const age = (since: number | null | undefined) => (since == null ? 0 : Math.max(0, clock.now() - since) / 1000)
  const charter = () => charterInForce(db)?.payload

  gaugeBy(registry, 'inbond_rounds', 'Rounds by state.', 'state', () => {
    const found = db.select({ state: rounds.state, count: count() }).from(rounds).groupBy(rounds.state).all()
    return roundState.options.map(state => [state, found.find(one => one.state === state)?.count ?? 0])
  })
  gauge(
    registry,
    'inbond_oldest_unfinished_round_age_seconds',
    'Time since it was announced; 0 if there is none.',
    () => {
      const unfinished = inArray(rounds.state, [...UNFINISHED])
      return age(
        db
          .select({ at: min(rounds.openedAt) })
          .from(rounds)
          .where(unfinished)
          .get()?.at,
      )
    },
  )
  const waiting = 'Queries for which there are not enough prekeys yet.'
  gauge(registry, 'inbond_waiting_queries', waiting, () => waitingQueries(context).length)
  gauge(registry, 'inbond_oldest_waiting_query_age_seconds', 'Time since it was recorded; 0 if there is none.', () =>
    age(waitingQueries(context)[0]?.receivedAt),
  )
  const seen = 'When a member last sent a request, in seconds since 1970; 0 if never.'
  gaugeBy(registry, 'inbond_member_last_seen_timestamp_seconds', seen, 'member', () => {
    const members = db.select().from(parties).where(eq(parties.role, 'member')).all()
    return members.map(one => [one.subject, (one.lastSeenAt ?? 0) / 1000])
  })
  gaugeBy(registry, 'inbond_prekeys', 'Prekeys that no round uses yet.', 'custodian', () => {
    const unused = and(isNull(prekeys.round), gt(prekeys.notAfter, clock.now()))
    const byCustodian = db.select({ id: prekeys.custodian, left: count() }).from(prekeys).where(unused)
    const stock = byCustodian.groupBy(prekeys.custodian).all()
    return (charter()?.custodians ?? []).map(id => [id, stock.find(one => one.id === id)?.left ?? 0])
  })
  gauge(registry, 'inbond_charter_in_force', '1 if a charter is in force.', () => (charter() === undefined ? 0 : 1))
  gauge(
    registry,
    'inbond_charter_epoch',
    'Epoch of the charter in force; 0 if there is none.',
    () => charter()?.epoch ?? 0,
  )
  gauge(registry, 'inbond_log_entries', 'Size of the log of signed events.', () => {
    // Entries are numbered from 1 and never deleted; to count them would mean to read them all.
    return (
      db
        .select({ last: max(log.index) })
        .from(log)
        .get()?.last ?? 0
    )
  })
  measureDisk(registry, context.uploads, { coordinator: db.$client.name })
}

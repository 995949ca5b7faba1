import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { effort, isLong, seed, some } from '#test/effort.ts'
import { AfflictedFederation, byHand, MEMBERS } from './afflicted.ts'
import { Killing } from './killing.ts'
import type { Kind } from './points.ts'
import { policy, Scenarios } from './scenarios.ts'

/**
 * A coordinator, a member who is a custodian, and a researcher are killed before and after each commit, each request and answer,
 * and each file that becomes whole, while a question is answered: all of the points that a question passes in the long run, in
 * the normal one some, which the seed picks.
 */

const VICTIMS = ['coordinator', 'AA', 'researcher'] as const
const KINDS = ['coordinator', 'member', 'researcher'] as const
const MINUTES = 60_000
/** What has points of its own beside an answered question, and whose they are. */
const OTHERS = (
  [
    ['restart', ['coordinator']],
    ['refuse', [...VICTIMS, 'CC']],
    ['publish', ['coordinator', 'researcher']],
    ['explain', ['coordinator', 'researcher']],
    ['decide', ['CC', byHand('CC')]],
    ['cancel', [...VICTIMS, 'CC']],
    ['withdraw', ['coordinator']],
    ['declineToAgree', ['coordinator', 'CC']],
    ['declineToOpen', ['coordinator', 'CC']],
    ['make', [byHand('coordinator')]],
    ['sign', ['coordinator', byHand('coordinator'), 'AA', byHand('AA')]],
    ['enrol', ['coordinator', byHand('coordinator'), byHand('AA'), 'researcher']],
  ] as const
).flatMap(([how, parties]) => parties.map(party => ({ how, party })))
/** Parties that run all the time, and are started again when they die. */
const SERVICES: readonly string[] = ['coordinator', ...MEMBERS]

let afflicted: AfflictedFederation
let killing: Killing
let scenarios: Scenarios
/** The points of each victim that a scenario passed, in order. */
let passed: ReadonlyMap<string, readonly string[]>

beforeAll(async () => {
  afflicted = await AfflictedFederation.create()
  const { federation } = afflicted
  killing = new Killing(afflicted)
  scenarios = new Scenarios(afflicted, killing)
  federation.configure('CC', { policy: federation.line.write('policy.yaml', policy(1_000_000)) })
  if (isLong) {
    const points = ['before', 'after'].map(moment => `${moment} commit queries.void_reason`)
    await killing.during(new Map([['coordinator', points]]), ['coordinator'], scenarios.cancelWaiting)
  }
  await federation.startMembers()
})
afterAll(() => afflicted?.[Symbol.asyncDispose]())

/** Points that no declaration of the product stands for. */
function undeclared(party: string, points: readonly string[]): string[] {
  const declared = afflicted.boundariesOf(party)
  const whats = points.map(point => point.replace(/^(before|after) /, ''))
  return [...new Set(whats)].filter(what => !declared.includes(what))
}

describe(`the points of a question (seed ${seed})`, () => {
  it('are all declared by tables, columns, operations and files', async () => {
    await scenarios.answer()
    passed = await killing.pointsOf(scenarios.answer, VICTIMS)
    for (const party of VICTIMS) {
      expect(undeclared(party, afflicted.traceOf(party).flat())).toEqual([])
    }
  })

  it.each(
    effort(
      [{ parties: [...VICTIMS] }],
      VICTIMS.map(party => ({ parties: [party] })),
    ),
  )(
    'kill $parties',
    async ({ parties }) => {
      const chosen = new Map(
        parties.map(party => {
          return [party, some(passed.get(party) as readonly string[], 2)] as const
        }),
      )
      const services = parties.filter(party => SERVICES.includes(party))
      await killing.during(chosen, services, scenarios.answer)
      for (const [party, points] of chosen) {
        expect(points.length).toBeGreaterThan(1)
        expect(killing.deaths.get(party)).toEqual(expect.arrayContaining([...points]))
      }
    },
    effort(3, 20) * MINUTES,
  )

  it.each(effort([], OTHERS))(
    'kill at $how: $party',
    async ({ how, party }) => {
      const known = killing.deaths.get(party) ?? passed.get(party) ?? []
      // What comes of an earlier scenario is not passed twice.
      const first = (await killing.pointsOf(scenarios[how], [party])).get(party) as string[]
      const second = (await killing.pointsOf(scenarios[how], [party])).get(party) as string[]
      const fresh = first.filter(point => second.includes(point) && !known.includes(point))
      expect(undeclared(party, fresh)).toEqual([])
      const services = SERVICES.filter(one => one === party)
      await killing.during(new Map([[party, fresh]]), services, scenarios[how])
      expect(killing.deaths.get(party) ?? []).toEqual(expect.arrayContaining(fresh))
    },
    10 * MINUTES,
  )

  it.each(effort([], ['CC']))(
    'kill %s wherever it replaces prekeys that it lost',
    async party => {
      const first = (await killing.pointsOf(scenarios.withdraw, [party])).get(party) as string[]
      const second = (await killing.pointsOf(scenarios.withdraw, [party])).get(party) as string[]
      for (const point of first.filter(one => second.includes(one))) await scenarios.dieReplacing(point)
    },
    10 * MINUTES,
  )

  it.each(effort([], ['before', 'after']))('kill the coordinator %s it writes down who is there', async moment => {
    const { federation } = afflicted
    await federation.process('coordinator').kill()
    await killing.dieAt('coordinator', `${moment} commit parties.last_seen_at`)
    await federation.startCoordinator()
  })

  it.each(effort<readonly Kind[]>([], KINDS))('nothing is declared that a %s never does', async kind => {
    const parties = kind === 'member' ? MEMBERS : [kind]
    const traces = [...parties, ...parties.map(byHand)].map(party => afflicted.traceOf(party))
    const reached = new Set(traces.flat(2))
    const declared = afflicted.boundariesOf(parties[0] as string)
    expect(declared.filter(what => !reached.has(`after ${what}`))).toEqual([])
  })

  it.each(effort<readonly Kind[]>([], KINDS))('nothing is passed by a %s at which none was killed', kind => {
    const parties = kind === 'member' ? MEMBERS : [kind]
    const all = [...parties, ...parties.map(byHand)]
    const killed = new Set(all.flatMap(party => killing.deaths.get(party) ?? []))
    const passed = new Set(all.flatMap(party => afflicted.traceOf(party).flat()))
    expect([...passed].filter(point => !killed.has(point))).toEqual([])
  })
})

describe('after all of this', () => {
  it('every question has one round, and one answer unless it became void', async () => {
    const list = await scenarios.list()
    expect(new Set(list.map(one => one.purpose)).size).toBe(list.length)
    const answered = list.filter(one => one.state === 'answered, read').map(one => one.purpose)
    expect(answered.toSorted()).toEqual([...scenarios.answered].toSorted())
    expect(list.filter(one => !/^(answered, read$|void: )/.test(one.state))).toEqual([])
    const coordinator = afflicted.federation.database('coordinator')
    const [rounds, queries] = coordinator.prepare(COUNT_ROUNDS).raw().get() as [number, number]
    expect(rounds).toBe(queries)
    coordinator.close()
  })

  it('what was contributed, agreed to and opened is what each party stored first', () => {
    const coordinator = afflicted.federation.database('coordinator')
    for (const [table, who, message] of [
      ['contributions', 'member', 'manifest'],
      ['agreements', 'custodian', 'compact'],
      ['openings', 'custodian', 'compact'],
    ]) {
      for (const member of MEMBERS) {
        const own = afflicted.federation.database(member)
        const stored = own.prepare(`SELECT round, ${message} FROM ${table} ORDER BY round`).raw().all()
        const taken = coordinator.prepare(`SELECT round, ${message} FROM ${table} WHERE ${who} = ? ORDER BY round`)
        const all = taken.raw().all(member)
        expect(stored).toEqual(expect.arrayContaining(all))
        expect(all.length).toBeGreaterThanOrEqual(scenarios.answered.length)
        own.close()
      }
    }
    coordinator.close()
  })

  it('nothing is left that no round needs: shares, private halves, keys to answers, unfinished files', async () => {
    const heldBy = (member: string) => {
      const own = afflicted.federation.database(member)
      const bound = 'SELECT count(*) FROM prekeys WHERE round IS NOT NULL AND private_key IS NOT NULL'
      const held = ['SELECT count(*) FROM shares', bound].map(count => own.prepare(count).pluck().get())
      own.close()
      return held
    }
    await expect.poll(() => MEMBERS.map(heldBy), { timeout: 30_000 }).toEqual(MEMBERS.map(() => [0, 0]))
    const researcher = afflicted.federation.database('researcher')
    expect(researcher.prepare('SELECT count(*) FROM queries WHERE private_key IS NOT NULL').pluck().get()).toBe(0)
    researcher.close()
    for (const [party, folder] of [...MEMBERS.map(id => [id, 'outbox']), ['coordinator', 'uploads']] as const) {
      const files = readdirSync(`${afflicted.federation.of(party as string)}/${folder}`, { recursive: true })
      expect(files.filter(file => String(file).endsWith('.part'))).toEqual([])
    }
  })

  it('after a month of sleep, every party removes what is past its time when it starts', async () => {
    const { federation } = afflicted
    const parties = ['coordinator', ...MEMBERS]
    await Promise.all(parties.map(party => federation.process(party).kill()))
    const MONTH = 32 * 86_400_000
    for (const party of parties) afflicted.setClock(party, MONTH)
    await federation.startCoordinator()
    await federation.startMembers()
    const leftOf = (party: string, folder: string) => readdirSync(`${federation.of(party)}/${folder}`)
    await expect.poll(() => MEMBERS.flatMap(id => leftOf(id, 'outbox')), { timeout: 30_000 }).toEqual([])
    expect(leftOf('coordinator', 'uploads')).toEqual([])
  })
})

const COUNT_ROUNDS = 'SELECT count(*), count(DISTINCT query) FROM rounds'

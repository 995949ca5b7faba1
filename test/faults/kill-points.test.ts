import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { effort, seed } from '#test/effort.ts'
import { answerOf } from '#test/processes/federation.ts'
import { seededRandomness } from '#test/randomness.ts'
import { AfflictedFederation, expectedRows, MEMBERS, question, rowsOf } from './afflicted.ts'
import { Killing } from './killing.ts'

/**
 * A coordinator, a member who is a custodian, and a researcher are killed before and after each commit, each request and answer,
 * and each file that becomes whole, while a question is answered: all of the points that a question passes in the long run, in
 * the normal one some, which the seed picks.
 */

const VICTIMS = ['coordinator', 'AA', 'researcher'] as const
const MINUTES = 60_000

let afflicted: AfflictedFederation
let killing: Killing
let asked = 0
/** The points of each victim that the last question passed, in order. */
let passed: ReadonlyMap<string, readonly string[]>

beforeAll(async () => {
  afflicted = await AfflictedFederation.create()
  await afflicted.federation.startMembers()
  killing = new Killing(afflicted)
})
afterAll(() => afflicted?.[Symbol.asyncDispose]())

/** Asks, and goes on with the same question until it is answered. */
async function ask(): Promise<void> {
  const purpose = `question ${++asked}`
  const file = afflicted.federation.line.write(`question-${asked}.yaml`, question(purpose))
  const as = ['--as', afflicted.federation.of('researcher'), '--json']
  for (;;) {
    const list = JSON.parse(await killing.persist('researcher', ['query', 'list', ...as])) as Listed[]
    const own = list.find(one => one.purpose === purpose)
    const words = own === undefined ? ['run', file] : ['follow', own.query]
    const finished = await killing.attempt('researcher', ['query', ...words, ...as])
    if (finished.status !== 0) continue
    expect(rowsOf(answerOf(finished))).toEqual(expectedRows)
    return
  }
}

interface Listed {
  readonly query: string
  readonly purpose: string
  readonly state: string
}

/** So many of them, in their order. */
function some(points: readonly string[], count: number, who: string): string[] {
  const randomness = seededRandomness(`${seed} ${who}`)
  const drawn = points.map((point, i) => ({ point, i, weight: Buffer.from(randomness(4)).readUInt32LE() }))
  const picked = drawn.toSorted((a, b) => a.weight - b.weight).slice(0, count)
  return picked.toSorted((a, b) => a.i - b.i).map(one => one.point)
}

describe(`the points of a question (seed ${seed})`, () => {
  it('are all declared by tables, columns, operations and files', async () => {
    await ask()
    const before = VICTIMS.map(party => afflicted.traceOf(party).length)
    await ask()
    passed = new Map(
      VICTIMS.map((party, i) => [party, [...new Set(afflicted.traceOf(party).slice(before[i]).flat())]] as const),
    )
    for (const party of VICTIMS) {
      const declared = afflicted.boundariesOf(party)
      const reached = afflicted
        .traceOf(party)
        .flat()
        .map(point => point.replace(/^(before|after) /, ''))
      expect([...new Set(reached)].filter(what => !declared.includes(what))).toEqual([])
    }
  })

  it.each(VICTIMS)(
    'kill: %s',
    async party => {
      const points = passed.get(party) as readonly string[]
      expect(points.length).toBeGreaterThan(20)
      const chosen = effort(some(points, 3, party), points)
      await killing.during(new Map([[party, chosen]]), party === 'researcher' ? [] : [party], ask)
      expect(killing.deaths.get(party)).toEqual(expect.arrayContaining([...chosen]))
    },
    effort(2, 20) * MINUTES,
  )
})

describe('after all of this', () => {
  it('every question was answered once', async () => {
    const as = ['--as', afflicted.federation.of('researcher'), '--json']
    const list = JSON.parse(await killing.persist('researcher', ['query', 'list', ...as])) as Listed[]
    expect(list.map(one => one.purpose).toSorted()).toEqual(
      Array.from({ length: asked }, (_, i) => `question ${i + 1}`).toSorted(),
    )
    expect(list.filter(one => one.state !== 'answered, read')).toEqual([])
    const coordinator = afflicted.federation.database('coordinator')
    const rounds = coordinator.prepare('SELECT count(*), count(DISTINCT query) FROM rounds').raw().get()
    expect(rounds).toEqual([asked, asked])
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
        expect(taken.raw().all(member)).toEqual(stored)
        expect(stored).toHaveLength(asked)
        own.close()
      }
    }
    coordinator.close()
  })

  it('nothing is left that no round needs: shares, private halves, keys to answers, unfinished files', async () => {
    for (const member of MEMBERS) {
      const own = afflicted.federation.database(member)
      const left = own.prepare('SELECT count(*) FROM shares').pluck().get()
      const bound = own.prepare('SELECT count(*) FROM prekeys WHERE round IS NOT NULL AND private_key IS NOT NULL')
      expect([left, bound.pluck().get()]).toEqual([0, 0])
      own.close()
    }
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

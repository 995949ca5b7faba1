import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Answer } from '#researcher/answer.ts'
import { answerOf, Federation, type Finished, type Running, until } from './federation.ts'
import { stalledUpload } from './stalled-upload.ts'

/**
 * Parties die in the middle of long work, are absent, or are stopped: what can be answered is, with the right cells, and nothing is
 * contributed, agreed to or opened twice. One federation for all of it: what one test leaves behind is the next one's past.
 * Where parties die between two steps is the matter of test/faults.
 */

const CODES = ['010121', '080810', '270900', '851712', '870323', '999998']
const ORIGINS = ['CN', 'DE', 'KR', 'US']

interface Item {
  readonly member: string
  readonly hs6: string
  readonly origin: string
  readonly cents: number
}

/** mulberry32: the same numbers for the same seed. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function pick<T>(items: readonly T[], number: number): T {
  return items[Math.floor(number * items.length)] as T
}

let federation: Federation
let coordinator: Database.Database
let items: readonly Item[]

beforeAll(async () => {
  federation = await Federation.create()
  const numbers = random(7)
  items = federation.ids.flatMap((member, i) =>
    Array.from({ length: 40 * (i + 1) }, () => ({
      member,
      hs6: pick(CODES, numbers()),
      origin: pick(ORIGINS, numbers()),
      cents: Math.floor(numbers() * 1e9),
    })),
  )
  const map = `dataset: declarations
constants: { flow: import, period: 2020-03, currency: USD }
columns: { hs6: hs6, origin: origin, value: value }
`
  await Promise.all(
    federation.ids.map(id => {
      const own = items.filter(one => one.member === id)
      const lines = own.map(one => `${one.hs6},${one.origin},${(one.cents / 100).toFixed(2)}\n`)
      return federation.load(id, `hs6,origin,value\n${lines.join('')}`, map)
    }),
  )
  await federation.startMembers()
  await federation.untilPrekeys(federation.ids.length)
  coordinator = federation.database('coordinator')
})
afterAll(async () => {
  coordinator?.close()
  await federation?.[Symbol.asyncDispose]()
})

/** Of one chunk: short enough to be asked often. */
function question(purpose: string, rest = ''): string {
  return `dataset: declarations
where: { flow: import }
by: [origin]
measures: [{ count: records }, { sum: value }, { count: value }]
purpose: ${purpose}
${rest}`
}

/** About 300,000 slots: long enough to be interrupted. */
function large(purpose: string): string {
  return question(purpose).replace('[origin]', '[hs4, origin]').replace(', { sum: value }, { count: value }', '')
}

function expectAnswer(answer: Answer, cohort: readonly string[] = federation.ids): void {
  expect(answer.cohort).toEqual(cohort)
  const cells = new Map<string, { count: number; cents: bigint }>()
  for (const one of items.filter(item => cohort.includes(item.member))) {
    const cell = cells.get(one.origin) ?? { count: 0, cents: 0n }
    cells.set(one.origin, { count: cell.count + 1, cents: cell.cents + BigInt(one.cents) })
  }
  const rows = answer.rows.map(row => [row.origin, row['count(records)'], row['sum(value)']])
  const expected = [...cells].map(([cell, { count, cents }]) => {
    const digits = String(cents).padStart(3, '0')
    return [cell, count, `${digits.slice(0, -2)}.${digits.slice(-2)}`]
  })
  expect(rows.toSorted()).toEqual(expected.toSorted())
}

/** The id that `query run` says first. */
async function idOf(asking: Running): Promise<string> {
  await asking.says(/^Query [0-9a-f]{12}:/m)
  return /^Query ([0-9a-f]{12}):/m.exec(asking.stderr)?.[1] as string
}

function follow(id: string): Promise<Finished> {
  return federation.line.run(['query', 'follow', id, '--as', federation.of('researcher'), '--json'])
}

/** The round of a query as the coordinator stores it, once it is announced. */
async function roundOf(query: string): Promise<string> {
  let id: unknown
  await until(
    () => {
      id = coordinator.prepare('SELECT id FROM rounds WHERE query LIKE ?').pluck().get(`${query}%`)
      return id !== undefined
    },
    () => `a round of ${query}`,
  )
  return id as string
}

function count(table: 'contributions' | 'agreements' | 'openings', round: string): number {
  return coordinator.prepare(`SELECT count(*) FROM ${table} WHERE round = ?`).pluck().get(round) as number
}

function has(table: 'contributions' | 'agreements' | 'openings', round: string, member: string): boolean {
  const column = table === 'contributions' ? 'member' : 'custodian'
  const found = coordinator.prepare(`SELECT 1 FROM ${table} WHERE round = ? AND ${column} = ?`).get(round, member)
  return found !== undefined
}

async function restart(party: string): Promise<void> {
  await federation.process(party).kill()
  await federation.startParty(party)
}

describe('a party that is killed', () => {
  it.each([
    [
      'encrypts',
      (round: string) => readdirSync(join(federation.of('KR'), 'outbox')).some(file => file.startsWith(round)),
    ],
    ['uploads', (round: string) => uploadsOf(round).some(file => file.endsWith('.part'))],
  ])('while it %s goes on where it was', async (what, moment) => {
    const asking = federation.ask(large(`while a member ${what}`))
    const round = await roundOf(await idOf(asking))
    await until(
      () => moment(round) || has('contributions', round, 'KR'),
      () => `KR, which ${what}`,
    )
    await restart('KR')
    const answer = answerOf(await asking.ended)
    expect(answer.cohort).toEqual(federation.ids)
    const total = answer.rows.reduce((sum, row) => sum + Number(row['count(records)']), 0)
    expect(total).toBe(items.length)
  })

  it('between agreeing and opening opens, when its opening is needed', async () => {
    federation.process('VN').send('SIGSTOP')
    const asking = federation.ask(question('between agreeing and opening'))
    const round = await roundOf(await idOf(asking))
    await until(
      () => count('contributions', round) === 4,
      () => 'four contributions',
    )
    // JP stays away for good, and FR until KR was killed: three of the four agreements that are needed.
    await federation.process('JP').kill()
    federation.process('FR').send('SIGSTOP')
    federation.process('VN').send('SIGCONT')
    await until(
      () => count('agreements', round) === 3,
      () => 'three agreements',
    )
    expect(has('agreements', round, 'KR')).toBe(true)
    expect(count('openings', round)).toBe(0)
    await federation.process('KR').kill()
    expect(existsSync(join(federation.of('KR'), 'running'))).toBe(true)
    await federation.startMember('KR')
    federation.process('FR').send('SIGCONT')
    const answer = answerOf(await asking.ended)
    expectAnswer(answer)
    expect(answer.evidence.openedBy).toEqual(['BR', 'FR', 'KR', 'VN'])
    await federation.startMember('JP')
  })

  function uploadsOf(round: string): string[] {
    const folder = join(federation.of('coordinator'), 'uploads', round)
    return existsSync(folder) ? readdirSync(folder) : []
  }
})

describe('who is absent', () => {
  it('two of five custodians: the round ends void, and the researcher is told why', async () => {
    await Promise.all(['JP', 'KR'].map(id => federation.process(id).kill()))
    const asking = federation.ask(question('two absent', 'need: { atLeast: 3 }\ncloses: 2s\n'))
    const id = await idOf(asking)
    const { status, stdout, stderr } = await asking.ended
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^inbond: .*3 of the 4 custodians needed .*absent: JP, KR \[round-void\]$/m)
    expect(stderr).not.toMatch(/^\s+at /m)
    const again = await follow(id)
    expect({ status: again.status, stdout: again.stdout }).toEqual({ status: 1, stdout: '' })
    expect(again.stderr).toMatch(/absent: JP, KR \[round-void\]/)
    const listed = await federation.line.succeed('query', 'list', '--as', federation.of('researcher'))
    expect(listed).toMatch(new RegExp(`^${id}.*void: .*absent: JP, KR`, 'm'))
    await federation.startMembers(['JP', 'KR'])
  })

  it('a member that hangs in the middle of an upload is missing, and the others are answered for', async () => {
    await federation.process('KR').kill()
    const asking = federation.ask(question('a slow client', 'need: { atLeast: 4 }\ncloses: 4s\n'))
    await roundOf(await idOf(asking))
    using upload = await stalledUpload(federation, 'KR')
    const answer = answerOf(await asking.ended)
    expectAnswer(answer, ['BR', 'FR', 'JP', 'VN'])
    expect(answer.missing).toEqual([
      { member: 'KR', reason: 'the coordinator shows neither a contribution nor a refusal' },
    ])
    expect(upload.answered).toBe(false)
    await federation.startMember('KR')
  })

  it('a member that was away when the question came answers it when it is back', async () => {
    await federation.process('VN').kill()
    const asking = federation.ask(question('come back'))
    await asking.says(/VN[^;]* asked/)
    await federation.startMember('VN')
    expectAnswer(answerOf(await asking.ended))
  })
})

describe('who is stopped', () => {
  it('Ctrl-C during "query run" loses nothing, and says how to go on', async () => {
    federation.process('FR').send('SIGSTOP')
    const asking = federation.ask(question('interrupted'))
    await asking.says(/FR[^;]* asked/)
    asking.send('SIGINT')
    const { status, stdout, stderr } = await asking.ended
    expect({ status, stdout }).toEqual({ status: 130, stdout: '' })
    const [, id] = /inbond query follow ([0-9a-f]{12}) --as \S+\n$/.exec(stderr) ?? []
    expect(id).toBeDefined()
    federation.process('FR').send('SIGCONT')
    expectAnswer(answerOf(await follow(id as string)))
  })

  it('a coordinator with long polls open stops at once, and everybody finds it again', async () => {
    federation.process('BR').send('SIGSTOP')
    const asking = federation.ask(question('long polls'))
    await asking.says(/BR[^;]* asked/)
    const { status, took } = await stop('coordinator')
    await federation.startCoordinator()
    federation.process('BR').send('SIGCONT')
    expectAnswer(answerOf(await asking.ended))
    expect(status).toBe(0)
    expect(took).toBeLessThan(3000)
  })

  it('two processes that follow one query get the same answer', async () => {
    federation.process('BR').send('SIGSTOP')
    const asking = federation.ask(question('followed twice'))
    const id = await idOf(asking)
    const following = follow(id)
    await asking.says(/BR[^;]* asked/)
    federation.process('BR').send('SIGCONT')
    const answer = answerOf(await asking.ended)
    expectAnswer(answer)
    expect(answerOf(await following)).toEqual(answer)
  })

  it('a second process on a directory is refused, and the first goes on', async () => {
    const [member, service] = await Promise.all([
      federation.line.run(['member', 'start', federation.of('KR')]),
      federation.line.run(['coordinator', 'start', federation.of('coordinator')]),
    ])
    for (const { status, stderr } of [member, service]) {
      expect(status).toBe(1)
      expect(stderr).toMatch(/^inbond: process \d+ already serves .* \[already-running\]\n {2}\S/)
    }
    expect(federation.process('KR').finished).toBeUndefined()
    expect((await fetch(`${federation.url}/readyz`)).ok).toBe(true)
  })
})

describe('after all of this', () => {
  it('nothing was contributed, agreed to or opened twice, or other than it was stored first', () => {
    for (const [table, id] of [
      ['contributions', 'manifest'],
      ['agreements', 'compact'],
      ['openings', 'compact'],
    ] as const) {
      const who = table === 'contributions' ? 'member' : 'custodian'
      const taken = coordinator.prepare(`SELECT round, ${who} AS who, ${id} AS message FROM ${table}`).all() as Stored[]
      expect(new Set(taken.map(one => `${one.round} ${one.who}`)).size).toBe(taken.length)
      for (const member of federation.ids) {
        const own = federation.database(member)
        const made = own.prepare(`SELECT round, ${id} AS message FROM ${table}`).all() as Stored[]
        own.close()
        const messages = new Map(made.map(one => [one.round, one.message]))
        for (const one of taken.filter(taken => taken.who === member)) expect(one.message).toBe(messages.get(one.round))
      }
    }
    const rounds = coordinator.prepare('SELECT count(*) AS rounds, count(DISTINCT query) AS queries FROM rounds').get()
    expect((rounds as { rounds: number }).rounds).toBe((rounds as { queries: number }).queries)
  })

  it('every party stops within six seconds when told to, in the middle of a question too, and leaves no stack trace', async () => {
    const asking = federation.ask(large('stopped in the middle'))
    const round = await roundOf(await idOf(asking))
    await until(
      () => readdirSync(join(federation.of('KR'), 'outbox')).some(file => file.startsWith(round)),
      () => 'KR',
    )
    for (const ended of await Promise.all(['coordinator', ...federation.ids].map(stop))) {
      expect(ended.status).toBe(0)
      expect(ended.took).toBeLessThan(6000)
      expect(ended.stderr).not.toMatch(/"stack"|\\n\s+at |internal-error/)
      expect(ended.stderr).toContain('"msg":"stopped"')
    }
  })
})

interface Stored {
  readonly round: string
  readonly who: string
  readonly message: string
}

async function stop(party: string): Promise<Finished & { took: number }> {
  const began = Date.now()
  federation.process(party).send('SIGTERM')
  const ended = await federation.process(party).ended
  return { ...ended, took: Date.now() - began }
}

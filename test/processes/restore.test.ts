import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { answerOf, Federation, type Finished, type Running, until } from './federation.ts'

// Many commands, one after the other, on a machine that may be busy.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

/**
 * Every party is backed up while it runs and a question is under way, dies with its disk, is restored, and goes on: the next
 * question is answered, and nothing that was contributed, agreed to or opened is so a second time. All three custodians are
 * needed, so that each restored one must take part.
 */

const MEMBERS = ['AA', 'BB', 'CC']
const QUESTION = `dataset: declarations
where: { flow: import }
by: [hs2]
measures: [{ sum: value }]
closes: 10m
purpose: `
const MAP = `dataset: declarations
constants: { flow: import, period: 2020-03, currency: USD }
columns: { hs6: hs6, value: value }
`
const ROWS = [{ hs2: '85', 'sum(value)': '6.00' }]

let federation: Federation
/** The query that is under way when the backups are made. */
let interrupted: Running
let id: string
/** What each member had said before its disk was lost. */
const said = new Map<string, Statement[]>()

interface Statement {
  readonly round: string
  readonly message: string
}

const backupOf = (party: string) => federation.line.path(`backup of ${party}`)
const kindOf = (party: string) => (MEMBERS.includes(party) ? 'member' : party)

beforeAll(async () => {
  federation = await Federation.create({ members: MEMBERS })
  await Promise.all(MEMBERS.map((member, i) => federation.load(member, `hs6,value\n851712,${i + 1}\n`, MAP)))
  await federation.startMembers()
  expect(answerOf(await federation.ask(`${QUESTION}before`).ended).rows).toEqual(ROWS)
  interrupted = await untilAgreedByTwo()
  for (const member of MEMBERS) said.set(member, statementsOf(member))
})
afterAll(() => federation?.[Symbol.asyncDispose]())

/** Asks a question and stops where AA and CC have agreed and hold their shares, and BB has done nothing but contribute. */
async function untilAgreedByTwo(): Promise<Running> {
  federation.process('CC').send('SIGSTOP')
  const asking = federation.ask(`${QUESTION}under way`)
  await asking.says(/^Query [0-9a-f]{12}:/m)
  id = /^Query ([0-9a-f]{12}):/m.exec(asking.stderr)?.[1] as string
  await looked('AA and BB to contribute', 'SELECT count(*) = 2 FROM contributions')
  federation.process('BB').send('SIGSTOP')
  federation.process('CC').send('SIGCONT')
  await looked('AA and CC to agree', 'SELECT count(*) = 2 FROM agreements')
  return asking
}

async function looked(what: string, sql: string): Promise<void> {
  using coordinator = closing(federation.database('coordinator'))
  const latest = `${sql} WHERE round = (SELECT rounds.id FROM rounds JOIN queries ON queries.id = query WHERE queries.id LIKE ?)`
  await until(
    () => coordinator.db.prepare(latest).pluck().get(`${id}%`) === 1,
    () => what,
  )
}

function closing<T extends { close(): unknown }>(db: T) {
  return { db, [Symbol.dispose]: () => void db.close() }
}

function statementsOf(member: string): Statement[] {
  using own = closing(federation.database(member))
  return ['contributions', 'agreements', 'openings'].flatMap(table => {
    const message = table === 'contributions' ? 'manifest' : 'compact'
    return own.db.prepare(`SELECT round, ${message} AS message FROM ${table}`).all() as Statement[]
  })
}

function secretsOf(party: string, sql: string): Buffer[] {
  using own = closing(federation.database(party))
  return own.db.prepare(sql).pluck().all() as Buffer[]
}

function holding(folder: string, secret: Buffer): string[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter(file => statSync(join(folder, file)).isFile())
    .filter(file => readFileSync(join(folder, file)).includes(secret))
}

/** The disk is lost, and the directory made again from the backup. */
async function lose(party: string): Promise<Finished> {
  if (party !== 'researcher') await federation.process(party).kill()
  rmSync(federation.of(party), { recursive: true })
  return federation.line.run([kindOf(party), 'restore', federation.of(party), backupOf(party)])
}

async function ask(purpose: string): Promise<unknown> {
  return answerOf(await federation.ask(QUESTION + purpose).ended).rows
}

describe('a party that loses its disk in the middle of a question', () => {
  it('was backed up while it ran, without what serves once', async () => {
    const prekeys = secretsOf('AA', 'SELECT private_key FROM prekeys WHERE private_key IS NOT NULL')
    // What AA dealt itself stands among what it contributed. One is longer than a page: only a part is found in a piece.
    const shares = secretsOf('AA', "SELECT sealed FROM shares WHERE dealer <> 'AA'").map(share => share.subarray(-64))
    const recipient = secretsOf('researcher', 'SELECT private_key FROM queries WHERE private_key IS NOT NULL')
    expect([prekeys, shares, recipient].map(one => one.length)).toEqual([31, 2, 1])
    for (const secret of [...prekeys, ...shares]) expect(holding(federation.of('AA'), secret)).not.toEqual([])
    for (const party of ['coordinator', 'AA', 'researcher']) {
      const { status, stdout, stderr } = await federation.line.run([
        kindOf(party),
        'backup',
        federation.of(party),
        backupOf(party),
      ])
      expect({ status, stdout }).toEqual({ status: 0, stdout: `${backupOf(party)}\n` })
      expect(stderr).toMatch(/^Warning: the identity key in it has no passphrase\./)
      for (const secret of [...prekeys, ...recipient]) expect(holding(backupOf(party), secret)).toEqual([])
    }
    // The coordinator has what dealers sealed, and keeps it: without the prekeys nobody can read it.
    for (const secret of shares) expect(holding(backupOf('AA'), secret)).toEqual([])
  })

  it('the custodian cannot open what it agreed to; the question ends void, and says who declined', async () => {
    expect(await lose('AA')).toMatchObject({
      status: 0,
      stdout: '',
      stderr: expect.stringMatching(/^Restored .* as it was at .*\nStart it only when the old one is gone for good/),
    })
    await federation.startMember('AA')
    federation.process('BB').send('SIGCONT')
    const { status, stderr } = await interrupted.ended
    expect(status).toBe(1)
    expect(stderr).toMatch(
      /^inbond: .*AA declined; AA: .*began with another key, after the round opened \[round-void\]$/m,
    )
    expect(federation.process('AA').stderr).toMatch(/"code":"restored-since"/)
  })

  it('its lost prekeys are withdrawn, and the next question is answered', async () => {
    expect(await ask('after the member')).toEqual(ROWS)
  })

  it('the coordinator goes on with new prekeys, and does not open the old question again', async () => {
    expect(await lose('coordinator')).toMatchObject({ status: 0 })
    await federation.startCoordinator()
    // It lost what it had in its log since: only a person can tell that from another history.
    await expect(ask('after the coordinator')).rejects.toThrow('[round-void]')
    const accepting = (party: string) => [kindOf(party), 'accept-log', federation.of(party)]
    for (const member of MEMBERS) {
      expect(await federation.line.run(accepting(member))).toMatchObject({ status: 1, stdout: '' })
      expect(await federation.line.run([...accepting(member), '--yes'])).toMatchObject({ status: 0 })
    }
    await expect(ask('after the members accepted')).rejects.toThrow('[log-not-extended]')
    const accept = accepting('researcher')
    expect(await federation.line.run(accept)).toMatchObject({ status: 1, stdout: '' })
    expect(await federation.line.run([...accept, '--yes'])).toMatchObject({ status: 0 })
    expect(await ask('after the coordinator, again')).toEqual(ROWS)
    using coordinator = closing(federation.database('coordinator'))
    const state = coordinator.db.prepare('SELECT state FROM rounds WHERE query LIKE ?').pluck()
    await until(
      () => state.get(`${id}%`) === 'void',
      () => 'the old round to end again',
    )
    // The others may have opened what they agreed to; without AA it is too few.
    const openings = "SELECT count(*) FROM openings JOIN rounds ON id = round WHERE custodian = 'AA' AND query LIKE ?"
    expect(coordinator.db.prepare(openings).pluck().get(`${id}%`)).toBe(0)
  })

  it('the researcher is told that the key to the old answer is gone, and asks the next question', async () => {
    expect(await lose('researcher')).toMatchObject({ status: 0 })
    const following = await federation.line.run(['query', 'follow', id, '--as', federation.of('researcher')])
    expect(following).toMatchObject({ status: 1, stdout: '' })
    expect(following.stderr).toMatch(/the key to its answer was not in the backup \[round-void\]/)
    expect(await ask('after the researcher')).toEqual(ROWS)
  })

  it('nobody said anything a second time in other words', () => {
    for (const member of MEMBERS) {
      const now = statementsOf(member)
      expect(now).toEqual(expect.arrayContaining(said.get(member) as Statement[]))
      // Each table has its round as a key, so a second statement could only stand in another one's place.
      expect(now.length).toBeGreaterThan((said.get(member) as Statement[]).length)
    }
  })
})

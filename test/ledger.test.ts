import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Policy, presets } from '#member-node/policy.ts'
import { cancel } from '#researcher/client.ts'
import { Federation, type FederationOptions, startCoordinator } from './federation.ts'
import { Switchboard } from './restart.ts'
import { pose, roundRow, step } from './steps.ts'

/** What cohorts mean for later ones: the ledger of custodians is the log, and the coordinator plans by the same rule. */

const HOUR = 3_600_000
const MEMBERS = ['BR', 'FR', 'JP', 'KR', 'VN']
const JANUARY = { from: '2020-01', to: '2020-01' }

function question(need: string, where = 'period: 2020-01', by = ''): string {
  return `dataset: declarations\nwhere: { ${where} }\nby: [${by}]\nmeasures: [{ sum: value }]\npurpose: ledger\nneed: ${need}\ncloses: 1h\n`
}
const ALL = question('all')
const FOUR = question('{ atLeast: 4 }')

let federation: Federation
const switchboard = new Switchboard()

async function found(options: FederationOptions = {}): Promise<void> {
  federation = await Federation.create({ members: MEMBERS, network: switchboard.network, ...options })
  switchboard.federation = federation
  for (const node of federation.nodes.values()) node.rules = { ...(presets.open as Policy), alone: false }
  for (const id of federation.nodes.keys()) load(id, 'a')
}

/** Another version of January's data. */
function load(id: string, transport: string): void {
  const record = `import,2020-01,010121,${transport === 'a' ? 'air' : 'sea'},2`
  federation.load(id, `flow,period,hs6,transport,value\n${record}\n`, JANUARY)
}

beforeEach(() => {
  switchboard.federation = undefined
})
afterEach(() => federation[Symbol.dispose]())

/** Asks with a member away, until the round would have ended. */
async function askWithout(id: string, yaml: string) {
  federation.node(id).stopped = true
  const { round } = await pose(federation, yaml)
  await federation.settle()
  federation.clock.advance(HOUR + 1000)
  await federation.settle()
  federation.node(id).stopped = false
  return roundRow(federation, round)
}

const refusals = () =>
  federation.coordinator.context.db.$client.prepare("SELECT reason FROM refusals WHERE step = 'agree'").pluck().all()

describe('a coordinator', () => {
  test('does not close a cohort that would tell an absent member apart', async () => {
    await found()
    expect((await federation.ask(ALL)).cohort).toEqual(MEMBERS)
    const { state, reason } = await askWithout('KR', FOUR)
    expect({ state, reason }).toEqual({ state: 'void', reason: expect.stringMatching(/would stand apart/) })
    expect((await federation.ask(FOUR)).cohort).toEqual(MEMBERS)
  })

  test('leaves out a member that revised alone what is not closed, and takes it in again with two more', async () => {
    await found({ members: [...MEMBERS, 'NO', 'ZA'] })
    const year = question('all', 'period: 2020')
    await federation.ask(year)
    load('KR', 'b')
    await expect(federation.ask(year)).rejects.toThrow(/KR/)
    expect(await federation.ask(year)).toMatchObject({ newer: ['KR'] })
    load('JP', 'b')
    load('FR', 'b')
    expect((await federation.ask(year)).newer).toEqual(['FR', 'JP', 'KR'])
    const { cohort, newer } = await federation.ask(year)
    expect({ members: cohort.length, newer }).toEqual({ members: 7, newer: [] })
  })

  test('asks nobody where no cohort could come of it', async () => {
    await found({ administration: 'KR', members: ['BR', 'FR', 'JP', 'KR'] })
    await federation.ask(ALL)
    const told = await federation.ask(question('all', 'period: 2020-01', 'transport'))
    expect(told.cohort).toHaveLength(4)
  })

  test('has no say over questions about something else', async () => {
    await found()
    await federation.ask(question('all', 'period: 2020-01, flow: import'))
    const { state } = await askWithout('KR', question('{ atLeast: 4 }', 'period: 2020-01, flow: export'))
    expect(state).toBe('opened')
  })
})

describe('custodians', () => {
  /** A coordinator that does not go by the rule itself. */
  function blind(): void {
    federation.coordinator.context.db.$client.exec(`
      DROP TRIGGER rounds_one_void_certificate;
      UPDATE rounds SET void_certificate = 'none' WHERE state = 'opened'`)
  }

  test('refuse what a coordinator should not have closed, and nothing is opened', async () => {
    await found()
    await federation.ask(ALL)
    blind()
    const { state } = await askWithout('KR', FOUR)
    expect(state).toBe('void')
    expect(refusals()).toContainEqual(expect.stringMatching(/would tell KR apart from the others \(2020-01\)/))
  })

  test('that were not custodians before refuse it all the same', async () => {
    await found({ custodians: ['BR', 'FR', 'JP'], threshold: 3 })
    await federation.ask(ALL)
    const ledger = federation.node('BR').db.$client
    // One that has forgotten everything goes by the log.
    ledger.exec(`DROP TRIGGER agreements_no_delete; DROP TRIGGER openings_no_delete;
      DELETE FROM openings; DELETE FROM agreements; DELETE FROM past_cohorts`)
    blind()
    expect(await askWithout('KR', FOUR)).toMatchObject({ state: 'void' })
    expect(refusals()).toContainEqual(expect.stringMatching(/would tell KR apart/))
  })

  test('refuse a history in which an earlier round never was', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'inbond-fork-'))
    try {
      await found()
      federation.coordinator.context.db.$client.pragma('wal_checkpoint(TRUNCATE)')
      cpSync(federation.directory, directory, { recursive: true })
      await federation.ask(ALL)
      const { key } = federation.coordinator.context
      const forked = startCoordinator(directory, key, federation.clock, error => void federation.errors.push(error))
      federation.coordinator.context.db.$client.close()
      Object.assign(federation, { coordinator: forked })
      await step(federation, 'prekeys')
      const { state } = await askWithout('KR', FOUR)
      expect(state).toBe('void')
      const reasons = forked.context.db.$client.prepare('SELECT reason FROM refusals').pluck().all()
      expect(reasons).toContainEqual(expect.stringMatching(/not the one of which this node has read/))
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  test('check two rounds at once, and one of them sees the other', async () => {
    await found()
    const one = await pose(federation, question('all', 'period: 2020-01, flow: import'))
    const two = await pose(federation, question('all', 'period: 2020-01'))
    await federation.settle()
    for (const { round } of [one, two]) expect(roundRow(federation, round).state).toBe('opened')
  })
})

describe('a round that was agreed to and withdrawn', () => {
  async function agreedAndWithdrawn(givingUp: readonly string[]): Promise<string> {
    await found()
    const { query, round } = await pose(federation, ALL)
    federation.researcher.db.$client.prepare('UPDATE queries SET sent_at = 1 WHERE id = ?').run(query)
    for (const kind of ['contribute', 'agree'] as const) await step(federation, kind)
    expect(roundRow(federation, round).state).toBe('agreed')
    await cancel(federation.researcher, query)
    await step(federation, 'void', givingUp)
    await federation.coordinator.lifecycle.advance()
    return round
  }
  const certificates = () =>
    federation.coordinator.context.db.$client
      .prepare('SELECT void_certificate FROM rounds')
      .pluck()
      .all()
      .filter(Boolean)

  test('does not count once enough custodians gave it up', async () => {
    await agreedAndWithdrawn(['BR', 'FR', 'JP', 'VN'])
    expect(certificates()).toHaveLength(1)
    expect(await askWithout('KR', FOUR)).toMatchObject({ state: 'opened' })
  })

  test('counts until then', async () => {
    await agreedAndWithdrawn(['BR', 'FR', 'JP'])
    expect(certificates()).toHaveLength(0)
    federation.node('VN').stopped = true
    expect(await askWithout('KR', question('{ atLeast: 3 }'))).toMatchObject({ state: 'void' })
  })

  test('is never opened by a custodian that gave it up, whatever it is sent', async () => {
    const round = await agreedAndWithdrawn(['BR'])
    const { $client } = federation.node('BR').db
    expect($client.prepare('SELECT count(*) FROM shares WHERE round = ?').pluck().get(round)).toBe(0)
    const insert = "INSERT INTO openings VALUES (?, 'forged', x'00', 1)"
    expect(() => $client.prepare(insert).run(round)).toThrow(/given up is never opened/)
  })

  test('is not given up by a custodian that opened it', async () => {
    await found()
    const { query, round } = await pose(federation, ALL)
    federation.researcher.db.$client.prepare('UPDATE queries SET sent_at = 1 WHERE id = ?').run(query)
    for (const kind of ['contribute', 'agree'] as const) await step(federation, kind)
    await step(federation, 'open', ['JP'])
    await cancel(federation.researcher, query)
    await federation.settle()
    const { $client } = federation.coordinator.context.db
    const gave = $client.prepare('SELECT custodian FROM void_statements ORDER BY custodian').pluck().all()
    expect(gave).toEqual(['BR', 'FR', 'KR', 'VN'])
    expect($client.prepare("SELECT member FROM refusals WHERE step = 'void'").pluck().all()).toEqual(['JP'])
    const insert = "INSERT INTO void_statements VALUES (?, 'forged', 1)"
    const own = federation.node('JP').db.$client
    expect(() => own.prepare(insert).run(round)).toThrow(/opened round is never given up/)
  })
})

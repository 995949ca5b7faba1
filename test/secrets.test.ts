import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { forgetOldPrekeys } from '#member-node/custody.ts'
import { perform } from '#member-node/work.ts'
import { cancel, resume } from '#researcher/client.ts'
import type { RoundId } from '#specs/messages.ts'
import { Federation } from './federation.ts'
import { formsOf, inUnits } from './forms.ts'
import { pose, roundRow, step } from './steps.ts'

/** What lies on the disks of the parties, read as bytes: after a round nothing is left that could open it again. */

const MEMBERS = ['BR', 'JP', 'KR']
const QUESTION = `dataset: declarations
where: { flow: import }
by: [hs2, transport]
measures: [{ sum: value }]
purpose: what is left on disks
closes: 1h
`
const HOUR = 3_600_000
/** In cents; every one, and every sum of two, is told from everything else on these disks. */
const VALUES: Readonly<Record<string, bigint>> = { BR: 777_345_677_123n, JP: 811_987_654_321n, KR: 934_567_890_217n }

let federation: Federation
/** Everything that travelled, by who was at the other end of it. */
const travelled: Buffer[] = []

beforeAll(async () => {
  federation = await Federation.create({
    members: MEMBERS,
    network: (_, direct) => async (url, init) => {
      if (init?.body instanceof Blob) travelled.push(Buffer.from(await init.body.arrayBuffer()))
      else if (init?.body) travelled.push(Buffer.from(String(init.body)))
      const response = await direct(url, init)
      const bytes = Buffer.from(await response.clone().arrayBuffer())
      travelled.push(bytes)
      return response
    },
  })
  for (const id of MEMBERS) {
    const value = VALUES[id] as bigint
    federation.load(id, `flow,period,hs6,transport,value\nimport,2020-01,851712,sea,${inUnits(value)}\n`)
  }
})
afterAll(() => federation[Symbol.dispose]())
beforeEach(() => step(federation, 'prekeys'))

/** Every file of the federation but what the administrations keep at home, with its bytes. */
function disks(where = ''): { file: string; bytes: Buffer }[] {
  return readdirSync(federation.directory, { recursive: true })
    .map(file => join(federation.directory, String(file)))
    .filter(file => statSync(file).isFile() && !/warehouse\.sqlite|\.csv$/.test(file))
    .map(file => ({ file: relative(federation.directory, file), bytes: readFileSync(file) }))
    .filter(({ file }) => file.startsWith(where))
}

function whereIs(secret: Buffer | string, where?: string): string[] {
  return disks(where)
    .filter(({ bytes }) => bytes.includes(secret))
    .map(({ file }) => file)
}

function privateHalves(id: RoundId): { member: string; key: Buffer }[] {
  return MEMBERS.map(member => {
    const { $client } = federation.node(member).db
    const sql =
      'SELECT private_key FROM prekeys JOIN seen_prekeys ON prekey = prekeys.id WHERE seen_prekeys.round = ? AND private_key IS NOT NULL'
    return { member, key: $client.prepare(sql).pluck().get(id) as Buffer }
  })
}

function recipientKey(query: string): Buffer {
  const { $client } = federation.researcher.db
  return $client.prepare('SELECT private_key FROM queries WHERE id = ?').pluck().get(query) as Buffer
}

/** What BR received from the others as a custodian. */
function sealedShares(id: RoundId): Buffer[] {
  const { $client } = federation.node('BR').db
  return $client.prepare("SELECT sealed FROM shares WHERE round = ? AND dealer <> 'BR'").pluck().all(id) as Buffer[]
}

async function asked() {
  const posed = await pose(federation, QUESTION)
  federation.researcher.db.$client.prepare('UPDATE queries SET sent_at = 1 WHERE id = ?').run(posed.query)
  await step(federation, 'contribute')
  await step(federation, 'agree')
  return posed
}

describe('after a round', () => {
  test('no figure of a member is anywhere but in its own warehouse, and none travelled', async () => {
    const { query } = await asked()
    await step(federation, 'open')
    const { rows } = await resume(federation.researcher, query, () => undefined)
    const total = MEMBERS.reduce((sum, id) => sum + (VALUES[id] as bigint), 0n)
    expect(rows).toEqual([{ hs2: '85', transport: 'sea', 'sum(value)': inUnits(total) }])
    // The total is where the researcher keeps it, so that the search is known to find what is there.
    expect(whereIs(inUnits(total)).every(file => file.startsWith('researcher.sqlite'))).toBe(true)
    expect(whereIs(inUnits(total)).length).toBeGreaterThan(0)
    const secrets = MEMBERS.flatMap(id => [VALUES[id] as bigint, total - (VALUES[id] as bigint)])
    for (const form of secrets.flatMap(formsOf)) {
      expect(whereIs(form)).toEqual([])
      expect(travelled.some(bytes => bytes.includes(form))).toBe(false)
    }
    for (const form of formsOf(total)) expect(whereIs(form, 'coordinator')).toEqual([])
  })

  test('that was opened, no prekey, no share and no key of the recipient is left', async () => {
    const { query, round } = await asked()
    const halves = privateHalves(round)
    const shares = sealedShares(round)
    const recipient = recipientKey(query)
    expect(shares).toHaveLength(2)
    for (const { member, key } of halves) {
      const found = whereIs(key)
      expect(found.length).toBeGreaterThan(0)
      expect(found.every(file => file.startsWith(join(member, 'node.sqlite')))).toBe(true)
    }
    expect(whereIs(recipient).every(file => file.startsWith('researcher.sqlite'))).toBe(true)
    expect(whereIs(recipient).length).toBeGreaterThan(0)

    await step(federation, 'open')
    expect(roundRow(federation, round).state).toBe('opened')
    for (const { key } of halves) expect(whereIs(key)).toEqual([])
    // What was sealed for it lies in the coordinator's folder still, and opens with nothing that exists.
    for (const share of shares) expect(whereIs(share.subarray(1200, 1300), join('BR', 'node.sqlite'))).toEqual([])

    await resume(federation.researcher, query, () => undefined)
    expect(whereIs(recipient)).toEqual([])
    for (const { key } of [...halves, { key: recipient }]) {
      expect(travelled.some(bytes => bytes.includes(key) || bytes.includes(key.toString('base64url')))).toBe(false)
    }
  })

  test('that became void, they are gone as well', async () => {
    const { query, round } = await asked()
    const halves = privateHalves(round)
    const recipient = recipientKey(query)
    await cancel(federation.researcher, query)
    for (const node of federation.nodes.values()) {
      await perform(node, { kind: 'void', round, cohort: true }, { done() {}, refused() {}, failed() {} })
    }
    for (const { key } of halves) expect(whereIs(key)).toEqual([])
    expect(whereIs(recipient)).toEqual([])
    expect(disks().filter(({ file }) => file.includes(round))).toEqual([])
  })

  test('the same holds for prekeys that no round ever used, once their time is over', () => {
    const node = federation.node('KR')
    const unused = node.db.$client
      .prepare('SELECT private_key FROM prekeys WHERE private_key IS NOT NULL')
      .pluck()
      .all() as Buffer[]
    expect(unused.length).toBeGreaterThan(10)
    federation.clock.advance(31 * 24 * HOUR)
    forgetOldPrekeys(node)
    for (const key of unused) expect(whereIs(key)).toEqual([])
  })

  test('the keys that sign are in no database and never travelled', () => {
    const keys = [federation.coordinator.context.key, federation.researcher.key]
    for (const { key } of federation.nodes.values()) keys.push(key)
    for (const { privateKey } of keys) {
      for (const form of [privateKey, Buffer.from(privateKey, 'base64url')]) {
        expect(whereIs(form)).toEqual([])
        expect(travelled.some(bytes => bytes.includes(form))).toBe(false)
      }
    }
  })
})

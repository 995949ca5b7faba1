import { afterEach, describe, expect, test } from 'vitest'
import { charterInForce as inForceAtCoordinator } from '#coordinator/context.ts'
import { unusedPrekeys } from '#coordinator/custodians.ts'
import { organisations } from '#coordinator/logins.ts'
import { overview } from '#coordinator/overview.ts'
import { proposeCharter } from '#coordinator/proposals.ts'
import { generateIdentityKey, type IdentityKey, messageId } from '#crypto/signature.ts'
import { charterInForce, checkProposal, placeOf } from '#member-node/charters.ts'
import { forgetOldPrekeys, giveUp, publishPrekeys, withdrawLostPrekeys } from '#member-node/custody.ts'
import { Keyring } from '#member-node/keyring.ts'
import { makeOffer } from '#member-node/offers.ts'
import { revoke, revokeOrganisation, sponsorOrganisation } from '#member-node/researchers.ts'
import { forgetReplacedKeys, rotateKey } from '#member-node/rotation.ts'
import { perform, poll, work } from '#member-node/work.ts'
import { fetchCertificate } from '#researcher/certificate.ts'
import { resume } from '#researcher/client.ts'
import { fetchCharter } from '#researcher/researcher.ts'
import { done, PREKEY_STOCK, type WorkItem } from '#specs/api.ts'
import {
  certificate,
  charter,
  conventions,
  enrolment,
  type MemberId,
  opening,
  sponsorship,
  voidStatement,
} from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { Federation, type TestNode, VOUCHING } from './federation.ts'
import { restartNode, Switchboard } from './restart.ts'
import { doWork, enrol, pose, proposeAndSign, roundRow, step, workOf } from './steps.ts'

/** Members that take another key while they have the one before: in the same directory, with everything that is in it. */

const QUESTION = `dataset: declarations
measures: [{ count: records }]
purpose: around another key
closes: 1h
`
const RECORD = 'flow,period,hs6\nimport,2020-01,851712\n'
const DAY = 86_400_000

let federation: Federation
let switchboard: Switchboard
async function found(members = ['BR', 'FR', 'JP', 'KR']): Promise<void> {
  switchboard = new Switchboard()
  federation = await Federation.create({ members, custodians: members.slice(0, 3), network: switchboard.network })
  switchboard.federation = federation
  for (const id of federation.nodes.keys()) federation.load(id, RECORD)
}
afterEach(() => federation[Symbol.dispose]())

const context = () => federation.coordinator.context
const node = (id: string) => federation.node(id)
const keyNamed = (id: string) =>
  inForceAtCoordinator(context().db)?.payload.members.find(one => one.id === id)?.publicKey

/** The key of JP becomes another one, signed by everybody. */
async function rotate(id = 'JP'): Promise<{ before: IdentityKey; after: IdentityKey }> {
  const before = node(id).key
  const after = await rotateKey(node(id))
  await proposeAndSign(federation)
  await federation.settle()
  expect([keyNamed(id), node(id).key]).toEqual([after.publicKey, after])
  return { before, after }
}

describe('a round that custodians agreed to', () => {
  async function agreed() {
    const posed = await pose(federation, QUESTION)
    for (const kind of ['contribute', 'agree'] as const) await step(federation, kind)
    await federation.coordinator.lifecycle.advance()
    expect(roundRow(federation, posed.round).state).toBe('agreed')
    return posed
  }

  test('is opened with the key of its charter by a custodian that has another one by then', async () => {
    await found()
    const { query, round } = await agreed()
    const before = node('JP').key
    const after = await rotateKey(node('JP'))
    await proposeAndSign(federation)
    await step(federation, 'confirm')
    await doWork(federation, 'JP', 'charter')
    expect([roundRow(federation, round).state, node('JP').key]).toEqual(['agreed', after])
    await federation.settle()
    expect(roundRow(federation, round).state).toBe('opened')
    const said = context()
      .db.$client.prepare("SELECT compact FROM openings WHERE round = ? AND custodian = 'JP'")
      .pluck()
      .get(round) as string
    expect(claims(opening, said).kid).toBe(before.fingerprint)
    const answer = await federation.settleUntilAnswered(resume(federation.researcher, query, () => undefined))
    expect([answer.cohort, answer.evidence.openedBy]).toEqual([
      ['BR', 'FR', 'JP', 'KR'],
      ['BR', 'FR', 'JP'],
    ])
    expect((await federation.ask(QUESTION)).evidence.openedBy).toContain('JP')
  })

  test('is opened by one that was just opening it when its key became another one', async () => {
    await found()
    const { round } = await agreed()
    await rotateKey(node('JP'))
    await proposeAndSign(federation)
    const [opening] = await workOf(node('JP'), 'open')
    await step(federation, 'confirm', ['BR', 'FR', 'KR'])
    const watching = { done() {}, refused: () => expect.unreachable(), failed() {} }
    await expect(perform(node('JP'), opening as WorkItem, watching)).rejects.toMatchObject({ code: 'key-replaced' })
    expect(node('JP').db.$client.prepare('SELECT * FROM refusals').all()).toEqual([])
    await federation.settle()
    expect(roundRow(federation, round).state).toBe('opened')
  })

  test('misses a custodian that lost its key, and nobody speaks for that in it', async () => {
    await found()
    const { round } = await agreed()
    const old = node('JP')
    await enrol(federation, 'JP', true)
    await proposeAndSign(federation)
    await federation.settle()
    expect(roundRow(federation, round).state).toBe('agreed')
    federation.clock.advance(3 * 3_600_000)
    await federation.settle()
    expect(roundRow(federation, round)).toMatchObject({ state: 'void', reason: expect.stringMatching(/absent: JP/) })
    const { $client } = context().db
    const said = ['openings', 'void_statements'].flatMap(table =>
      $client.prepare(`SELECT custodian FROM ${table} WHERE round = ?`).pluck().all(round),
    )
    expect(said).not.toContain('JP')
    expect($client.prepare("SELECT 1 FROM refusals WHERE member = 'JP'").all()).toEqual([])
    // Nor does the coordinator take it with the other key: nobody who reads the round would.
    const statement = { protocol: PROTOCOL, round, custodian: 'JP' as MemberId } as const
    const { compact } = await sign(node('JP').key, voidStatement, statement)
    const sent = node('JP').connection.post(`/rounds/${round}/void-statements`, { statement: compact }, done)
    await expect(sent).rejects.toMatchObject({ code: 'bad-signature' })
    await expect(
      giveUp(node('JP'), round, inForceAtCoordinator(context().db)?.payload.previous ?? undefined),
    ).rejects.toMatchObject({
      code: 'not-on-roster',
    })
    old.db.$client.close()
  })
})

describe('another key of a member', () => {
  test('takes the place of the first one in the same directory, and nothing is lost', async () => {
    await found()
    const first = await federation.ask(QUESTION)
    const prekeys = unusedPrekeys(context(), 'JP' as MemberId)
    const before = node('JP').key
    const after = await rotateKey(node('JP'))
    expect([node('JP').key, node('JP').keys.waiting, after.publicKey]).toEqual([before, after, expect.anything()])
    expect(overview(context(), '', 1).members.filter(one => one.id === 'JP')).toMatchObject([
      { isReplacement: false, onRoster: true },
      { isReplacement: true, onRoster: false },
    ])
    // It answers with the key that it has until the charter is in force.
    const meanwhile = await federation.ask(QUESTION)
    const { payload } = await proposeCharter(context(), {})
    expect(payload.members.find(one => one.id === 'JP')?.publicKey).toBe(after.publicKey)
    await proposeAndSign(federation)
    await federation.settle()
    expect([node('JP').key, node('JP').keys.waiting, node('JP').keys.replaced]).toEqual([after, undefined, [before]])
    expect([placeOf(node('JP')), charterInForce(node('JP'))?.payload.epoch]).toEqual(['member', 2])
    const fresh = unusedPrekeys(context(), 'JP' as MemberId)
    expect(fresh.length).toBeGreaterThan(0)
    expect(prekeys.filter(id => fresh.includes(id))).toEqual([])
    await withdrawLostPrekeys(node('JP'))
    expect(unusedPrekeys(context(), 'JP' as MemberId)).toEqual(fresh)
    const held = node('JP')
      .db.$client.prepare('SELECT id FROM prekeys WHERE private_key IS NOT NULL ORDER BY id')
      .pluck()
    expect(held.all()).not.toEqual([...fresh].sort())
    forgetOldPrekeys(node('JP'))
    expect(held.all()).toEqual([...fresh].sort())
    await makeOffer(node('JP'))
    const last = await federation.ask(QUESTION)
    for (const answer of [first, meanwhile, last]) {
      expect([answer.cohort, answer.evidence.openedBy]).toEqual([
        ['BR', 'FR', 'JP', 'KR'],
        ['BR', 'FR', 'JP'],
      ])
    }
    expect(node('JP').db.$client.prepare('SELECT count(*) FROM contributions').pluck().get()).toBe(3)
    expect(node('JP').journal.filter(one => one.refused)).toEqual([])
    // And once more, with the first one still there.
    const { after: third } = await rotate()
    expect(node('JP').keys.replaced).toEqual([before, after])
    expect((await federation.ask(QUESTION)).evidence.openedBy).toContain('JP')
    expect(third).not.toEqual(after)
  })

  test('is one, however often it is asked for, and none where the coordinator refuses it', async () => {
    await found()
    const [one, other] = await Promise.all([rotateKey(node('JP')), rotateKey(node('JP'))])
    expect([other, await rotateKey(node('JP'))]).toEqual([one, one])
    restartNode(federation, 'JP')
    expect([await rotateKey(node('JP')), node('JP').keyFile.stored]).toEqual([one, [node('JP').key, one]])
    // Whose key waits by another way does not get a second one: only the secretariat rids a member of one that waits.
    const kr = node('KR')
    await enrol(federation, 'KR', true)
    await expect(rotateKey(kr)).rejects.toMatchObject({
      code: 'already-enrolled',
      message: expect.stringMatching(/waits for a charter/),
    })
    expect([kr.keys.waiting, kr.keyFile.stored]).toEqual([undefined, [kr.key]])
    kr.db.$client.close()
  })

  test('is there, and enrolled, after a crash at any moment', async () => {
    await found()
    const { key } = node('JP')
    for (const moment of ['before', 'after'] as const) {
      switchboard.at = (now, who, path) => {
        if (now === moment && who === 'JP' && path === '/keys') throw new TypeError('the connection broke')
      }
      await expect(rotateKey(node('JP'))).rejects.toMatchObject({ code: 'coordinator-unreachable' })
      restartNode(federation, 'JP')
    }
    const { waiting } = node('JP').keys
    expect([node('JP').key, waiting?.publicKey]).toEqual([key, expect.any(String)])
    switchboard.at = () => undefined
    expect(await rotateKey(node('JP'))).toEqual(waiting)
    await proposeAndSign(federation)
    restartNode(federation, 'JP')
    await step(federation, 'confirm', ['BR', 'FR', 'KR'])
    expect(keyNamed('JP')).toBe(waiting?.publicKey)
    // In force, and this node has not heard of it.
    restartNode(federation, 'JP')
    expect(node('JP').key).toEqual(key)
    await withdrawLostPrekeys(node('JP'))
    await doWork(federation, 'JP', 'charter')
    expect(node('JP').key).toEqual(waiting)
    restartNode(federation, 'JP')
    expect([node('JP').key, node('JP').keys.replaced]).toEqual([waiting, [key]])
    expect((await federation.ask(QUESTION)).evidence.openedBy).toContain('JP')
  })

  test('signs prekeys in the place of those that the one before signed, and that never arrived', async () => {
    await found()
    const { context: at } = federation.coordinator
    const stock = at.db.$client.prepare("SELECT count(*) FROM prekeys WHERE custodian = 'JP'").pluck()
    at.db.$client.exec("DELETE FROM prekeys WHERE custodian = 'JP'")
    switchboard.at = (now, who, path) => {
      if (now === 'before' && who === 'JP' && path === '/prekeys') throw new TypeError('the connection broke')
    }
    await expect(publishPrekeys(node('JP'), 4)).rejects.toMatchObject({ code: 'coordinator-unreachable' })
    switchboard.at = () => undefined
    await rotateKey(node('JP'))
    await proposeAndSign(federation)
    await step(federation, 'confirm')
    await doWork(federation, 'JP', 'charter')
    await doWork(federation, 'JP', 'prekeys')
    expect(stock.get()).toBe(PREKEY_STOCK)
  })

  test('is gone by without a restart, though another process made it and signed with it', async () => {
    await found()
    const keys = new Keyring('JP' as MemberId, node('JP').keyFile, node('JP').keyFile.stored, [])
    const key = () => keys.inForce
    const service = { ...node('JP'), keys, connection: node('JP').connection.as(key), key: keys.inForce }
    const leaving = new AbortController()
    const failed: unknown[] = []
    const turned = Promise.withResolvers<void>()
    const before = keys.inForce
    const done = () => void (keys.inForce !== before && turned.resolve())
    const running = work(service, { done, refused() {}, failed: error => void failed.push(error) }, leaving.signal)
    const waiting = await rotateKey(node('JP'))
    await proposeAndSign(federation)
    expect([keys.inForce, keys.waiting]).toEqual([before, undefined])
    await step(federation, 'confirm', ['BR', 'FR', 'KR'])
    await turned.promise
    expect([keys.inForce, failed]).toEqual([waiting, []])
    leaving.abort()
    await running
  })

  test('is not for anybody else to enrol', async () => {
    await found()
    const { key, connection } = node('JP')
    const made = await generateIdentityKey()
    const enrolling = async (change: object, by = made) => {
      const said = {
        protocol: PROTOCOL,
        role: 'member' as const,
        federation: context().key.fingerprint,
        invitation: null,
        publicKey: made.publicKey,
        id: 'JP' as MemberId,
        name: 'Customs of JP',
        conventions: conventions.parse({}),
      }
      return { enrolment: (await sign(by, enrolment, { ...said, ...change } as never)).compact }
    }
    const honest = await enrolling({})
    const post = (by: TestNode['connection'], body: object, path = '/keys') => by.post(path, body, done)
    const cases: [() => Promise<unknown>, string][] = [
      [() => post(connection.as(made), honest), 'bad-token'],
      [() => post(federation.researcher.connection, honest), 'not-allowed'],
      [() => post(node('KR').connection, honest), 'not-allowed'],
      [() => post(connection, honest, '/enrolments'), 'bad-invitation'],
      [async () => post(connection, await enrolling({ invitation: 'a code' })), 'not-allowed'],
      [async () => post(connection, await enrolling({ federation: 'f'.repeat(43) })), 'wrong-federation'],
      [async () => post(connection, await enrolling({}, key)), 'bad-signature'],
      [
        async () => post(connection, await enrolling({ publicKey: node('KR').key.publicKey }, node('KR').key)),
        'already-enrolled',
      ],
    ]
    for (const [send, code] of cases) await expect(send()).rejects.toMatchObject({ code })
    const waiting = context().db.$client.prepare('SELECT count(*) FROM parties WHERE is_replacement')
    expect(waiting.pluck().get()).toBe(0)
    // What waits does nothing but sign the charter that names it: nor does it bring another one.
    const own = await rotateKey(node('JP'))
    await expect(post(connection.as(own), honest)).rejects.toMatchObject({ code: 'not-on-roster' })
    await expect(post(connection, honest)).rejects.toMatchObject({ code: 'already-enrolled' })
    expect(waiting.get()).toBe(1)
  })

  test('leaves nothing to the one before: no request, no charter, and after fifteen days no file', async () => {
    await found()
    const posed = await pose(federation, QUESTION)
    const { before, after } = await rotate()
    expect(roundRow(federation, posed.round).state).toBe('void')
    const old = node('JP').connection.as(before)
    await expect(poll({ ...node('KR'), connection: old } as TestNode, undefined)).rejects.toMatchObject({
      code: 'key-replaced',
    })
    const { payload, id } = inForceAtCoordinator(context().db) as SignedCharter
    const back = payload.members.map(one => (one.id === 'JP' ? { ...one, publicKey: before.publicKey } : one))
    const proposal = { ...payload, epoch: 3, previous: id, members: back }
    const bundle = { charter: (await sign(context().key, charter, proposal)).compact, consents: [], confirmations: [] }
    await expect(checkProposal(node('JP'), bundle)).rejects.toMatchObject({ code: 'bad-charter' })
    federation.clock.advance(14 * DAY)
    await forgetReplacedKeys(node('JP'))
    expect(node('JP').keyFile.stored).toEqual([before, after])
    federation.clock.advance(2 * DAY)
    await forgetReplacedKeys(node('JP'))
    expect([node('JP').keyFile.stored, node('JP').keys.replaced]).toEqual([[after], []])
    restartNode(federation, 'JP')
    expect([node('JP').key, placeOf(node('JP'))]).toEqual([after, 'member'])
  })

  test('is none before a charter is in force, nor for a member that was left out', async () => {
    await found()
    const joining = await enrol(federation, 'SG')
    await expect(rotateKey(joining)).rejects.toMatchObject({ code: 'no-charter' })
    await proposeAndSign(federation, { without: ['KR', 'SG'] }, ['BR', 'FR', 'JP'])
    await federation.settle()
    await expect(rotateKey(node('KR'))).rejects.toMatchObject({ code: 'not-on-roster' })
    expect(node('KR').keyFile.stored).toHaveLength(1)
  })
})

describe('whom a member vouched for', () => {
  test('may go on asking, with what the node signs anew; whom it revoked may not', async () => {
    await found()
    const { researcher } = federation
    const vouching = node('BR')
    const held = async () =>
      claims(certificate, await fetchCertificate(researcher, await fetchCharter(researcher))).payload
    const before = await held()
    const organisation = { ...VOUCHING, organisation: 'Institute', issuer: 'https://login.test', clientId: 'inbond' }
    const keys = [{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: 'a', x: 'A'.repeat(43) }] as const
    const kept = await sponsorOrganisation(vouching, { ...organisation, keys } as never)
    const stopped = await sponsorOrganisation(vouching, { ...organisation, clientId: 'other', keys } as never)
    await revokeOrganisation(vouching, stopped, 'another provider')
    const { after } = await rotate('BR')
    const again = await held()
    expect(claims(sponsorship, again.sponsorship)).toEqual({
      kid: after.fingerprint,
      payload: claims(sponsorship, before.sponsorship).payload,
    })
    expect((await federation.ask(QUESTION)).cohort).toHaveLength(4)
    const offered = await organisations(context())
    expect(offered.map(one => claims(sponsorship, one))).toEqual([
      { kid: after.fingerprint, payload: expect.objectContaining({ clientId: 'inbond' }) },
    ])
    expect(offered.map(messageId)).not.toContain(kept)
    // Nothing is signed or sent twice, whenever the node starts.
    const count = () => context().db.$client.prepare('SELECT count(*) FROM sponsorships').pluck().get()
    const there = count()
    restartNode(federation, 'BR')
    await federation.settle()
    expect(count()).toBe(there)
    await revoke(node('BR'), researcher.key.fingerprint, 'left the organisation')
    const { after: third } = await rotate('BR')
    expect(count()).toBe((there as number) + 1)
    await revoke(node('BR'), researcher.key.fingerprint, 'left the organisation')
    expect(third).toEqual(node('BR').key)
  })

  test('is vouched for though the connection broke, and the node with it', async () => {
    await found()
    await rotateKey(node('BR'))
    await proposeAndSign(federation)
    await step(federation, 'confirm')
    const breaks = ['before', 'after']
    switchboard.at = (now, who, path) => {
      if (who !== 'BR' || path !== '/sponsorships' || now !== breaks[0]) return
      breaks.shift()
      throw new TypeError('the connection broke')
    }
    for (let time = 0; time < 2; time++) {
      await expect(doWork(federation, 'BR', 'charter')).rejects.toMatchObject({ code: 'coordinator-unreachable' })
      restartNode(federation, 'BR')
    }
    await federation.settle()
    expect((await federation.ask(QUESTION)).cohort).toHaveLength(4)
  })
})

import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { charterById, charterInForce as inForceAtCoordinator } from '#coordinator/context.ts'
import { unusedPrekeys } from '#coordinator/custodians.ts'
import { invite } from '#coordinator/enrolment.ts'
import { concernsOf, overview } from '#coordinator/overview.ts'
import { type Proposal, proposeChanges, proposeCharter } from '#coordinator/proposals.ts'
import { statusOf } from '#coordinator/status.ts'
import { charterInForce, checkProposal, confirmCharter, learnCharter, placeOf } from '#member-node/charters.ts'
import { signCharter } from '#member-node/consents.ts'
import { agree, withdrawLostPrekeys } from '#member-node/custody.ts'
import { acceptHistory, followLog } from '#member-node/log-mirror.ts'
import { learnLoggedRevocations, refuseRevoked, revoke } from '#member-node/researchers.ts'
import { agreements } from '#member-node/schema.ts'
import { concernsOf as nodeConcernsOf, overview as nodeOverview } from '#member-node/status.ts'
import { poll } from '#member-node/work.ts'
import { meetCoordinator } from '#party/invitation.ts'
import { fetchCertificate } from '#researcher/certificate.ts'
import { cancel, prepare, resume } from '#researcher/client.ts'
import { explain, lookAround } from '#researcher/explain.ts'
import { describeExplanation } from '#researcher/explanation-presentation.ts'
import { describeProgress } from '#researcher/presentation.ts'
import { fetchCharter, storedQuery } from '#researcher/researcher.ts'
import { type CharterBundle, queryReceipt, queryStatus } from '#specs/api.ts'
import {
  type CharterId,
  type CohortId,
  certificate,
  charter,
  confirmation,
  consent,
  type MemberId,
  type QueryId,
  type RoundId,
} from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { Federation, type TestNode, URL } from './federation.ts'
import { forgetCharters, restartCoordinator, restartNode, Switchboard } from './restart.ts'
import { doWork, enrol, pose, proposeAndSign, roundRow, step, workOf } from './steps.ts'

/** Charters that follow one another: members come, leave, and lose their keys; parties that were away; coordinators that lie. */

const QUESTION = `dataset: declarations
measures: [{ count: records }]
purpose: after another charter
closes: 1h
`
const RECORD = 'flow,period,hs6\nimport,2020-01,851712\n'

let federation: Federation
async function found(members = ['BR', 'FR', 'JP', 'KR']): Promise<void> {
  const switchboard = new Switchboard()
  federation = await Federation.create({ members, custodians: members.slice(0, 3), network: switchboard.network })
  switchboard.federation = federation
  for (const id of federation.nodes.keys()) federation.load(id, RECORD)
}
afterEach(() => federation[Symbol.dispose]())

const context = () => federation.coordinator.context
const epochAt = (id: string) => charterInForce(federation.node(id))?.payload.epoch
const epoch = () => inForceAtCoordinator(context().db)?.payload.epoch
/** What `status` says to look at, at a node that runs. */
async function concernsAt(node: TestNode): Promise<string[]> {
  const { to, fetch } = federation.researcher
  const told = await meetCoordinator(to, fetch)
  const status = nodeOverview(node, node.directory, 'open', 1, told, { trouble: undefined, versions: [] })
  return nodeConcernsOf(status, federation.clock.now())
}
const answering = async () => (await federation.ask(QUESTION)).cohort

describe('members', () => {
  test('join, when every member has signed; the newcomer follows the charters from the first', async () => {
    await found()
    await proposeAndSign(federation, {}, ['BR', 'FR', 'JP'])
    await federation.settle()
    const joining = await enrol(federation, 'SG')
    federation.load('SG', RECORD)
    await federation.settle()
    expect(placeOf(joining)).toBe('awaited')
    expect(await concernsAt(joining)).toEqual(['No charter names SG yet: this node answers nothing.'])
    await proposeAndSign(federation, {}, ['BR', 'FR', 'JP', 'SG'])
    await federation.settle()
    expect(epoch()).toBe(2)
    const { db } = context()
    const proposed = db.$client.prepare('SELECT id FROM charters WHERE epoch = 3').pluck().get() as CharterId
    const compact = db.$client.prepare('SELECT compact FROM charters WHERE epoch = 3').pluck().get() as string
    const bundle = { charter: compact, consents: [], confirmations: [] }
    expect(await concernsAt(joining)).toEqual([
      'The charter that you signed waits for KR: this node answers nothing yet.',
    ])
    await signCharter(federation.node('KR'), (await checkProposal(federation.node('KR'), bundle)).proposal)
    joining.stopped = true
    await federation.settle()
    expect([placeOf(joining), await concernsAt(joining)]).toEqual(['awaited', []])
    joining.stopped = false
    await federation.settle()
    for (const id of federation.nodes.keys()) expect(charterInForce(federation.node(id))?.id).toBe(proposed)
    expect(joining.db.$client.prepare('SELECT epoch FROM charters ORDER BY epoch').pluck().all()).toEqual([1, 2, 3])
    expect(await answering()).toEqual(['BR', 'FR', 'JP', 'KR', 'SG'])
  })

  test('leave, signed by a quorum without them; they learn it, and answer nothing', async () => {
    await found()
    await expect(proposeCharter(context(), { without: ['XX'] })).rejects.toMatchObject({ code: 'bad-charter' })
    await proposeAndSign(federation, { without: ['KR'] }, ['BR', 'FR', 'JP'])
    await federation.settle()
    expect([epochAt('BR'), epochAt('KR'), placeOf(federation.node('BR')), placeOf(federation.node('KR'))]).toEqual([
      2,
      2,
      'member',
      'left',
    ])
    const { round } = await pose(federation, QUESTION)
    const { items } = await poll(federation.node('KR'), undefined)
    expect(items.map(one => one.kind)).toEqual(['charter'])
    await expect(
      federation.node('KR').connection.put(`/rounds/${round}/contribution`, new Blob(['x'])),
    ).rejects.toMatchObject({
      code: 'not-on-roster',
    })
    expect(await answering()).toEqual(['BR', 'FR', 'JP'])
    // The next charter does not bring it back, and an invitation does.
    expect(() =>
      invite(context(), { role: 'member', subject: 'KR' as MemberId, sponsor: null }, 'a code'),
    ).not.toThrow()
    expect((await proposeCharter(context(), {})).payload.members.map(one => one.id)).toEqual(['BR', 'FR', 'JP'])
  })

  test('are not removed by fewer than the quorum', async () => {
    await found(['BR', 'FR', 'JP', 'KR', 'VN'])
    await proposeAndSign(federation, { without: ['VN'] }, ['BR', 'FR', 'JP'])
    await federation.settle()
    expect([epoch(), epochAt('VN')]).toEqual([1, 1])
  })

  test('that did not sign follow what the rule of their charter makes valid', async () => {
    await found()
    await proposeAndSign(federation, {}, ['BR', 'FR', 'JP'])
    await federation.settle()
    const own = federation.node('KR').db.$client.prepare('SELECT consent FROM charters WHERE epoch = 2').pluck().get()
    expect([epochAt('KR'), placeOf(federation.node('KR')), own]).toEqual([2, 'member', null])
    expect(await answering()).toHaveLength(4)
  })

  test('that were away follow several charters, one after the other', async () => {
    await found()
    const away = federation.node('KR')
    away.stopped = true
    for (let i = 0; i < 3; i++) {
      await proposeAndSign(federation, {}, ['BR', 'FR', 'JP'])
      await federation.settle()
    }
    expect([epoch(), epochAt('KR')]).toEqual([4, 1])
    away.stopped = false
    await federation.settle()
    expect(away.db.$client.prepare('SELECT epoch FROM charters ORDER BY epoch').pluck().all()).toEqual([1, 2, 3, 4])
    expect(placeOf(away)).toBe('member')
  })
})

describe('a member that lost its key', () => {
  test('has another one when a quorum has signed; the old one counts no more', async () => {
    await found()
    const old = federation.node('JP')
    const now = await enrol(federation, 'JP', true)
    federation.load('JP', RECORD)
    const sent = async (who: TestNode) => (await poll(who, undefined)).items.map(one => one.kind)
    // Until then the old one is the member's, and the other one waits.
    await pose(federation, QUESTION)
    expect(await sent(old)).toEqual(['charter', 'contribute'])
    expect(await sent(now)).toEqual(['charter'])
    const before = unusedPrekeys(context(), 'JP' as MemberId)
    await withdrawLostPrekeys(now)
    expect(unusedPrekeys(context(), 'JP' as MemberId)).toEqual(before)
    await expect(
      now.connection.post('/prekeys/withdrawals', { prekeys: before.slice(0, 1) }, queryReceipt),
    ).rejects.toMatchObject({ code: 'not-on-roster' })
    await proposeAndSign(federation, {}, ['BR', 'FR', 'JP', 'KR'])
    await federation.settle()
    expect(charterInForce(now)?.payload).toMatchObject({ epoch: 2, custodians: ['BR', 'FR', 'JP'], threshold: 3 })
    await expect(sent(old)).rejects.toMatchObject({
      code: 'key-replaced',
      message: expect.stringMatching(/epoch 2 .* JP/),
    })
    // It learns no charter any more, and hears of this one.
    expect([epochAt('BR'), charterInForce(old)?.payload.epoch]).toEqual([2, 1])
    expect(await concernsAt(old)).toContain(
      'JP has another key since epoch 2, as the coordinator says: this node answers nothing.',
    )
    const after = unusedPrekeys(context(), 'JP' as MemberId)
    expect(after).not.toHaveLength(0)
    expect(before.filter(id => after.includes(id))).toEqual([])
    const answer = await federation.ask(QUESTION)
    expect([answer.cohort, answer.evidence.openedBy]).toEqual([
      ['BR', 'FR', 'JP', 'KR'],
      ['BR', 'FR', 'JP'],
    ])
    old.db.$client.close()
  })

  test('has stopped a researcher for good with the one that it lost, for whoever reads of it afterwards', async () => {
    await found()
    const old = federation.node('BR')
    const { key } = federation.researcher
    const researcher = claims(
      certificate,
      await fetchCertificate(federation.researcher, await fetchCharter(federation.researcher)),
    ).payload
    await revoke(old, key.fingerprint, 'left the organisation')
    await enrol(federation, 'BR', true)
    const joining = await enrol(federation, 'SG')
    await proposeAndSign(federation)
    await federation.settle()
    expect(epoch()).toBe(2)
    for (const node of [joining, federation.node('BR'), federation.node('KR')]) {
      expect(placeOf(node)).toBe('member')
      await followLog(node, context().log.head())
      await learnLoggedRevocations(node)
      expect(() => refuseRevoked(node, researcher)).toThrow(expect.objectContaining({ code: 'researcher-revoked' }))
    }
    // Whoever has the old key stops nobody with it.
    await expect(revoke(old, key.fingerprint, 'by a thief')).rejects.toMatchObject({ code: 'key-replaced' })
    old.db.$client.close()
  })

  test('can lose the other one, too, before it counts', async () => {
    await found()
    const nodes = [federation.node('KR')]
    nodes.push(await enrol(federation, 'KR', true))
    const { key } = await enrol(federation, 'KR', true)
    const { payload } = await proposeCharter(context(), {})
    expect(payload.members.find(one => one.id === 'KR')?.publicKey).toBe(key.publicKey)
    for (const { db } of nodes) db.$client.close()
  })

  test('does so though it is one of three, who all open', async () => {
    await found(['BR', 'FR', 'JP'])
    const old = federation.node('JP')
    await enrol(federation, 'JP', true)
    federation.load('JP', RECORD)
    await proposeAndSign(federation)
    await federation.settle()
    expect(epoch()).toBe(2)
    expect(await answering()).toEqual(['BR', 'FR', 'JP'])
    old.db.$client.close()
  })

  test('keeps it, where nobody invited another one', async () => {
    await found()
    await expect(enrol(federation, 'XX', true)).rejects.toMatchObject({ code: 'not-found' })
    await expect(enrol(federation, 'KR')).rejects.toMatchObject({ code: 'already-enrolled' })
  })
})

const unsigned = { consents: [], confirmations: [] }

describe('a proposal', () => {
  test('that somebody never signs is dropped for another one, and blocks nobody who signed it', async () => {
    await found()
    await enrol(federation, 'SG')
    const dropped = await proposeAndSign(federation, {}, ['BR', 'FR', 'JP', 'SG'])
    const next = await proposeAndSign(federation, { without: ['KR', 'SG'] }, ['BR', 'FR', 'JP'])
    await federation.settle()
    expect(inForceAtCoordinator(context().db)?.id).toBe(next)
    const late = (
      await sign(federation.node('KR').key, consent, { protocol: PROTOCOL, charter: dropped, member: 'KR' })
    ).compact
    await expect(
      federation.node('BR').connection.post('/consents', { consent: late }, queryReceipt),
    ).rejects.toMatchObject({
      code: 'not-on-roster',
    })
  })

  test('made again is the one before, with its signatures', async () => {
    await found()
    await enrol(federation, 'SG')
    const { outcome, charter: first } = await proposeChanges(context(), {})
    const { proposal } = await checkProposal(federation.node('BR'), { charter: first.compact, ...unsigned })
    await signCharter(federation.node('BR'), proposal)
    expect([outcome, await proposeChanges(context(), {})]).toEqual([
      'proposed',
      { outcome: 'proposed before', charter: first },
    ])
    expect(overview(context(), URL, 1).unsigned).toBe('SG, FR, JP, KR')
    const other = await proposeChanges(context(), { quorum: 3 })
    expect([other.outcome, other.charter.payload.quorum]).toEqual(['proposed', 3])
  })

  test('of what is in force takes another one back, and is none where there is nothing to take back', async () => {
    await found()
    const { id } = inForceAtCoordinator(context().db) as SignedCharter
    const proposed = (proposal: Proposal) =>
      proposeChanges(context(), proposal).then(({ outcome, charter }) => [outcome, charter.id === id])
    expect(await proposed({})).toEqual(['unchanged', true])
    expect(await proposed({ without: ['KR'] })).toEqual(['proposed', false])
    expect(await proposed({})).toEqual(['withdrawn', false])
    expect(overview(context(), URL, 1).unsigned).toBeNull()
    expect(await proposed({})).toEqual(['unchanged', true])
  })

  test('of what is in force follows one that changes the custodians, which some may have signed', async () => {
    await found()
    await proposeAndSign(federation, { custodians: ['BR', 'FR', 'KR'] }, ['BR'])
    const { outcome, charter: next } = await proposeChanges(context(), {})
    expect([outcome, next.payload.custodians]).toEqual(['proposed', ['BR', 'FR', 'JP']])
    for (const id of ['BR', 'FR', 'JP']) {
      const { proposal } = await checkProposal(federation.node(id), { charter: next.compact, ...unsigned })
      await signCharter(federation.node(id), proposal)
    }
    await federation.settle()
    expect([epoch(), await answering()]).toEqual([2, ['BR', 'FR', 'JP', 'KR']])
  })

  test('that has its signatures is not withdrawn any more', async () => {
    await found()
    await proposeAndSign(federation, {}, ['BR', 'FR', 'JP'])
    await expect(proposeCharter(context(), {})).rejects.toMatchObject({ code: 'charter-pending' })
    expect((await proposeChanges(context(), {})).outcome).toBe('proposed before')
    await step(federation, 'charter')
    await doWork(federation, 'BR', 'confirm')
    expect(() => context().db.$client.exec('UPDATE charters SET withdrawn_at = 1 WHERE epoch = 2')).toThrow(
      /is not withdrawn/,
    )
    await federation.settle()
    expect(epoch()).toBe(2)
  })

  test('is signed and confirmed by parties that stop in between', async () => {
    await found()
    const node = federation.node('BR')
    let cut = true
    const { connection } = node
    const breaking = {
      get: connection.get.bind(connection),
      stream: connection.stream.bind(connection),
      post: async (...args: Parameters<typeof connection.post>) => {
        if (cut) throw new Error('killed')
        return connection.post(...args)
      },
    } as unknown as typeof connection
    const { compact, id } = await proposeCharter(context(), {})
    const bundle = { charter: compact, consents: [], confirmations: [] }
    const dying = { ...node, connection: breaking }
    const { proposal } = await checkProposal(dying, bundle)
    await expect(signCharter(dying, proposal)).rejects.toThrow('killed')
    restartNode(federation, 'BR')
    await signCharter(federation.node('BR'), proposal)
    for (const other of ['FR', 'JP']) await signCharter(federation.node(other), proposal)
    await restartCoordinator(federation)
    await expect(confirmCharter({ ...federation.node('BR'), connection: breaking }, id)).rejects.toThrow('killed')
    cut = false
    restartNode(federation, 'BR')
    await federation.settle()
    expect([epoch(), epochAt('BR')]).toEqual([2, 2])
    const sent = context().db.$client.prepare("SELECT compact FROM confirmations WHERE member = 'BR'").pluck().all()
    const own = federation.node('BR').db.$client.prepare('SELECT compact FROM confirmations').pluck().all()
    expect(sent).toEqual(own)
  })
})

describe('a coordinator that lies', () => {
  /** A charter that it signs, with whatever consents and confirmations its accomplices give. */
  async function made(
    change: object,
    by: { consent: readonly string[]; confirm: readonly string[] },
  ): Promise<CharterBundle & { id: CharterId }> {
    const { payload, id: previous } = inForceAtCoordinator(context().db) as SignedCharter
    const terms = { ...payload, epoch: payload.epoch + 1, previous, ...change }
    const { id, compact } = await sign<typeof charter.schema, CharterId>(context().key, charter, terms)
    const signed = async (member: string, kind: typeof consent | typeof confirmation, message: object) =>
      (
        await sign(
          federation.node(member).key,
          kind as typeof consent,
          { protocol: PROTOCOL, charter: id, member, ...message } as never,
        )
      ).compact
    const consents = by.consent.map(async who => ({ member: who as MemberId, consent: await signed(who, consent, {}) }))
    const confirmations = by.confirm.map(async who => ({
      member: who as MemberId,
      confirmation: await signed(who, confirmation, { previous: terms.previous }),
    }))
    return {
      id,
      charter: compact,
      consents: await Promise.all(consents),
      confirmations: await Promise.all(confirmations),
    }
  }

  /** A node whose coordinator shows these charters. */
  const shown = (id: string, bundles: readonly (CharterBundle & { id: string })[]): TestNode => {
    const node = federation.node(id)
    const get = async (path: string) =>
      bundles.find(one => path === `/charters/${one.id}`) ?? node.connection.get(path, {} as never)
    return {
      ...node,
      connection: { ...node.connection, get, post: async () => ({}) } as unknown as TestNode['connection'],
    }
  }

  const all = ['BR', 'FR', 'JP', 'KR']
  const three = all.slice(0, 3)
  const cases: [string, object, { consent: string[]; confirm: string[] }, string, RegExp][] = [
    [
      'a quorum does not confirm',
      {},
      { consent: all, confirm: ['BR', 'FR'] },
      'charter-pending',
      /not confirmed by 1 more of JP, KR/,
    ],
    [
      'a quorum does not sign',
      {},
      { consent: ['BR', 'FR'], confirm: all },
      'charter-pending',
      /not signed by 1 more of JP, KR/,
    ],
    [
      'one does not sign a change of rules',
      { currency: 'EUR' },
      { consent: three, confirm: all },
      'charter-pending',
      /not signed by KR/,
    ],
    ['leaves one out', { epoch: 3 }, { consent: all, confirm: all }, 'bad-charter', /does not follow/],
    ['follows another one', { previous: 'f'.repeat(64) }, { consent: all, confirm: all }, 'not-found', /no charter/],
    [
      'goes back',
      { epoch: 1, previous: null, proposedAt: '2030-01-01T00:00:00.000Z' },
      { consent: all, confirm: [] },
      'bad-charter',
      /epoch 1 does not follow .* \(epoch 1\)/,
    ],
  ]
  test('does not get a node to a charter that breaks the rule', async () => {
    await found()
    for (const [what, change, by, code, message] of cases) {
      const bundle = await made(change, by)
      await expect(learnCharter(shown('KR', [bundle]), bundle.id).then(() => what)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      })
    }
    expect(epochAt('KR')).toBe(1)
  })

  test('gets nothing signed or confirmed that should not be', async () => {
    await found()
    const early = await made({}, { consent: ['BR', 'FR'], confirm: [] })
    await expect(confirmCharter(shown('KR', [early]), early.id)).rejects.toMatchObject({ code: 'charter-pending' })
    const foreign = await made({ currency: 'EUR' }, { consent: [], confirm: [] })
    await expect(checkProposal(federation.node('KR'), foreign)).rejects.toMatchObject({
      code: 'bad-charter',
      message: expect.stringMatching(/values in EUR/),
    })
    const { members } = (inForceAtCoordinator(context().db) as SignedCharter).payload
    const without = await made({ members: members.slice(0, 3), quorum: 2 }, { consent: [], confirm: [] })
    await expect(checkProposal(federation.node('KR'), without)).rejects.toMatchObject({
      message: expect.stringMatching(/does not name KR with its own key/),
    })
  })

  test('gets none to the other side of a fork, nor enough to make one', async () => {
    await found()
    const one = await made({ proposedAt: '2030-01-01T00:00:00.000Z' }, { consent: three, confirm: [] })
    const other = await made({ proposedAt: '2030-01-02T00:00:00.000Z' }, { consent: three, confirm: [] })
    // Half of them are shown the one, half the other.
    const confirmed = await Promise.all(
      all.map(async (id, i) => {
        const [first, second] = i < 2 ? [one, other] : [other, one]
        const node = shown(id, [one, other])
        await confirmCharter(node, first.id)
        await expect(confirmCharter(node, second.id)).rejects.toMatchObject({
          code: 'bad-charter',
          message: expect.stringMatching(/confirmed another charter/),
        })
        return node.db.$client.prepare('SELECT charter FROM confirmations').pluck().all()
      }),
    )
    expect(confirmed).toEqual([[one.id], [one.id], [other.id], [other.id]])
    const { $client } = federation.node('BR').db
    expect(() => $client.exec('UPDATE confirmations SET charter = 1')).toThrow(/never changed/)
    expect(() => $client.exec('INSERT OR REPLACE INTO confirmations SELECT previous, 1, 1 FROM confirmations')).toThrow(
      /never changed/,
    )
    // With three that break their word both are complete; a node in the one does not go to the other.
    const [left, right] = [one, other].map(bundle => ({
      ...bundle,
      confirmations: [] as CharterBundle['confirmations'],
    }))
    for (const bundle of [left, right] as const) {
      for (const member of three as MemberId[]) {
        const { previous } = { previous: (inForceAtCoordinator(context().db) as SignedCharter).id }
        const message = { protocol: PROTOCOL, charter: bundle?.id as CharterId, previous, member } as const
        bundle?.confirmations.push({
          member,
          confirmation: (await sign(federation.node(member).key, confirmation, message)).compact,
        })
      }
    }
    const node = shown('KR', [left, right] as never)
    await learnCharter(node, one.id)
    await expect(learnCharter(node, other.id)).rejects.toMatchObject({ code: 'bad-charter' })
    expect(charterInForce(node)?.id).toBe(one.id)
    expect(() => node.db.$client.exec(`INSERT INTO charters VALUES ('x', 2, 'x', NULL, 1)`)).toThrow(
      /one charter to the next/,
    )
  })

  test('does not get a member to confirm twice there, either', async () => {
    await found()
    await proposeAndSign(federation, {}, three)
    await step(federation, 'charter')
    await doWork(federation, 'BR', 'confirm')
    const { $client } = context().db
    expect(() => $client.exec("UPDATE confirmations SET member = 'KR'")).toThrow(/never changed/)
    expect(() => $client.exec('DELETE FROM confirmations')).toThrow(/never changed/)
    const { id: previous } = inForceAtCoordinator(context().db) as SignedCharter
    const { id, charter: compact } = await made(
      { proposedAt: '2030-01-01T00:00:00.000Z' },
      { consent: [], confirm: [] },
    )
    $client.prepare('INSERT INTO charters VALUES (?, 2, ?, 1, NULL, NULL)').run(id, compact)
    const other = { protocol: PROTOCOL, charter: id, previous, member: 'BR' as MemberId } as const
    const second = await sign(federation.node('BR').key, confirmation, other)
    await expect(
      federation.node('BR').connection.post('/confirmations', { confirmation: second.compact }, queryReceipt),
    ).rejects.toMatchObject({ code: 'differs-from-stored' })
  })
})

describe('a question', () => {
  test('under the charter before ends, and says to ask again; what was agreed to is opened', async () => {
    await found()
    const agreed = await pose(federation, QUESTION)
    for (const kind of ['contribute', 'agree'] as const) await step(federation, kind)
    await federation.coordinator.lifecycle.advance()
    expect(roundRow(federation, agreed.round).state).toBe('agreed')
    const open = await pose(federation, QUESTION)
    await step(federation, 'contribute', ['BR'])
    const waiting = await prepare(federation.researcher, parseQueryFile(QUESTION))
    await proposeAndSign(federation, {}, ['BR', 'FR', 'JP'])
    await step(federation, 'confirm')
    expect([roundRow(federation, open.round).state, roundRow(federation, open.round).reason]).toEqual([
      'void',
      'another charter came into force; ask again',
    ])
    await federation.settle()
    expect(roundRow(federation, agreed.round).state).toBe('opened')
    const status = await federation.researcher.connection.get(`/queries/${agreed.query}`, queryStatus)
    expect(status.state).toBe('opened')
    const answer = await federation.settleUntilAnswered(resume(federation.researcher, agreed.query, () => undefined))
    expect(answer.cohort).toHaveLength(4)
    await expect(resume(federation.researcher, waiting, () => undefined)).rejects.toMatchObject({
      code: 'charter-superseded',
    })
    expect(storedQuery(federation.researcher, waiting).privateKey).toBeNull()
    await expect(cancel(federation.researcher, open.query)).rejects.toMatchObject({ code: 'too-late' })
    expect(await answering()).toHaveLength(4)
  })
})

describe('a researcher', () => {
  test('is told what it waits for while the custodians change', async () => {
    await found()
    await proposeCharter(context(), { custodians: ['BR', 'FR', 'KR'] })
    const { researcher, clock } = federation
    const said = explain(parseQueryFile(QUESTION), await lookAround(researcher))
    expect(said.waitsForCharter).toBe(true)
    expect(describeExplanation(said)).toMatch(
      /^ {2}It would wait for the proposed charter, which changes the custodians\.$/m,
    )
    await expect(pose(federation, QUESTION)).rejects.toThrow(/no round/)
    const [{ id }] = context().db.$client.prepare('SELECT id FROM queries').all() as [{ id: QueryId }]
    expect(describeProgress(statusOf(context(), id), clock.now())).toBe(
      'waiting for the proposed charter, which changes the custodians',
    )
    expect(concernsOf(overview(context(), URL, 1), clock.now()).slice(1)).toEqual([
      'Questions wait for the proposed charter, which changes the custodians.',
    ])
    clock.advance(31 * 86_400_000)
    await federation.coordinator.lifecycle.advance()
    expect(statusOf(context(), id).reason).toBe(
      'it expired while it waited for the proposed charter, which changes the custodians',
    )
  })

  test('follows from the newest charter that it has seen, and neither back nor sideways', async () => {
    await found()
    const { researcher } = federation
    const first = await fetchCharter(researcher)
    for (let i = 0; i < 2; i++) {
      await proposeAndSign(federation, {}, ['BR', 'FR', 'JP'])
      await federation.settle()
    }
    const asked: string[] = []
    const get = async (path: string, ...rest: [never]) => {
      asked.push(path)
      return researcher.connection.get(path, ...rest)
    }
    const watched = { ...researcher, connection: { get } as unknown as typeof researcher.connection }
    const newest = await fetchCharter(watched)
    expect([newest.payload.epoch, asked.length, asked[0]]).toEqual([3, 3, `/charters/${first.id}`])
    const { $client } = researcher.db
    expect($client.prepare('SELECT epoch FROM charters ORDER BY epoch').pluck().all()).toEqual([1, 2, 3])
    $client.exec('UPDATE charters SET id = hex(zeroblob(32)) WHERE epoch = 3')
    await expect(fetchCharter(researcher)).rejects.toMatchObject({
      code: 'bad-charter',
      message: expect.stringMatching(/charter 3/),
    })
    $client.exec('DELETE FROM charters')
    expect((await fetchCharter(researcher)).id).toBe(newest.id)
  })
})

describe('custodians that hand over', () => {
  const agreedTo = (id: string, round: string) =>
    federation.node(id).db.$client.prepare('SELECT count(*) FROM agreements WHERE round = ?').pluck().get(round)

  test('sign only what names a log with every cohort that they agreed to', async () => {
    await found()
    const { logHead } = (await proposeCharter(context(), { custodians: ['BR', 'FR', 'KR'] })).payload
    await proposeAndSign(federation)
    await federation.settle()
    await answering()
    const terms = { ...(await proposeCharter(context(), { custodians: ['BR', 'FR', 'KR'] })).payload, logHead }
    const { compact } = await sign(context().key, charter, terms)
    const signed = async (id: string) => {
      const { proposal } = await checkProposal(federation.node(id), {
        charter: compact,
        consents: [],
        confirmations: [],
      })
      await signCharter(federation.node(id), proposal)
    }
    await expect(signed('BR')).rejects.toMatchObject({ code: 'bad-charter' })
    // KR is no custodian; the coordinator does not know this proposal.
    await expect(signed('KR')).rejects.toMatchObject({ code: 'not-found' })
  })

  test('agree to nothing from then on, and the new ones answer', async () => {
    await found()
    const { round } = await pose(federation, QUESTION)
    await step(federation, 'contribute')
    await federation.coordinator.lifecycle.advance()
    const [asked] = await workOf(federation.node('BR'), 'agree')
    const next = await proposeAndSign(federation, { custodians: ['BR', 'FR', 'KR'] }, ['BR', 'FR', 'KR'])
    expect(await workOf(federation.node('JP'), 'agree')).toEqual([])
    const attempt = agree(federation.node('BR'), asked as Parameters<typeof agree>[1])
    await expect(attempt).rejects.toMatchObject({
      code: 'bad-cohort',
      message: expect.stringMatching(/changes the custodians/),
    })
    const row = { round: round as RoundId, cohort: 'c' as CohortId, cohortCompact: '', compact: '', createdAt: 0 }
    const insert = federation.node('BR').db.insert(agreements).values(row)
    expect(() => insert.run()).toThrow(/agrees to nothing more/)
    expect(agreedTo('BR', round)).toBe(0)
    // A restart changes nothing about it, and no new round is announced meanwhile.
    restartNode(federation, 'BR')
    await expect(pose(federation, QUESTION)).rejects.toThrow()
    const proposal = { charter: charterById(context().db, next).compact, consents: [], confirmations: [] }
    await signCharter(federation.node('JP'), (await checkProposal(federation.node('JP'), proposal)).proposal)
    await federation.settle()
    expect(epoch()).toBe(2)
    expect(await answering()).toEqual(['BR', 'FR', 'JP', 'KR'])
  })
})

describe('a coordinator that was restored', () => {
  async function restoredAfter(what: () => Promise<unknown>): Promise<void> {
    const file = join(federation.directory, 'coordinator.sqlite')
    context().db.$client.pragma('wal_checkpoint(TRUNCATE)')
    copyFileSync(file, `${file}.backup`)
    await what()
    context().db.$client.close()
    for (const one of [`${file}-wal`, `${file}-shm`]) copyFileSync('/dev/null', one)
    copyFileSync(`${file}.backup`, file)
    await restartCoordinator(federation)
  }

  test('from before a charter gets it back from its members, and goes on', async () => {
    await found()
    const old = federation.node('JP')
    await restoredAfter(async () => {
      await enrol(federation, 'SG')
      federation.load('SG', RECORD)
      await enrol(federation, 'JP', true)
      federation.load('JP', RECORD)
      await proposeAndSign(federation)
      await federation.settle()
      await pose(federation, QUESTION)
      await federation.settle()
      await proposeAndSign(federation, {}, ['BR', 'FR', 'KR', 'SG'])
      await federation.settle()
      expect(epoch()).toBe(3)
    })
    expect(epoch()).toBe(1)
    await doWork(federation, 'BR', 'charter')
    expect(epoch()).toBe(3)
    await federation.settle()
    await expect(poll(old, undefined)).rejects.toMatchObject({ code: 'key-replaced' })
    // An answer under it would rest on entries that the log has lost.
    await expect(pose(federation, QUESTION)).rejects.toMatchObject({ code: 'charter-pending' })
    expect(concernsOf(overview(context(), URL, 1), 0).join()).toMatch(/names entries that the log has lost/)
    await expect(proposeAndSign(federation, { without: ['KR'] })).rejects.toMatchObject({ code: 'log-not-extended' })
    federation.clock.advance(1000)
    for (const node of federation.nodes.values()) {
      acceptHistory(node)
      await withdrawLostPrekeys(node)
    }
    await federation.settle()
    await proposeAndSign(federation, { without: ['KR'] })
    await federation.settle()
    expect(epoch()).toBe(4)
    expect(await answering()).toEqual(['BR', 'FR', 'JP', 'SG'])
    old.db.$client.close()
  })

  test('believes no member that gives it something else', async () => {
    await found()
    const { id, payload } = inForceAtCoordinator(context().db) as SignedCharter
    const terms = { ...payload, epoch: 2, previous: id }
    const forged = await sign(federation.node('KR').key, charter, terms)
    const post = (compact: string) =>
      federation
        .node('KR')
        .connection.post('/charters', { charter: compact, consents: [], confirmations: [] }, queryReceipt)
    await expect(post(forged.compact)).rejects.toMatchObject({ code: 'bad-signature' })
    const unsigned = await sign(context().key, charter, terms)
    await expect(post(unsigned.compact)).rejects.toMatchObject({ code: 'charter-pending' })
  })
})

test('a node that was restored takes note of what it had confirmed', async () => {
  await found()
  await proposeAndSign(federation, {}, ['BR', 'FR', 'JP'])
  await federation.settle()
  const before = federation.node('BR').db.$client.prepare('SELECT * FROM confirmations').all()
  expect(before).toHaveLength(1)
  forgetCharters(federation.node('BR'))
  await federation.settle()
  expect(federation.node('BR').db.$client.prepare('SELECT * FROM confirmations').all()).toEqual(before)
})

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { generateIdentityKey } from '#crypto/signature.ts'
import { answer } from '#member-node/answer.ts'
import { withdrawLostPrekeys } from '#member-node/custody.ts'
import { outlook } from '#member-node/outlook.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { addUpAgain, type Recounting } from '#member-node/recount.ts'
import { isoTime } from '#party/clock.ts'
import { cancel } from '#researcher/client.ts'
import { type CohortBundle, cohortBundle } from '#specs/api.ts'
import { type CohortId, cohort, type ManifestId, type MemberId, manifest, round } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'
import { backUp, restore } from './backups.ts'
import { some } from './effort.ts'
import { Federation } from './federation.ts'
import { documentOf, enrol, pose, proposeAndSign, roundRow, step } from './steps.ts'

/** A node is backed up, goes on, is lost and restored: it says nothing in other words, and finds out what it forgot. */

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const MEMBERS = ['BR', 'FR', 'JP', 'KR', 'VN']
const QUESTION = `dataset: declarations
where: { flow: import }
by: [transport]
measures: [{ sum: value }]
purpose: what a node forgets
need: { atLeast: 3 }
closes: 1h
`
const open = presets.open as Policy

let federation: Federation
/** Cohorts that the coordinator invented, by their ids. */
const invented = new Map<string, CohortBundle>()
/** What left KR by now, by what it is and of what: each must be the same bytes whenever it leaves. */
const said = new Map<string, Set<string>>()

beforeAll(async () => {
  federation = await Federation.create({
    members: MEMBERS,
    custodians: ['BR', 'FR', 'KR', 'VN'],
    network: (who, direct) => async (url, init) => {
      if (who === 'KR' && init?.method !== undefined && init.method !== 'GET') await listen(url, init)
      const made = invented.get(new URL(url).pathname.replace('/cohorts/', ''))
      return made ? Response.json(made) : direct(url, init)
    },
  })
  for (const id of MEMBERS) federation.load(id, 'flow,period,hs6,transport,value\nimport,2020-01,010121,sea,2\n')
  for (const node of federation.nodes.values()) node.rules = open
  // Whoever was never in an answer has not said that it accepts to be told apart.
  await federation.ask(QUESTION)
})
afterAll(() => federation[Symbol.dispose]())
beforeEach(async () => {
  for (const node of federation.nodes.values()) node.rules = open
  federation.clock.advance(3 * HOUR)
  await federation.settle()
})

async function listen(url: string, init: RequestInit): Promise<void> {
  const what = new URL(url).pathname
  if (!/contribution$|agreements$|openings$|void-statements$|recounts$/.test(what)) return
  const bytes = new Uint8Array(await new Response(init.body as Blob | string).arrayBuffer())
  said.set(what, (said.get(what) ?? new Set()).add(createHash('sha256').update(bytes).digest('hex')))
}

const node = () => federation.node('KR')
const refusals = (round: string, member = 'KR') =>
  federation.coordinator.context.db.$client
    .prepare('SELECT step, reason FROM refusals WHERE round = ? AND member = ? ORDER BY step')
    .all(round, member)
/** All of them: an answer names those that it took, the first threshold of them. */
const openedBy = (round: string) =>
  federation.coordinator.context.db.$client.prepare('SELECT custodian FROM openings WHERE round = ?').pluck().all(round)
const forgets = expect.stringMatching(/restored, or began with another key, after the round opened/)

async function restored(backup: string, id = 'KR') {
  const node = await restore(federation, id, backup)
  await withdrawLostPrekeys(node)
  return node
}

const STEPS = ['contribute', 'agree', 'open'] as const
/** How far a round got before the backup, and before the disk was lost; and whether its query is then withdrawn. */
const histories = [0, 1, 2, 3].flatMap(before =>
  [0, 1, 2, 3]
    .filter(lost => lost >= before)
    .flatMap(lost => [false, true].map(withdrawn => ({ before, lost, withdrawn })))
    .filter(one => !(one.withdrawn && one.lost === 3)),
)

describe('whatever a node did after its backup', () => {
  test.each(some(histories, 3))('it says nothing of it in other words: %o', async ({ before, lost, withdrawn }) => {
    const { round, query } = await pose(federation, QUESTION)
    for (const kind of STEPS.slice(0, before)) await step(federation, kind)
    const backup = await backUp(federation, 'KR')
    for (const kind of STEPS.slice(before, lost)) await step(federation, kind)
    await restored(backup)
    if (withdrawn) await cancel(federation.researcher, query)
    await federation.settle()
    federation.clock.advance(HOUR + MINUTE)
    await federation.settle()
    expect(['opened', 'void']).toContain(roundRow(federation, round).state)
    expect([...said].filter(([, bodies]) => bodies.size > 1)).toEqual([])
    expect(said.has(`/rounds/${round}/openings`) && said.has(`/rounds/${round}/void-statements`)).toBe(false)
    // What it does not know to be new to it, it says.
    const next = await federation.ask(QUESTION)
    expect(next.cohort).toEqual(MEMBERS)
    await federation.settle()
    expect(openedBy(next.round)).toContain('KR')
  })

  test('it does not say that it never opened a round', async () => {
    const { round, query } = await pose(federation, QUESTION)
    await step(federation, 'contribute')
    const backup = await backUp(federation, 'KR')
    await step(federation, 'agree')
    await restored(backup)
    await cancel(federation.researcher, query)
    await federation.settle()
    expect(refusals(round)).toEqual([{ step: 'void', reason: forgets }])
    // Four custodians give up what three of them must agree to.
    expect(refusals(round, 'BR')).toEqual([])
  })

  test('its tables refuse what its code should', async () => {
    const { round } = await pose(federation, QUESTION)
    const { db } = await restored(await backUp(federation, 'KR'))
    await step(federation, 'contribute')
    const inserting = (sql: string) => () => db.$client.prepare(sql).run({ round })
    for (const sql of [
      "INSERT INTO contributions VALUES (@round, 'm', 'm', x'00', 0)",
      "INSERT INTO agreements VALUES (@round, 'c', 'c', 'c', 0)",
      "INSERT INTO void_statements VALUES (@round, 'v', 0)",
      "INSERT INTO void_statements VALUES ('a round that it never saw' || @round, 'v', 0)",
      "INSERT INTO recounts VALUES (@round, 'r', 0, 0)",
    ]) {
      expect(inserting(sql)).toThrow(/says nothing new in a round of before/)
    }
    expect(inserting('UPDATE rounds SET opens = opens + 1 WHERE id = @round')).toThrow(/opens once/)
    expect(inserting('UPDATE prekeys SET is_lost = 0 WHERE id <> @round')).toThrow(/never found again/)
    expect(() => db.$client.exec('DELETE FROM restorations')).toThrow(/never changed/)
  })

  test('it adds up nothing again, and says so', async () => {
    const backup = await backUp(federation, 'KR')
    const { round } = await pose(federation, QUESTION)
    await federation.settle()
    await restored(backup)
    const { compact, query, cohort } = roundRow(federation, round)
    const asked: Recounting = { kind: 'recount', round: compact, query, cohort, sum: '', seed: '' }
    await expect(addUpAgain(node(), asked)).rejects.toMatchObject({ code: 'restored-since' })
  })
})

describe('which rounds are new to it', () => {
  test('a custodian tells by its prekeys, at once', async () => {
    await restored(await backUp(federation, 'KR'))
    await federation.settle()
    const answer = await federation.ask(QUESTION)
    expect(answer.cohort).toEqual(MEMBERS)
    await federation.settle()
    expect(openedBy(answer.round)).toContain('KR')
  })

  test('another member tells by its clock', async () => {
    await restored(await backUp(federation, 'JP'), 'JP')
    const { round: early } = await pose(federation, QUESTION)
    await federation.settle()
    expect(refusals(early, 'JP')).toEqual([{ step: 'contribute', reason: forgets }])
    federation.clock.advance(4 * MINUTE)
    expect((await federation.ask(QUESTION)).cohort).toEqual(MEMBERS)
  })
})

describe('a member that answered after its backup', () => {
  /** JP answers two questions, and is restored from before. */
  async function answeredTwice(): Promise<string> {
    const backup = await backUp(federation, 'JP')
    const { round } = await pose(federation, QUESTION)
    await federation.ask(QUESTION)
    await restored(backup, 'JP')
    federation.clock.advance(5 * MINUTE)
    return round
  }

  test('counts the questions of a day with those that it forgot', async () => {
    federation.clock.advance(24 * HOUR)
    await answeredTwice()
    const asked = async (questionsADay: number) => {
      federation.node('JP').rules = { ...open, questionsADay }
      const { round } = await pose(federation, QUESTION)
      await federation.settle()
      return refusals(round, 'JP')
    }
    expect(await asked(2)).toEqual([
      { step: 'contribute', reason: expect.stringMatching(/^2 questions were answered/) },
    ])
    expect(await asked(3)).toEqual([])
    const { $client } = federation.node('JP').db
    expect($client.prepare('SELECT count(*) FROM recalled_answers').pluck().get()).toBe(2)
    expect(() => $client.exec('UPDATE recalled_answers SET answered_by = 0')).toThrow(/never changed/)
  })

  test('shows a steward what it forgot, beside which a question would single out a few records', async () => {
    const node = () => federation.node('JP')
    const records = ['2021-01,A', '2021-01,B', '2021-01,C', '2021-02,D'].map(one => `import,${one},010121,sea,1\n`)
    federation.load('JP', `flow,period,trader,hs6,transport,value\n${records.join('')}`)
    const backup = await backUp(federation, 'JP')
    const asked = (period: string) => QUESTION.replace('flow: import', `flow: import, period: ${period}`)
    const { round: first } = await pose(federation, asked('{ from: 2021-01, to: 2021-02 }'))
    await federation.settle()
    await restored(backup, 'JP')
    federation.clock.advance(5 * MINUTE)
    const stewards = [{ name: 'Kim', key: node().key.publicKey }]
    node().rules = { ...open, overlap: { records: 3, traders: 2, days: 30, otherwise: 'one person' }, stewards }
    const { round } = await pose(federation, asked('2021-01'))
    await step(federation, 'contribute', ['JP'])
    expect((await outlook(node(), round)).overlaps[0]).toMatchObject({
      question: first,
      researcher: 'Ada',
      purpose: 'what a node forgets',
      records: 1,
    })
  })

  test('counts them with another key, too, in a directory of its own', async () => {
    federation.clock.advance(24 * HOUR)
    await federation.ask(QUESTION)
    federation.node('JP').db.$client.close()
    const node = await enrol(federation, 'JP', true)
    await proposeAndSign(federation)
    await federation.settle()
    node.rules = { ...open, questionsADay: 1 }
    const { round: early } = await pose(federation, QUESTION)
    await federation.settle()
    expect(refusals(early, 'JP')).toEqual([{ step: 'contribute', reason: forgets }])
    federation.clock.advance(4 * MINUTE)
    const { round } = await pose(federation, QUESTION)
    await federation.settle()
    expect(refusals(round, 'JP')).toEqual([{ step: 'contribute', reason: expect.stringMatching(/^1 questions were/) }])
  })

  test('answers no query again in another round', async () => {
    const first = await answeredTwice()
    const now = federation.clock.now()
    const { compact, query } = roundRow(federation, first as never)
    const [opens, closes, ends] = [now, now + HOUR, now + 2 * HOUR].map(isoTime) as [string, string, string]
    const { context } = federation.coordinator
    const document = { ...claims(round, compact).payload, opens, closes, ends, logHead: context.log.head() }
    const again = await sign(context.key, round, document)
    await expect(answer(federation.node('JP'), { round: again.compact, query })).rejects.toMatchObject({
      code: 'bad-round',
      message: expect.stringMatching(/announced in another round before/),
    })
  })

  test('refuses whatever the log says that it contributed and never signed', async () => {
    await restored(await backUp(federation, 'KR'))
    await federation.settle()
    const { context } = federation.coordinator
    const { round: id } = await pose(federation, QUESTION)
    const { logHead } = documentOf(federation, id)
    const known = context.db.$client.prepare('SELECT cohort_id FROM rounds WHERE cohort_id IS NOT NULL').pluck().get()
    const bundle = await federation.node('BR').connection.get(`/cohorts/${known}`, cohortBundle)
    const own = claims(manifest, bundle.manifests[0] as string).payload
    const forged = await sign<typeof manifest.schema, ManifestId>(await generateIdentityKey(), manifest, {
      ...own,
      member: 'KR' as MemberId,
    })
    const made = await sign<typeof cohort.schema, CohortId>(context.key, cohort, {
      ...claims(cohort, bundle.cohort).payload,
      manifests: [{ member: 'KR' as MemberId, manifest: forged.id }],
      logHead,
    })
    invented.set(made.id, { ...bundle, cohort: made.compact, manifests: [forged.compact] })
    context.db.transaction(tx => context.log.append(tx, cohort.typ, made.id, 0))
    await step(federation, 'contribute', ['KR'])
    expect(refusals(id, 'KR')).toEqual([{ step: 'contribute', reason: expect.stringMatching(/which it never signed/) }])
  })
})

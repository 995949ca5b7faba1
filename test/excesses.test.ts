import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import { generateIdentityKey, messageId } from '#crypto/signature.ts'
import { prepare } from '#researcher/client.ts'
import { storedQuery } from '#researcher/researcher.ts'
import { done, queryReceipt, revocationReceipt } from '#specs/api.ts'
import {
  agreement,
  type CohortId,
  cancellation,
  opening,
  prekey,
  query,
  type RoundId,
  refusal,
  revocation,
} from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { Federation } from './federation.ts'
import { problemOf, request } from './requests.ts'
import { doWork, pose, roundRow, step } from './steps.ts'

/** What an enrolled party may do, or may not, done too often or too large: it must not cost the others their answers. */

const QUESTION = `dataset: declarations
by: []
measures: [{ sum: value }]
purpose: what is left for others
need: { atLeast: 3 }
closes: 1h
`

let federation: Federation
beforeAll(async () => {
  federation = await Federation.create({ members: ['BR', 'JP', 'KR', 'VN'] })
  for (const id of federation.nodes.keys()) federation.load(id, 'flow,period,hs6,value\nimport,2020-01,010121,2\n')
})
afterAll(() => federation[Symbol.dispose]())

test('the first revocation of each is the one that counts', async () => {
  const vn = federation.node('VN')
  const { publicKey, fingerprint } = await generateIdentityKey()
  const stop = async (reason: string) => {
    const said = {
      protocol: PROTOCOL,
      federation: vn.federation,
      by: vn.id,
      of: 'researcher',
      publicKey,
      reason,
    } as const
    return sign(vn.key, revocation, said)
  }
  const { context } = federation.coordinator
  context.db.$client
    .prepare(
      "INSERT INTO parties (fingerprint, role, subject, public_key, enrolment, enrolled_at, sponsor) SELECT ?, role, 'Eve', ?, enrolment, 0, 'VN' FROM parties WHERE role = 'researcher'",
    )
    .run(fingerprint, publicKey)
  const size = context.log.head().size
  const first = await stop('left')
  for (const one of [first, await stop('left again'), await stop('and again')]) {
    const { revocation: kept } = await vn.connection.post(
      '/revocations',
      { revocation: one.compact },
      revocationReceipt,
    )
    expect(kept).toBe(first.id)
  }
  expect(context.log.head().size).toBe(size + 1)
})

test('a prekey to which nobody can seal is not announced', async () => {
  await step(federation, 'prekeys')
  const vn = federation.node('VN')
  const { $client } = federation.coordinator.context.db
  const ofVN = "custodian = 'VN' AND round IS NULL"
  const sooner = new Date(federation.clock.now() + 20 * 86_400_000).toISOString()
  const bad = await Promise.all(
    [0, 255].map(byte =>
      sign(vn.key, prekey, {
        protocol: PROTOCOL,
        federation: vn.federation,
        custodian: vn.id,
        publicKey: Buffer.alloc(1216, byte).toString('base64url'),
        notAfter: sooner,
      }),
    ),
  )
  await vn.connection.post('/prekeys', { prekeys: bad.map(one => one.compact) }, done)
  expect((await federation.ask(QUESTION)).cohort).toHaveLength(4)
  expect(
    $client.prepare(`SELECT count(*) FROM prekeys WHERE ${ofVN} AND not_after = ?`).pluck().get(Date.parse(sooner)),
  ).toBe(0)
})

test('a prekey that is over is refused', async () => {
  const vn = federation.node('VN')
  const { compact } = await sign(vn.key, prekey, {
    protocol: PROTOCOL,
    federation: vn.federation,
    custodian: vn.id,
    publicKey: Buffer.alloc(1216, 1).toString('base64url'),
    notAfter: new Date(federation.clock.now() - 1).toISOString(),
  })
  await expect(vn.connection.post('/prekeys', { prekeys: [compact] }, done)).rejects.toMatchObject({
    code: 'bad-request',
  })
})

test('questions that are withdrawn count for the day', async () => {
  const { researcher, coordinator, clock } = federation
  const { $client } = coordinator.context.db
  const { query: asked } = await pose(federation, QUESTION)
  const { compact } = await sign(researcher.key, cancellation, { protocol: PROTOCOL, query: asked })
  await researcher.connection.post(`/queries/${asked}/cancellation`, { cancellation: compact }, done)
  $client
    .prepare(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
      INSERT INTO queries (id, researcher, nonce, compact, received_at, expires_at, void_reason)
      SELECT 'query ' || i, researcher, 'nonce ' || i, compact, ?, expires_at, 'withdrawn' FROM queries, n WHERE id = ?`)
    .run(clock.now(), asked)
  const ask = async () => {
    const own = storedQuery(researcher, await prepare(researcher, parseQueryFile(QUESTION)))
    return researcher.connection.post('/queries', { query: own.compact }, queryReceipt)
  }
  await expect(ask()).rejects.toMatchObject({ code: 'too-many-requests' })
  clock.advance(86_400_000 + 1)
  await ask()
})

test('a query that is longer than any needs to be, or waits longer than any may, is refused', async () => {
  const { researcher, coordinator } = federation
  const own = storedQuery(researcher, await prepare(researcher, parseQueryFile(QUESTION)))
  const post = async (compact: string) =>
    problemOf(await request(coordinator, researcher.key, '/queries', { body: { query: compact } }))
  expect(await post('A'.repeat(600_000))).toMatchObject({ code: 'too-large' })
  const { payload } = claims(query, own.compact)
  await expect(sign(researcher.key, query, { ...payload, closesAfter: 8 * 86_400_000 })).rejects.toMatchObject({
    code: 'bad-message',
  })
})

test('no more than three uploads of one contribution are under way', async () => {
  const { round } = await pose(federation, QUESTION)
  const vn = federation.node('VN')
  const held = Promise.withResolvers<void>()
  const path = `/rounds/${round}/contribution`
  /** An upload of which nothing more comes, once the coordinator reads it. */
  const begin = () => {
    const isRead = Promise.withResolvers<void>()
    const pull = async (controller: ReadableStreamDefaultController) => {
      isRead.resolve()
      await held.promise
      controller.close()
    }
    const body = new ReadableStream({ pull }, { highWaterMark: 0 })
    return { isRead: isRead.promise, answer: request(federation.coordinator, vn.key, path, { method: 'PUT', body }) }
  }
  const uploads = [begin(), begin(), begin()]
  await Promise.all(uploads.map(one => one.isRead))
  expect((await problemOf(await begin().answer)).code).toBe('too-many-requests')
  held.resolve()
  await Promise.all(uploads.map(one => one.answer))
  await doWork(federation, 'VN', 'contribute')
})

describe('a member that is no custodian', () => {
  let round: RoundId
  let cohort: CohortId
  beforeAll(async () => {
    federation[Symbol.dispose]()
    federation = await Federation.create({
      members: ['BR', 'JP', 'KR', 'VN'],
      custodians: ['BR', 'JP', 'KR'],
      threshold: 3,
    })
    for (const id of federation.nodes.keys()) federation.load(id, 'flow,period,hs6,value\nimport,2020-01,010121,2\n')
    round = (await pose(federation, QUESTION)).round
    await step(federation, 'contribute')
    cohort = messageId(roundRow(federation, round).cohort) as CohortId
  })
  const vn = () => federation.node('VN')
  const refused = { code: 'bad-cohort', message: expect.stringContaining('VN is not a custodian of this round') }

  test('neither agrees, nor opens, nor declines', async () => {
    const said = { protocol: PROTOCOL, round, cohort, custodian: vn().id } as const
    const agreed = await sign(vn().key, agreement, said)
    await expect(
      vn().connection.post(`/rounds/${round}/agreements`, { agreement: agreed.compact }, done),
    ).rejects.toMatchObject(refused)
    const sealed = Buffer.alloc(SEALED_BYTES)
    const hash = createHash('sha256').update(sealed).digest('hex')
    const opened = await sign(vn().key, opening, { ...said, sealed: hash, share: hash })
    const body = { opening: opened.compact, sealed: sealed.toString('base64url') }
    await expect(vn().connection.post(`/rounds/${round}/openings`, body, done)).rejects.toMatchObject(refused)
    for (const step of ['agree', 'open', 'void', 'recount'] as const) {
      const no = await sign(vn().key, refusal, {
        protocol: PROTOCOL,
        round,
        member: vn().id,
        step,
        code: 'bad-cohort',
        reason: 'no',
      })
      await expect(
        vn().connection.post(`/rounds/${round}/refusals`, { refusal: no.compact }, done),
      ).rejects.toMatchObject(refused)
    }
    await federation.settle()
    expect(roundRow(federation, round).state).toBe('opened')
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { keepOffering, makeOffer, rangesOf } from '#member-node/offers.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { fetchOffers } from '#researcher/offers.ts'
import { fetchCharter } from '#researcher/researcher.ts'
import { done, type offerList } from '#specs/api.ts'
import { type Offer, offer } from '#specs/messages.ts'
import { periodsBetween } from '#specs/period.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { Federation, type TestNode } from './federation.ts'
import { restartNode } from './restart.ts'
import { proposeAndSign } from './steps.ts'

/** What members say beforehand: made by nodes, kept by the coordinator, read by researchers. */

const MINUTE = 60_000
const DAY = 86_400_000
const RECORD = 'flow,period,hs6,value\nimport,2020-01,010121,2\n'

let federation: Federation
/** What becomes of requests and answers on the way. */
let onWay: { lose?: 'request' | 'answer'; offers?: (told: string[]) => string[] } = {}
let sent: string[]

beforeEach(async () => {
  onWay = {}
  sent = []
  federation = await Federation.create({
    members: ['BR', 'JP', 'KR'],
    network: (_, direct) => async (url, init) => {
      if (!url.endsWith('/offers')) return direct(url, init)
      if (init?.method === 'POST') sent.push(JSON.parse(String(init.body)).offer)
      if (onWay.lose === 'request') throw new TypeError('the network is down')
      const response = await direct(url, init)
      if (onWay.lose === 'answer') throw new TypeError('the network is down')
      if (init?.method === 'POST' || onWay.offers === undefined) return response
      const { offers } = (await response.json()) as z.infer<typeof offerList>
      return Response.json({ offers: onWay.offers(offers) })
    },
  })
})
afterEach(() => federation[Symbol.dispose]())

const kr = () => federation.node('KR')
const said = (compact: string | undefined): Offer => claims(offer, compact as string).payload
/** What is known of whoever made an offer. */
const offering = (compact: string | undefined) => {
  const { terms, issuedAt } = said(compact)
  return { ...terms, issuedAt: Date.parse(issuedAt) }
}
const offered = async () => fetchOffers(federation.researcher, await fetchCharter(federation.researcher))
const ofKr = async () => (await offered()).get(kr().id)

/** Signed by KR, or by another in its name. */
async function forged(change: Partial<Offer>, by: TestNode = kr()): Promise<string> {
  return (await sign(by.key, offer, { ...said(sent[0]), protocol: PROTOCOL, ...change })).compact
}
const post = (node: TestNode, compact: string) => node.connection.post('/offers', { offer: compact }, done)

describe('a node', () => {
  test('says which questions its policy answers and which months it has, and nothing else of itself', async () => {
    federation.load('KR', RECORD, { from: '2020-01', to: '2020-03' })
    federation.load('KR', RECORD.replace('2020-01', '2020-05'))
    await makeOffer(kr())
    const { terms, ...rest } = said(sent[0])
    expect(rest).toEqual({
      protocol: PROTOCOL,
      charter: (await fetchCharter(federation.researcher)).id,
      member: 'KR',
      issuedAt: new Date(federation.clock.now()).toISOString(),
      notAfter: new Date(federation.clock.now() + 7 * DAY).toISOString(),
    })
    expect(terms?.coverage.map(one => one.dataset)).toEqual(['declarations'])
    const months = terms?.coverage.flatMap(one => one.months) ?? []
    const states = months.flatMap(({ from, to, state }) =>
      periodsBetween({ from, to }).map(month => `${month} ${state}`),
    )
    expect(states).toEqual(['2020-01 complete', '2020-02 complete', '2020-03 complete', '2020-05 provisional'])
    const { stewards, deputies, deputiesAfter, ownCells, overlap, alone, published, ...open } = presets.open as Policy
    expect(terms).toMatchObject({ policy: open, ownRecords: 'automatic', alone })
    expect(Object.keys(terms?.policy ?? {}).sort()).toEqual(Object.keys(open).sort())
  })

  test('that keeps its policy to itself says that, and no month', async () => {
    kr().rules = { ...kr().rules, published: false }
    federation.load('KR', RECORD)
    await makeOffer(kr())
    expect(said(sent[0]).terms).toBeNull()
    expect(await ofKr()).toEqual({ unknown: 'KR keeps its policy to itself' })
  })

  test('says what its own records may take', async () => {
    const { ownCells, overlap } = kr().rules
    kr().rules = {
      ...kr().rules,
      ownCells: { ...ownCells, otherwise: 'refused' },
      overlap: { ...overlap, otherwise: 'automatic' },
    }
    await makeOffer(kr())
    expect(said(sent[0]).terms?.ownRecords).toBe('refused')
  })

  test('says nothing new for ten minutes, the same for a day, and another thing after ten minutes', async () => {
    federation.load('KR', RECORD)
    await makeOffer(kr())
    kr().rules = { ...kr().rules, hsDigits: 4 }
    federation.clock.advance(10 * MINUTE - 1)
    await makeOffer(kr())
    expect(sent).toHaveLength(1)
    federation.clock.advance(1)
    await makeOffer(kr())
    expect(sent.map(one => said(one).terms?.policy.hsDigits)).toEqual([6, 4])
    federation.clock.advance(DAY - 1)
    await makeOffer(kr())
    expect(sent).toHaveLength(2)
    federation.clock.advance(1)
    await makeOffer(kr())
    expect(sent).toHaveLength(3)
  })

  test('offers its first data at once', async () => {
    await makeOffer(kr())
    await makeOffer(kr())
    expect(sent).toHaveLength(1)
    federation.load('KR', RECORD)
    await makeOffer(kr())
    expect(sent.map(one => said(one).terms?.coverage[0]?.months.length)).toEqual([0, 1])
    federation.load('KR', RECORD.replace('2020-01', '2020-02'))
    await makeOffer(kr())
    expect(sent).toHaveLength(2)
  })

  test('offers anew at once under another charter', async () => {
    federation.load('KR', RECORD)
    await federation.settle()
    await makeOffer(kr())
    await proposeAndSign(federation, {}, ['BR', 'JP', 'KR'])
    await federation.settle()
    sent = []
    await makeOffer(kr())
    const { id, payload } = await fetchCharter(federation.researcher)
    expect(payload.epoch).toBe(2)
    expect(sent.map(one => said(one).charter)).toEqual([id])
    expect(await ofKr()).toEqual(offering(sent[0]))
  })

  test.each(['request', 'answer'] as const)('sends the same again after the %s was lost, and a restart', async lose => {
    onWay.lose = lose
    await expect(makeOffer(kr())).rejects.toMatchObject({ code: 'coordinator-unreachable' })
    restartNode(federation, 'KR')
    delete onWay.lose
    await makeOffer(kr())
    await makeOffer(kr())
    expect(sent).toEqual([sent[0], sent[0]])
    expect(await ofKr()).toEqual(offering(sent[0]))
  })

  test('that offered while its clock was ahead offers anew once it is right', async () => {
    federation.clock.advance(DAY)
    onWay.lose = 'request'
    await expect(makeOffer(kr())).rejects.toThrow()
    delete onWay.lose
    federation.clock.advance(-DAY)
    await makeOffer(kr())
    expect(await ofKr()).toEqual(offering(sent[1]))
  })

  test('goes on offering, and says once what stands in the way', async () => {
    const ended = new AbortController()
    const failed: unknown[] = []
    const until = async (isSo: () => boolean) => {
      for (let turn = 0; turn < 5000 && !isSo(); turn++) {
        await new Promise(resolve => setImmediate(resolve))
        federation.clock.advance(1000)
      }
    }
    onWay.lose = 'request'
    const running = keepOffering(kr(), error => void failed.push(error), ended.signal)
    try {
      await until(() => sent.length > 2)
      expect(failed).toMatchObject([{ code: 'coordinator-unreachable' }])
      delete onWay.lose
      const newest = kr().db.$client.prepare('SELECT sent_at FROM offers ORDER BY issued_at DESC LIMIT 1').pluck()
      await until(() => typeof newest.get() === 'number')
    } finally {
      ended.abort()
      await running
    }
    expect(await ofKr()).toMatchObject({ policy: { hsDigits: 6 } })
  })

  test('writes months in one state and version as one range', () => {
    const month = (period: string, state: 'complete' | 'provisional' | 'none', version: number) => ({
      period,
      state,
      version,
      latest: version,
      asOf: null,
    })
    expect(rangesOf([])).toEqual([])
    expect(
      rangesOf([
        month('2019-12', 'complete', 1),
        month('2020-01', 'complete', 1),
        month('2020-02', 'complete', 2),
        month('2020-03', 'none', 0),
        month('2020-04', 'complete', 2),
        month('2020-05', 'provisional', 2),
      ]),
    ).toEqual([
      { from: '2019-12', to: '2020-01', state: 'complete', version: 1 },
      { from: '2020-02', to: '2020-02', state: 'complete', version: 2 },
      { from: '2020-04', to: '2020-04', state: 'complete', version: 2 },
      { from: '2020-05', to: '2020-05', state: 'provisional', version: 2 },
    ])
  })
})

describe('the coordinator', () => {
  beforeEach(() => makeOffer(kr()))

  test('keeps the newest, and refuses an older one and another of the same instant', async () => {
    const older = await forged({ issuedAt: later(-1), notAfter: later(DAY) })
    await expect(post(kr(), older)).rejects.toMatchObject({ code: 'bad-offer' })
    await expect(post(kr(), await forged({ terms: null }))).rejects.toMatchObject({ code: 'differs-from-stored' })
    expect(await ofKr()).toEqual(offering(sent[0]))
  })

  test('has a database that keeps no older one in the place of a newer', () => {
    const { $client } = federation.coordinator.context.db
    const older = "member, compact, issued_at - 1, received_at FROM offers WHERE member = 'KR'"
    for (const sql of [
      `INSERT OR REPLACE INTO offers SELECT ${older}`,
      'UPDATE offers SET issued_at = issued_at - 1',
    ]) {
      expect(() => $client.exec(sql)).toThrow('never takes the place of a newer one')
    }
  })

  test.each<[string, () => Promise<string>, string]>([
    ['of another member', () => forged({ issuedAt: later(), member: 'JP' as Offer['member'] }), 'not-allowed'],
    ['signed by another member', () => forged({ issuedAt: later() }, federation.node('JP')), 'bad-signature'],
    ['under another charter', () => forged({ charter: 'f'.repeat(64) as Offer['charter'] }), 'bad-offer'],
    ['that is over', () => forged({ issuedAt: later(-8 * DAY), notAfter: later(-DAY) }), 'bad-offer'],
  ])('refuses one %s', async (_, forge, code) => {
    await expect(post(kr(), await forge())).rejects.toMatchObject({ code })
  })

  test('takes none of a researcher', async () => {
    const asResearcher = { ...kr(), connection: federation.researcher.connection } as TestNode
    await expect(post(asResearcher, sent[0] as string)).rejects.toMatchObject({ code: 'not-allowed' })
  })

  function later(milliseconds = MINUTE): string {
    return new Date(federation.clock.now() + milliseconds).toISOString()
  }
})

describe('a researcher', () => {
  beforeEach(() => makeOffer(kr()))

  test('is told of every member on the roster, offer or not', async () => {
    expect([...(await offered())]).toEqual([
      ['BR', { unknown: 'BR has not said what it would answer' }],
      ['JP', { unknown: 'JP has not said what it would answer' }],
      ['KR', offering(sent[0])],
    ])
  })

  test('goes by the newest that it saw, whatever it is shown later', async () => {
    federation.clock.advance(10 * MINUTE)
    kr().rules = { ...kr().rules, hsDigits: 2 }
    await makeOffer(kr())
    expect(await ofKr()).toMatchObject({ policy: { hsDigits: 2 } })
    onWay.offers = () => [sent[0] as string]
    expect(await ofKr()).toMatchObject({ policy: { hsDigits: 2 } })
    onWay.offers = () => []
    expect(await ofKr()).toMatchObject({ policy: { hsDigits: 2 } })
  })

  test('has a database that keeps no older one in the place of a newer', async () => {
    await offered()
    const { $client } = federation.researcher.db
    for (const sql of [
      'INSERT OR REPLACE INTO offers SELECT member, compact, issued_at - 1 FROM offers',
      'UPDATE offers SET issued_at = issued_at - 1',
    ]) {
      expect(() => $client.exec(sql)).toThrow('never takes the place of a newer one')
    }
  })

  test('does not go by one that is over', async () => {
    expect(await ofKr()).toHaveProperty('policy')
    federation.clock.advance(7 * DAY)
    expect(await ofKr()).toEqual({ unknown: expect.stringMatching(/^the offer of KR ended at/) })
  })

  test.each<[string, () => Promise<string>]>([
    ['that another member signed', () => forged({}, federation.node('JP'))],
    ['under another charter', () => forged({ charter: 'f'.repeat(64) as Offer['charter'] })],
    ['of somebody else', () => forged({ member: 'XX' as Offer['member'] })],
    ['that is no message', async () => 'nothing'],
  ])('passes over one %s', async (_, forge) => {
    const forgery = await forge()
    onWay.offers = () => [forgery]
    expect(await ofKr()).toEqual({ unknown: 'KR has not said what it would answer' })
    onWay.offers = told => [forgery, ...told, forgery]
    expect(await ofKr()).toEqual(offering(sent[0]))
  })
})

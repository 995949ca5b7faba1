import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { verifyAnnouncement } from '#member-node/announcements.ts'
import { consentTo, PolicyRefusal } from '#member-node/consent.ts'
import { makeOffer } from '#member-node/offers.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { cancel } from '#researcher/client.ts'
import { explain, lookAround } from '#researcher/explain.ts'
import { describeExplanation } from '#researcher/explanation-presentation.ts'
import { forecast, type Stand } from '#researcher/forecast.ts'
import { pastAnswers } from '#researcher/ledger.ts'
import { queryLines } from '#researcher/query-file.ts'
import { fetchCharter } from '#researcher/researcher.ts'
import { parseQueryFile } from '#specs/query.ts'
import { effort, seed } from './effort.ts'
import { Federation, type FederationOptions, type TestNode } from './federation.ts'
import { policy, query } from './questions.ts'
import { Switchboard } from './restart.ts'
import { pose, roundRow, step } from './steps.ts'

/** What a researcher is told beforehand, beside what becomes of the question. */

const HOUR = 3_600_000
const MEMBERS = ['BR', 'FR', 'JP', 'KR', 'VN']
const STEWARDS = ['A', 'B'].map(letter => ({ name: letter, key: letter.repeat(43) }))
const OPEN: Policy = { ...(presets.open as Policy), alone: false, stewards: STEWARDS }
const JANUARY = { from: '2020-01', to: '2020-01' }

let federation: Federation
let switchboard: Switchboard
afterEach(() => federation[Symbol.dispose]())

async function found(rules: Readonly<Record<string, Partial<Policy>>> = {}, options: FederationOptions = {}) {
  switchboard = new Switchboard()
  federation = await Federation.create({
    members: MEMBERS,
    custodians: ['BR', 'FR', 'JP'],
    network: switchboard.network,
    ...options,
  })
  for (const [id, node] of federation.nodes) {
    node.rules = { ...OPEN, ...rules[id] }
    load(id)
  }
  await offers()
}

let loaded = 0

/** A version of a month's data more. */
function load(id: string, month = '2020-01', complete = JANUARY): void {
  federation.load(id, `flow,period,hs6,transport,value\nimport,${month},010121,air,${++loaded}\n`, complete)
}

/** Every node offers what it would answer now. */
async function offers(): Promise<void> {
  federation.clock.advance(600_000)
  for (const node of federation.nodes.values()) await makeOffer(node)
}

function question(change: Readonly<Record<string, string>> = {}): string {
  const lines = {
    dataset: 'declarations',
    where: '{ flow: import, period: 2020-01 }',
    by: '[hs2]',
    measures: '[{ sum: value }]',
    purpose: 'What is said beforehand',
    need: 'all',
    closes: '1h',
    ...change,
  }
  return Object.entries(lines)
    .map(line => line.join(': '))
    .join('\n')
}

const explained = async (yaml: string) => explain(parseQueryFile(yaml), await lookAround(federation.researcher))

const standsOf = (said: Awaited<ReturnType<typeof explained>>) =>
  Object.fromEntries(said.members.map(one => [one.member, one.stand]))

/** What a node decides of an announced round, by the path on which it answers. */
async function decides(node: TestNode, yaml: string, round: Parameters<typeof roundRow>[1]) {
  const { compact, query: asked } = roundRow(federation, round)
  const verified = await verifyAnnouncement(node, { round: compact, query: asked })
  try {
    const consent = await consentTo(node, verified)
    return { stand: (consent === 'waits' ? 'waits' : 'answers') satisfies Stand, reason: undefined, yaml }
  } catch (error) {
    if (!(error instanceof PolicyRefusal)) throw error
    return { stand: 'refuses' satisfies Stand, reason: error.message, yaml }
  }
}

describe(`what is said of a member, with seed ${seed}`, () => {
  test('is what its node decides when it is asked', async () => {
    await found()
    // Somewhere people are asked.
    const byHand = policy.map(one => ({ ...one, otherwise: 'one person' as const }))
    const rules = fc.tuple(...MEMBERS.map((_, i) => (i === 0 ? byHand : policy)))
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(query, rules, async (file, lines) => {
        for (const [i, node] of [...federation.nodes.values()].entries()) node.rules = { ...OPEN, ...lines[i] }
        await offers()
        const scene = await lookAround(federation.researcher)
        const asked = { ...file, need: file.need === 'all' ? file.need : { atLeast: Math.min(5, file.need.atLeast) } }
        const { members } = forecast(asked, scene)
        const yaml = queryLines(asked).join('\n')
        const { query: id, round } = await pose(federation, yaml)
        for (const { member, stand, reasons } of members) {
          const decided = await decides(federation.node(member), yaml, round)
          seen.add(decided.stand)
          const reason = decided.stand === 'refuses' ? reasons.join('; ') : undefined
          expect({ stand, reason, yaml }).toEqual(decided)
        }
        await cancel(federation.researcher, id)
        await federation.settle()
      }),
      { numRuns: effort(15, 300), seed },
    )
    expect([...seen].toSorted()).toEqual(['answers', 'refuses', 'waits'])
  })
})

describe('an explanation', () => {
  test('that foretells an answer is followed by it', async () => {
    await found()
    const said = await explained(question())
    expect(said).toMatchObject({ outcome: 'answered', reasons: [], nearest: null, pastAnswers: [], exposures: [] })
    expect(said.need).toEqual({ asked: 'all', needed: 5, sure: 5, possible: 5, minimumCohort: 3 })
    expect((await federation.ask(question())).cohort).toEqual(MEMBERS)
  })

  test('names who would refuse and why, and a question that is answered', async () => {
    await found({ JP: { hsDigits: 4 }, KR: { measures: ['sum(netMass)'] } })
    const fine = question({ by: '[hs6]', measures: '[{ sum: value }, { sum: netMass }]' })
    const said = await explained(fine)
    expect(said.outcome).toBe('refused')
    expect(said.members.filter(one => one.stand === 'refuses')).toMatchObject([
      { member: 'JP', reasons: ['goods may be told apart by 4 digits of the HS, not by 6'] },
      { member: 'KR', reasons: ['sum(value) may not be asked for'] },
    ])
    await expect(federation.ask(fine)).rejects.toThrow(/(JP|KR) refused/)
    expect(said.nearest?.changes.toSorted()).toEqual(['hs4 in place of hs6', 'without sum(value)'])
    expect(said.nearest?.lines).toContain('+ by: [ hs4 ]')
    const answer = await federation.ask(said.nearest?.query as string)
    expect(answer.cohort).toEqual(MEMBERS)
  })

  test('leaves people what is theirs to decide, and offers what takes none', async () => {
    const chapters = {
      name: 'chapters',
      dataset: 'declarations',
      by: ['hs2'] as string[],
      where: 'all',
      measures: 'all',
      periods: 'month',
      approval: 'automatic',
    } as const
    await found({ VN: { templates: [chapters], otherwise: 'one person' } })
    const said = await explained(question({ by: '[hs2, transport]' }))
    expect(said).toMatchObject({ outcome: 'by hand', nearest: { changes: ['without transport under by'] } })
    expect(said.reasons).toEqual(['5 members are needed; 4 would be in the answer at once', 'stewards decide at VN'])
    expect(said.members.at(-1)).toMatchObject({
      stand: 'waits',
      reasons: ['it fits no template (not "chapters", which has no cells by transport): one person must approve'],
    })
  })

  test('says which members would answer at once, and make no cohort without those that decide by hand', async () => {
    const byHand: Partial<Policy> = { templates: [], otherwise: 'one person' }
    await found({ BR: byHand, KR: byHand, VN: byHand })
    const said = await explained(question({ need: '{ atLeast: 4 }' }))
    expect(said.outcome).toBe('by hand')
    expect(said.reasons).toEqual([
      '4 members are needed; 0 would be in the answer at once',
      'FR, JP would answer at once, but not in a cohort without BR, KR, VN: they are too few',
      'stewards decide at BR, KR, VN',
    ])
  })

  test('says that there is no such question, and what no question changes', async () => {
    await found({ KR: { organisations: ['OECD'] }, VN: { organisations: [] }, JP: { purposes: [] } })
    const said = await explained(question())
    expect(said).toMatchObject({ outcome: 'refused', nearest: null })
    expect(said.search).toEqual({
      tried: expect.any(Number),
      isCutShort: false,
      unmoved: [
        'JP: nothing is answered for research',
        'KR: Institute of tests may not ask',
        'VN: Institute of tests may not ask',
      ],
    })
    expect(describeExplanation(said)).toMatch(/None would be answered; \d+ coarser .*\n {2}JP: nothing is answered/)
  })

  test('counts the answers of the day that it sees', async () => {
    await found({ BR: { questionsADay: 1 } })
    await federation.ask(question())
    const said = await explained(question())
    expect(said.members[0]).toMatchObject({
      stand: 'refuses',
      reasons: ['1 questions were answered in the last 24 hours'],
    })
    await expect(federation.ask(question())).rejects.toThrow(/BR refused/)
    federation.clock.advance(24 * HOUR)
    expect(standsOf(await explained(question()))).toMatchObject({ BR: 'answers' })
  })

  test('says what is not known of a member that keeps its policy to itself', async () => {
    await found({ FR: { published: false } })
    const said = await explained(question())
    expect(said.outcome).toBe('by hand')
    expect(said.members[1]).toEqual({
      member: 'FR',
      stand: 'unknown',
      reasons: ['FR keeps its policy to itself'],
      ownRecords: 'automatic',
      coverage: null,
    })
  })

  test('says which months each member has, and which all have', async () => {
    await found()
    for (const id of MEMBERS.slice(1)) load(id, '2020-03', { from: '2020-01', to: '2020-02' })
    await offers()
    const said = await explained(question({ where: '{ period: { from: 2020-01, to: 2020-04 } }' }))
    expect(said.members[0]?.coverage).toEqual({
      complete: ['2020-01'],
      provisional: [],
      none: ['2020-02..2020-04'],
    })
    expect(said.members[1]?.coverage).toEqual({
      complete: ['2020-01..2020-02'],
      provisional: ['2020-03'],
      none: ['2020-04'],
    })
    expect(said.commonMonths).toEqual(JANUARY)
  })

  test('finds the months that enough members have', async () => {
    await found()
    for (const id of ['BR', 'FR']) load(id, '2020-02', { from: '2020-02', to: '2020-02' })
    await offers()
    const both = { by: '[period]', where: '{ period: { from: 2020-01, to: 2020-02 } }' }
    expect(standsOf(await explained(question(both)))).toMatchObject({ BR: 'left out', FR: 'left out', JP: 'answers' })
    const two = question({ ...both, need: '{ atLeast: 5 }' })
    const said = await explained(two)
    expect(said.outcome).toBe('refused')
    expect(said.reasons).toContain('too few members have data for 2020-02: BR, FR')
    await expect(federation.ask(two)).rejects.toMatchObject({ code: 'round-void' })
    expect(said.nearest?.changes).toEqual(['the period 2020-01 in place of 2020-01 to 2020-02'])
    expect((await federation.ask(said.nearest?.query as string)).cohort).toEqual(MEMBERS)
  })

  test('says what it costs, as it then is', async () => {
    const sent: number[] = []
    const received: number[] = []
    await found(
      {},
      {
        network: (who, direct) => async (url, init) => {
          if (init?.method === 'PUT') sent.push((init.body as Blob).size)
          const response = await direct(url, init)
          const isLarge = who === 'researcher' && /\/(sum|contributions\/\w+)$/.test(url)
          if (isLarge) received.push((await response.clone().arrayBuffer()).byteLength)
          return response
        },
      },
    )
    const yaml = question({ by: '[hs6]' })
    const scene = await lookAround(federation.researcher)
    const { cost } = explain(parseQueryFile(yaml), scene)
    const large = explain(parseQueryFile(yaml), { ...scene, recountFrom: 1 }).cost
    const moved = cost.researcherReceives - large.researcherReceives
    expect([large.addsUpAgain, large.drawnReceives, cost.drawnReceives]).toEqual([false, moved, 0])
    expect(cost).toMatchObject({ cells: 5615, slots: 11_230, chunks: 3, custodians: 3, addsUpAgain: true })
    await federation.ask(yaml)
    // Beside it a manifest of a few thousand bytes.
    for (const bytes of sent) expect(bytes - cost.memberSends).toBeGreaterThan(0)
    for (const bytes of sent) expect(bytes - cost.memberSends).toBeLessThan(5000)
    const openings = cost.custodians * 14_448
    expect(received.reduce((sum, one) => sum + one, 0) + openings).toBe(cost.researcherReceives)
  })
})

describe('answers before', () => {
  test('that overlap are named: who asked, when, about what, with whom', async () => {
    await found()
    const { query: id, round } = await federation.ask(question({ where: '{ flow: import, period: 2020, hs2: "01" }' }))
    await federation.ask(question({ where: '{ flow: export, period: 2020 }', purpose: 'Other records' }))
    await federation.ask(question({ where: '{ flow: import, period: 2019 }', purpose: 'Other months' }))
    const said = await explained(question({ where: '{ flow: import, period: { from: 2020-01, to: 2020-06 } }' }))
    expect(said.pastAnswers).toEqual([
      {
        query: id,
        round,
        opens: expect.stringMatching(/^2026-01-01T/),
        researcher: 'Ada',
        organisation: 'Institute of tests',
        members: MEMBERS,
        about: ['flow import', 'period 2020', 'hs2 01'],
        by: ['hs2'],
        measures: ['sum(value)'],
        purpose: 'What is said beforehand',
      },
    ])
    expect(describeExplanation(said)).toContain(`${id.slice(0, 12)}  2026-01-01  flow import; period 2020; hs2 01`)
  })

  test('of which nobody has data is said to be so', async () => {
    await found()
    const about = (period: string) => explained(question({ where: `{ flow: import, period: ${period} }` }))
    expect((await about('2020-01')).hasData).toBe(true)
    const empty = await about('2031-01')
    expect(empty.hasData).toBe(false)
    expect(describeExplanation(empty)).toContain('No member has data of what is asked about.')
  })

  test('are gone by once more where a member revised alone, until enough others did', async () => {
    await found()
    const first = await federation.ask(question())
    load('KR')
    await offers()
    expect(await explained(question())).toMatchObject({
      outcome: 'answered',
      asOf: expect.any(String),
      need: { sure: 5 },
    })
    expect(await federation.ask(question())).toMatchObject({ cohort: MEMBERS, rows: first.rows })
    for (const id of MEMBERS.filter(one => one !== 'KR')) load(id)
    await offers()
    expect(await explained(question())).toMatchObject({ outcome: 'answered', asOf: null, need: { sure: 5 } })
  })

  test('stand in the way of a question that would tell a member apart', async () => {
    await found({ KR: { organisations: ['OECD'] } })
    federation.node('KR').rules = OPEN
    await federation.ask(question())
    federation.node('KR').rules = { ...OPEN, organisations: ['OECD'] }
    const without = question({ need: '{ atLeast: 4 }' })
    const said = await explained(without)
    expect(said.outcome).toBe('refused')
    expect(said.reasons.at(-1)).toMatch(/would tell KR apart from the others \(2020-01\)$/)
    await expect(federation.ask(without)).rejects.toThrow(/would stand apart/)
  })

  test('do not count once they are given up for good', async () => {
    await found()
    const { query: id } = await pose(federation, question())
    for (const kind of ['contribute', 'agree'] as const) await step(federation, kind)
    expect((await explained(question())).pastAnswers).toHaveLength(1)
    await cancel(federation.researcher, id)
    await federation.settle()
    expect((await explained(question())).pastAnswers).toEqual([])
  })

  test('are fetched once', async () => {
    await found()
    await federation.ask(question())
    const { researcher } = federation
    const asked: string[] = []
    switchboard.federation = federation
    switchboard.at = (moment, who, path) => void (moment === 'before' && who === 'researcher' && asked.push(path))
    const charter = await fetchCharter(researcher)
    const [first] = [await pastAnswers(researcher, charter), await pastAnswers(researcher, charter)]
    expect(await pastAnswers(researcher, charter)).toEqual(first)
    expect(asked.filter(path => path.startsWith('/cohorts/'))).toHaveLength(1)
  })

  test('are refused where the coordinator shows another cohort than the log has', async () => {
    await found(
      {},
      {
        network: (who, direct) => async (url, init) => {
          const response = await direct(url, init)
          if (who !== 'researcher' || !url.includes('/cohorts/')) return response
          const bundle = (await response.json()) as { manifests: string[] }
          return Response.json({ ...bundle, manifests: bundle.manifests.slice(1) })
        },
      },
    )
    await federation.ask(question())
    await expect(lookAround(federation.researcher)).rejects.toMatchObject({ code: 'bad-cohort' })
  })
})

test('a question that needs more members than there are is none', async () => {
  await found()
  await expect(explained(question({ need: '{ atLeast: 6 }' }))).rejects.toMatchObject({ code: 'bad-query' })
})

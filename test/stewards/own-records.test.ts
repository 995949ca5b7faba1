import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { describeQuestion, outlook } from '#member-node/outlook.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { TestClock } from '../clock.ts'
import { loadRecords } from '../federation.ts'
import {
  announced,
  approve,
  byHand,
  CSV,
  desk,
  federation,
  HOUR,
  isAnswered,
  kr,
  look,
  openDesk,
  posed,
  queueRow,
  refusedWith,
  stateOf,
  totalOf,
} from './desk.ts'

/** What stewards see of a question, and what the node's own records have to do with it. */

openDesk()

describe('what a steward sees', () => {
  test('is who asks for what, what it reveals, and how few records of its own there are', async () => {
    const { round } = await posed()
    const seen = await outlook(desk(), round.slice(0, 12))
    expect(seen).toMatchObject({
      researcher: 'Ada',
      purpose: 'what stewards see',
      purposeCode: 'research',
      dataset: 'declarations',
      measures: ['count(records)', 'sum(value)'],
      by: [{ dimension: 'hs2' }],
      where: ['flow import'],
      need: 'all',
      approvalsNeeded: 1,
      reasons: ['it fits no template: one person must approve'],
      ownCells: {
        cells: 2,
        below: 2,
        dominated: 1,
        smallest: [
          { codes: ['85'], records: 1, traders: 1, share: 100 },
          { codes: ['01'], records: 2, traders: 2, share: 67 },
        ],
      },
    })
    const said = describeQuestion(seen, federation.clock.now())
    for (const words of ['Ada', 'what stewards see', 'hs2', 'flow import', '1 record of 1 trader', '0 of 1']) {
      expect(said).toContain(words)
    }
  })

  test('is what was answered before that overlaps', async () => {
    federation.load('KR', CSV.replaceAll('import', 'transit'))
    kr().rules = presets.open as Policy
    await posed(totalOf('flow: transit', 'the first of two'))
    kr().rules = byHand()
    const { round } = await posed(totalOf('flow: transit, period: 2020-01'))
    const { overlaps } = await outlook(desk(), round)
    expect(overlaps).toMatchObject([
      { purpose: 'the first of two', researcher: 'Ada', groups: 1, records: 1, traders: 1 },
    ])
  })

  test('has no question that is not there', async () => {
    await expect(outlook(desk(), 'f'.repeat(64))).rejects.toMatchObject({ code: 'not-found' })
    await expect(outlook(desk(), '')).rejects.toMatchObject({ code: 'not-found' })
  })
})

const SINGLED_OUT = 'beside what this member answered before, it would single out a few records'
const OWN_CELLS = "this member's part of the answer does not satisfy its policy"

describe('the records of the node itself', () => {
  const own = (change: Partial<Policy['ownCells']>): Partial<Policy> => ({
    otherwise: 'automatic',
    ownCells: { records: 0, traders: 0, dominance: 100, otherwise: 'refused', ...change },
  })

  test.each([
    ['enough records and traders', own({ records: 1, traders: 1 }), undefined],
    ['too few records', own({ records: 2 }), OWN_CELLS],
    ['too few traders', own({ traders: 2 }), OWN_CELLS],
    ['a trader with too much', own({ dominance: 90 }), OWN_CELLS],
    ['too few records, which the policy leaves open', own({ records: 2, otherwise: 'automatic' }), undefined],
  ])('with %s', async (_, change, reason) => {
    kr().rules = byHand(change)
    const { round } = await posed()
    expect([isAnswered(round), refusedWith(round)?.reason]).toEqual([reason === undefined, reason])
  })

  test('need a person, where the policy says so, who is told what others are not', async () => {
    kr().rules = byHand(own({ records: 2, otherwise: 'one person' }))
    const { round } = await posed()
    expect(queueRow(round).reasons).toEqual(['1 of its cells have fewer than 2 records or 0 traders of this node'])
    await approve(round)
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  /** By a clock that is behind: after the last change, and before the round. */
  const loadBefore = (csv: string) => loadRecords(kr().directory, csv, new TestClock(0))

  test('that were loaded since the round opened are not looked at', async () => {
    kr().rules = byHand(own({ records: 2, otherwise: 'one person' }))
    federation.load('KR', CSV.replaceAll('import', 're-export'))
    const { round } = await posed(totalOf('flow: re-export', 'records that come later').replace('by: []', 'by: [hs2]'))
    const { ownCells } = await outlook(desk(), round)
    await approve(round)
    federation.load('KR', 'flow,period,hs6,trader,value\nre-export,2020-01,030110,C,1\n')
    expect((await outlook(desk(), round)).ownCells).toEqual(ownCells)
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  test('that changed since the approval need another one', async () => {
    kr().rules = byHand(own({ records: 2, otherwise: 'one person' }))
    federation.load('KR', CSV.replaceAll('import', 'export'))
    const { round } = await posed(totalOf('flow: export', 'records that change').replace('by: []', 'by: [hs2]'))
    await approve(round)
    loadBefore('flow,period,hs6,trader,value\nexport,2020-01,020110,C,1\n')
    await look()
    expect([await stateOf(round), isAnswered(round)]).toEqual(['waits', false])
    await approve(round)
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  test('are looked at once more in the moment in which they are counted', async () => {
    kr().rules = byHand(own({ records: 2 }))
    const { examine } = kr()
    let examined = 0
    // An import comes between the first look and the answer.
    Object.assign(kr(), {
      examine: async (task: Parameters<typeof examine>[0]) => {
        const found = await examine(task)
        if (examined++ === 0) loadBefore('flow,period,hs6,value\nre-import,2020-01,020110,1\n')
        return found
      },
    })
    federation.clock.advance(10)
    const { round } = await posed(totalOf('flow: re-import'))
    Object.assign(kr(), { examine })
    expect([examined, isAnswered(round), refusedWith(round)?.reason]).toEqual([2, false, OWN_CELLS])
  })
})

describe('two answers that differ in a filter', () => {
  const guarded = (change: Partial<Policy['overlap']> = {}): Policy => ({
    ...byHand({ otherwise: 'automatic' }),
    overlap: { records: 3, traders: 2, days: 30, otherwise: 'refused', ...change },
  })
  /** Every test has records of a year of its own: what was answered before did not count them. */
  let year = 2000
  beforeEach(() => {
    year++
    federation.load('KR', CSV.replaceAll('2020', String(year)))
    kr().rules = guarded()
  })
  const whole = () => totalOf(`flow: import, period: ${year}`)
  const part = () => totalOf(`flow: import, period: ${year}-01`)

  test('and single out a few records are not both given', async () => {
    expect(isAnswered((await posed(whole())).round)).toBe(true)
    const { round } = await posed(part())
    expect([isAnswered(round), refusedWith(round)?.reason]).toEqual([false, SINGLED_OUT])
  })

  test('are both given where nothing differs, where the policy leaves it open, and where it was long ago', async () => {
    await posed(whole())
    expect(isAnswered((await posed(whole())).round)).toBe(true)
    kr().rules = guarded({ otherwise: 'automatic' })
    expect(isAnswered((await posed(part())).round)).toBe(true)
    kr().rules = guarded({ days: 1 })
    federation.clock.advance(24 * HOUR)
    expect(isAnswered((await posed(part())).round)).toBe(true)
  })

  test('need a person where the policy says so', async () => {
    kr().rules = guarded({ otherwise: 'one person' })
    await posed(whole())
    const { round } = await posed(part())
    expect(queueRow(round).reasons.join()).toMatch(
      /beside the answer of round [0-9a-f]{12} it singles out 1 small groups, with 1 records or 1 traders in the smallest/,
    )
    await approve(round)
    await look()
    expect(isAnswered(round)).toBe(true)
  })

  test('are not both given if they are asked at the same moment', async () => {
    const both = [await announced(whole()), await announced(part())]
    await look()
    expect(both.filter(({ round }) => isAnswered(round))).toHaveLength(1)
    expect(both.map(({ round }) => refusedWith(round)?.reason)).toContain(SINGLED_OUT)
  })

  test('of records that changed in between are two answers as well', async () => {
    await posed(whole())
    federation.load('KR', `flow,period,hs6,trader,value\nimport,${year}-01,010121,Z,1000\n`)
    expect(refusedWith((await posed(whole())).round)?.reason).toBe(SINGLED_OUT)
  })
})

test('questions that are answered side by side do not exceed a day', async () => {
  federation.clock.advance(25 * HOUR)
  kr().rules = byHand({ otherwise: 'automatic', questionsADay: 1 })
  const both = [await announced(), await announced()]
  await look()
  expect(both.filter(({ round }) => isAnswered(round))).toHaveLength(1)
  expect(both.map(({ round }) => refusedWith(round)?.reason)).toContain(
    '1 questions were answered in the last 24 hours',
  )
})

test('no figure of the node is in what it wrote down of a question', async () => {
  federation.load('KR', 'flow,period,hs6,trader,value\nimport,2020-01,020110,secretive trader,777345677.23\n')
  kr().rules = byHand({ ownCells: { records: 3, traders: 3, dominance: 50, otherwise: 'one person' } })
  const { round } = await posed()
  await outlook(desk(), round)
  const bytes = ['node.sqlite', 'node.sqlite-wal'].map(file => readFileSync(join(kr().directory, file)))
  for (const secret of ['secretive trader', '777345677', '77734567723']) {
    expect(bytes.some(one => one.includes(secret))).toBe(false)
  }
})

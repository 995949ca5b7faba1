import fc from 'fast-check'
import Papa from 'papaparse'
import { describe, expect, test } from 'vitest'
import type { QueryStatus } from '#specs/api.ts'
import { declarations } from '#specs/datasets/declarations.ts'
import type { MemberId } from '#specs/messages.ts'
import type { Answer } from './answer.ts'
import { csvOf, describeAnswer, describeProgress } from './presentation.ts'

const [BR, JP, KR] = ['BR', 'JP', 'KR'] as [MemberId, MemberId, MemberId]
const answer: Answer = {
  query: 'q'.repeat(64),
  round: 'r'.repeat(64),
  purpose: 'Imports by chapter',
  asOf: '2029-01-14T12:00:00.000Z',
  newer: [JP],
  cohort: [BR, JP],
  missing: [{ member: KR, reason: 'the coordinator shows neither a contribution nor a refusal' }],
  coverage: {
    BR: { complete: ['2020-01..2020-03'], provisional: ['2020-04'], none: [] },
    JP: { complete: [], provisional: [], none: ['2020-01..2020-04'] },
  },
  units: { 'count(records)': 'goods item of a declaration', 'sum(value)': 'USD' },
  rows: [
    { hs2: '01', transport: 'sea', 'count(records)': 12, 'sum(value)': '1234567.89' },
    { hs2: 'unknown', transport: 'other', 'count(records)': 1, 'sum(value)': '-0.05' },
  ],
  notes: ['BR values imports FOB'],
  evidence: { charter: 'c', cohort: 'd', openedBy: [BR, JP], disagreeing: [KR], addedUpAgain: true, recountedBy: null },
}

describe('an answer for people', () => {
  const lines = describeAnswer(answer, declarations).split('\n')

  test('has titles, units, figures in groups of three, and columns that stand under each other', () => {
    const [purpose, , head, rule, first, second] = lines
    expect(purpose).toBe('Imports by chapter')
    expect(head).toMatch(/HS chapter .* count\(records\) \[goods item of a declaration\] +sum\(value\) \[USD\]$/)
    expect(first).toMatch(/^01 .* 12 +1\u202f234\u202f567\.89$/)
    expect(second).toMatch(/^unknown +other +1 +-0\.05$/)
    expect(new Set([head, rule, first, second].map(line => line?.length)).size).toBe(1)
  })

  test('says who is in it, who is not and why, what the data cover, and what was checked', () => {
    const text = lines.join('\n')
    expect(text).toMatch(/^members +BR, JP$/m)
    expect(text).toMatch(/^data as of +2029-01-14 12:00 UTC$/m)
    expect(text).toMatch(/^newer data +JP; asked again/m)
    expect(text).toMatch(/^missing +KR: the coordinator shows neither a contribution nor a refusal$/m)
    expect(text).toMatch(/^coverage +BR: complete 2020-01\.\.2020-03; provisional 2020-04$/m)
    expect(text).toMatch(/^coverage +JP: no data 2020-01\.\.2020-04$/m)
    expect(text).toMatch(/^note +BR values imports FOB$/m)
    expect(text).toMatch(/^disagreeing +KR$/m)
    expect(text).toMatch(/the sum added up again$/m)
    const recounted = { ...answer, evidence: { ...answer.evidence, recountedBy: JP } }
    expect(describeAnswer(recounted, declarations)).toMatch(/the sum added up again by JP$/m)
    expect(text).toContain(answer.query)
  })

  test('says so when there are no records, and when the sum was not added up again', () => {
    const evidence = { ...answer.evidence, disagreeing: [], addedUpAgain: false }
    const text = describeAnswer({ ...answer, rows: [], evidence }, declarations)
    expect(text).toMatch(/^No records\.$/m)
    expect(text).not.toMatch(/disagreeing|added up again/)
  })

  test('shows figures of every size as they are', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), value => {
        const figure = `${value}.25`
        const rows = [{ hs2: '01', 'sum(value)': figure }]
        const text = describeAnswer({ ...answer, rows }, declarations)
        expect(text.replaceAll('\u202f', '')).toContain(figure)
        expect(
          text.split('\n').some(line => /\d{4}/.test(line.split('  ').at(-1) ?? '') && line.startsWith('01')),
        ).toBe(false)
      }),
    )
  })
})

describe('an answer as CSV', () => {
  test('has a header, one line a row, and line ends as RFC 4180 has them', () => {
    expect(csvOf(answer, ['hs2', 'transport'])).toBe(
      'hs2,transport,count(records),sum(value)\r\n01,sea,12,1234567.89\r\nunknown,other,1,-0.05\r\n',
    )
    expect(csvOf({ ...answer, rows: [] }, ['hs2'])).toBe('hs2,count(records),sum(value)\r\n')
  })

  test('is read back as it was, whatever the codes are', () => {
    const code = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ';', ' ', '\u00e9'), maxLength: 8 })
    fc.assert(
      fc.property(fc.array(code, { minLength: 1 }), codes => {
        const rows = codes.map(hs2 => ({ hs2, 'sum(value)': '1.00', 'count(records)': 1 }))
        const { data } = Papa.parse<string[]>(csvOf({ ...answer, rows }, ['hs2']), { delimiter: ',', newline: '\r\n' })
        expect(data.slice(1, -1).map(line => line[0])).toEqual(codes)
      }),
    )
  })
})

describe('progress', () => {
  const now = Date.parse('2026-01-01T00:01:00.000Z')
  const since = '2026-01-01T00:00:00.000Z'
  const status: QueryStatus = {
    query: answer.query as QueryStatus['query'],
    version: 'v',
    state: 'open',
    reason: null,
    purpose: 'p',
    askedAt: since,
    round: null,
    closes: null,
    members: [
      { id: BR, state: 'contributed', since, reason: null },
      { id: JP, state: 'asked', since, reason: null },
      { id: KR, state: 'refused', since, reason: 'too fine' },
    ],
    custodians: [
      { id: BR, state: 'agreed', since, reason: null },
      { id: JP, state: 'waiting', since, reason: null },
    ],
    recount: null,
  }

  test('names members while they contribute, with how long they were asked, and a refusal with its reason', () => {
    expect(describeProgress(status, now)).toMatch(/BR contributed; JP asked 60 seconds ago; KR refused: too fine$/)
  })

  test('names custodians while they agree and open', () => {
    for (const state of ['closed', 'agreed'] as const) {
      const text = describeProgress({ ...status, state }, now)
      expect(text).toMatch(/BR agreed; JP asked 60 seconds ago$/)
      expect(text).not.toContain('KR')
    }
  })

  test('names many members in groups, and not all of them', () => {
    const since = new Date(now - 60_000).toISOString()
    const members = Array.from({ length: 20 }, (_, i) => ({
      id: `M${i}` as MemberId,
      state: i < 3 ? ('contributed' as const) : ('asked' as const),
      since,
      reason: null,
    }))
    expect(describeProgress({ ...status, members }, now)).toMatch(
      /: M0, M1, M2 contributed; M3, M4, .*, M14 and 5 more asked 60 seconds ago$/,
    )
  })

  test('says who adds up again, and how far the recipient itself is with it', () => {
    const opened = { ...status, state: 'opened' } as const
    const told = (state: 'asked' | 'done' | 'refused', reason: string | null = null) =>
      describeProgress({ ...opened, recount: { custodian: KR, state, since, reason } }, now)
    expect(told('asked')).toMatch(/: KR adds up again, asked 60 seconds ago$/)
    expect(told('done')).toMatch(/: KR added up again$/)
    expect(told('refused', 'no time')).toMatch(/: KR refused to add up again: no time$/)
    expect(describeProgress(opened, now, { done: 2, of: 5 })).toMatch(/: 2 of 5 contributions added up again$/)
  })

  test('gives the reason of waiting and of ending, and never a time before now', () => {
    const ended = { ...status, state: 'void', reason: 'KR refused' } as const
    expect(describeProgress(ended, now)).toBe('void: KR refused; KR: too fine')
    const custodians = [{ id: JP, state: 'refused', since, reason: 'too fine' }] as const
    expect(describeProgress({ ...ended, custodians: [...custodians] }, now)).toBe('void: KR refused; KR, JP: too fine')
    expect(describeProgress({ ...status, state: 'waiting', reason: 'prekeys' }, now)).toBe('waiting for prekeys')
    expect(describeProgress(status, now - 120_000)).toContain('JP asked 0 seconds ago')
    expect(describeProgress(status, now + 338_000)).toContain('JP asked 6 minutes ago')
  })
})

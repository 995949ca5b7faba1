import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { purposeCodes } from '#specs/code-lists/purposes.ts'
import { type MemberId, memberId } from '#specs/messages.ts'
import { approvals, judge } from '#specs/policy.ts'
import { MOST_SLOTS, parseQueryFile, plan, type QueryFile } from '#specs/query.ts'
import { exposures } from '#specs/rules/pattern.ts'
import { effort, seed } from '#test/effort.ts'
import { hashOf } from '#test/federation-keys.ts'
import { months, parsed, policy, query } from '#test/questions.ts'
import { coarsenings } from './coarsening.ts'
import type { Scene } from './expected-cohort.ts'
import { forecast, outcomes } from './forecast.ts'
import type { PastAnswer } from './ledger.ts'
import { nearest } from './nearest.ts'
import type { Offered } from './offers.ts'
import { changedLines, queryLines } from './query-file.ts'

/** Questions and federations of every kind, without a federation. */

const NOW = Date.parse('2026-01-01T00:00:00.000Z')
const IDS = ['BR', 'FR', 'JP', 'KR', 'VN', 'ZA'].map(id => memberId.parse(id))
const offered: fc.Arbitrary<Offered> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ unknown: 'it keeps its policy to itself' }) },
  {
    weight: 8,
    arbitrary: fc.record({
      policy,
      ownRecords: fc.constantFrom(...approvals),
      alone: fc.boolean(),
      issuedAt: fc.constant(NOW),
      coverage: fc
        .oneof(
          { weight: 3, arbitrary: fc.constant({ from: '2019-01', to: '2020-12' }) },
          { weight: 1, arbitrary: months },
        )
        .map(range => [{ dataset: 'declarations', months: [{ ...range, state: 'complete' as const, version: 1 }] }]),
    }),
  },
)

function past(file: QueryFile, members: readonly MemberId[], i: number): PastAnswer {
  const held = Array.from({ length: 24 }, (_, at) => {
    const period = `${2019 + Math.floor(at / 12)}-${String((at % 12) + 1).padStart(2, '0')}`
    return { period, state: 'complete' as const, version: 1, latest: 1 }
  })
  const parts = members.map(member => ({ member, coverage: held, alone: false }))
  const round = hashOf(`round ${i}`) as PastAnswer['round']
  return {
    query: hashOf(`query ${i}`) as PastAnswer['query'],
    round,
    charter: hashOf('charter') as PastAnswer['charter'],
    opens: new Date(NOW - i * 7_200_000).toISOString(),
    asOf: new Date(NOW - i * 7_200_000).toISOString(),
    isGivenUp: false,
    researcher: 'Ada',
    organisation: null,
    asked: { round, question: file.question, recipientAdministration: null, parts },
  }
}

const scene: fc.Arbitrary<Scene> = fc
  .record({
    size: fc.integer({ min: 3, max: 6 }),
    offers: fc.array(offered, { minLength: 6, maxLength: 6 }),
    before: fc.array(fc.tuple(query, fc.subarray(IDS, { minLength: 3 })), { maxLength: 2 }),
    administration: fc.option(fc.constantFrom(...IDS), { freq: 4 }),
  })
  .map(({ size, offers, before, administration }) => {
    const members = IDS.slice(0, size)
    const roster = members.map(id => ({ id, name: id, publicKey: '', conventions: {} }))
    return {
      charter: {
        members: roster as unknown as Scene['charter']['members'],
        custodians: members.slice(0, 3),
        minimumCohort: 3,
        datasets: [{ id: 'declarations', version: 1 }],
      },
      isHandingOver: false,
      certificate: { organisation: 'Institute of tests', role: 'analyst', purposes: purposeCodes, administration },
      offers: new Map(members.map((id, i) => [id, offers[i] as Offered])),
      past: before.map(([file, asked], i) =>
        past(
          file,
          asked.filter(id => members.includes(id)),
          i,
        ),
      ),
      recountFrom: 1e9,
      now: NOW,
    }
  })

/** Whether a question may be asked, in the plain words of the rules: no function of the forecast is used. */
function isAllowed(file: QueryFile, { charter, certificate, offers, past: before, now }: Scene): boolean {
  const laid = plan(file.question)
  if (laid.slots > MOST_SLOTS) return false
  const willing = charter.members.filter(({ id }) => {
    const one = offers.get(id) as Offered
    if ('unknown' in one) return false
    const answeredToday = before.filter(
      other => Date.parse(other.opens) > now - 86_400_000 && other.asked.parts.some(part => part.member === id),
    ).length
    const eligible = file.need === 'all' ? charter.members.length : undefined
    const asked = { ...file, ...certificate, eligible, minimumCohort: 3, answeredToday }
    return judge(one.policy, asked).approval === 'automatic'
  })
  return willing.length >= (file.need === 'all' ? 3 : file.need.atLeast)
}

const runs = { numRuns: effort(60, 3000), seed }

describe(`with seed ${seed}`, () => {
  test('a query that is written is the one that is read', () => {
    fc.assert(
      fc.property(query, file => {
        expect(parseQueryFile(queryLines(file).join('\n'))).toEqual(file)
      }),
      { numRuns: effort(200, 5000), seed },
    )
  })

  test('the nearest question is one, and is judged to be allowed', () => {
    let found = 0
    fc.assert(
      fc.property(query, scene, (file, around) => {
        const before = forecast(file, around)
        if (before.outcome === 'answered') return
        const { nearest: other, tried } = nearest(file, around, 200)
        if (other === undefined) return
        found += 1
        expect(tried).toBeGreaterThan(0)
        const written = parseQueryFile(queryLines(other.file).join('\n'))
        expect(written).toEqual(other.file)
        const { outcome } = forecast(written, around)
        expect(outcomes.indexOf(outcome)).toBeLessThan(outcomes.indexOf(before.outcome))
        if (outcome === 'answered') expect(isAllowed(written, around)).toBe(true)
        // Only how it is asked is another.
        const { purpose, purposeCode, dataset, hsEdition } = file.question
        expect(written.question).toMatchObject({ purpose, purposeCode, dataset, hsEdition })
        expect(written.closesAfter).toBe(file.closesAfter)
        expect(other.changes.length).toBeGreaterThan(0)
        expect(changedLines(file, written).length).toBeGreaterThan(0)
      }),
      runs,
    )
    expect(found).toBeGreaterThan(0)
  })

  test('no single step would have changed less', () => {
    fc.assert(
      fc.property(query, scene, (file, around) => {
        const before = forecast(file, around)
        if (before.outcome === 'answered') return
        const helping = [...coarsenings(file, before, around)].filter(
          step => parsed(queryLines(step.file).join('\n')) && forecast(step.file, around).outcome === 'answered',
        )
        if (helping.length === 0) return
        const found = nearest(file, around).nearest
        expect(found?.forecast.outcome).toBe('answered')
        expect(found?.weight).toBeLessThanOrEqual(Math.min(...helping.map(step => step.weight)))
      }),
      runs,
    )
  })

  test('whoever would be in the answer could be agreed to beside the answers before', () => {
    fc.assert(
      fc.property(query, scene, (file, around) => {
        const { outcome, round, members } = forecast(file, around)
        if (outcome !== 'answered' || round.isAsBefore || file.need !== 'all') return
        const parts = members
          .filter(one => one.stand === 'answers')
          .map(({ member, coverage }) => {
            const { alone } = around.offers.get(member) as Exclude<Offered, { unknown: string }>
            return { member, coverage: coverage ?? [], alone }
          })
        const { administration: recipientAdministration } = around.certificate
        const next = { round: 'next', question: file.question, recipientAdministration, parts }
        expect(
          exposures(
            next,
            around.past.map(one => ({ ...one.asked, isAgreed: true })),
            3,
          ),
        ).toEqual([])
      }),
      runs,
    )
  })
})

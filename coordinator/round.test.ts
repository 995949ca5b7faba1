import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type MemberId, memberId } from '#specs/messages.ts'
import { custodyDeadline, nextStep, type RoundFacts, type Step, SUPERSEDED } from './round.ts'

const ROSTER = ['BR', 'FR', 'JP', 'KR', 'NO', 'VN'].map(id => memberId.parse(id))
const RUNNING = ['open', 'closed', 'agreed'] as const
const MINUTE = 60_000

const some = (of: readonly MemberId[]) => fc.subarray([...of])

/** Rounds as the coordinator can find them, refusals of those who contributed and names from elsewhere included. */
const facts: fc.Arbitrary<RoundFacts> = fc
  .record({
    eligible: fc.subarray([...ROSTER], { minLength: 3 }),
    custodians: fc.subarray([...ROSTER], { minLength: 3 }),
  })
  .chain(({ eligible, custodians }) =>
    fc
      .record({
        state: fc.constantFrom(...RUNNING),
        need: fc.oneof(fc.constant('all' as const), fc.record({ atLeast: fc.integer({ min: 1, max: ROSTER.length }) })),
        minimumCohort: fc.integer({ min: 3, max: 4 }),
        recipientAdministration: fc.option(fc.constantFrom(...ROSTER)),
        threshold: fc.integer({ min: Math.ceil(custodians.length / 2) + 1, max: custodians.length }),
        opens: fc.integer({ min: 0, max: 10 * MINUTE }),
        lasts: fc.integer({ min: 1000, max: 10 * MINUTE }),
        closedAfter: fc.option(fc.integer({ min: 0, max: 30 * MINUTE })),
        contributed: some(eligible),
        left: fc.oneof({ weight: 4, arbitrary: fc.constant<MemberId[]>([]) }, some(eligible)),
        refused: some(ROSTER),
        agreed: some(custodians),
        declined: some(ROSTER),
        opened: some(custodians),
        summed: fc.boolean(),
        cancelled: fc.boolean(),
        superseded: fc.boolean(),
        revoked: fc.constantFrom(undefined, 'the researcher was revoked by KR: a test'),
      })
      .map(({ lasts, closedAfter, left, ...rest }) => ({
        ...rest,
        eligible,
        custodians,
        closes: rest.opens + lasts,
        ends: rest.opens + 2 * lasts,
        closedAt: closedAfter === null ? null : rest.opens + closedAfter,
        fitting: members => members.filter(id => !left.includes(id)),
      })),
  )
const everybody: RoundFacts['fitting'] = members => members
const instant = fc.integer({ min: 0, max: 40 * MINUTE })
const open = facts.map(
  (round): RoundFacts => ({ ...round, state: 'open', cancelled: false, superseded: false, revoked: undefined }),
)

function needed(round: RoundFacts): number {
  return round.need === 'all' ? round.eligible.length : round.need.atLeast
}

/** What holds of a step whenever it is taken. */
function check(round: RoundFacts, now: number, step: Step): void {
  switch (step.to) {
    case 'closed': {
      expect(round.state).toBe('open')
      expect(step.cohort).toEqual([...round.fitting(round.contributed)].sort())
      expect([...step.cohort, ...step.leftOut].sort()).toEqual([...round.contributed].sort())
      expect(step.cohort.length).toBeGreaterThanOrEqual(needed(round))
      const counted = step.cohort.filter(id => id !== round.recipientAdministration)
      expect(counted.length).toBeGreaterThanOrEqual(Math.max(3, round.minimumCohort))
      const silent = round.eligible.filter(id => !round.contributed.includes(id) && !round.refused.includes(id))
      expect(silent.length === 0 || now >= round.closes).toBe(true)
      return
    }
    case 'agreed':
      expect(round.state).toBe('closed')
      expect(round.agreed.length).toBeGreaterThanOrEqual(round.threshold)
      return
    case 'opened':
      expect(round.state).toBe('agreed')
      expect(round.opened.length).toBeGreaterThanOrEqual(round.threshold)
      expect(round.summed).toBe(true)
      return
    case 'void':
      expect(step.reason).toMatch(/\S/)
      expect(step.reason).not.toMatch(/undefined|NaN/)
  }
}

/** Takes every step that is due, as the lifecycle does. */
function settle(round: RoundFacts, now: number): RoundFacts {
  let current = round
  for (let steps = 0; ; steps++) {
    const step = nextStep(current, now)
    if (step === undefined) return current
    expect(steps).toBeLessThan(4)
    check(current, now, step)
    current = { ...current, state: step.to, closedAt: step.to === 'closed' ? now : current.closedAt }
  }
}

describe('a round', () => {
  test('takes only steps whose conditions hold, and comes to rest', () => {
    fc.assert(fc.property(facts, instant, (round, now) => void settle(round, now)))
  })

  test('never leaves opened or void', () => {
    const ended = fc.tuple(facts, fc.constantFrom('opened' as const, 'void' as const))
    fc.assert(
      fc.property(ended, instant, ([round, state], now) => {
        expect(nextStep({ ...round, state }, now)).toBeUndefined()
      }),
    )
  })

  test('is void once the researcher withdrew it, in whatever state it runs', () => {
    fc.assert(
      fc.property(facts, instant, (round, now) => {
        expect(nextStep({ ...round, cancelled: true }, now)).toEqual({
          to: 'void',
          reason: 'the researcher withdrew the query',
        })
      }),
    )
  })

  test('is void once the researcher is revoked, unless it was agreed to before', () => {
    fc.assert(
      fc.property(facts, instant, (round, now) => {
        const revoked = { ...round, cancelled: false, superseded: false, revoked: 'the researcher was revoked' }
        const isLate = round.state === 'agreed'
        const expected = isLate
          ? nextStep({ ...revoked, revoked: undefined }, now)
          : { to: 'void', reason: revoked.revoked }
        expect(nextStep(revoked, now)).toEqual(expected)
      }),
    )
  })

  test('closes at once when everybody contributed, if they are enough', () => {
    fc.assert(
      fc.property(open, instant, (round, now) => {
        const all = { ...round, contributed: round.eligible, recipientAdministration: null, fitting: everybody }
        fc.pre(needed(all) <= all.eligible.length && all.minimumCohort <= all.eligible.length)
        expect(nextStep(all, now)).toEqual({ to: 'closed', cohort: [...all.eligible].sort(), leftOut: [] })
      }),
    )
  })

  test('waits for whoever said nothing, until it closes', () => {
    fc.assert(
      fc.property(open, instant, (round, now) => {
        const waiting = { ...round, refused: [], contributed: round.contributed.slice(1) }
        fc.pre(waiting.contributed.length < waiting.eligible.length && now < waiting.closes)
        fc.pre(needed(waiting) <= waiting.eligible.length)
        expect(nextStep(waiting, now)).toBeUndefined()
      }),
    )
  })

  test('that would close is never void for one contribution more', () => {
    fc.assert(
      fc.property(open, instant, fc.nat(), (round, now, pick) => {
        fc.pre(nextStep(round, now)?.to === 'closed')
        const others = round.eligible.filter(id => !round.contributed.includes(id))
        fc.pre(others.length > 0)
        const more = { ...round, contributed: [...round.contributed, others[pick % others.length] as MemberId] }
        expect(nextStep(more, now)?.to).toBe('closed')
      }),
    )
  })

  test('does not count the refusal of somebody who contributed, or who is not eligible', () => {
    fc.assert(
      fc.property(open, instant, (round, now) => {
        const refused = round.refused.filter(id => round.eligible.includes(id) && !round.contributed.includes(id))
        expect(nextStep(round, now)?.to).toBe(nextStep({ ...round, refused }, now)?.to)
      }),
    )
  })

  test('is not void for more agreements or openings', () => {
    fc.assert(
      fc.property(facts, instant, (round, now) => {
        fc.pre(!round.cancelled && !round.superseded && round.revoked === undefined && round.state !== 'open')
        const everybody = { ...round, agreed: round.custodians, opened: round.custodians, summed: true }
        expect(settle(everybody, now).state).toBe('opened')
      }),
    )
  })

  test('is over at its end, whatever is missing', () => {
    fc.assert(
      fc.property(facts, fc.nat(MINUTE), (round, late) => {
        expect(['opened', 'void']).toContain(settle(round, round.ends + late).state)
      }),
    )
  })

  test('gives custodians as long as members had, from its closing, and never past its end', () => {
    fc.assert(
      fc.property(facts, round => {
        const deadline = custodyDeadline(round)
        expect(deadline).toBeGreaterThanOrEqual(round.closes)
        expect(deadline).toBeLessThanOrEqual(round.ends)
        const had = round.closes - round.opens
        expect(deadline - (round.closedAt ?? round.closes) >= had || deadline === round.ends).toBe(true)
      }),
    )
  })
})

test('a round under a charter that was superseded is void, unless enough custodians agreed to its cohort', () => {
  fc.assert(
    fc.property(facts, instant, (round, now) => {
      fc.pre(!round.cancelled)
      const step = nextStep({ ...round, superseded: true }, now)
      const isAgreed = round.state !== 'open' && round.agreed.length >= round.threshold
      if (isAgreed) expect(step).toEqual(nextStep({ ...round, superseded: false }, now))
      else expect(step).toEqual({ to: 'void', reason: SUPERSEDED })
    }),
  )
})

describe('the reason', () => {
  const [BR, FR, JP, KR, NO] = ROSTER as [MemberId, MemberId, MemberId, MemberId, MemberId]
  const five = [BR, FR, JP, KR, NO]
  const round: RoundFacts = {
    state: 'open',
    eligible: five,
    need: 'all',
    minimumCohort: 3,
    recipientAdministration: null,
    custodians: five,
    threshold: 4,
    opens: 0,
    closes: MINUTE,
    ends: 2 * MINUTE,
    closedAt: null,
    contributed: [],
    fitting: everybody,
    refused: [],
    agreed: [],
    declined: [],
    opened: [],
    summed: false,
    cancelled: false,
    superseded: false,
    revoked: undefined,
  }
  const cases: [string, Partial<RoundFacts>, number, RegExp][] = [
    ['names who refused, at once', { refused: [KR] }, 0, /^KR refused, .* fewer than the 5 needed/],
    ['names who is missing', { contributed: [BR, FR, JP] }, MINUTE, /^3 of the 5 .* missing: KR, NO$/],
    [
      'says that the recipient does not count',
      { need: { atLeast: 3 }, contributed: [BR, FR, JP], recipientAdministration: JP },
      MINUTE,
      /needs 3 members beside .* there are 2/,
    ],
    [
      'names who would stand apart beside earlier answers',
      { contributed: five, fitting: members => members.filter(id => id !== KR) },
      0,
      /^KR would stand apart .* fewer than the 5 needed are left$/,
    ],
    [
      'names absent custodians',
      { state: 'closed', agreed: [BR, FR, JP], closedAt: 0 },
      MINUTE,
      /^3 of the 4 custodians needed agreed.*absent: KR, NO$/,
    ],
    [
      'says to ask again under another charter',
      { state: 'closed', superseded: true },
      0,
      /another charter .* ask again$/,
    ],
    [
      'names custodians that declined',
      { state: 'agreed', opened: [BR], declined: [KR, NO] },
      0,
      /^1 of the 4 custodians needed opened, and KR, NO declined$/,
    ],
  ]
  test.each(cases)('%s', (_, change, now, reason) => {
    expect(nextStep({ ...round, ...change }, now)).toEqual({ to: 'void', reason: expect.stringMatching(reason) })
  })
})

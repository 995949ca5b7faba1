import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hashOf, noHead } from '#test/federation-keys.ts'
import { type Charter, type CharterId, type MemberId, memberId } from '../messages.ts'
import { describeChanges } from './changes.ts'
import {
  changesBetween,
  checkSuccession,
  defaultQuorum,
  demandsOf,
  inWords,
  isFulfilled,
  outstanding,
  quorumBounds,
  quorumOf,
} from './succession.ts'

const NAMES = ['BR', 'FR', 'JP', 'KE', 'KR', 'NO', 'SG', 'VN', 'ZA'].map(id => memberId.parse(id))
const conventions = {
  importValuation: 'CIF',
  exportValuation: 'FOB',
  tradeSystem: 'general',
  dateBasis: 'accepted',
  hsEdition: 'HS2022',
} as const

/** Keys are 43 characters; the first says which one it is. */
const keyOf = (id: MemberId, generation = 0) => `${generation}${id}`.padEnd(43, 'A')
const entry = (id: MemberId, generation = 0): Charter['members'][number] => ({
  id,
  name: `Customs of ${id}`,
  publicKey: keyOf(id, generation),
  conventions,
})

function charterOf(change: Partial<Charter>): Charter {
  const members = change.members ?? NAMES.slice(0, 5).map(id => entry(id))
  const custodians = change.custodians ?? members.slice(0, 5).map(one => one.id)
  return {
    protocol: 1,
    federation: 'Federation of tests',
    epoch: 1,
    previous: null,
    coordinator: 'C'.repeat(43),
    currency: 'USD',
    members,
    custodians,
    threshold: custodians.length === 3 ? 3 : Math.ceil((2 * custodians.length + 1) / 3),
    quorum: defaultQuorum(members.length),
    minimumCohort: 3,
    datasets: [{ id: 'declarations', version: 1 }],
    logHead: noHead,
    proposedAt: '2030-01-15T12:00:00.000Z',
    ...change,
  }
}

/** Any charter that may stand by itself. */
const charters = fc
  .record({
    ids: fc.shuffledSubarray([...NAMES], { minLength: 3 }),
    generations: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: NAMES.length, maxLength: NAMES.length }),
    seats: fc.integer({ min: 3, max: 7 }),
    thresholdAt: fc.double({ min: 0, max: 0.999, noNaN: true }),
    quorumAt: fc.double({ min: 0, max: 0.999, noNaN: true }),
  })
  .map(({ ids, generations, seats, thresholdAt, quorumAt }) => {
    const members = ids.map((id, i) => entry(id, (generations[i] as number) === 2 ? 1 : 0))
    const custodians = ids.slice(0, Math.min(seats, ids.length))
    const between = (least: number, most: number, at: number) => least + Math.floor(at * (most - least + 1))
    const { least, most } = quorumBounds(members.length)
    return charterOf({
      members,
      custodians,
      threshold: between(Math.ceil(custodians.length / 2) + 1, custodians.length, thresholdAt),
      quorum: between(least, most, quorumAt),
    })
  })

const ID = hashOf('the charter in force') as CharterId
const following = (next: Charter): Charter => ({ ...next, epoch: 2, previous: ID })
const rules = [
  {},
  {},
  { currency: 'EUR' },
  { minimumCohort: 4 },
  { datasets: [{ id: 'declarations', version: 2 }] },
] as Partial<Charter>[]

/** What may follow a charter: members stay, leave, come, or have another key; the rest stays or does not. */
const successors = (previous: Charter) =>
  fc
    .record({
      fates: fc.array(fc.constantFrom('stays', 'stays', 'stays', 'stays', 'leaves', 'another key'), {
        minLength: NAMES.length,
        maxLength: NAMES.length,
      }),
      added: fc.oneof(
        fc.constant<MemberId[]>([]),
        fc.subarray(NAMES.filter(id => !previous.members.some(one => one.id === id))),
      ),
      terms: fc.option(charters),
      rule: fc.constantFrom(...rules),
    })
    .map(({ fates, added, terms, rule }) => {
      const remaining = previous.members.filter((_, i) => fates[i] !== 'leaves')
      const members = [
        ...remaining.map(one => (fates[previous.members.indexOf(one)] === 'stays' ? one : entry(one.id, 2))),
        ...added.map(id => entry(id)),
      ]
      const names = members.map(one => one.id)
      const custodians = (terms ?? previous).custodians.filter(id => names.includes(id))
      const threshold = Math.min((terms ?? previous).threshold, custodians.length)
      const quorum = Math.min((terms ?? previous).quorum as number, members.length - 1)
      return following({ ...previous, members, custodians, threshold, quorum, ...rule })
    })
    .filter(next => mayFollow(previous, next))
/** A charter in force, and one that may follow it. */
const steps = charters.chain(previous => successors(previous).map(next => ({ previous, next })))
const people = fc.subarray([...NAMES]).map(ids => new Set(ids))

function mayFollow(previous: Charter, next: Charter): boolean {
  try {
    checkSuccession({ id: ID, payload: previous }, next)
    return true
  } catch {
    return false
  }
}

const ids = (charter: Charter) => charter.members.map(one => one.id)
const sameKey = (previous: Charter, next: Charter) =>
  previous.members.filter(one => next.members.some(other => other.publicKey === one.publicKey)).map(one => one.id)

/** The rule once more, as messages.md has it, in other words. */
function isSignedByAll(previous: Charter, next: Charter, signed: ReadonlySet<MemberId>): boolean {
  const kept = sameKey(previous, next)
  const fresh = next.members.filter(one => !previous.members.some(other => other.publicKey === one.publicKey))
  const left = ids(previous).filter(id => ids(next).includes(id))
  const isAdded = ids(next).some(id => !ids(previous).includes(id))
  const quorum = Math.min(quorumOf(previous), next.members.length - 1)
  const expected = {
    custodians: previous.custodians.filter(id => left.includes(id)),
    threshold: previous.threshold,
    quorum,
  }
  const actual = { custodians: next.custodians, threshold: next.threshold, quorum: next.quorum }
  const terms = ({ currency, minimumCohort, datasets }: Charter) => JSON.stringify([currency, minimumCohort, datasets])
  const isChanged = terms(previous) !== terms(next) || JSON.stringify(expected) !== JSON.stringify(actual)
  const holders = (one: Charter) =>
    JSON.stringify([one.threshold, one.custodians.map(id => one.members.find(member => member.id === id)?.publicKey)])
  const among = (some: readonly MemberId[]) => some.filter(id => signed.has(id)).length
  const keptCustodians = previous.custodians.filter(id => kept.includes(id))
  return (
    fresh.every(one => signed.has(one.id)) &&
    among(kept) >= quorumOf(previous) &&
    (!(isAdded || isChanged) || among(kept) === kept.length) &&
    (holders(previous) === holders(next) ||
      among(keptCustodians) >= Math.min(previous.threshold, previous.custodians.length - 1))
  )
}

describe('a charter after another', () => {
  test('has its consents exactly when the rule says so', () => {
    fc.assert(
      fc.property(steps, people, ({ previous, next }, signed) => {
        const left = outstanding(demandsOf(previous, next), signed)
        expect(isFulfilled(left)).toBe(isSignedByAll(previous, next, signed))
        expect(inWords(left) === 'nobody').toBe(isFulfilled(left))
      }),
    )
  })

  test('never loses its consents to one more', () => {
    fc.assert(
      fc.property(steps, people, people, ({ previous, next }, some, others) => {
        const demands = demandsOf(previous, next)
        if (!isFulfilled(outstanding(demands, some))) return
        expect(isFulfilled(outstanding(demands, new Set([...some, ...others])))).toBe(true)
      }),
    )
  })

  test('has them when everybody on its roster signs', () => {
    fc.assert(
      fc.property(steps, ({ previous, next }) => {
        expect(isFulfilled(outstanding(demandsOf(previous, next), new Set(ids(next))))).toBe(true)
      }),
    )
  })

  test('is confirmed together with no other one, unless somebody confirms both', () => {
    const confirmed = (previous: Charter) =>
      successors(previous).chain(next => {
        const { needed, of } = demandsOf(previous, next).quorum
        return fc.shuffledSubarray([...of], { minLength: needed })
      })
    const rivals = charters.chain(previous => fc.tuple(fc.constant(previous), confirmed(previous), confirmed(previous)))
    fc.assert(
      fc.property(rivals, ([previous, some, others]) => {
        const both = some.filter(id => others.includes(id))
        expect(both.length).toBeGreaterThanOrEqual(2 * quorumOf(previous) - previous.members.length)
        expect(both.length).toBeGreaterThan(0)
      }),
    )
  })

  test('that changes custody is signed by a custodian of every cohort that was agreed to', () => {
    fc.assert(
      fc.property(steps, fc.nat(), ({ previous, next }, start) => {
        fc.pre(changesBetween(previous, next).custody)
        const { custodians, threshold } = previous
        const around = [...custodians, ...custodians]
        const agreed = around.slice(start % custodians.length).slice(0, threshold)
        const { needed } = demandsOf(previous, next).custodians
        // The custodians that sign, as few and as far from those that agreed as possible.
        const far = custodians.filter(id => !agreed.includes(id))
        expect(far.length).toBeLessThan(needed)
      }),
    )
  })
})

describe('whom it needs', () => {
  const [BR, FR, JP, KE, KR, NO] = NAMES as [MemberId, MemberId, MemberId, MemberId, MemberId, MemberId]
  const five = charterOf({ members: [BR, FR, JP, KE, KR].map(id => entry(id)), custodians: [BR, FR, JP], threshold: 3 })
  const three = charterOf({ members: [BR, FR, JP].map(id => entry(id)) })
  const without = (id: MemberId) => five.members.filter(one => one.id !== id)
  const cases: [string, Charter, Partial<Charter>, string][] = [
    ['nothing', five, {}, '4 more of BR, FR, JP, KE, KR'],
    ['a newcomer', five, { members: [...five.members, entry(NO)] }, 'NO, BR, FR, JP, KE, KR'],
    ['a removal', five, { members: without(KR), quorum: 3 }, 'BR, FR, JP, KE'],
    ['another key', five, { members: [...without(KR), entry(KR, 1)] }, 'KR, BR, FR, JP, KE'],
    ["a custodian's key", five, { members: [...without(JP), entry(JP, 1)] }, 'JP, BR, FR, KE, KR'],
    ['the currency', five, { currency: 'EUR' }, 'BR, FR, JP, KE, KR'],
    ['the quorum', five, { quorum: 3 }, 'BR, FR, JP, KE, KR'],
    ['the custodians', five, { custodians: [BR, FR, KE] }, 'BR, FR, JP, KE, KR'],
    ['a name', five, { members: [...without(KR), { ...entry(KR), name: 'Korea' }] }, 'BR, FR, JP, KE, KR'],
    ['what a later version adds', five, { purposes: ['research'] } as Partial<Charter>, 'BR, FR, JP, KE, KR'],
    ['the key of one of three', three, { members: [entry(BR), entry(FR), entry(JP, 1)] }, 'JP, BR, FR'],
    ['a removal and a newcomer', five, { members: [...without(KR), entry(NO)] }, 'NO, BR, FR, JP, KE'],
  ]
  test.each(cases)('%s', (_, previous, change, words) => {
    const next = following({ ...previous, ...change })
    checkSuccession({ id: ID, payload: previous }, next)
    expect(inWords(demandsOf(previous, next))).toBe(words)
  })

  test('the first: everybody', () => {
    expect(inWords(demandsOf(undefined, five))).toBe('BR, FR, JP, KE, KR')
    expect(inWords(outstanding(demandsOf(undefined, five), new Set(NAMES)))).toBe('nobody')
  })

  const refused: [string, Partial<Charter>, RegExp][] = [
    ['goes back', { epoch: 1 }, /epoch 1 does not follow the one in force \(epoch 1\)/],
    ['leaves one out', { epoch: 3 }, /epoch 3 does not follow/],
    ['follows another', { previous: hashOf('another') as CharterId }, /does not follow/],
    ['follows none', { previous: null }, /does not follow/],
    ['names another coordinator', { coordinator: 'D'.repeat(43) }, /another coordinator/],
    [
      'replaces two of five',
      { members: [...five.members.slice(0, 3), entry(KE, 1), entry(KR, 1)] },
      /3 members would keep .* it takes 4/,
    ],
  ]
  test.each(refused)('nobody, where it %s', (_, change, reason) => {
    const next = { ...following(five), ...change }
    expect(() => checkSuccession({ id: ID, payload: five }, next)).toThrow(
      expect.objectContaining({ code: 'bad-charter', message: expect.stringMatching(reason) }),
    )
  })

  test('nobody, where too few custodians keep their keys', () => {
    const seven = charterOf({
      members: NAMES.slice(0, 7).map(id => entry(id)),
      custodians: [BR, FR, JP, KE],
      threshold: 3,
      quorum: 4,
    })
    const next = following({
      ...seven,
      members: seven.members.map(one => ([BR, FR].includes(one.id) ? entry(one.id, 1) : one)),
    })
    expect(() => checkSuccession({ id: ID, payload: seven }, next)).toThrow(/2 custodians would keep .* it takes 3/)
  })

  test('is shown with every change, and fingerprints', async () => {
    const next = following({
      ...five,
      members: [...five.members.slice(0, 3), { ...entry(KE, 1), name: 'Kenya' }, entry(NO)],
      custodians: [BR, FR, KE],
      currency: 'EUR',
      datasets: [{ id: 'declarations', version: 2 }],
    })
    expect(await describeChanges(five, next)).toEqual([
      expect.stringMatching(/^NO joins, with the key [\w-]{43}: Customs of NO$/),
      'KR leaves',
      expect.stringMatching(/^KE has the key [\w-]{43} in place of [\w-]{43}$/),
      'KE is called Kenya instead of Customs of KE',
      'currency: EUR instead of USD',
      'custodians: BR, FR, KE instead of BR, FR, JP',
      'datasets: declarations 2 instead of declarations 1',
    ])
    expect(await describeChanges(five, following(five))).toEqual([])
  })
})

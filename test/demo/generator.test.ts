import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { hs6 } from '#specs/code-lists/harmonized-system.ts'
import { transportModes } from '#specs/code-lists/transport-modes.ts'
import { administrations } from './administrations.ts'
import type { Declaration } from './declaration.ts'
import type { Flow } from './economies.ts'
import { declarations } from './generator.ts'
import { formerCodes, sectors } from './sectors.ts'

const RECORDS = 12_000
const made = new Map(
  administrations.map(({ member, economy }) => [member, [...declarations(economy, RECORDS)]] as const),
)
const all = [...made.values()].flat()
const of = (member: string, flow: Flow) => (made.get(member) ?? []).filter(one => one.flow === flow)

function shares<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1 / items.length)
  return counts
}

/** The share of the sum that the largest hundredth of the numbers has. */
function topHundredth(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => b - a)
  const sum = (some: readonly number[]) => some.reduce((a, b) => a + b, 0)
  return sum(sorted.slice(0, sorted.length / 100)) / sum(sorted)
}

const chapter = ({ hs6 }: Declaration) => hs6.slice(0, 2)
const inMonths = (some: readonly Declaration[], months: string) =>
  some.filter(({ month }) => months.includes(month)).length / some.length

test('the declarations are the same for everybody', () => {
  const digests = administrations.map(({ economy }) => {
    const hash = createHash('sha256')
    for (const one of declarations(economy, 2000)) hash.update(JSON.stringify(one))
    return hash.digest('hex').slice(0, 16)
  })
  expect(digests).toEqual([
    '6a66ebc25c00dcdf',
    '616802276a17de71',
    '4a5cfeebde66820e',
    '5989b1b75fdd3de5',
    '746f3fdee11f0ac9',
  ])
})

test('there are at least 250,000, and members of very different size', () => {
  const sizes = administrations.map(({ records }) => records)
  expect(sizes.reduce((a, b) => a + b)).toBeGreaterThanOrEqual(250_000)
  expect(Math.max(...sizes) / Math.min(...sizes)).toBeGreaterThan(4)
})

test('they come in the order of their dates, amended ones a little later', () => {
  const days = of('FR', 'import').map(({ month, day }) => month + day)
  expect(days).toEqual(days.toSorted())
  expect([days[0], days.at(-1)]).toEqual(['0101', '1231'])
})

test.each(administrations)('values of $member have a heavy tail', ({ member }) => {
  const values = (made.get(member) ?? []).map(({ value }) => value.units).toSorted((a, b) => a - b)
  const mean = values.reduce((a, b) => a + b) / values.length
  expect(mean / (values[values.length / 2] as number)).toBeGreaterThan(3)
  expect(topHundredth(values)).toBeGreaterThan(0.25)
})

test('few traders have much of the trade', () => {
  const records = [...shares(made.get('KR') ?? [], ({ trader }) => String(trader)).values()]
  const hundredth = topHundredth(records)
  expect(records.length).toBeGreaterThan(400)
  expect(hundredth).toBeGreaterThan(0.04)
})

describe('seasons', () => {
  const crops = (member: string) =>
    of(member, 'export').filter(one => (sectors.crops.chapters as readonly string[]).includes(chapter(one)))

  test('the harvest is in autumn, which in the south is in spring', () => {
    expect(inMonths(crops('VN'), '09 10 11')).toBeGreaterThan(1.3 * inMonths(crops('VN'), '03 04 05'))
    expect(inMonths(crops('BR'), '03 04 05')).toBeGreaterThan(1.3 * inMonths(crops('BR'), '09 10 11'))
  })

  test('electronics are shipped before the end of the year', () => {
    const electronics = all.filter(one => chapter(one) === '85')
    expect(inMonths(electronics, '09 10 11')).toBeGreaterThan(1.4 * inMonths(electronics, '01 02 03'))
  })
})

test('each country has a mix of its own', () => {
  const mixes = administrations.map(({ member }) => shares(of(member, 'export'), chapter))
  for (const [i, one] of mixes.entries()) {
    for (const other of mixes.slice(i + 1)) {
      const chapters = new Set([...one.keys(), ...other.keys()])
      const difference = [...chapters].reduce((sum, c) => sum + Math.abs((one.get(c) ?? 0) - (other.get(c) ?? 0)), 0)
      expect(difference).toBeGreaterThan(0.35)
    }
  }
})

test('trade is with the large and the near', () => {
  const partners = shares(of('BR', 'export'), ({ destination }) => destination)
  const share = (country: string) => partners.get(country) ?? 0
  expect(Math.min(share('CN'), share('US'))).toBeGreaterThan(share('AR'))
  expect(share('AR')).toBeGreaterThan(share('KR'))
  expect(partners.size).toBeGreaterThan(60)
})

test('transport suits the way and the goods', () => {
  const modes = (some: readonly Declaration[]) => shares(some, ({ transport }) => transport)
  const islanders = modes(of('JP', 'import'))
  expect([islanders.get('road'), islanders.get('rail')]).toEqual([undefined, undefined])
  expect(modes(of('FR', 'import')).get('road')).toBeGreaterThan(0.05)
  expect(new Set(all.map(({ transport }) => transport))).toEqual(new Set([...transportModes.codes, '']))
  expect(modes(all.filter(one => chapter(one) === '30')).get('air')).toBeGreaterThan(0.5)
})

test('some records are as they are in life', () => {
  const found = (what: (one: Declaration) => boolean) => all.filter(what).length
  expect(found(({ hs6 }) => Object.values(formerCodes).flat().includes(hs6))).toBeGreaterThan(200)
  expect(found(({ hs6 }) => hs6.length < 6)).toBeGreaterThan(10)
  expect(found(({ origin }) => origin === '')).toBeGreaterThan(50)
  expect(found(({ origin, destination }) => origin === '?' || destination === '?')).toBeGreaterThan(20)
  expect(found(({ netMass }) => netMass === undefined)).toBeGreaterThan(100)
  expect(found(({ value }) => value.units === 0)).toBeGreaterThan(50)
  expect(found(({ value }) => value.beyond !== '')).toBeGreaterThan(200)
  expect(found(({ broken }) => broken !== undefined)).toBeGreaterThan(2)
})

test('former codes are not in the edition of 2022', () => {
  expect(
    Object.values(formerCodes)
      .flat()
      .filter(code => hs6.recognise(code) !== undefined),
  ).toEqual([])
})

import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countries, numericCode } from './countries.ts'
import { flows } from './flows.ts'
import { hs2, hs4, hs6 } from './harmonized-system.ts'
import { chapterTitles } from './hs-chapter-titles.ts'
import { procedures } from './procedures.ts'
import { purposes } from './purposes.ts'
import { quantityUnits } from './quantity-units.ts'
import { titledList } from './titled-list.ts'
import { transportModes } from './transport-modes.ts'

const titled = [countries, flows, hs2, procedures, purposes, quantityUnits, transportModes]
const lists = [...titled, hs4, hs6]

test('lists have distinct ids', () => {
  expect(new Set(lists.map(list => list.id)).size).toBe(lists.length)
})

describe.each(lists)('$id', list => {
  test('has distinct codes and says where they come from', () => {
    expect(list.codes.length).toBeGreaterThan(0)
    expect(new Set(list.codes).size).toBe(list.codes.length)
    expect(list.source).not.toBe('')
  })

  test('recognises each of its codes, also with blanks around it', () => {
    for (const code of list.codes) {
      expect(list.recognise(code)).toBe(code)
      expect(list.recognise(` ${code}\t`)).toBe(code)
    }
  })

  test('leaves other and unknown to the query language', () => {
    for (const reserved of ['other', 'unknown', 'Other', 'UNKNOWN']) {
      expect(list.codes).not.toContain(reserved)
      expect(list.recognise(reserved)).toBeUndefined()
    }
  })

  test('answers any text with a listed code or nothing', () => {
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[0-9. ]{0,8}$/),
      fc.constantFrom('', '*', 'constructor', '__proto__'),
    )
    fc.assert(
      fc.property(text, spelling => {
        const code = list.recognise(spelling)
        return code === undefined || list.codes.includes(code)
      }),
    )
  })

  test('gives back a code that it does not list', () => {
    for (const code of ['other', 'unknown', 'constructor']) expect(list.title(code, 'en')).toBe(code)
  })
})

test.each(titled)('$id has a distinct title for every code in English and French', list => {
  for (const language of ['en', 'fr'] as const) {
    const titles = list.codes.map(code => list.title(code, language))
    expect(titles.filter((title, i) => title.trim() === '' || title === list.codes[i])).toEqual([])
    expect(new Set(titles).size).toBe(titles.length)
  }
})

describe('titledList', () => {
  const titles = { a: ['A', 'A'], b: ['B', 'B'] } as const

  test('refuses a spelling that stands for two codes', () => {
    expect(() => titledList({ id: 'x', source: 'test', titles, spellings: { a: ['B'] } })).toThrow(
      '"B" stands for b and a',
    )
  })

  test('refuses spellings of a code that is not listed', () => {
    expect(() => titledList({ id: 'x', source: 'test', titles, spellings: { c: ['1'] } })).toThrow('not listed')
  })
})

describe('countries', () => {
  test('are sorted: 249 of ISO 3166-1, and Kosovo', () => {
    expect(countries.codes).toEqual(countries.codes.toSorted())
    expect(countries.codes).toHaveLength(250)
    expect(countries.recognise('XKX')).toBe('XK')
  })

  test.each([
    ['KR', ['KR', 'kr', 'KOR', 'Kor', '410', ' 410 ']],
    ['AF', ['AF', 'AFG', '004', '04', '4']],
    ['AU', ['AU', 'AUS', '036', '36']],
    ['NO', ['no', 'NOR', '578']],
  ])('%s has several spellings', (code, spellings) => {
    for (const spelling of spellings) expect(countries.recognise(spelling)).toBe(code)
  })

  test.each(['', '0', '000', '0004', '4.0', 'K R', 'ZZ', 'EU', 'Korea'])('"%s" is none', spelling => {
    expect(countries.recognise(spelling)).toBeUndefined()
  })

  test('have a numeric code, distinct and recognised', () => {
    const numeric = countries.codes.map(numericCode)
    expect(numeric.every(code => /^\d{3}$/.test(code))).toBe(true)
    expect(numeric.map(code => countries.recognise(code))).toEqual(countries.codes)
    expect(numericCode('AF')).toBe('004')
    expect(() => numericCode('ZZ')).toThrow('not a listed country')
  })

  test('have titles in both languages', () => {
    expect([countries.title('DE', 'en'), countries.title('DE', 'fr')]).toEqual(['Germany', 'Allemagne'])
  })
})

describe('Harmonized System', () => {
  test('has 97 chapters, 1229 headings, 5613 subheadings, those for what is not specified included', () => {
    expect([hs2, hs4, hs6].map(list => list.codes.length)).toEqual([97, 1229, 5613])
    expect([hs2, hs4, hs6].map(list => list.codes.at(-1))).toEqual(['99', '9999', '999999'])
  })

  test.each([
    [hs2, 2],
    [hs4, 4],
    [hs6, 6],
  ] as const)('$id is sorted and has its number of digits', (list, digits) => {
    expect(list.codes).toEqual(list.codes.toSorted())
    expect(list.codes.filter(code => code.length !== digits || !/^\d+$/.test(code))).toEqual([])
  })

  test('is a hierarchy without gaps', () => {
    expect([...new Set(hs6.codes.map(code => code.slice(0, 4)))]).toEqual(hs4.codes)
    expect([...new Set(hs4.codes.map(code => code.slice(0, 2)))]).toEqual(hs2.codes)
  })

  test('has no chapter 77 and no chapter 98', () => {
    expect([hs2.recognise('77'), hs2.recognise('98')]).toEqual([undefined, undefined])
  })

  test('has a title for each chapter and for nothing else', () => {
    expect(Object.keys(chapterTitles).toSorted()).toEqual(hs2.codes)
    expect([hs2.title('01', 'en'), hs2.title('01', 'fr')]).toEqual(['Live animals', 'Animaux vivants'])
    expect([hs4.title('0101', 'en'), hs6.title('010121', 'fr')]).toEqual(['0101', '010121'])
  })

  test.each(['850440', '8504.40', '85.04.40', '85 04 40', '8504 40', ' 850440 '])('recognises "%s"', spelling => {
    expect(hs6.recognise(spelling)).toBe('850440')
  })

  test.each(['85044', '8504.4', '850440.0', '8504400000', '850.440', '8504..40', '.850440', '8504-40', 'TOTAL', ''])(
    'does not recognise "%s"',
    spelling => {
      expect(hs6.recognise(spelling)).toBeUndefined()
    },
  )

  test('does not take a number that lost its zero for another chapter', () => {
    expect([hs2.recognise('1'), hs2.recognise('1.0')]).toEqual([undefined, undefined])
  })
})

// The table itself is no part of the project, only its codes are: it may be absent.
const table = new URL('../../../shared/data/hs2022-en.csv', import.meta.url)

test.skipIf(!existsSync(table))(
  'HS codes and chapters agree with ../shared/data/hs2022-en.csv (skipped without it)',
  () => {
    const rows = readFileSync(table, 'utf8').matchAll(/^[IVX]+,(\d+),|^TOTAL,(\d+),/gm)
    const codes = [...rows].map(([, specified, unspecified]) => specified ?? unspecified ?? '')
    const ofLength = (digits: number) => codes.filter(code => code.length === digits)
    expect([hs2.codes, hs4.codes, hs6.codes]).toEqual([ofLength(2), ofLength(4), ofLength(6)])
  },
)

test('modes of transport are recognised by the digits of Recommendation 19', () => {
  expect([...'0123456789'].map(digit => transportModes.recognise(digit))).toEqual([undefined, ...transportModes.codes])
})

test.each([
  ['KGM', 'kg'],
  ['KG', 'kg'],
  ['M²', 'm2'],
  ['1000 kWh', '1000kWh'],
  ['MWH', '1000kWh'],
  ['NAR', 'u'],
  ['2U', '2u'],
  ['u (jeu/pack)', 'pack'],
])('the unit %s is %s', (spelling, unit) => {
  expect(quantityUnits.recognise(spelling)).toBe(unit)
})

test('units are never scaled', () => {
  expect(['kWh', 'TNE', 't', 'GN', 'CTN'].map(unit => quantityUnits.recognise(unit))).toEqual(Array(5).fill(undefined))
})

test('flows are recognised by the letters of UN Comtrade', () => {
  expect(['M', 'X', 'RM', 'RX'].map(letter => flows.recognise(letter))).toEqual(flows.codes.slice(0, 4))
})

import fc from 'fast-check'
import { expect } from 'vitest'
import { monthReader } from '#member-node/import/months.ts'
import { findNumberFormat } from '#member-node/import/number-format.ts'
import { decimalReader, type NumberFormat, type Units } from '#member-node/import/rounding.ts'
import { formatInvitation, type Invitation, parseInvitation } from '#party/invitation.ts'
import type { CodeList } from '#specs/code-lists/code-list.ts'
import { countries } from '#specs/code-lists/countries.ts'
import { flows } from '#specs/code-lists/flows.ts'
import { hs2, hs4, hs6 } from '#specs/code-lists/harmonized-system.ts'
import { procedures } from '#specs/code-lists/procedures.ts'
import { quantityUnits } from '#specs/code-lists/quantity-units.ts'
import { transportModes } from '#specs/code-lists/transport-modes.ts'
import { fault } from '#specs/errors.ts'
import { monthIndex, monthOfIndex, monthsBetween, periodGrain, periodsBetween } from '#specs/period.ts'
import { parseDuration } from '#specs/query.ts'
import { type Decoder, decoder } from './decoder.ts'
import { mutatedText } from './mutations.ts'

/** The refusal of a reader that has none of its own. */
function orRefuse<T>(value: T | undefined): T {
  if (value === undefined) throw fault('bad-option', 'it is none')
  return value
}

function invitations(): Decoder {
  const examples = [
    `https://inbond.example/path#member.${'c'.repeat(24)}.${'f'.repeat(43)}`,
    `http://[::1]:8400#researcher.${'-'.repeat(16)}.${'_'.repeat(43)}`,
  ]
  return decoder<string, Invitation>({
    name: 'an invitation',
    examples,
    inputs: mutatedText(examples),
    codes: ['bad-invitation'],
    decode: parseInvitation,
    believe: (read, line) => {
      expect(parseInvitation(formatInvitation(read))).toEqual(read)
      const [address = '', ...others] = line.trim().split('#')
      // The URL standard reads a backslash as a slash, so what ends in one is known only once it is read.
      expect(new URL(read.url).href.replace(/\/+$/, '')).toBe(new URL(address).href.replace(/\/+$/, ''))
      expect(read.url).toMatch(/[^/]$/)
      expect(`${read.role}.${read.code}.${read.federation}`).toBe(others.join('#'))
    },
  })
}

function periods(): Decoder {
  const examples = ['2020-01..2020-12', '2019..2021', '2020-03..2020-03', '1999-12..2000-01']
  return decoder<string, string[]>({
    name: 'a period',
    examples,
    inputs: mutatedText(examples),
    codes: ['bad-option'],
    decode: text => {
      const [from = '', to = ''] = text.split('..')
      orRefuse(periodGrain({ from, to }))
      return periodsBetween({ from, to })
    },
    believe: (read, text) => {
      const [from = '', to = ''] = text.split('..')
      expect([read[0], read.at(-1)]).toEqual([from, to])
      expect(read.length).toBeLessThanOrEqual(1200)
      expect(read.toSorted()).toEqual(read)
      const months = monthsBetween({ from, to })
      const span = monthIndex(months.to) - monthIndex(months.from) + 1
      expect(read).toHaveLength(periodGrain({ from, to }) === 'month' ? span : span / 12)
      expect(monthOfIndex(monthIndex(months.from))).toBe(months.from)
    },
  })
}

function durations(): Decoder {
  const examples = ['1s', '90s', '30m', '24h', '7d']
  return decoder<string, number>({
    name: 'a time to close',
    examples,
    inputs: mutatedText(examples),
    codes: ['bad-query'],
    decode: parseDuration,
    believe: read => {
      expect(parseDuration(`${read / 1000}s`)).toBe(read)
      expect(read).toBeLessThanOrEqual(7 * 86_400_000)
    },
  })
}

const LISTS: readonly CodeList[] = [countries, flows, hs2, hs4, hs6, procedures, quantityUnits, transportModes]

function codes(): Decoder {
  const examples = LISTS.flatMap((list, i) => list.codes.slice(0, 3).map(code => `${i} ${code}`))
  return decoder<string, { list: CodeList; code: string }>({
    name: 'a code',
    examples,
    inputs: mutatedText(examples),
    codes: ['bad-option'],
    decode: text => {
      const list = LISTS[Number.parseInt(text, 10) % LISTS.length] ?? countries
      return { list, code: orRefuse(list.recognise(text.slice(2))) }
    },
    believe: ({ list, code }) => {
      expect(list.codes).toContain(code)
      expect(list.recognise(code)).toBe(code)
      expect(list.title(code, 'en')).toMatch(/\S/)
    },
  })
}

const FORMATS = ['DD/MM/YYYY', 'YYYY-MM', 'YYYYMMDD', 'MM.YYYY', 'YYYY/MM/DD']

function formats(): Decoder {
  return decoder<string, ReturnType<typeof monthReader>>({
    name: 'a date format',
    examples: FORMATS,
    inputs: mutatedText(FORMATS),
    codes: ['bad-mapping'],
    decode: monthReader,
    believe: (read, format) => {
      expect(read(format.replace('YYYY', '2020').replace('MM', '02').replace('DD', '29'))).toBe(2020 * 12 + 1)
      expect(read(format.replace('YYYY', '2020').replace('MM', '13').replace('DD', '01'))).toBeUndefined()
    },
  })
}

function dates(): Decoder {
  const examples = [
    '2020-02-29',
    '2020-03',
    '20200301',
    '202003',
    '2020-03-01T12:00:00Z',
    '29/02/2020',
    '1/3/2020 8:00',
  ]
  const readers = [monthReader(), monthReader('DD/MM/YYYY'), monthReader('YYYYMMDD')]
  return decoder<string, number>({
    name: 'a date',
    examples,
    inputs: mutatedText(examples),
    codes: ['bad-option'],
    decode: text => orRefuse(readers.map(read => read(text)).find(month => month !== undefined)),
    believe: (month, text) => {
      const written = monthOfIndex(month)
      const [year = '', number = ''] = written.split('-')
      expect(written).toMatch(/^(19|20|21)\d\d-(0[1-9]|1[0-2])$/)
      expect(text).toContain(year)
      expect(text).toContain(String(Number(number)))
    },
  })
}

function numbers(): Decoder {
  const examples = ['1234.50', '1,234.5', "1'234'567.891", '-0,5', '1.234.567,89', '12,34,567.8', '1e3', '+.5', '0']
  const formats: NumberFormat[] = (['.', ','] as const).flatMap(decimal =>
    [true, false].map(grouping => ({ decimal, grouping })),
  )
  const readers = formats.flatMap(format => [0, 2, 3].map(decimals => decimalReader(format, decimals)))
  return decoder<string, Units[]>({
    name: 'a number',
    examples,
    inputs: mutatedText(examples),
    codes: ['bad-option'],
    decode: text => {
      const read = readers.flatMap(reader => reader(text) ?? [])
      return orRefuse(read.length > 0 ? read : undefined)
    },
    believe: (read, text) => {
      // Groups only before the decimal mark, and one separator throughout.
      expect(text).toMatch(
        /^[+-]?(?=.?\d)(\d*|\d{1,3}([.,’' \u00a0\u202f])(\d{2,3}\2)*\d{3})([.,]\d*)?([eE][+-]?\d{1,3})?$/,
      )
      for (const { units } of read) expect(Math.abs(units) === Infinity || Number.isSafeInteger(units)).toBe(true)
    },
  })
}

function marks(): Decoder {
  const examples = ['1.5 2.5', '1.234,5 1,5', '1,234,567 1.5', '12 13']
  const inputs = fc.tuple(mutatedText(examples), fc.constantFrom(',', ';', '\t', '|')).map(parts => parts.join('\0'))
  return decoder<string, NumberFormat>({
    name: 'a column of numbers',
    examples: examples.map(example => `${example}\0,`),
    inputs,
    codes: ['ambiguous-decimal'],
    decode: text => {
      const end = text.lastIndexOf('\0')
      return findNumberFormat(text.slice(0, end).split(' '), text.slice(end + 1))
    },
    // What is taken without a doubt does not depend on the order of the cells.
    believe: (format, text) => {
      const end = text.lastIndexOf('\0')
      expect(findNumberFormat(text.slice(0, end).split(' ').toReversed(), text.slice(end + 1))).toEqual(format)
    },
  })
}

/** What stands in one cell, one scalar or one argument. Where a reader answers "none", that is its refusal. */
export const wordDecoders: readonly Decoder[] = [
  invitations(),
  periods(),
  durations(),
  codes(),
  dates(),
  formats(),
  numbers(),
  marks(),
]

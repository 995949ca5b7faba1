import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import iso from 'i18n-iso-countries/codes.json' with { type: 'json' }
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HS2022 } from '#specs/code-lists/hs2022.ts'
import { answerOf, Federation, ROOT } from './federation.ts'

/**
 * Real declarations, through the command line only: every cell of every answer against a plaintext recount of the CSV file that
 * shares no code with the importer, the warehouse or the researcher.
 */

const FILE = join(ROOT, '../shared/data/kcs-imports-2020.csv')

const MAP = `dataset: declarations
key: Declaration ID
constants: { flow: import, currency: KRW }
columns:
  period:      { from: Date, take: month }
  hs6:         HS6 Code
  origin:      Country of Origin
  consignment: Country of Departure
  procedure:   { from: Import Type, codes: { "11": home-use, "*": other } }
  transport:   { from: Mode of Transport, codes: { "10": sea, "40": air, "50": post, "*": other } }
  trader:      Importer ID
  value:       Item Price
  netMass:     Net Mass
`

type Declaration = Readonly<Record<string, string>>

/** The file has neither quotes nor commas within cells, so a line is split at its commas. */
function declarations(): { head: string; lines: readonly string[]; records: readonly Declaration[] } {
  const [head = '', ...lines] = readFileSync(FILE, 'utf8')
    .replace(/^\uFEFF/, '')
    .trimEnd()
    .split(/\r?\n/)
  const columns = head.split(',')
  const records = lines.map(line => {
    const cells = line.split(',')
    if (cells.length !== columns.length)
      throw new Error(`the file is not as simple as this test takes it to be: ${line}`)
    return Object.fromEntries(columns.map((column, i) => [column, cells[i] as string]))
  })
  return { head, lines, records }
}

/** Whole offices to members, so that these differ in size as they do in life. */
function memberOf(office: string): string {
  return { '40': 'KR', '20': 'JP', '30': 'VN', '16': 'FR', '13': 'FR', '10': 'FR' }[office] ?? 'BR'
}

const subheadings = new Set(
  HS2022.trim()
    .split('\n')
    .flatMap(line => {
      const [heading = '', ...endings] = line.split(' ')
      return endings.map(ending => heading + ending)
    }),
)
const chapters = new Set([...subheadings].map(code => code.slice(0, 2)))
const countries = new Set((iso as string[][]).map(([alpha2]) => alpha2))

/** The rules of the dataset: what is not listed is other, what is no code at all is unknown. */
const CODES: Readonly<Record<string, (one: Declaration) => string>> = {
  hs2: one => listed(chapters, (one['HS6 Code'] as string).slice(0, 2)),
  hs6: one => listed(subheadings, one['HS6 Code'] as string),
  origin: one => (countries.has(one['Country of Origin'] as string) ? (one['Country of Origin'] as string) : 'unknown'),
  period: one => (one.Date as string).slice(0, 7),
  transport: one =>
    ({ '10': 'sea', '40': 'air', '50': 'post', '': 'unknown' })[one['Mode of Transport'] as string] ?? 'other',
}

function listed(codes: ReadonlySet<string>, code: string): string {
  return codes.has(code) ? code : 'other'
}

const MEASURES: Readonly<Record<string, { column: string; decimals: number }>> = {
  'sum(value)': { column: 'Item Price', decimals: 2 },
  'sum(netMass)': { column: 'Net Mass', decimals: 3 },
}

/** Decimal text to an integer of 10^-decimals, half to even, by long division of what is cut off. */
function units(text: string, decimals: number): bigint {
  const [, whole = '', fraction = ''] = /^(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  if (whole === '') throw new Error(`${text} is not a plain decimal`)
  const scaled = BigInt(whole + fraction) * 10n ** BigInt(decimals)
  const divisor = 10n ** BigInt(fraction.length)
  const [quotient, rest] = [scaled / divisor, (scaled % divisor) * 2n]
  return rest > divisor || (rest === divisor && quotient % 2n === 1n) ? quotient + 1n : quotient
}

function decimal(value: bigint, decimals: number): string {
  const digits = String(value).padStart(decimals + 1, '0')
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

/** Cells as rows, by their codes. */
function recount(records: readonly Declaration[], by: readonly string[], measures: readonly string[]) {
  const cells = new Map<string, { codes: string[]; count: number; sums: bigint[] }>()
  for (const one of records) {
    const codes = by.map(dimension => (CODES[dimension] as (one: Declaration) => string)(one))
    const cell = cells.get(codes.join()) ?? { codes, count: 0, sums: measures.map(() => 0n) }
    cell.count++
    for (const [i, name] of measures.entries()) {
      const { column, decimals } = MEASURES[name] as { column: string; decimals: number }
      const text = one[column] as string
      if (text !== '') cell.sums[i] = (cell.sums[i] as bigint) + units(text, decimals)
    }
    cells.set(codes.join(), cell)
  }
  return [...cells.values()].map(({ codes, count, sums }) => ({
    ...Object.fromEntries(by.map((dimension, i) => [dimension, codes[i] as string])),
    'count(records)': count,
    ...Object.fromEntries(
      measures.map((name, i) => [name, decimal(sums[i] as bigint, MEASURES[name]?.decimals as number)]),
    ),
  }))
}

type Row = Readonly<Record<string, string | number>>

function sorted(rows: readonly Row[], by: readonly string[]): readonly Row[] {
  const keyOf = (row: Row) => by.map(dimension => row[dimension]).join()
  return rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

function csvRows(text: string): Row[] {
  const [head = '', ...lines] = text.trimEnd().split('\r\n')
  const columns = head.split(',')
  return lines.map(line => {
    const cells = line.split(',')
    return Object.fromEntries(
      columns.map((column, i) => [column, column === 'count(records)' ? Number(cells[i]) : (cells[i] as string)]),
    )
  })
}

const present = existsSync(FILE)

describe.skipIf(!present)(
  present
    ? 'five members with the declarations of 2020 of the Korea Customs Service'
    : 'five members with real declarations: skipped, because ../shared/data/kcs-imports-2020.csv is not here',
  () => {
    let federation: Federation
    let records: readonly Declaration[]

    beforeAll(async () => {
      const file = declarations()
      records = file.records
      federation = await Federation.create({ currency: 'KRW' })
      await Promise.all(
        federation.ids.map(async id => {
          const own = file.lines.filter((_, i) => memberOf(records[i]?.['Office ID'] as string) === id)
          await federation.load(id, [file.head, ...own, ''].join('\n'), MAP)
        }),
      )
      await federation.startMembers()
    })
    afterAll(() => federation?.[Symbol.asyncDispose]())

    it.each([
      ['by chapter and origin', ['hs2', 'origin'], ['sum(value)', 'sum(netMass)'], ''],
      ['by HS6', ['hs6'], ['sum(value)'], 'flow: import'],
      [
        'by month and transport',
        ['period', 'transport'],
        ['sum(value)', 'sum(netMass)'],
        'period: { from: 2020-01, to: 2020-12 }',
      ],
    ])('answers "%s" as plaintext does, as JSON and as CSV', async (purpose, by, measures, where) => {
      const asked = measures.map(name => `{ sum: ${name.slice(4, -1)} }`)
      const query = `dataset: declarations
where: { ${where} }
by: [${by}]
measures: [{ count: records }, ${asked}]
purpose: ${purpose}
`
      const expected = sorted(recount(records, by, measures), by)
      const asking = federation.ask(query)
      const answer = answerOf(await asking.ended)
      expect(answer.cohort).toEqual(federation.ids)
      expect(sorted(answer.rows, by)).toEqual(expected)
      expect(answer.evidence.addedUpAgain).toBe(true)
      const again = ['query', 'follow', answer.query.slice(0, 12), '--as', federation.of('researcher'), '--csv']
      const csv = await federation.line.succeed(...again)
      expect(csv.split('\r\n')[0]).toBe([...by, 'count(records)', ...measures].join())
      expect(sorted(csvRows(csv), by)).toEqual(expected)
    })

    it('has members of very different size and codes outside the lists, or it would not test much', () => {
      const sizes = federation.ids.map(id => records.filter(one => memberOf(one['Office ID'] as string) === id).length)
      expect(Math.max(...sizes)).toBeGreaterThan(4 * Math.min(...sizes))
      const by = (dimension: string) => recount(records, [dimension], []).map(row => (row as Row)[dimension])
      expect(by('hs6')).toContain('other')
      expect(by('origin')).toContain('unknown')
      expect(by('transport')).toContain('other')
    })
  },
)

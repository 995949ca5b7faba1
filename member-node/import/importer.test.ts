import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { declarations } from '#specs/datasets/declarations.ts'
import type { Axis, Condition } from '#specs/query.ts'
import { openWarehouse, type Warehouse } from '../warehouse/warehouse.ts'
import { describeReport } from './import-report.ts'
import { type ImportRequest, importFile } from './importer.ts'
import { parseMapping } from './mapping.ts'

const folder = mkdtempSync(join(tmpdir(), 'inbond-importer-'))
afterAll(() => rmSync(folder, { recursive: true }))

let warehouse: Warehouse
beforeEach(() => {
  warehouse = openWarehouse(':memory:')
  return () => warehouse.close()
})

const HEADER = 'Id;Date;HS;From;Mode;Price;Mass'
const MAP = `
dataset: declarations
key: Id
constants: { flow: import, currency: USD }
columns:
  period: Date
  hs6: HS
  origin: From
  transport: { from: Mode, codes: { "10": sea, "99": unknown, "*": other } }
  value: Price
  netMass: Mass
`
const UNKEYED = MAP.replace('key: Id\n', '')

interface Options extends Partial<Omit<ImportRequest, 'mapping'>> {
  map?: string
  currency?: string
}

function load(content: string, { map = MAP, currency = 'USD', dataset = declarations, ...rest }: Options = {}) {
  const file = join(folder, 'goods.csv')
  writeFileSync(file, content)
  let now = Date.UTC(2021, 3, 30)
  const request = {
    dataset,
    mapping: parseMapping(map, dataset),
    file,
    rejectedFolder: join(folder, 'rejected'),
    ...rest,
  }
  return importFile(request, { warehouse, currency, clock: () => (now += 100) })
}

const lines = (...rows: string[]) => [HEADER, ...rows].join('\n')
const refusal = (code: string, message = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(message) })

/** Records by position on one axis, empty positions left out. */
function countBy(axis: Axis, where: readonly Condition[] = []): Record<string, bigint> {
  const cells = warehouse.aggregate({ dataset: declarations, where, by: [axis], measures: [{ count: 'records' }] })
  const names = [...axis.codes, 'other', 'unknown']
  return Object.fromEntries(names.map((name, i) => [name, cells[i] as bigint]).filter(([, count]) => count !== 0n))
}

const sum = (measure: string) =>
  warehouse.aggregate({ dataset: declarations, where: [], by: [], measures: [{ sum: measure }, { count: measure }] })

describe('what a record becomes', () => {
  test('measures are rounded once and counted; empty is not zero', () => {
    const report = load(lines('1;2020-01;0101;KR;10;0,125;', '2;2020-01;0101;KR;10;1.234,5;7,0005', '3;2020-01;;;;;0'))
    expect(report).toMatchObject({
      read: 3,
      loaded: 3,
      decimal: ',',
      delimiter: ';',
      rounded: { value: 1, netMass: 1 },
    })
    expect([...sum('value')]).toEqual([123_462n, 2n])
    expect([...sum('netMass')]).toEqual([7000n, 2n])
  })

  test('each level of a hierarchical code is looked up on its own', () => {
    const codes = [
      '8517',
      '851712',
      '8517120000',
      '8517.12',
      '85 17 12',
      '850000',
      '85',
      '8',
      '10110',
      '1.0',
      'ABC',
      '',
    ]
    const report = load(lines(...codes.map((code, i) => `${i};2020-01;${code};KR;10;1;1`)))
    expect(countBy({ dimension: 'hs2', codes: ['85'] })).toEqual({ '85': 7n, unknown: 5n })
    expect(countBy({ dimension: 'hs4', codes: ['8517'] })).toEqual({ '8517': 5n, other: 1n, unknown: 6n })
    // 851712 is a code of an earlier edition, 8500 of none.
    expect(countBy({ dimension: 'hs6', codes: ['851713'] })).toEqual({ other: 5n, unknown: 7n })
    expect(
      countBy({ dimension: 'hs6', codes: ['851713'] }, [{ dimension: 'hs6', kind: 'prefix', prefix: '8517' }]),
    ).toEqual({
      other: 4n,
    })
    expect(report.other).toEqual({ hs4: 1, hs6: 5 })
    expect(report.unknown).toEqual({ hs2: 5, hs4: 6, hs6: 7 })
  })

  test('the most frequent codes that the lists do not have are named, and nothing that is too long for a code', () => {
    const often = (times: number, hs: string, from = 'KR') => Array<string>(times).fill(`;2020-01;${hs};${from};10;1;1`)
    const rows = ['851712', '850000', '850001', '850002', '850003', '850004'].flatMap((hs, i) => often(7 - i, hs))
    rows.push(...often(2, '', 'XX'), ...often(1, '0101', ''), ...often(3, 'Acme Trading', 'Acme Trading'))
    const report = load(lines(...rows), { map: UNKEYED })
    expect(report.otherCodes.hs6?.map(({ code, records }) => [code, records])).toEqual([
      ['851712', 7],
      ['850000', 6],
      ['850001', 5],
      ['850002', 4],
      ['850003', 3],
    ])
    expect(report.unknownCodes.origin).toEqual([
      { code: 'XX', records: 2 },
      { code: '', records: 1 },
    ])
    const said = describeReport(report).join('\n')
    expect(said).toContain('hs6 27 (851712: 7, 850000: 6, 850001: 5, 850002: 4, 850003: 3)')
    expect(said).toContain('origin 6 (XX: 2, empty: 1)')
    expect(JSON.stringify(report)).not.toContain('Acme')
  })

  test('codes are recognised, translated, other or unknown', () => {
    const report = load(
      lines('1;2020-01;01;KOR;10;1;1', '2;2020-01;01;410;air;1;1', '3;2020-01;01;Korea?;99;1;1', '4;2020-01;01;;;1;1'),
    )
    expect(countBy({ dimension: 'origin', codes: ['KR'] })).toEqual({ KR: 2n, unknown: 2n })
    expect(countBy({ dimension: 'transport', codes: ['sea', 'air'] })).toEqual({ sea: 1n, other: 1n, unknown: 2n })
    expect(countBy({ dimension: 'flow', codes: ['import'] })).toEqual({ import: 4n })
    expect(report.other).toEqual({ transport: 1 })
    expect(report.unknown).toMatchObject({ origin: 2, transport: 2 })
    expect(report.notices.join()).toContain('consignment, destination, procedure, quantityUnit')
  })

  test('what an empty cell means is the dataset’s to say; bounds clip or reject', () => {
    const dataset: Dataset = {
      ...declarations,
      id: 'clipped',
      dimensions: { ...declarations.dimensions, origin: { ...declarations.dimensions.origin, whenEmpty: 'KR' } },
      measures: { ...declarations.measures, value: { ...declarations.measures.value, most: 10, beyond: 'clip' } },
    }
    const report = load(lines('1;2020-01;;;;11;1', '2;2020-01;;;;-0,5;1', '3;2020-01;;;;1;-1'), {
      dataset,
      map: MAP.replace('declarations', 'clipped'),
    })
    expect(report).toMatchObject({ loaded: 2, rejected: 1, clipped: { value: 2 } })
    expect(report.rejections).toEqual([{ line: 4, reason: 'netMass is not between 0 and 10000000000' }])
    const asked = { dataset, where: [], by: [{ dimension: 'origin', codes: ['KR'] }], measures: [{ sum: 'value' }] }
    expect([...warehouse.aggregate(asked)]).toEqual([1000n, 0n, 0n])
  })
})

describe('what is rejected', () => {
  test('is named with line and reason, and written out with the record', () => {
    const report = load(
      lines(
        '1;2020-01;01;KR;10;1;1',
        '',
        '2;2020-13;01;KR;10;1;1',
        '3;;01;KR;10;1;1',
        '4;2020-01;01;KR;10;"a;""b""";1',
        '5;x',
        ';2020-01;;;;;',
      ),
    )
    expect(report).toMatchObject({ read: 6, loaded: 1, rejected: 5, unknown: {} })
    expect(report.rejections).toEqual([
      { line: 4, reason: 'period is not a date in the expected form' },
      { line: 5, reason: 'period is empty' },
      { line: 6, reason: 'value is not a number with a decimal point' },
      { line: 7, reason: 'it has 2 cells where the header has 7' },
      { line: 8, reason: 'the key is empty' },
    ])
    const written = readFileSync(report.rejectedFile as string, 'utf8').split('\r\n')
    expect(written[0]).toBe(`line;reason;${HEADER}`)
    expect(written[1]).toBe('4;period is not a date in the expected form;2;2020-13;01;KR;10;1;1')
    expect(written).toHaveLength(7)
    expect(describeReport(report).join('\n')).toContain('line 4 rejected')
  })

  test.each([
    ['value is a name', MAP],
    ['period is a name', MAP.replace('period: Date', 'period: Price')],
    ['mass and value are exchanged', MAP.replace('value: Price', 'value: Mass').replace('Mass: Mass', 'Mass: Price')],
  ])('is not quoted in what is printed: %s', (_, map) => {
    const unquoted = expect.not.stringMatching(/Trader|4711|8127/)
    expect(() => load(lines('id-4711;2020-01;01;KR;10;Trader Ltd;8127.5'), { map })).toThrow(
      expect.objectContaining({ code: 'nothing-loaded', message: unquoted }),
    )
  })

  test('a file of which nothing remains is an error', () => {
    expect(() => load(lines('1;01/02/2020;01;KR;10;1;1'), { complete: { from: '2020-01', to: '2020-12' } })).toThrow(
      refusal('nothing-loaded', 'line 2: period'),
    )
    expect(warehouse.coverage(declarations)).toEqual([])
  })
})

describe('which file it is', () => {
  const file = lines('1;2020-01;01;KR;10;1;1', '2;2020-02;01;KR;10;1;1')

  test('without a key the same file is refused, until its records are gone', () => {
    load(file, { map: UNKEYED })
    expect(() => load(file, { map: UNKEYED })).toThrow(refusal('already-imported', '2021-04-30'))
    expect(() => load(file, { map: UNKEYED, replace: { from: '2020-01', to: '2020-01' } })).toThrow(
      refusal('already-imported'),
    )
    const again = load(file, { map: UNKEYED, replace: { from: '2020-01', to: '2020-02' } })
    expect(again).toMatchObject({ removed: 2, loaded: 2 })
    expect([...sum('value')]).toEqual([200n, 2n])
  })

  test('with a key the same key replaces', () => {
    load(file)
    const report = load(lines('2;2020-03;01;KR;10;5;1', '3;2020-03;01;KR;10;1;1', '3;2020-03;01;KR;10;2;1'))
    expect(report).toMatchObject({ read: 3, loaded: 1, replaced: 2, periods: ['2020-02', '2020-03'] })
    expect(report.notices.join()).toContain('is the key unique?')
    expect([...sum('value')]).toEqual([800n, 3n])
  })

  test('a dry run reports and keeps nothing', () => {
    expect(load(file, { dryRun: true, complete: { from: '2020', to: '2020' } })).toMatchObject({
      loaded: 2,
      dryRun: true,
    })
    expect(warehouse.coverage(declarations)).toEqual([])
    expect(warehouse.status(declarations).records).toBe(0)
  })

  test('a change of a closed month is said not to show until the month is closed again; the same records are no change', () => {
    const year = { from: '2020-01', to: '2020-12' }
    expect(load(file, { complete: year }).reopened).toEqual([])
    expect(load(file)).toMatchObject({ replaced: 2, periods: [], reopened: [] })
    const report = load(lines('2;2020-03;01;KR;10;5;1', '3;2020-05;01;KR;10;1;1'))
    expect(report.reopened).toEqual(['2020-02', '2020-03', '2020-05'])
    expect(report.notices.join()).toContain('2020-02..2020-03, 2020-05 changed after being closed')
    expect([...sum('value')]).toEqual([200n, 2n])
    expect(load(lines('4;2020-05;01;KR;10;1;1'), { complete: year }).reopened).toEqual([])
    expect(load(lines('4;2020-05;01;KR;10;2;1'), { complete: { from: '2020-05', to: '2020-05' } }).reopened).toEqual([])
  })

  test('completing covers months without records', () => {
    load(file, { complete: { from: '2020-01', to: '2020-03' } })
    expect(warehouse.coverage(declarations).map(one => one.state)).toEqual(['complete', 'complete', 'complete'])
  })

  test('completing says which months have no records, whatever the import before this one brought or this one took away', () => {
    const closing = (content: string, from: string, to: string) => load(content, { complete: { from, to } })
    const report = closing(file, '2020-01', '2020-04')
    expect(report.empty).toEqual(['2020-03', '2020-04'])
    expect(describeReport(report).join('\n')).toContain(
      'note: No records of 2020-03..2020-04: they are complete with none',
    )
    const moved = closing(lines('2;2020-03;01;KR;10;1;1'), '2020-01', '2020-03')
    expect(moved.empty).toEqual(['2020-02'])
    expect(moved.notices.join()).toContain('No records of 2020-02: it is complete with none')
    expect(closing(lines('3;2020-02;01;KR;10;1;1'), '2020-01', '2020-03').empty).toEqual([])
    expect(closing(lines('3;2020-04;01;KR;10;1;1', '3;2020-03;01;KR;10;1;1'), '2020-04', '2020-04').empty).toEqual([
      '2020-04',
    ])
  })

  test('a month that has not ended anywhere is not completed', () => {
    const closing = (to: string) => () => load(file, { complete: { from: '2021-03', to } })
    expect(closing('2021-04')).toThrow(refusal('not-ended', '2021-04 has not ended'))
    expect(closing('2021-12')).toThrow(refusal('not-ended', '2021-04..2021-12 have not ended'))
    expect(warehouse.status(declarations).imports).toBe(0)
    expect(closing('2021-03')().empty).toEqual(['2021-03'])
  })
})

describe('what is refused', () => {
  const one = (price: string) => lines(`1;2020-01;01;KR;10;${price};1`)

  test('a file without a header line, of which no cell is quoted', () => {
    const record = '1;2020-01;01;KR;10;1.25;Acme Trading'
    const importing = () => load(`${record}\n${record}\n`)
    expect(importing).toThrow(/no column "[^"]+" in its first line, of 7 cells/)
    expect(importing).not.toThrow(/Acme|2020-01/)
  })

  test.each([
    [
      'a column that is not there',
      one('1'),
      { map: MAP.replace('Price', 'Prise') },
      'column-not-found',
      'do you mean "Price"',
    ],
    [
      'a column that is there twice',
      `${HEADER};Price\n1;2020-01;01;KR;10;1;1;2`,
      {},
      'bad-file',
      'two columns "Price"',
    ],
    ['an ambiguous number', one('1,234'), {}, 'ambiguous-decimal', '1,234'],
    ['another currency', one('1'), { currency: 'EUR' }, 'currency-not-supported', 'USD'],
    ['a constant that is no code', one('1'), { map: MAP.replace('import,', 'imported,') }, 'bad-mapping', 'imported'],
    [
      'a period that is none',
      one('1'),
      { replace: { from: '2020-02', to: '2020-01' } },
      'bad-option',
      '2020-02..2020-01',
    ],
  ])('%s', (_, content, options, code, message) => {
    expect(() => load(content, options)).toThrow(refusal(code, message))
    expect(warehouse.status(declarations).imports).toBe(0)
  })

  test('a record in another currency, where the file has a column for it', () => {
    const map = MAP.replace(', currency: USD', '').replace('  value:', '  currency: From\n  value:')
    expect(load(lines('1;2020-01;01;usd;10;1;1'), { map }).loaded).toBe(1)
    expect(() => load(lines('2;2020-01;01;USD;10;1;1', '3;2020-01;01;EUR;10;1;1'), { map })).toThrow(
      refusal('currency-not-supported', 'line 3 is in another currency'),
    )
    expect(warehouse.status(declarations).records).toBe(1)
  })
})

const REAL = new URL('../../../shared/data/kcs-imports-2020.csv', import.meta.url)

describe.skipIf(!existsSync(REAL))('37,385 synthetic declarations (skipped where ../shared/data is absent)', () => {
  const map = `
dataset: declarations
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

  /** Decimal text to units, half to even, by integers alone. */
  function units(text: string, decimals: number): bigint {
    const [whole = '', fraction = ''] = text.split('.')
    const digits = BigInt(whole + fraction.padEnd(20, '0'))
    const divisor = 10n ** BigInt(20 - decimals)
    const [quotient, twice] = [digits / divisor, 2n * (digits % divisor)]
    return quotient + (twice > divisor || (twice === divisor && quotient % 2n === 1n) ? 1n : 0n)
  }

  test('every cell by chapter, origin and month equals a naive recount', () => {
    const text = readFileSync(REAL, 'utf8').trim().split('\n')
    const header = text[0]?.split(',') ?? []
    const { hs2, origin } = declarations.dimensions
    const months = Array.from({ length: 12 }, (_, i) => `2020-${String(i + 1).padStart(2, '0')}`)
    const axes = [hs2.codeList.codes, origin.codeList.codes, months]
    const expected = new Map<string, [bigint, bigint, bigint]>()
    for (const line of text.slice(1)) {
      const cells = line.split(',')
      const cell = (name: string) => cells[header.indexOf(name)] as string
      const values = [cell('HS6 Code').slice(0, 2), cell('Country of Origin'), cell('Date').slice(0, 7)]
      const place = values.map((value, i) => ((axes[i]?.indexOf(value) ?? -1) < 0 ? 'unlisted' : value)).join()
      const [n, value, mass] = expected.get(place) ?? [0n, 0n, 0n]
      expected.set(place, [n + 1n, value + units(cell('Item Price'), 2), mass + units(cell('Net Mass'), 3)])
    }

    const mapping = parseMapping(map, declarations)
    const request = { dataset: declarations, mapping, file: REAL.pathname, rejectedFolder: folder }
    const report = importFile(request, { warehouse, currency: 'KRW', clock: () => 0 })
    expect(report).toMatchObject({ read: 37_385, loaded: 37_385, replaced: 0, rejected: 0 })

    const by = ['hs2', 'origin', 'period'].map((dimension, i) => ({ dimension, codes: axes[i] as readonly string[] }))
    const measures = [{ count: 'records' }, { sum: 'value' }, { sum: 'netMass' }]
    const slots = warehouse.aggregate({ dataset: declarations, where: [], by, measures })
    const cells = slots.length / 3
    const found = new Map<string, [bigint, bigint, bigint]>()
    for (let cell = 0; cell < cells; cell++) {
      if (slots[cell] === 0n) continue
      const [inner, middle] = [months.length + 2, origin.codeList.codes.length + 2]
      const positions = [Math.floor(cell / inner / middle), Math.floor(cell / inner) % middle, cell % inner]
      const place = positions.map((position, i) => axes[i]?.[position] ?? 'unlisted').join()
      const [n, value, mass] = found.get(place) ?? [0n, 0n, 0n]
      const at = (m: number) => slots[m * cells + cell] as bigint
      found.set(place, [n + at(0), value + at(1), mass + at(2)])
    }
    expect(found).toEqual(expected)
  })
})

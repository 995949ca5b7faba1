import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { importFile } from '#member-node/import/importer.ts'
import { parseMapping } from '#member-node/import/mapping.ts'
import { openWarehouse } from '#member-node/warehouse/warehouse.ts'
import { declarations } from '#specs/datasets/declarations.ts'
import { axisLength, type Plan, parseQueryFile, plan } from '#specs/query.ts'
import { administrations } from './administrations.ts'
import { writeDeclarations } from './files.ts'
import { plaintextCells } from './plaintext.ts'

const RECORDS = 2500
const folder = mkdtempSync(join(tmpdir(), 'inbond-demo-'))
const deliveries = administrations.flatMap(one => writeDeclarations(folder, one, RECORDS))
afterAll(() => rmSync(folder, { recursive: true }))

test('every record that was asked for is in a file', () => {
  expect(deliveries.reduce((sum, { records }) => sum + records, 0)).toBe(5 * RECORDS)
})

describe.each(deliveries)('$member: $map', ({ file, map }) => {
  test('the map names columns that the file has', () => {
    const { sources, key } = parseMapping(readFileSync(map, 'utf8'), declarations)
    const encoding = file.includes('BR-') ? 'windows-1252' : 'utf-8'
    const [header = ''] = new TextDecoder(encoding).decode(readFileSync(file)).split(/\r?\n/, 1)
    const columns = header.split(/[,;\t]/)
    const named = [...key, ...[...sources.values()].flatMap(source => ('from' in source ? [source.from] : []))]
    expect(named.filter(column => !columns.includes(column))).toEqual([])
  })
})

describe('what a node imports is what the files say', () => {
  const warehouses = administrations.map(({ member }) => {
    const warehouse = openWarehouse(join(folder, `${member}.sqlite`))
    const reports = deliveries
      .filter(one => one.member === member)
      .map(({ file, map }) =>
        importFile(
          {
            dataset: declarations,
            mapping: parseMapping(readFileSync(map, 'utf8'), declarations),
            file,
            rejectedFolder: join(folder, 'rejected'),
          },
          { warehouse, currency: 'USD', clock: () => Date.UTC(2025, 0, 10) },
        ),
      )
    return { member, warehouse, reports }
  })
  afterAll(() => {
    for (const { warehouse } of warehouses) warehouse.close()
  })

  /** The cells of one warehouse, written as `plaintextCells` writes them. */
  function imported(warehouse: (typeof warehouses)[number]['warehouse'], asked: Plan): Map<string, bigint[]> {
    const slots = warehouse.aggregate({ ...asked, by: asked.axes })
    const cells = new Map<string, bigint[]>()
    for (let cell = 0; cell < asked.cells; cell++) {
      if (slots[cell] === 0n) continue
      let rest = cell
      const codes = asked.axes.toReversed().map(axis => {
        const index = rest % axisLength(axis)
        rest = Math.floor(rest / axisLength(axis))
        return [...axis.codes, 'other', 'unknown'][index]
      })
      cells.set(
        codes.toReversed().join('|'),
        asked.measures.map((_, m) => slots[m * asked.cells + cell] as bigint),
      )
    }
    return cells
  }

  const year = 'period: { from: 2024-01, to: 2024-12 }'
  const queries = [
    ...readdirSync(new URL('./queries/', import.meta.url)).map(name => ({
      name,
      yaml: readFileSync(new URL(`./queries/${name}`, import.meta.url), 'utf8'),
    })),
    query('by: []', `where: { ${year} }`, 'count: quantity', 'sum: duty', 'sum: taxes'),
    query('by: [hs6]', `where: { hs2: ["85", "84"] }`, 'sum: netMass', 'count: netMass'),
    query('by: [hs4, flow]', 'where: { hs6: "30*" }', 'sum: value'),
    query('by: [origin, consignment]', 'where: { flow: import, hs2: { from: "01", to: "05" } }', 'sum: value'),
    query('by: [procedure, transport]', 'where: { origin: [unknown, CN], hs6: [other] }', 'sum: value'),
    query('by: [quantityUnit, period]', 'where: { period: { from: 2024, to: 2024 } }', 'sum: quantity'),
    query('by: [period, flow]', 'where: { period: { from: 2024-02, to: 2024-04 } }', 'sum: value'),
    query('by: [transport, hs2]', 'where: { transport: [other, unknown, sea] }', 'count: records'),
  ]

  function query(by: string, where: string, ...measures: string[]) {
    const asked = `measures: [${measures.map(one => `{ ${one} }`).join(', ')}]`
    return { name: `${by}, ${where}`, yaml: ['dataset: declarations', where, by, asked, 'purpose: a test'].join('\n') }
  }

  test.each(queries)('$name', ({ yaml }) => {
    const asked = plan(parseQueryFile(yaml).question)
    for (const { member, warehouse } of warehouses) {
      const expected = plaintextCells(folder, [member], asked)
      expect([member, imported(warehouse, asked)]).toEqual([member, expected])
    }
  })

  test('the files make the importer round, reject, replace and find codes that are not listed', () => {
    const total = (count: (report: (typeof warehouses)[number]['reports'][number]) => number | undefined) =>
      warehouses.flatMap(({ reports }) => reports).reduce((sum, report) => sum + (count(report) ?? 0), 0)
    expect(total(report => report.rounded.value)).toBeGreaterThan(50)
    expect(total(report => report.rejected)).toBeGreaterThan(0)
    expect(total(report => report.replaced)).toBeGreaterThan(0)
    expect(total(report => report.other.hs6)).toBeGreaterThan(50)
    expect(total(report => report.unknown.origin)).toBeGreaterThan(10)
  })
})

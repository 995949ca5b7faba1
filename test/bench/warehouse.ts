import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { importFile } from '#member-node/import/importer.ts'
import { parseMapping } from '#member-node/import/mapping.ts'
import { columnsOf, quoted, tableOf } from '#member-node/warehouse/tables.ts'
import { openWarehouse } from '#member-node/warehouse/warehouse.ts'
import { systemClock } from '#party/clock.ts'
import { declarations as dataset } from '#specs/datasets/declarations.ts'
import { parseQueryFile, plan } from '#specs/query.ts'
import { economies } from '../demo/economies.ts'
import { declarations } from '../demo/generator.ts'
import { massText, valueText } from '../demo/layouts/layout.ts'
import { type Bench, type Family, timed } from './bench.ts'

/** A node's data: how fast declarations come in, and how fast a question is answered from them. */

const ROWS = 1_000_000
const GROUPED_ROWS = 5_000_000
const PIECE = 1 << 20
const COLUMNS = [
  'period',
  'flow',
  'hs6',
  'origin',
  'consignment',
  'destination',
  'procedure',
  'transport',
  'value',
  'netMass',
]
const MAP = `dataset: declarations\nkey: number\ncolumns:\n${COLUMNS.map(column => `  ${column}: ${column}\n`).join('')}`
const NUMBERS = { mark: '.', group: '' } as const

/** A million declarations of the demonstration's generator, ten columns and a key. */
function writeFile(path: string): void {
  const file = openSync(path, 'w')
  let pending = `${['number', ...COLUMNS].join(',')}\n`
  let number = 0
  for (const one of declarations(economies.KR, ROWS)) {
    const { flow, hs6, origin, consignment, destination, procedure, transport } = one
    const codes = [`2024-${one.month}`, flow, hs6, origin, consignment, destination, procedure, transport]
    pending += `${[++number, ...codes, valueText(one, NUMBERS), massText(one.netMass, NUMBERS)].join(',')}\n`
    if (pending.length < PIECE) continue
    writeSync(file, pending)
    pending = ''
  }
  writeSync(file, pending)
  closeSync(file)
}

function importInto(path: string, file: string, folder: string) {
  using warehouse = openWarehouse(path)
  const mapping = parseMapping(MAP, dataset)
  const request = { dataset, mapping, file, rejectedFolder: join(folder, 'rejected') }
  return importFile(request, { warehouse, currency: 'USD', clock: systemClock.now })
}

async function imports(bench: Bench): Promise<void> {
  const folder = bench.folder()
  const file = join(folder, 'declarations.csv')
  bench.says('import: a million declarations are written')
  writeFile(file)
  await bench.repeat('import of 1,000,000 rows', async run => {
    const path = join(folder, `${run}.sqlite`)
    const { result, wall, cpu } = await timed(() => importInto(path, file, folder))
    bench.record('import', result.read / wall)
    bench.note('import', `${result.rejected} rejected; ${Math.round(result.read / cpu)} a second of processor time`)
    for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
  })
}

/** Five times the same million, under other keys: the warehouse's own file, filled faster than by importing. */
function multiply(path: string): void {
  const db = new Database(path)
  const table = quoted(tableOf(dataset))
  const names = columnsOf(dataset).map(({ name }) => quoted(name))
  const copied = names.map(name => (name === '"key"' ? `key || ' ' || ?` : name))
  const copy = db.prepare(`INSERT INTO ${table} (${names}) SELECT ${copied} FROM ${table} WHERE rowid <= ?`)
  const { rows } = db.prepare(`SELECT count(*) AS rows FROM ${table}`).get() as { rows: number }
  for (let times = 1; times * rows < GROUPED_ROWS; times++) {
    copy.run(times, Math.min(rows, GROUPED_ROWS - times * rows))
  }
  db.close()
}

const BY = { 'group-chapter': ['hs2'], 'group-three': ['hs2', 'origin', 'period'] } as const

function planOf(by: readonly string[]) {
  const where = by.includes('period') ? { period: { from: '2024-01', to: '2024-12' } } : {}
  const measures = [{ count: 'records' }, { sum: 'value' }]
  const file = { dataset: dataset.id, where, by, measures, purpose: 'A measurement' }
  return plan(parseQueryFile(JSON.stringify(file)).question)
}

async function groups(bench: Bench): Promise<void> {
  const folder = bench.folder()
  const [path, file] = [join(folder, 'warehouse.sqlite'), join(folder, 'declarations.csv')]
  bench.says('group-by: a million declarations are written and imported')
  writeFile(file)
  importInto(path, file, folder)
  bench.says('group-by: they become five million')
  multiply(path)
  const ids = ['group-chapter', 'group-three'] as const
  await bench.repeat('group-by over 5,000,000 rows', async () => {
    for (const id of ids) {
      const { dataset, where, axes, measures, cells } = planOf(BY[id])
      using warehouse = openWarehouse(path, { readonly: true })
      const { result, wall, cpu } = await timed(() => warehouse.aggregate({ dataset, where, by: axes, measures }))
      const counted = result.subarray(0, cells).reduce((sum, cell) => sum + cell, 0n)
      if (counted !== BigInt(GROUPED_ROWS)) throw new Error(`${id} counted ${counted} rows of ${GROUPED_ROWS}`)
      bench.record(id, wall)
      bench.note(id, `${cpu.toFixed(2)} s on the processor`)
    }
  })
}

export const warehouse: readonly Family[] = [
  { ids: ['import'], runs: 3, measure: imports },
  { ids: ['group-chapter', 'group-three'], runs: 5, measure: groups },
]

import { command, run, type Terminal, table } from '#party/command.ts'
import { thisProcess } from '#party/process.ts'
import { fault } from '#specs/errors.ts'
import { measure, type Result } from './bench.ts'
import { families } from './families.ts'
import { thisMachine } from './machine.ts'
import { describe } from './report.ts'
import { type Row, type RowId, rows } from './rows.ts'

interface Options {
  readonly only?: string
  readonly runs?: string
  readonly json?: boolean
  readonly list?: boolean
}

/** Measures the rows that are asked for. Returns those whose target was missed. */
async function bench(terminal: Terminal, options: Options): Promise<readonly Result[]> {
  const wanted = idsOf(options.only)
  if (options.list) {
    terminal.out(table(rows.filter(row => wanted.has(row.id)).map(row => [row.id, row.what])))
    return []
  }
  const machine = thisMachine()
  const found = new Map<RowId, Result>()
  for (const family of families.filter(one => one.ids.some(id => wanted.has(id)))) {
    const ids = family.ids.filter(id => wanted.has(id))
    const measured = await measure(family, {
      runs: options.runs === undefined ? family.runs : runsOf(options.runs),
      signal: terminal.signal,
      wants: id => wanted.has(id),
      says: text => terminal.err(`${text}\n`),
    })
    for (const id of ids) found.set(id, measured.result(id))
  }
  const results = rows.flatMap(row => found.get(row.id) ?? [])
  terminal.out(options.json ? `${JSON.stringify({ machine, rows: results }, null, 2)}\n` : describe(machine, results))
  return results.filter(one => one.verdict === 'missed')
}

function idsOf(only: string | undefined): ReadonlySet<RowId> {
  const known: readonly Row[] = rows
  const ids = only?.split(',') ?? known.map(row => row.id)
  const strange = ids.find(id => !known.some(row => row.id === id))
  if (strange !== undefined) throw fault('bad-option', `--only ${strange} is not a row; --list shows all`)
  return new Set(ids as RowId[])
}

function runsOf(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text)
  throw fault('bad-option', `--runs ${text} is not a number from 1 to 999`)
}

const terminal = thisProcess()
let missed: readonly Result[] = []
const program = command(
  'npm run bench --',
  'measure the figures that Inbond is to reach',
  'npm run bench -- --only round,add-cell',
)
  .option('--only <rows>', 'ids of rows, separated by commas')
  .option('--runs <n>', 'how often each is measured; the median counts')
  .option('--json', 'for programs')
  .option('--list', 'show the rows and measure nothing')
  .action(async options => {
    missed = await bench(terminal, options)
  })
const status = await run(program, terminal)
if (missed.length > 0) terminal.err(`Missed: ${missed.map(one => one.id).join(', ')}\n`)
// What was interrupted may be waiting for an answer that does not come any more.
if (status !== 0) process.exit(status)
process.exitCode = missed.length > 0 ? 1 : 0

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { command, run, type Terminal } from '#party/command.ts'
import { thisProcess } from '#party/process.ts'
import type { Answer } from '#researcher/answer.ts'
import { administrations } from './administrations.ts'
import { compare } from './comparison.ts'
import { DemoFederation } from './federation.ts'
import { writeDeclarations } from './files.ts'
import { Processes } from './processes.ts'
import { type Asked, type Attempt, summary } from './summary.ts'

const QUERIES = join(import.meta.dirname, 'queries')
/** The third question is asked while this member is stopped. */
const STOPPED = 'FR'
/** The coordinator would like to know this member's own figures. */
const LEFT_OUT = 'KR'
/** In the short form. */
const FRACTION = 10

type Step = <T>(what: string, work: () => Promise<T>) => Promise<T>

/**
 * A whole federation on this machine: a coordinator, five members and a researcher, each a process with its own directory
 * and database; three questions; a coordinator that cheats in between; a comparison of every cell with plaintext; and a summary.
 */
async function demonstrate(terminal: Terminal, options: { short?: boolean; keep?: boolean }): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'inbond-demo-'))
  const processes = new Processes(terminal.signal)
  const step = narrate(terminal)
  try {
    const files = join(directory, 'files')
    const federation = new DemoFederation(processes, join(directory, 'federation'), administrations)
    const deliveries = await step('Five administrations write their declarations, each in its own layout', async () =>
      administrations.flatMap(one => writeDeclarations(files, one, one.records / (options.short ? FRACTION : 1))),
    )
    const records = deliveries.reduce((sum, one) => sum + one.records, 0)
    await step('The coordinator starts', () => federation.startCoordinator())
    await step('Five members and a researcher enrol; all members sign the charter', () => federation.found())
    await step(`Each member imports its own files, ${records.toLocaleString('en')} records together`, () =>
      federation.import(deliveries),
    )
    await step('The members start', () => federation.startMembers())
    const { asked, attempt } = await askAll(federation, files, step, terminal)
    terminal.out(`\n${summary(asked, attempt)}\n`)
    if (asked.some(one => one.comparison.differences.length > 0)) throw new Error('an answer differs from plaintext')
    if (options.keep) await keep(federation, terminal)
  } finally {
    await processes.stopAll()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function askAll(
  federation: DemoFederation,
  files: string,
  step: Step,
  terminal: Terminal,
): Promise<{ asked: Asked[]; attempt: Attempt }> {
  const asked = [
    await ask(federation, 'imports-by-chapter', files, step, terminal),
    await ask(federation, 'exports-by-chapter-and-destination', files, step, terminal),
  ]
  const attempt = await attack(federation, asked[1] as Asked, step)
  await step(`${STOPPED} is stopped on purpose`, () => federation.stopMember(STOPPED))
  asked.push(await ask(federation, 'transit-by-transport-and-month', files, step, terminal))
  return { asked, attempt }
}

/** A custodian that agreed would end the demonstration: nobody should believe the rest of it then. */
async function attack(federation: DemoFederation, { answer }: Asked, step: Step): Promise<Attempt> {
  const said = await step(`The coordinator cheats: everybody is to open that answer again, without ${LEFT_OUT}`, () =>
    federation.cheat(answer.round, LEFT_OUT),
  )
  const agreed = Object.keys(said).filter(custodian => said[custodian] === null)
  if (agreed.length > 0) throw new Error(`${agreed.join(', ')} agreed to a second cohort of one round`)
  return { answer, leftOut: LEFT_OUT, refusals: said as Record<string, string> }
}

async function ask(
  federation: DemoFederation,
  name: string,
  files: string,
  step: Step,
  terminal: Terminal,
): Promise<Asked> {
  const file = join(QUERIES, `${name}.yaml`)
  const started = performance.now()
  const answer = await step(`The researcher asks: ${name.replaceAll('-', ' ')}`, async () => {
    const printed = await federation.ask(file, line => terminal.err(`    ${line}\n`))
    return JSON.parse(printed) as Answer
  })
  const milliseconds = performance.now() - started
  const comparison = await step('The same sums are taken in the clear', async () =>
    compare(answer, readFileSync(file, 'utf8'), files),
  )
  return { answer, comparison, milliseconds, uploads: federation.uploads(answer.round) }
}

/** Says what happens, and how long it took. */
function narrate(terminal: Terminal): Step {
  return async (what, work) => {
    terminal.signal.throwIfAborted()
    terminal.err(`${what}\n`)
    const started = performance.now()
    const result = await work()
    terminal.err(`    ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
    return result
  }
}

async function keep(federation: DemoFederation, terminal: Terminal): Promise<void> {
  const researcher = federation.path('researcher')
  terminal.out(
    `It goes on running (${STOPPED} is stopped). In another terminal, try\n` +
      `  ./inbond query run test/demo/queries/imports-by-chapter.yaml --as ${researcher}\n` +
      `  ./inbond member start ${federation.path(STOPPED)}\n` +
      `  ./inbond coordinator status ${federation.path('coordinator')}\n` +
      `  ./inbond member status ${federation.path('KR')}\n` +
      `  ${federation.url}/reference in a browser\n` +
      'Ctrl-C here ends it and removes everything.\n',
  )
  await new Promise(resolve => terminal.signal.addEventListener('abort', resolve))
}

const terminal = thisProcess()
const program = command('inbond demo', 'a whole federation on this machine, in a minute', 'inbond demo --keep')
  .option('--short', 'a tenth of the declarations')
  .option('--keep', 'leave it running at the end, until Ctrl-C')
  .action(options => demonstrate(terminal, options))
process.exitCode = await run(program, terminal)

import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { desc } from 'drizzle-orm'
import { backupCommands } from '#party/backup-command.ts'
import { systemClock } from '#party/clock.ts'
import {
  type CommonOptions,
  command,
  group,
  insisting,
  optionValue,
  passphraseOf,
  readTextFile,
  type Terminal,
  table,
  warnOfPlainHttp,
  warnOfPlainKey,
} from '#party/command.ts'
import { Connection, mayPass } from '#party/connection.ts'
import { openDatabase } from '#party/database.ts'
import { checkUnused, enrolDirectory, openDirectory } from '#party/directory.ts'
import { meetCoordinator, parseInvitation } from '#party/invitation.ts'
import { keyCommands } from '#party/key-command.ts'
import { enrolmentReceipt, type QueryStatus, queryList } from '#specs/api.ts'
import { catalogue } from '#specs/datasets/catalogue.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { fault } from '#specs/errors.ts'
import { enrolment, type MemberId, query, typedName } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import type { Answer } from './answer.ts'
import { backupContents } from './backup.ts'
import { cancel, prepare, resume } from './client.ts'
import { config } from './config.ts'
import { explain, lookAround } from './explain.ts'
import { describeExplanation } from './explanation-presentation.ts'
import { acceptHistory, twoHistories } from './history.ts'
import { loginCommand } from './login-command.ts'
import { csvOf, describeAnswer, describeProgress } from './presentation.ts'
import { Progress } from './progress.ts'
import { RECOUNT_FROM } from './recount.ts'
import { releaseCommand, verifyCommand } from './release-commands.ts'
import { type Researcher, storedQuery } from './researcher.ts'
import * as schema from './schema.ts'
import { concernsOf, describeOverview, overview } from './status.ts'

const MIGRATIONS = join(import.meta.dirname, 'migrations')

/** Opens the directory of a researcher for as long as the work takes. */
async function withResearcher<T>(
  path: string,
  options: CommonOptions,
  terminal: Terminal,
  work: (researcher: Researcher) => Promise<T>,
): Promise<T> {
  const { config: settings, key } = await openDirectory(path, config, await passphraseOf(options, terminal))
  warnOfPlainHttp(settings.coordinator, terminal)
  const db = openDatabase(join(path, 'researcher.sqlite'), schema, MIGRATIONS)
  try {
    return await work({
      key,
      db,
      to: settings.coordinator,
      connection: new Connection(settings.coordinator, key, systemClock),
      fetch: globalThis.fetch,
      clock: systemClock,
      randomness: randomBytes,
      recountFrom: RECOUNT_FROM,
    })
  } finally {
    db.$client.close()
  }
}

function initCommand(terminal: Terminal) {
  return command(
    'init',
    'make the directory of a researcher and enrol',
    'inbond researcher init me --name "Ada" --invite INVITATION',
  )
    .argument('<dir>', 'a new directory')
    .requiredOption('--name <name>', 'the name that the invitation is for')
    .requiredOption('--invite <invitation>', 'the line that the secretariat sent')
    .option('--plain-http', 'insist on a coordinator whose requests can be read on the way; it is for trying out')
    .option('--json', 'for programs')
    .action(async (path: string, options) => {
      await checkUnused(path)
      const name = optionValue('--name', typedName, options.name)
      const invitation = parseInvitation(options.invite)
      if (invitation.role !== 'researcher') throw fault('bad-invitation', `this invitation is for a ${invitation.role}`)
      const { url, federation, code } = invitation
      const coordinator = { url, federation, ...insisting(options) }
      const { name: title } = await meetCoordinator(coordinator)
      const passphrase = await passphraseOf(options, terminal)
      let sponsor: MemberId | null = null
      const enrolled = await enrolDirectory(path, passphrase, async key => {
        const signed = await sign(key, enrolment, {
          protocol: PROTOCOL,
          role: 'researcher',
          federation,
          invitation: code,
          publicKey: key.publicKey,
          name,
        })
        const connection = new Connection(coordinator, key, systemClock)
        const receipt = await connection.post('/enrolments', { enrolment: signed.compact }, enrolmentReceipt)
        sponsor = receipt.sponsor
        return { role: 'researcher', name, coordinator }
      })
      warnOfPlainKey(passphrase, terminal)
      warnOfPlainHttp(coordinator, terminal)
      terminal.err(
        `Enrolled ${name} with "${title}". Tell your fingerprint to ${sponsor ?? 'your sponsor'}, which vouches for you: ` +
          `inbond member researcher sponsor. Next: inbond query run FILE.yaml --as ${path}\n`,
      )
      const { fingerprint } = enrolled
      terminal.out(
        options.json ? `${JSON.stringify({ name, fingerprint, sponsor, federation })}\n` : `${fingerprint}\n`,
      )
    })
}

function statusCommand(terminal: Terminal) {
  return command('status', 'the federation, its datasets, and what you asked', 'inbond researcher status me')
    .argument('<dir>', "the researcher's directory")
    .option('--json', 'for programs')
    .action((path: string, options) =>
      withResearcher(path, options, terminal, async researcher => {
        const status = await overview(researcher, terminal.signal)
        const now = systemClock.now()
        const whole = { concerns: concernsOf(status, now), ...status }
        terminal.out(options.json ? `${JSON.stringify(whole, null, 2)}\n` : describeOverview(status, now))
      }),
    )
}

/** Waits for an answer and prints it. Ctrl-C ends the waiting, not the query. */
async function printAnswer(
  researcher: Researcher,
  id: Parameters<typeof resume>[1],
  path: string,
  options: { json?: boolean; csv?: boolean },
  terminal: Terminal,
): Promise<void> {
  const progress = new Progress(systemClock, terminal.err, terminal.columns)
  try {
    const telling = { ...researcher, unanswered: (reason?: string) => progress.showUnanswered(reason) }
    const answer = await resume(telling, id, (status, added) => progress.show(status, added), terminal.signal)
    progress.end()
    terminal.out(rendered(answer, storedQuery(researcher, id).compact, options))
  } catch (error) {
    progress.end()
    if (terminal.signal.aborted) {
      terminal.err(`The query goes on. To see its answer: inbond query follow ${id.slice(0, 12)} --as ${path}\n`)
    }
    throw error
  }
}

function rendered(answer: Answer, compact: string, options: { json?: boolean; csv?: boolean }): string {
  if (options.json) return `${JSON.stringify(answer)}\n`
  const { question } = claims(query, compact).payload
  if (options.csv) return csvOf(answer, question.by)
  return describeAnswer(answer, catalogue.get(question.dataset.id) as Dataset)
}

function asOption(made: ReturnType<typeof command>) {
  return made.requiredOption('--as <dir>', "the researcher's directory")
}

function outputOptions(made: ReturnType<typeof command>) {
  return asOption(made)
    .option('--json', 'for programs')
    .addOption(new Option('--csv', 'for spreadsheets').conflicts('json'))
}

function runCommand(terminal: Terminal) {
  return outputOptions(
    command('run', 'ask a question, wait, and print the answer', 'inbond query run imports.yaml --as me --csv'),
  )
    .argument('<file>', 'a query file, see specs/query-language.md')
    .action(async (file: string, options) => {
      const asked = parseQueryFile(await readTextFile(file))
      await withResearcher(options.as, options, terminal, async researcher => {
        const id = await prepare(researcher, asked)
        terminal.err(`Query ${id.slice(0, 12)}: ${asked.question.purpose}\n`)
        await printAnswer(researcher, id, options.as, options, terminal)
      })
    })
}

function explainCommand(terminal: Terminal) {
  return asOption(
    command(
      'explain',
      'what would become of a question, before anybody is asked, and which coarser one would be answered',
      'inbond query explain imports.yaml --as me --write coarser.yaml',
    ),
  )
    .argument('<file>', 'a query file, see specs/query-language.md')
    .option('--json', 'for programs')
    .option('--write <file>', 'where to write the nearest question that would be allowed; a new file')
    .action(async (file: string, options) => {
      const asked = parseQueryFile(await readTextFile(file))
      await withResearcher(options.as, options, terminal, async researcher => {
        const said = explain(asked, await lookAround(researcher, terminal.signal))
        terminal.out(options.json ? `${JSON.stringify(said)}\n` : describeExplanation(said))
        if (options.write === undefined) return
        if (said.nearest === null) terminal.err(`Nothing is written to ${options.write}: there is no other question.\n`)
        else await writeFile(options.write, said.nearest.query, { flag: 'wx' })
      })
    })
}

function followCommand(terminal: Terminal) {
  return outputOptions(
    command('follow', 'wait for a query asked before, and print the answer', 'inbond query follow 3fa1b2 --as me'),
  )
    .argument('<query>', 'its id, or the first digits of it')
    .action((id: string, options) =>
      withResearcher(options.as, options, terminal, researcher =>
        printAnswer(researcher, storedQuery(researcher, id).id, options.as, options, terminal),
      ),
    )
}

function listCommand(terminal: Terminal) {
  return asOption(command('list', 'what you asked, and how it stands', 'inbond query list --as me'))
    .option('--json', 'for programs')
    .action(options =>
      withResearcher(options.as, options, terminal, async researcher => {
        const queries = await statuses(researcher, terminal)
        const listed = researcher.db.select().from(schema.queries).orderBy(desc(schema.queries.askedAt)).all()
        const rows = listed.map(one => ({
          query: one.id,
          askedAt: new Date(one.askedAt).toISOString(),
          purpose: one.purpose,
          state: stateOf(
            one,
            queries?.find(status => status.query === one.id),
            queries !== undefined,
          ),
        }))
        const lines = rows.map(row => [
          row.query.slice(0, 12),
          row.askedAt.slice(0, 16).replace('T', ' '),
          row.purpose,
          row.state,
        ])
        if (rows.length === 0 && !options.json) terminal.err('Nothing was asked yet.\n')
        terminal.out(options.json ? `${JSON.stringify(rows, null, 2)}\n` : table(lines))
      }),
    )
}

/** How running queries stand; what was read before is listed even if the coordinator does not answer. */
async function statuses(researcher: Researcher, terminal: Terminal): Promise<QueryStatus[] | undefined> {
  try {
    return (await researcher.connection.get('/queries', queryList, terminal.signal)).queries
  } catch (error) {
    if (terminal.signal.aborted || !mayPass(error)) throw error
    terminal.err(`Warning: ${(error as Error).message}; this is what was known before.\n`)
    return undefined
  }
}

function stateOf(
  stored: typeof schema.queries.$inferSelect,
  status: QueryStatus | undefined,
  isKnown: boolean,
): string {
  if (stored.answer !== null) return 'answered, read'
  if (stored.voidReason !== null) return `void: ${stored.voidReason}`
  if (status !== undefined) return describeProgress(status, systemClock.now())
  return isKnown || stored.sentAt === null ? 'not sent yet' : 'running when last heard of'
}

function cancelCommand(terminal: Terminal) {
  return asOption(command('cancel', 'withdraw a query that is not opened yet', 'inbond query cancel 3fa1b2 --as me'))
    .argument('<query>', 'its id, or the first digits of it')
    .option('--json', 'for programs')
    .action((id: string, options) =>
      withResearcher(options.as, options, terminal, async researcher => {
        const { id: whole, purpose } = storedQuery(researcher, id)
        await cancel(researcher, whole)
        terminal.err(`Withdrew query ${whole.slice(0, 12)}: ${purpose}\n`)
        if (options.json) terminal.out(`${JSON.stringify({ query: whole, purpose })}\n`)
      }),
    )
}

function acceptLogCommand(terminal: Terminal) {
  return command(
    'accept-log',
    'go on with another history of the log, after the coordinator lost a part of it',
    'inbond researcher accept-log me --yes',
  )
    .argument('<dir>', "the researcher's directory")
    .option('--yes', 'the members confirm that this is the log that they see too')
    .action((path: string, options) =>
      withResearcher(path, options, terminal, async ({ db }) => {
        const { followed, refused } = twoHistories(db)
        const show = options.yes ? terminal.out : terminal.err
        show(`Until now:\n\n${followed.checkpoint}\nShown since, and refused:\n\n${refused.checkpoint}`)
        if (!options.yes) throw fault('not-confirmed', 'the log that was shown before stays the one to go on from')
        acceptHistory(db)
        terminal.err('Accepted. Both heads are kept in this directory.\n')
      }),
    )
}

/** The commands of a researcher, `inbond researcher …` and `inbond query …`, and that of whoever reads what it published. */
export function program(terminal: Terminal): Command {
  return group('inbond', 'who asks questions', [
    group('researcher', 'who asks questions', [
      initCommand(terminal),
      loginCommand(terminal),
      statusCommand(terminal),
      keyCommands(terminal, config),
      acceptLogCommand(terminal),
      ...backupCommands(terminal, backupContents),
    ]),
    group('query', 'questions and answers', [
      explainCommand(terminal),
      runCommand(terminal),
      listCommand(terminal),
      followCommand(terminal),
      cancelCommand(terminal),
      releaseCommand(terminal, withResearcher),
    ]),
    verifyCommand(terminal),
  ])
}

import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { headOf } from '#crypto/log.ts'
import { fingerprint, messageId } from '#crypto/signature.ts'
import { backupCommands } from '#party/backup-command.ts'
import { isoTime, systemClock } from '#party/clock.ts'
import {
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
import { Connection } from '#party/connection.ts'
import { checkUnused, enrolDirectory, readConfig } from '#party/directory.ts'
import { meetCoordinator, parseInvitation } from '#party/invitation.ts'
import { keyCommands } from '#party/key-command.ts'
import { metricsOption } from '#party/listening.ts'
import { runningProcess } from '#party/running.ts'
import { enrolmentReceipt } from '#specs/api.ts'
import { datasetCalled } from '#specs/datasets/catalogue.ts'
import { fault } from '#specs/errors.ts'
import { type CharterId, type Conventions, conventions, enrolment, memberId, typedName } from '#specs/messages.ts'
import { describeMonths, type Period, periodGrain } from '#specs/period.ts'
import { describeChanges } from '#specs/rules/changes.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { type Demands, inWords, isFulfilled, outstanding, quorumOf } from '#specs/rules/succession.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { backupContents } from './backup.ts'
import { checkProposal, learnCharter, type Place, placeOf } from './charters.ts'
import { config } from './config.ts'
import { signCharter } from './consents.ts'
import { describeReport } from './import/import-report.ts'
import { type ImportProgress, importFile } from './import/importer.ts'
import { parseMapping } from './import/mapping.ts'
import { acceptHistory, readSoFar } from './log-mirror.ts'
import { nodePolicyCommands } from './node-policy-commands.ts'
import { warehouseFile, withNode } from './open.ts'
import { presets } from './policy.ts'
import { readPolicy } from './policy-in-force.ts'
import { researcherCommands } from './researcher-commands.ts'
import { rotateKey } from './rotation.ts'
import { concernsOf, describeOverview, overview } from './status.ts'
import { stewardCommands } from './steward-commands.ts'
import { checkEnded, completeWithNone } from './warehouse/closing.ts'
import { openWarehouse } from './warehouse/warehouse.ts'

function initCommand(terminal: Terminal) {
  return command(
    'init',
    "make a member node's directory and enrol",
    'inbond member init kr --id KR --name "Korea Customs Service" --invite INVITATION',
  )
    .argument('<dir>', 'a new directory')
    .requiredOption('--id <id>', 'id of the administration, as invited')
    .requiredOption('--name <name>', 'its name')
    .requiredOption('--invite <invitation>', 'the line that the secretariat sent')
    .option('--policy <policy>', 'what may be asked here: open, standard, or a policy file', 'standard')
    .option('--import-valuation <basis>', 'CIF or FOB', 'CIF')
    .option('--export-valuation <basis>', 'FOB or CIF', 'FOB')
    .option('--trade-system <system>', 'general or special', 'general')
    .option('--date-basis <basis>', 'lodged, accepted or released', 'accepted')
    .option('--metrics-port <port>', 'port of this machine alone on which /metrics can be read (default: nowhere)')
    .option('--plain-http', 'insist on a coordinator whose requests can be read on the way; it is for trying out')
    .option('--json', 'for programs')
    .action(async (path: string, options) => {
      await checkUnused(path)
      const id = optionValue('--id', memberId, options.id)
      const name = optionValue('--name', typedName, options.name)
      const policy = Object.hasOwn(presets, options.policy) ? options.policy : resolve(options.policy)
      await readPolicy(policy)
      const { shape } = conventions
      const made = {
        importValuation: optionValue('--import-valuation', shape.importValuation, options.importValuation),
        exportValuation: optionValue('--export-valuation', shape.exportValuation, options.exportValuation),
        tradeSystem: optionValue('--trade-system', shape.tradeSystem, options.tradeSystem),
        dateBasis: optionValue('--date-basis', shape.dateBasis, options.dateBasis),
      }
      const metrics = metricsOption(options.metricsPort)
      const invitation = parseInvitation(options.invite)
      if (invitation.role !== 'member') throw fault('bad-invitation', `this invitation is for a ${invitation.role}`)
      const { url, federation, code } = invitation
      const coordinator = { url, federation, ...insisting(options) }
      const { name: title, currency } = await meetCoordinator(coordinator)
      const passphrase = await passphraseOf(options, terminal)
      const enrolled = await enrolDirectory(path, passphrase, async key => {
        const signed = await sign(key, enrolment, {
          protocol: PROTOCOL,
          role: 'member',
          federation,
          invitation: code,
          publicKey: key.publicKey,
          id,
          name,
          conventions: made,
        })
        const connection = new Connection(coordinator, key, systemClock)
        await connection.post('/enrolments', { enrolment: signed.compact }, enrolmentReceipt)
        return { role: 'member', id, name, coordinator, currency, policy, conventions: made, ...metrics }
      })
      warnOfPlainKey(passphrase, terminal)
      warnOfPlainHttp(coordinator, terminal)
      if (policy === 'open') terminal.err(OPEN_POLICY)
      const { fingerprint } = enrolled
      terminal.err(`Enrolled ${id} with "${title}". Next: inbond member charter sign ${path}, once one is proposed\n`)
      terminal.err('The fingerprint of its key, for those who compare it:\n')
      terminal.out(options.json ? `${JSON.stringify({ id, fingerprint })}\n` : `${fingerprint}\n`)
    })
}

const OPEN_POLICY =
  'Warning: the policy is open. This node answers everything that the charter allows; it is for trying out.\n'

function signCommand(terminal: Terminal) {
  return command('sign', 'show the proposed charter, and sign it', 'inbond member charter sign kr --yes')
    .argument('<dir>', "the node's directory")
    .option('--charter <id>', 'sign no other charter than the one that was shown: its id, or the first digits of it')
    .option('--yes', 'sign it')
    .action((path: string, options) =>
      withNode(path, options, terminal, async (node, settings) => {
        const wanted = options.charter === undefined ? '' : charterDigits(options.charter)
        const { inForce, proposed } = await meetCoordinator(settings.coordinator)
        if (inForce === null && proposed === null) {
          throw fault('no-charter', 'the coordinator has not proposed a charter yet')
        }
        if (inForce !== null) await learnCharter(node, messageId(inForce.charter) as CharterId)
        if (proposed === null) {
          terminal.err(`${NOTHING_TO_SIGN[placeOf(node)]}; there is nothing to sign.\n`)
          return
        }
        const { proposal, current, missing } = await checkProposal(node, proposed)
        const shown = options.yes ? terminal.out : terminal.err
        shown(await describeCharter(proposal, current))
        if (!proposal.id.startsWith(wanted)) {
          throw fault('not-confirmed', 'another charter is proposed than the one that was shown; nothing was signed')
        }
        if (!options.yes) {
          terminal.err(
            `To sign this charter and no other: inbond member charter sign ${path} --yes --charter ${proposal.id}\n`,
          )
          throw fault('not-confirmed', 'nothing was signed')
        }
        await signCharter(node, proposal)
        const left = outstanding(missing, new Set([node.id]))
        const next = runningProcess(path) === undefined ? ` Next: inbond member start ${path}` : ''
        terminal.err(`Signed. ${whatIsAwaited(left, current)}${next}\n`)
      }),
    )
}

/** Where no charter is proposed. */
const NOTHING_TO_SIGN: Readonly<Record<Place, string>> = {
  awaited: 'The charter in force does not name this node, and no other one is proposed',
  member: 'The charter is in force',
  left: 'The charter in force leaves this node out, and no other one is proposed',
  replaced: 'The charter in force has another key in the place of this one, and no other one is proposed',
}

/** @throws InbondError `bad-option` */
function charterDigits(text: string): string {
  if (/^[0-9a-f]{4,64}$/i.test(text)) return text.toLowerCase()
  throw fault('bad-option', `--charter ${text} is not the id of a charter; its first four digits or more will do`)
}

function whatIsAwaited(left: Demands, current: SignedCharter | undefined): string {
  if (!isFulfilled(left)) return `It waits for ${inWords(left)}.`
  return current === undefined
    ? 'It is in force.'
    : `It is in force once ${quorumOf(current.payload)} nodes have confirmed it.`
}

/** What a member signs, with the fingerprints that people compare, and first what it changes. */
async function describeCharter({ id, payload }: SignedCharter, current: SignedCharter | undefined): Promise<string> {
  const changes = current === undefined ? [] : await describeChanges(current.payload, payload)
  const members = await Promise.all(
    payload.members.map(async one => ['member', `${one.id}  ${await fingerprint(one.publicKey)}  ${one.name}`]),
  )
  const figures = Map.groupBy(payload.members, one => describeConventions(one.conventions))
  return table([
    ['charter', id],
    ['federation', `${payload.federation}, epoch ${payload.epoch}`],
    ...(current !== undefined && changes.length === 0 ? [['change', 'none']] : changes.map(line => ['change', line])),
    ['coordinator', await fingerprint(payload.coordinator)],
    ...members,
    ...[...figures].map(([made, makers]) => ['figures', `${makers.map(one => one.id).join(', ')}: ${made}`]),
    ['custodians', `${payload.custodians.join(', ')}; ${payload.threshold} of them open an answer`],
    ['quorum', `${quorumOf(payload)} members remove one, or replace a key`],
    ['cohort', `at least ${payload.minimumCohort} members, the recipient's own administration not counted`],
    ['datasets', payload.datasets.map(one => `${one.id} version ${one.version}`).join(', ')],
    ['currency', payload.currency],
  ])
}

/** How a member makes its figures, as it said when it enrolled. */
function describeConventions({
  importValuation,
  exportValuation,
  tradeSystem,
  dateBasis,
  hsEdition,
}: Conventions): string {
  return `imports ${importValuation}, exports ${exportValuation}, ${tradeSystem} trade, date ${dateBasis}, ${hsEdition}`
}

function parsePeriod(option: string, text: string): Period {
  const [, from, to] = /^(\d{4}(?:-\d{2})?)(?:\.\.(\d{4}(?:-\d{2})?))?$/.exec(text) ?? []
  const period = from === undefined ? undefined : { from, to: to ?? from }
  if (period !== undefined && periodGrain(period) !== undefined) return period
  throw fault('bad-option', `${option} ${text} is not a period such as 2020-03, 2020-01..2020-12 or 2020`)
}

function importCommand(terminal: Terminal) {
  return command(
    'import',
    'read a file of records into the warehouse',
    'inbond member import kr declarations 2020.csv --map map.yaml --complete 2020-01..2020-12',
  )
    .argument('<dir>', "the node's directory")
    .argument('<dataset>', 'the dataset, such as declarations')
    .argument('<file>', 'a CSV file')
    .requiredOption('--map <map>', 'how its columns map to the dataset')
    .option('--complete <period>', 'mark this period as complete')
    .option('--replace <period>', 'delete the records of this period first, such as period=2020-03')
    .option('--dry-run', 'read, check and report; keep nothing')
    .option('--json', 'print the report for programs')
    .action(async (path: string, datasetId: string, file: string, options) => {
      const settings = await readConfig(path, config)
      const dataset = datasetCalled(datasetId)
      const mapping = parseMapping(await readTextFile(options.map), dataset)
      // The importer keeps the thread busy and is all or nothing, so Ctrl-C may simply end it: what is shown until then says so.
      terminal.endAtOnce()
      using warehouse = openWarehouse(warehouseFile(path))
      const report = importFile(
        {
          dataset,
          mapping,
          file,
          rejectedFolder: join(path, 'rejected'),
          dryRun: options.dryRun === true,
          ...(options.complete === undefined ? {} : { complete: parsePeriod('--complete', options.complete) }),
          ...(options.replace === undefined
            ? {}
            : { replace: parsePeriod('--replace', options.replace.replace(/^period=/, '')) }),
        },
        { warehouse, currency: settings.currency, clock: systemClock.now, onProgress: showImport(terminal) },
      )
      terminal.out(
        options.json
          ? `${JSON.stringify(report)}\n`
          : describeReport(report)
              .map(line => `${line}\n`)
              .join(''),
      )
    })
}

function showImport(terminal: Terminal): (progress: ImportProgress) => void {
  let shown = 0
  return ({ records, bytes, totalBytes }) => {
    const percent = Math.floor((100 * bytes) / Math.max(1, totalBytes))
    if (terminal.columns === undefined && percent < shown + 20) return
    shown = percent
    const text = `${records.toLocaleString('en')} records, ${percent} %`
    terminal.err(terminal.columns !== undefined ? `\r\u001b[K${text} (Ctrl-C keeps nothing)` : `${text}\n`)
  }
}

function periodCommand(terminal: Terminal, name: 'close' | 'reopen') {
  const state = name === 'close' ? 'complete' : 'provisional'
  return command(name, `mark a period as ${state}`, `inbond member period ${name} kr declarations 2021-06`)
    .argument('<dir>', "the node's directory")
    .argument('<dataset>', 'the dataset, such as declarations')
    .argument('<period>', 'a month, a year, or a range such as 2021-01..2021-06')
    .option('--json', 'for programs')
    .action(async (path: string, datasetId: string, text: string, options) => {
      await readConfig(path, config)
      const dataset = datasetCalled(datasetId)
      const period = parsePeriod('period', text)
      const now = systemClock.now()
      if (name === 'close') checkEnded(period, now)
      using warehouse = openWarehouse(warehouseFile(path))
      const { changed, empty } = warehouse.mark(dataset, period, state, now)
      const many = changed === 0 ? 'Nothing to change' : changed === 1 ? '1 month changed' : `${changed} months changed`
      const until = 'questions are answered from the closed version until it is closed again'
      terminal.err(`${many}; ${text} is ${state}${name === 'reopen' && changed > 0 ? `, and ${until}` : ''}.\n`)
      if (name === 'close' && empty.length > 0) terminal.err(`${completeWithNone(empty)}.\n`)
      if (options.json) terminal.out(`${JSON.stringify({ dataset: dataset.id, ...period, state, changed, empty })}\n`)
    })
}

function forgetCommand(terminal: Terminal) {
  return command(
    'forget',
    'delete records that were replaced or deleted, and with them the answers as of then',
    'inbond member period forget kr declarations --before 2025-01-01',
  )
    .argument('<dir>', "the node's directory")
    .argument('<dataset>', 'the dataset, such as declarations')
    .requiredOption('--before <date>', 'keep what questions as of this day (UTC) or later are answered from')
    .action(async (path: string, datasetId: string, options) => {
      await readConfig(path, config)
      const before = parseDate('--before', options.before)
      const dataset = datasetCalled(datasetId)
      using warehouse = openWarehouse(warehouseFile(path))
      const { versions, records } = warehouse.forget(dataset, before)
      terminal.err(
        `${records.toLocaleString('en')} records and ${versions.toLocaleString('en')} versions of months are forgotten. ` +
          `Questions as of a time before ${options.before} are now answered from the first versions that are left.\n`,
      )
      const { reopened } = warehouse.status(dataset)
      if (reopened.length > 0) {
        terminal.err(
          `${describeMonths(reopened)} changed after being closed: the closed version is still answered from, and its records are kept.\n`,
        )
      }
    })
}

/** Milliseconds since 1970. @throws InbondError `bad-option` */
function parseDate(option: string, text: string): number {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN
  // The 31st of February would be a day in March.
  if (Number.isNaN(time) || !isoTime(time).startsWith(text)) {
    throw fault('bad-option', `${option} ${text} is not a day such as 2025-01-31`)
  }
  return time
}

function startCommand(terminal: Terminal) {
  return command('start', 'answer questions until stopped', 'inbond member start kr')
    .argument('<dir>', "the node's directory")
    .action(async (path: string, options) => {
      const { start } = await import('./start.ts')
      await start(path, options, terminal)
    })
}

function rotateCommand(terminal: Terminal) {
  return command('rotate', 'take another identity key, once a charter names it', 'inbond member key rotate kr')
    .argument('<dir>', "the node's directory")
    .option('--json', 'for programs')
    .action((path: string, options) =>
      withNode(path, options, terminal, async (node, settings) => {
        const { inForce } = await meetCoordinator(settings.coordinator)
        if (inForce !== null) await learnCharter(node, messageId(inForce.charter) as CharterId)
        const { fingerprint } = await rotateKey(node, terminal.signal)
        terminal.err(
          `The key ${node.key.fingerprint} serves until a charter names this one in its place. Tell the other members its fingerprint, ` +
            `back up, and ask the secretariat to propose the charter. Next: inbond member charter sign ${path}\n`,
        )
        const keys = { key: node.key.fingerprint, waitingKey: fingerprint }
        terminal.out(options.json ? `${JSON.stringify(keys)}\n` : `${fingerprint}\n`)
      }),
    )
}

function acceptLogCommand(terminal: Terminal) {
  return command(
    'accept-log',
    'go on with another history of the coordinator, after it was restored from a backup',
    'inbond member accept-log kr --yes',
  )
    .argument('<dir>', "the node's directory")
    .option('--yes', 'go on with it')
    .action((path: string, options) =>
      withNode(path, options, terminal, async node => {
        const { read } = readSoFar(node)
        terminal.err(`This node has read ${read.size} entries of the log: ${headOf(read).root}\n`)
        terminal.err(
          'Another history hides what was answered in between. Compare with other members, and ask the secretariat why.\n',
        )
        if (!options.yes) throw fault('not-confirmed', 'nothing was changed')
        acceptHistory(node)
        terminal.err('Accepted. What this node knows of earlier cohorts goes on to count.\n')
      }),
    )
}

function statusCommand(terminal: Terminal) {
  return command('status', 'what runs, what was answered, what waits for a person', 'inbond member status kr')
    .argument('<dir>', "the node's directory")
    .option('--json', 'for programs')
    .action((path: string, options) =>
      withNode(path, options, terminal, async (node, settings, _, policy) => {
        await policy.inForce()
        const coordinator = await meetCoordinator(settings.coordinator).catch((error: Error) => error)
        const status = overview(node, path, settings.policy, runningProcess(path), coordinator, policy)
        const whole = { concerns: concernsOf(status, node.clock.now()), ...status }
        terminal.out(options.json ? `${JSON.stringify(whole, null, 2)}\n` : describeOverview(status, node.clock.now()))
      }),
    )
}

/** The commands of a member. What only its service needs is loaded when it starts. */
export function program(terminal: Terminal): Command {
  return group('inbond member', 'the node of an administration', [
    initCommand(terminal),
    group('charter', 'the document that all members sign', [signCommand(terminal)]),
    researcherCommands(terminal),
    importCommand(terminal),
    group('period', 'what the data cover', [
      periodCommand(terminal, 'close'),
      periodCommand(terminal, 'reopen'),
      forgetCommand(terminal),
    ]),
    startCommand(terminal),
    statusCommand(terminal),
    nodePolicyCommands(terminal),
    keyCommands(terminal, config, [rotateCommand(terminal)]),
    acceptLogCommand(terminal),
    ...stewardCommands(terminal),
    ...backupCommands(terminal, backupContents),
  ])
}

import { randomBytes } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { backupCommands } from '#party/backup-command.ts'
import { systemClock } from '#party/clock.ts'
import {
  type CommonOptions,
  command,
  group,
  insisting,
  optionValue,
  passphraseOf,
  type Terminal,
  table,
  warnOfPlainHttp,
  warnOfPlainKey,
} from '#party/command.ts'
import { beginDirectory, checkUnused, completeDirectory } from '#party/directory.ts'
import { formatInvitation } from '#party/invitation.ts'
import { keyCommands } from '#party/key-command.ts'
import { metricsOption, portOption } from '#party/listening.ts'
import { runningProcess } from '#party/running.ts'
import { fault } from '#specs/errors.ts'
import { memberId, typedName, typedReason } from '#specs/messages.ts'
import { describeChanges } from '#specs/rules/changes.ts'
import { inWords, isFulfilled } from '#specs/rules/succession.ts'
import { backupContents } from './backup.ts'
import { CertificateFiles } from './certificate.ts'
import { standing } from './charters.ts'
import { type Config, checkEncryption, config } from './config.ts'
import { type Context, charterInForce, createContext } from './context.ts'
import { type Invitee, invite } from './enrolment.ts'
import { withCoordinator } from './open.ts'
import { concernsOf, describeOverview, overview } from './overview.ts'
import { type Proposed, proposeChanges } from './proposals.ts'
import { assignSponsor, everyResearcher, revoke } from './researchers.ts'

/** Of an invitation's code: long enough that nobody guesses it. */
const CODE_BYTES = 18

/** For a command that works beside the running service. */
function withContext<T>(
  path: string,
  options: CommonOptions,
  terminal: Terminal,
  work: (context: Context, settings: Config) => T | Promise<T>,
): Promise<T> {
  return withCoordinator(path, options, terminal, (parts, settings) => work(createContext(parts), settings))
}

function initCommand(terminal: Terminal) {
  return command(
    'init',
    'make the directory of a new coordinator',
    'inbond coordinator init wco --name "World Customs Statistics"',
  )
    .argument('<dir>', 'a new directory')
    .requiredOption('--name <name>', 'name of the federation')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on', '8400')
    .option('--url <url>', 'public address, where it is another one')
    .option('--currency <code>', 'currency of values', 'USD')
    .option('--tls-cert <file>', 'certificate in PEM, to speak HTTPS; read again when it is replaced')
    .option('--tls-key <file>', 'its private key in PEM')
    .option('--behind-proxy', 'a reverse proxy speaks HTTPS, on another machine')
    .option('--plain-http', 'insist on requests that can be read on the way; it is for trying out')
    .option('--metrics-port <port>', 'port of this machine alone on which /metrics can be read (default: nowhere)')
    .action(async (path: string, options) => {
      await checkUnused(path)
      const port = portOption('--port', options.port)
      const tls = tlsOption(options)
      const parsed = config.safeParse({
        role: 'coordinator',
        name: options.name,
        currency: options.currency,
        host: options.host,
        port,
        url:
          options.url ??
          `${tls ? 'https' : 'http'}://${isIPv6(options.host) ? `[${options.host}]` : options.host}:${port}`,
        ...(tls ? { tls } : {}),
        ...(options.behindProxy ? { behindProxy: true } : {}),
        ...insisting(options),
        ...metricsOption(options.metricsPort),
      })
      if (!parsed.success) throw fault('bad-option', parsed.error.issues.map(issue => issue.message).join('; '))
      checkEncryption(parsed.data)
      if (tls) await new CertificateFiles(tls, parsed.data.url, systemClock).read()
      const passphrase = await passphraseOf(options, terminal)
      const key = await beginDirectory(path, passphrase)
      await completeDirectory(path, parsed.data)
      warnOfPlainKey(passphrase, terminal)
      if (options.plainHttp) warnOfPlainHttp(parsed.data, terminal)
      terminal.err(`Made the coordinator of "${options.name}" in ${path}. Next: inbond coordinator start ${path}\n`)
      terminal.out(`${key.fingerprint}\n`)
    })
}

/** Both files or none, by paths that hold wherever the coordinator is started. @throws InbondError `bad-option` */
function tlsOption({ tlsCert, tlsKey }: { tlsCert?: string; tlsKey?: string }): Config['tls'] {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert !== undefined && tlsKey !== undefined) return { certificate: resolve(tlsCert), key: resolve(tlsKey) }
  throw fault('bad-option', '--tls-cert and --tls-key go together')
}

function startCommand(terminal: Terminal) {
  return command('start', 'serve members and researchers until stopped', 'inbond coordinator start wco')
    .argument('<dir>', "the coordinator's directory")
    .action(async (path: string, options) => {
      const { start } = await import('./start.ts')
      await start(path, options, terminal)
    })
}

function inviteCommand(terminal: Terminal) {
  return command('invite', 'print a one-time invitation', 'inbond coordinator invite wco --researcher Ada --sponsor KR')
    .argument('<dir>', "the coordinator's directory")
    .option('--member <id>', 'id of an administration, such as KR')
    .option('--replace', 'for a new key of a member that has lost its own')
    .option('--researcher <name>', 'name of a researcher')
    .option('--sponsor <id>', 'the member that is to vouch for the researcher')
    .action(async (path: string, options) => {
      const invitee = inviteeOf(options)
      const code = randomBytes(CODE_BYTES).toString('base64url')
      await withContext(path, options, terminal, (context, settings) => {
        checkEncryption(settings)
        const { url } = settings
        invite(context, invitee, code)
        const { fingerprint } = context.key
        terminal.err(
          `Invitation of ${invitee.subject}: works once, for seven days. Send it over a channel that you trust.\n`,
        )
        terminal.out(`${formatInvitation({ url, federation: fingerprint, role: invitee.role, code })}\n`)
      })
    })
}

function inviteeOf(options: { member?: string; replace?: true; researcher?: string; sponsor?: string }): Invitee {
  if ((options.member === undefined) === (options.researcher === undefined)) {
    throw fault('bad-option', 'an invitation is either for a --member or for a --researcher')
  }
  if (options.member !== undefined) {
    if (options.sponsor !== undefined) throw fault('bad-option', 'only a researcher has a --sponsor')
    const subject = optionValue('--member', memberId, options.member)
    return { role: 'member', subject, sponsor: null, isReplacement: options.replace === true }
  }
  if (options.replace) throw fault('bad-option', '--replace is for the key of a --member')
  const subject = optionValue('--researcher', typedName, options.researcher as string)
  if (options.sponsor === undefined) {
    throw fault('bad-option', 'a researcher needs a --sponsor: the member that vouches for it, such as --sponsor KR')
  }
  return { role: 'researcher', subject, sponsor: optionValue('--sponsor', memberId, options.sponsor) }
}

function researcherListCommand(terminal: Terminal) {
  return command('list', 'who may ask, and who waits for a sponsor', 'inbond coordinator researcher list wco')
    .argument('<dir>', "the coordinator's directory")
    .option('--json', 'for programs')
    .action((path: string, options) =>
      withContext(path, options, terminal, context => {
        const listed = everyResearcher(context)
        const lines = listed.map(one => {
          const standing = one.sponsoredUntil === null ? 'asks for' : `until ${one.sponsoredUntil.slice(0, 10)},`
          const state =
            one.revoked === null ? `${standing} sponsor ${one.sponsor ?? 'nobody'}` : `revoked by ${one.revoked}`
          return [one.fingerprint, one.name, state]
        })
        terminal.out(options.json ? `${JSON.stringify(listed, null, 2)}\n` : table(lines))
      }),
    )
}

function revokeCommand(terminal: Terminal) {
  return command(
    'revoke',
    'stop a researcher for good',
    'inbond coordinator researcher revoke wco FINGERPRINT --reason "the key was lost"',
  )
    .argument('<dir>', "the coordinator's directory")
    .argument('<fingerprint>', "of the researcher's key")
    .requiredOption('--reason <text>', 'why, for the researcher and the members')
    .action((path: string, print: string, options) => {
      const reason = optionValue('--reason', typedReason, options.reason)
      return withContext(path, options, terminal, async context => {
        await revoke(context, print, reason)
        terminal.err(`Revoked ${print}. Its queries are refused, and rounds that nobody agreed to yet become void.\n`)
      })
    })
}

function assignCommand(terminal: Terminal) {
  return command(
    'assign',
    'ask another member to sponsor a researcher',
    'inbond coordinator researcher assign wco FINGERPRINT --sponsor JP',
  )
    .argument('<dir>', "the coordinator's directory")
    .argument('<fingerprint>', "of the researcher's key")
    .requiredOption('--sponsor <id>', 'the member that is to vouch for the researcher')
    .action((path: string, print: string, options) => {
      const sponsor = optionValue('--sponsor', memberId, options.sponsor)
      return withContext(path, options, terminal, context => {
        assignSponsor(context, print, sponsor)
        terminal.err(`${sponsor} is asked to sponsor ${print}.\n`)
      })
    })
}

function proposeCommand(terminal: Terminal) {
  return command(
    'propose',
    'propose a charter over all enrolled members',
    'inbond coordinator charter propose wco --without KR',
  )
    .argument('<dir>', "the coordinator's directory")
    .option('--without <ids>', 'members that leave, separated by commas', ids)
    .option(
      '--custodians <ids>',
      'members that hold key shares, separated by commas (default: as before; the first five)',
      ids,
    )
    .option('--threshold <n>', 'custodians needed to open (default: as before; 3 of 3, 3 of 4, 4 of 5, 5 of 7)')
    .option('--quorum <n>', 'members needed to remove one or to replace a key (default: as before; two thirds)')
    .action(async (path: string, options) => {
      const { without, custodians } = options
      const proposal = {
        ...(without === undefined ? {} : { without }),
        ...(custodians === undefined ? {} : { custodians }),
        ...(options.threshold === undefined ? {} : { threshold: wholeNumber('--threshold', options.threshold) }),
        ...(options.quorum === undefined ? {} : { quorum: wholeNumber('--quorum', options.quorum) }),
      }
      await withContext(path, options, terminal, async context => {
        const proposed = await proposeChanges(context, proposal)
        terminal.err(await describeProposed(context, proposed))
        if (proposed.outcome === 'proposed' || proposed.outcome === 'proposed before') {
          terminal.out(`${proposed.charter.id}\n`)
        }
      })
    })
}

/** Of an option that may be repeated. */
function ids(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, ...text.split(',')]
}

async function describeProposed(context: Context, { outcome, charter }: Proposed): Promise<string> {
  const current = charterInForce(context.db)
  if (outcome === 'unchanged')
    return `There is nothing to change: the charter of epoch ${charter.payload.epoch} stays.\n`
  if (outcome === 'withdrawn') {
    return `Withdrew the charter that was proposed: the one of epoch ${current?.payload.epoch} stays as it is.\n`
  }
  const { consents } = standing(context.db, charter, current)
  const signing = isFulfilled(consents)
    ? 'It is signed by all that it needs, and waits to be confirmed.\n'
    : `To be signed by ${inWords(consents)}: inbond member charter sign DIR\n`
  if (outcome === 'proposed before') return `This charter is proposed already, and keeps its signatures. ${signing}`
  const changes = current === undefined ? [] : await describeChanges(current.payload, charter.payload)
  const { members, custodians, threshold, quorum } = charter.payload
  return (
    `Proposed to ${members.map(one => one.id).join(', ')}; custodians ${custodians.join(', ')}, ${threshold} of them ` +
    `open; ${quorum} members remove one or replace a key.\n${table(changes.map(line => ['change', line]))}${signing}`
  )
}

function wholeNumber(option: string, text: string): number {
  const number = Number(text)
  if (Number.isInteger(number)) return number
  throw fault('bad-option', `${option} ${text} is not a number`)
}

function statusCommand(terminal: Terminal) {
  return command('status', 'what runs, who is late, what waits for a person', 'inbond coordinator status wco')
    .argument('<dir>', "the coordinator's directory")
    .option('--json', 'for programs')
    .action(async (path: string, options) => {
      await withContext(path, options, terminal, (context, { url }) => {
        const status = overview(context, url, runningProcess(path))
        const now = context.clock.now()
        const whole = { concerns: concernsOf(status, now), ...status }
        terminal.out(options.json ? `${JSON.stringify(whole, null, 2)}\n` : describeOverview(status, now))
      })
    })
}

/** The commands of a coordinator. What only its service needs is loaded when it starts. */
export function program(terminal: Terminal): Command {
  return group('inbond coordinator', 'the secretariat of a federation', [
    initCommand(terminal),
    startCommand(terminal),
    inviteCommand(terminal),
    group('researcher', 'who may ask', [
      researcherListCommand(terminal),
      assignCommand(terminal),
      revokeCommand(terminal),
    ]),
    group('charter', 'the document that all members sign', [proposeCommand(terminal)]),
    statusCommand(terminal),
    keyCommands(terminal, config),
    ...backupCommands(terminal, backupContents),
  ])
}

import { command, group, optionValue, type Terminal, table } from '#party/command.ts'
import { fault } from '#specs/errors.ts'
import { LONGEST_SPONSORSHIP_MS, purposeCode, typedName, typedReason, typedRole } from '#specs/messages.ts'
import { withNode } from './open.ts'
import { researchersOf, revoke, type Sponsored, sponsor } from './researchers.ts'

/** `inbond member researcher …`: whom this member vouches for. */

const DAY_MS = 86_400_000

function listCommand(terminal: Terminal) {
  return command('list', 'who asks to be sponsored, and who is', 'inbond member researcher list kr')
    .argument('<dir>', "the node's directory")
    .option('--json', 'for programs')
    .action((path: string, options) =>
      withNode(path, options, terminal, async node => {
        const listed = await researchersOf(node, terminal.signal)
        const lines = listed.map(one => [one.fingerprint, one.name, standing(one, node.clock.now())])
        terminal.out(options.json ? `${JSON.stringify(listed, null, 2)}\n` : table(lines))
      }),
    )
}

function standing({ sponsorship, revocation }: Sponsored, now: number): string {
  if (revocation !== null) return `revoked by ${revocation.by ?? 'the coordinator'}: ${revocation.reason}`
  if (sponsorship === null) return 'asks to be sponsored'
  const { notAfter, purposes } = sponsorship
  const day = notAfter.slice(0, 10)
  return Date.parse(notAfter) <= now ? `expired on ${day}` : `until ${day}, for ${purposes.join(', ')}`
}

function sponsorCommand(terminal: Terminal) {
  const collect = (value: string, before: string[] = []) => [...before, value]
  return command(
    'sponsor',
    'vouch for a researcher, or vouch again before it expires',
    'inbond member researcher sponsor kr FINGERPRINT --organisation "Bank of Korea" --purpose research',
  )
    .argument('<dir>', "the node's directory")
    .argument('<fingerprint>', "of the researcher's key, as the researcher tells it to you")
    .option('--organisation <name>', 'for whom the researcher asks')
    .option('--role <role>', 'what the researcher is there, such as analyst')
    .requiredOption('--purpose <code>', 'what may be asked for; repeat it for several', collect)
    .option(
      '--own-administration',
      'the researcher belongs to your administration, which then does not count towards the smallest cohort',
    )
    .option('--expires <days>', 'for how long, at most 366d', '365d')
    .action((path: string, print: string, options) => {
      const { organisation, role } = options
      const said = {
        organisation: organisation === undefined ? null : optionValue('--organisation', typedName, organisation),
        role: role === undefined ? null : optionValue('--role', typedRole, role),
        purposes: (options.purpose as string[]).map(code => optionValue('--purpose', purposeCode, code)),
        isOwn: options.ownAdministration === true,
        lasts: durationOption(options.expires),
      }
      return withNode(path, options, terminal, async node => {
        const { payload } = await sponsor(node, print, said)
        terminal.err(`${node.id} vouches for ${payload.name} until ${payload.notAfter.slice(0, 10)}.\n`)
      })
    })
}

function durationOption(text: string): number {
  const days = Number(/^(\d{1,3})d$/.exec(text)?.[1] ?? 0)
  if (days > 0 && days * DAY_MS <= LONGEST_SPONSORSHIP_MS) return days * DAY_MS
  throw fault('bad-option', `--expires ${text} is not a number of days such as 90d, at most 366d`)
}

function revokeCommand(terminal: Terminal) {
  return command(
    'revoke',
    'stop a researcher for good',
    'inbond member researcher revoke kr FINGERPRINT --reason "left the organisation"',
  )
    .argument('<dir>', "the node's directory")
    .argument('<fingerprint>', "of the researcher's key")
    .requiredOption('--reason <text>', 'why, for the researcher and the other members')
    .action((path: string, print: string, options) => {
      const reason = optionValue('--reason', typedReason, options.reason)
      return withNode(path, options, terminal, async node => {
        await revoke(node, print, reason)
        terminal.err(`Revoked ${print}. Its queries are refused, and rounds that nobody agreed to yet become void.\n`)
      })
    })
}

export function researcherCommands(terminal: Terminal) {
  return group('researcher', 'whom this member vouches for', [
    listCommand(terminal),
    sponsorCommand(terminal),
    revokeCommand(terminal),
  ])
}

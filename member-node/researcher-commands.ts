import { command, group, optionValue, type Terminal, table } from '#party/command.ts'
import { fault } from '#specs/errors.ts'
import {
  issuerAddress,
  LONGEST_SPONSORSHIP_MS,
  purposeCode,
  type Sponsorship,
  sponsorshipId,
  typedName,
  typedReason,
  typedRole,
} from '#specs/messages.ts'
import { withNode } from './open.ts'
import { providerKeys } from './organisations.ts'
import {
  organisationsOf,
  researchersOf,
  revoke,
  revokeOrganisation,
  type Sponsored,
  sponsor,
  sponsorOrganisation,
} from './researchers.ts'

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
        const organisations = organisationsOf(node)
        for (const { id, payload } of organisations) {
          lines.push([id, payload.organisation, `everybody whom ${payload.issuer} lets log in, ${until(payload)}`])
        }
        const whole = {
          researchers: listed,
          organisations: organisations.map(({ id, payload }) => ({ id, ...payload })),
        }
        terminal.out(options.json ? `${JSON.stringify(whole, null, 2)}\n` : table(lines))
      }),
    )
}

function standing({ sponsorship, revocation }: Sponsored, now: number): string {
  if (revocation !== null) return `revoked by ${revocation.by ?? 'the coordinator'}: ${revocation.reason}`
  if (sponsorship === null) return 'asks to be sponsored'
  const { notAfter } = sponsorship
  return Date.parse(notAfter) <= now ? `expired on ${notAfter.slice(0, 10)}` : until(sponsorship)
}

function until({ notAfter, purposes }: Pick<Sponsorship, 'notAfter' | 'purposes'>): string {
  return `until ${notAfter.slice(0, 10)}, for ${purposes.join(', ')}`
}

/** Of an option that may stand several times. */
function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

function sponsorCommand(terminal: Terminal) {
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
    .option('--json', 'for programs')
    .action((path: string, print: string, options) => {
      const { organisation } = options
      const said = {
        ...vouchingOptions(options),
        organisation: organisation === undefined ? null : optionValue('--organisation', typedName, organisation),
      }
      return withNode(path, options, terminal, async node => {
        const sponsored = await sponsor(node, print, said)
        const { name, notAfter } = sponsored
        terminal.err(`${node.id} vouches for ${name} until ${notAfter.slice(0, 10)}.\n`)
        if (options.json) terminal.out(`${JSON.stringify(sponsored)}\n`)
      })
    })
}

function sponsorOrganisationCommand(terminal: Terminal) {
  return command(
    'sponsor-organisation',
    'vouch for whomever an organisation lets log in with its own OpenID Connect provider',
    'inbond member researcher sponsor-organisation kr --organisation "Bank of Korea" --issuer https://login.example.org ' +
      '--client-id inbond --purpose research',
  )
    .argument('<dir>', "the node's directory")
    .requiredOption('--organisation <name>', 'for whom its people ask')
    .requiredOption('--issuer <address>', 'its provider: the keys that it publishes now are written down')
    .requiredOption('--client-id <id>', 'of Inbond at that provider')
    .option('--role <role>', 'what its people are there, such as analyst')
    .requiredOption('--purpose <code>', 'what may be asked for; repeat it for several', collect)
    .option('--own-administration', 'it is your administration, which then does not count towards the smallest cohort')
    .option('--expires <days>', 'for how long, at most 366d', '365d')
    .action((path: string, options) => {
      const said = {
        ...vouchingOptions(options),
        organisation: optionValue('--organisation', typedName, options.organisation),
        issuer: optionValue('--issuer', issuerAddress, options.issuer),
        clientId: optionValue('--client-id', typedName, options.clientId),
      }
      return withNode(path, options, terminal, async node => {
        const keys = await providerKeys(said.issuer, globalThis.fetch)
        const id = await sponsorOrganisation(node, { ...said, keys })
        terminal.err(
          `${node.id} vouches for the people of ${said.organisation}, with ${keys.length} keys: ` +
            `${keys.map(one => one.kid).join(', ')}. When the provider has others, do it again.\n`,
        )
        terminal.out(`${id}\n`)
      })
    })
}

function vouchingOptions(options: { role?: string; purpose: string[]; ownAdministration?: boolean; expires: string }) {
  return {
    role: options.role === undefined ? null : optionValue('--role', typedRole, options.role),
    purposes: options.purpose.map(code => optionValue('--purpose', purposeCode, code)),
    isOwn: options.ownAdministration === true,
    lasts: durationOption(options.expires),
  }
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
    .argument('<fingerprint>', "of the researcher's key; or the id that sponsor-organisation printed")
    .requiredOption('--reason <text>', 'why, for the researcher and the other members')
    .option('--json', 'for programs')
    .action((path: string, print: string, options) => {
      const reason = optionValue('--reason', typedReason, options.reason)
      return withNode(path, options, terminal, async node => {
        const ofOrganisation = sponsorshipId.safeParse(print).data
        await (ofOrganisation ? revokeOrganisation(node, ofOrganisation, reason) : revoke(node, print, reason))
        terminal.err(`Revoked ${print}. Its queries are refused, and rounds that nobody agreed to yet become void.\n`)
        if (options.json) terminal.out(`${JSON.stringify({ revoked: print, reason })}\n`)
      })
    })
}

export function researcherCommands(terminal: Terminal) {
  return group('researcher', 'whom this member vouches for', [
    listCommand(terminal),
    sponsorCommand(terminal),
    sponsorOrganisationCommand(terminal),
    revokeCommand(terminal),
  ])
}

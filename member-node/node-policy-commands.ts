import { type Command, Option } from 'commander'
import {
  type CommonOptions,
  command,
  group,
  optionValue,
  passphraseOf,
  readTextFile,
  type Terminal,
  table,
} from '#party/command.ts'
import { fault } from '#specs/errors.ts'
import { hash } from '#specs/messages.ts'
import { withDesk, withNode } from './open.ts'
import { policyChanges } from './policy-changes.ts'
import { type PolicyKeeper, UnsignedPolicy } from './policy-in-force.ts'
import { signPolicy } from './policy-signatures.ts'
import { admissionInWords, concernsOfPolicy, listedVersions, policyStanding, waitingPolicy } from './policy-versions.ts'
import type { Desk } from './queue.ts'
import { openStewardKey } from './stewards.ts'

/** `inbond member policy …`: the policy of a node, and who signs that another one takes its place. */
export function nodePolicyCommands(terminal: Terminal): Command {
  return group('policy', 'which policy is in force, and who signed it', [showCommand(terminal), signCommand(terminal)])
}

function showCommand(terminal: Terminal) {
  return command(
    'show',
    'every policy that was in force, who signed it, and one that waits',
    'inbond member policy show kr',
  )
    .argument('<dir>', "the node's directory")
    .option('--version <number>', 'the text of one that was in force, and nothing else')
    .addOption(new Option('--json', 'for programs').conflicts('version'))
    .action((path: string, options) =>
      withDesk(path, terminal, async (desk, keeper) => {
        await desk.policy()
        if (options.version !== undefined) {
          terminal.out(textOf(keeper, options.version))
          return
        }
        const versions = listedVersions(keeper)
        const lines = versions.map(one => [`${one.version}`, one.since, one.sha256, admissionInWords(one)])
        if (options.json) terminal.out(`${JSON.stringify({ versions, waits: waitingPolicy(keeper) }, null, 2)}\n`)
        else terminal.out(table(lines))
        if (!options.json && keeper.trouble instanceof UnsignedPolicy) terminal.out(`\n${describe(keeper.trouble)}`)
        for (const concern of concernsOfPolicy(policyStanding(keeper))) terminal.err(`${concern}\n`)
      }),
    )
}

/** @throws InbondError `not-found` */
function textOf({ versions }: PolicyKeeper, version: string): string {
  const found = versions.find(one => `${one.version}` === version)
  if (found !== undefined) return found.text
  throw fault(
    'not-found',
    `no policy here is version ${version}; the one in force is version ${versions.at(-1)?.version}`,
  )
}

interface SigningOptions extends CommonOptions {
  readonly as?: string
  readonly key?: string
  readonly withoutStewards?: boolean
  readonly sha256?: string
  readonly yes?: boolean
  readonly json?: boolean
}

function signCommand(terminal: Terminal) {
  return command(
    'sign',
    'show what the policy of the file changes, and sign that it takes the place of the one in force',
    'inbond member policy sign kr --as Kim --key kim.key --yes',
  )
    .argument('<dir>', "the node's directory")
    .option('--as <name>', 'who signs, as the policy in force names you')
    .option('--key <file>', 'your key; --passphrase-file and INBOND_PASSPHRASE are of it')
    .option('--without-stewards', "sign with the node's own key in place of the stewards; this stays on record")
    .option('--sha256 <hash>', 'sign no other text than the one that was shown')
    .option('--yes', 'sign it')
    .option('--json', 'for programs')
    .action(async (path: string, options: SigningOptions) => {
      const { as: steward, key: file } = options
      const isOwn = options.withoutStewards === true
      if (isOwn && steward === undefined && file === undefined) {
        return withNode(path, options, terminal, (node, _settings, _computation, keeper) =>
          signAs(node, keeper, options, terminal, { steward: null, key: async () => node.key }),
        )
      }
      if (isOwn || steward === undefined || file === undefined) {
        throw fault('bad-option', 'say who signs with --as and --key, or --without-stewards')
      }
      const key = async () => openStewardKey(await readTextFile(file), await passphraseOf(options, terminal))
      return withDesk(path, terminal, (desk, keeper) => signAs(desk, keeper, options, terminal, { steward, key }))
    })
}

type Signing = { readonly steward: string | null; readonly key: () => ReturnType<typeof openStewardKey> }

async function signAs(
  node: Pick<Desk, 'id' | 'db' | 'clock'>,
  keeper: PolicyKeeper,
  options: SigningOptions,
  terminal: Terminal,
  { steward, key }: Signing,
): Promise<void> {
  const { version } = await keeper.inForce()
  const { trouble } = keeper
  if (trouble === undefined) {
    terminal.err(`The policy of the file is in force, as version ${version}; there is nothing to sign.\n`)
    say(null)
    return
  }
  if (!(trouble instanceof UnsignedPolicy)) throw trouble
  const { succession } = trouble
  const shown = options.yes && !options.json ? terminal.out : terminal.err
  shown(describe(trouble))
  if (options.sha256 !== undefined && optionValue('--sha256', hash, options.sha256) !== succession.hash) {
    throw fault('not-confirmed', 'the file has another text than the one that was shown; nothing was signed')
  }
  if (!options.yes) {
    terminal.err(`To sign this text and no other: --yes --sha256 ${succession.hash}\n`)
    throw fault('not-confirmed', 'nothing was signed')
  }
  await signPolicy(node, succession, steward, await key())
  const now = await keeper.inForce()
  const left = keeper.trouble === undefined ? `it is in force, as version ${now.version}` : keeper.trouble.message
  terminal.err(`Signed: ${left}.\n`)
  say(succession.hash)

  function say(signed: string | null): void {
    if (options.json) terminal.out(`${JSON.stringify({ signed, ...policyStanding(keeper) }, null, 2)}\n`)
  }
}

function describe({ succession, message }: UnsignedPolicy): string {
  const { follows, rules } = succession
  const changes = policyChanges(follows.rules, rules)
  return table([
    ['policy', succession.hash],
    ['follows', `version ${follows.version}, ${follows.hash}`],
    ...(changes.length === 0 ? ['only comments or the order of lines'] : changes).map(line => ['change', line]),
    ['signatures', message],
  ])
}

import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { generateIdentityKey, writeKeyFile } from '#crypto/signature.ts'
import {
  type CommonOptions,
  command,
  optionValue,
  passphraseOf,
  readTextFile,
  type Terminal,
  table,
} from '#party/command.ts'
import { duration } from '#party/glance.ts'
import { fault } from '#specs/errors.ts'
import { refusal } from '#specs/messages.ts'
import { withDesk } from './open.ts'
import { describeQuestion, outlook } from './outlook.ts'
import type { PolicyKeeper } from './policy-in-force.ts'
import { concernsOfPolicy, listedVersions, policyStanding, withoutStewards } from './policy-versions.ts'
import { type QueuedQuestion, queuedQuestions } from './queue.ts'
import { decide, openStewardKey } from './stewards.ts'

/** The commands of the people who decide at a member. None of them needs the node's own key. */
export function stewardCommands(terminal: Terminal): Command[] {
  return [
    stewardCommand(terminal),
    queueCommand(terminal),
    showCommand(terminal),
    decisionCommand(terminal, 'approve'),
    decisionCommand(terminal, 'refuse'),
  ]
}

function stewardCommand(terminal: Terminal) {
  return command(
    'steward',
    'make a key for somebody who decides, and print what the policy says of it',
    'inbond member steward kim.key --name Kim --passphrase-file kim.passphrase',
  )
    .argument('<file>', 'a new file, for the steward alone')
    .requiredOption('--name <name>', 'as the policy names the steward')
    .action(async (file: string, options: CommonOptions & { name: string }) => {
      const passphrase = await passphraseOf(options, terminal)
      if (passphrase === undefined) {
        throw fault(
          'bad-option',
          'a key of a steward is sealed: give a passphrase with --passphrase-file or INBOND_PASSPHRASE',
        )
      }
      const key = await generateIdentityKey()
      await writeFile(file, await writeKeyFile(key, passphrase), { mode: 0o600, flag: 'wx', flush: true }).catch(
        cause => {
          if (cause.code !== 'EEXIST') throw cause
          throw fault('not-writable', `${file} is there already, and a key overwrites nothing`, cause)
        },
      )
      terminal.out(`- { name: ${JSON.stringify(options.name)}, key: ${key.publicKey} }\n`)
    })
}

function queueCommand(terminal: Terminal) {
  return command('queue', 'the questions that wait for a person', 'inbond member queue kr')
    .argument('<dir>', "the node's directory")
    .option('--all', 'those too that are over, with who decided')
    .option('--json', 'for programs')
    .action((path: string, options) =>
      withDesk(path, terminal, async (desk, policy) => {
        const questions = await queuedQuestions(desk, options.all === true)
        for (const sentence of ofPolicy(policy, options.all === true)) terminal.err(`${sentence}\n`)
        const lines = questions.map(one => lineOf(one, desk.clock.now()))
        if (options.json) terminal.out(`${JSON.stringify(questions, null, 2)}\n`)
        else terminal.out(questions.length === 0 ? 'Nothing waits.\n' : table(lines))
      }),
    )
}

/** What stewards must know of the policy, beside the questions. @param all also what was so before */
function ofPolicy(policy: PolicyKeeper, all: boolean): string[] {
  const earlier = all ? listedVersions(policy).slice(0, -1) : []
  const forced = earlier.filter(one => one.admittedBy === 'node').map(withoutStewards)
  return [...forced, ...concernsOfPolicy(policyStanding(policy))]
}

/** A question in the columns of `queue`: its id, how it stands, approvals, what is asked by whom, and who decided or why nobody did. */
export function lineOf(one: QueuedQuestion, now: number): string[] {
  const left = one.state === 'waits' ? `, ${duration(Date.parse(one.expires) - now)} left` : ''
  const approved = `${one.approvedBy.length} of ${one.approvalsNeeded}`
  const decided = one.decisions.map(
    ({ steward, verdict, reason }) => `${steward}: ${verdict}${reason === null ? '' : `, ${reason}`}`,
  )
  const isByHand = one.decisions.some(({ verdict }) => verdict === 'refuse')
  if (one.refusal !== null && !isByHand) decided.push(one.refusal)
  const asked = `${one.purpose} (${one.researcher})`
  return [one.question.slice(0, 12), `${one.state}${left}`, approved, asked, decided.join('; ')]
}

function showCommand(terminal: Terminal) {
  return command(
    'show',
    'what a question would reveal, to whom, and what it would say of your own records',
    'inbond member show kr 3fa1b2',
  )
    .argument('<dir>', "the node's directory")
    .argument('<question>', 'its id or that of the query, or the first digits')
    .option('--json', 'for programs')
    .action((path: string, digits: string, options) =>
      withDesk(path, terminal, async desk => {
        const seen = await outlook(desk, digits)
        terminal.out(options.json ? `${JSON.stringify(seen, null, 2)}\n` : describeQuestion(seen, desk.clock.now()))
      }),
    )
}

type DecisionOptions = CommonOptions & Record<'as' | 'key' | 'reason', string> & { readonly json?: boolean }

function decisionCommand(terminal: Terminal, verdict: 'approve' | 'refuse') {
  const reason = verdict === 'refuse' ? ' --reason "Ask by year"' : ''
  const made = command(
    verdict,
    verdict === 'approve' ? 'let a question be answered' : 'refuse a question, with a reason',
    `inbond member ${verdict} kr 3fa1b2 --as Kim --key kim.key${reason}`,
  )
    .argument('<dir>', "the node's directory")
    .argument('<question>', 'its id or that of the query, or the first digits')
    .requiredOption('--as <name>', 'who decides, as the policy names you')
    .requiredOption('--key <file>', 'your key; --passphrase-file and INBOND_PASSPHRASE are of it')
  if (verdict === 'refuse') made.requiredOption('--reason <reason>', 'one sentence; whoever asked reads it')
  made.option('--json', 'for programs')
  return made.action((path: string, digits: string, options: DecisionOptions) =>
    withDesk(path, terminal, async desk => {
      const key = await openStewardKey(await readTextFile(options.key), await passphraseOf(options, terminal))
      const said = verdict === 'refuse' ? optionValue('--reason', refusal.schema.shape.reason, options.reason) : null
      const now = await decide(desk, { question: digits, steward: options.as, key, verdict, reason: said })
      terminal.err(`${whatFollows(now)}\n`)
      if (options.json) terminal.out(`${JSON.stringify(now, null, 2)}\n`)
    }),
  )
}

function whatFollows(now: QueuedQuestion): string {
  const id = now.question.slice(0, 12)
  switch (now.state) {
    case 'refused':
      return `Refused ${id}. Whoever asked is told the reason when the node runs.`
    case 'waits':
      return `Approved ${id}; ${now.approvedBy.length} of ${now.approvalsNeeded} people did.`
    default:
      return `Approved ${id}. The node answers it within seconds if it runs.`
  }
}

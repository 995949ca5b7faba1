import { join } from 'node:path'
import { type Command, CommanderError, Option } from 'commander'
import { stringify } from 'yaml'
import { commandWithoutKey, group, readTextFile, type Terminal } from '#party/command.ts'
import { fault } from '#specs/errors.ts'
import { type Judgement, judge } from '#specs/policy.ts'
import { parseQueryFile } from '#specs/query.ts'
import { presets } from './policy.ts'
import { readPolicy } from './policy-in-force.ts'

const SCHEMA = join(import.meta.dirname, '..', 'specs', 'policy.schema.json')
/** Exit statuses; 1 is an error. */
const STATUSES = { allowed: 0, 'by hand': 3, refused: 4 } as const

/** `inbond policy …`: a policy before a node has it. */
export function policyProgram(terminal: Terminal): Command {
  return group('inbond policy', 'try a policy, without a node', [checkCommand(terminal), printCommand(terminal)])
}

function checkCommand(terminal: Terminal) {
  return commandWithoutKey(
    'check',
    'what a policy says of a query: allowed (exit status 0), by hand (3) or refused (4), with every reason',
    'inbond policy check policy.yaml imports.yaml --organisation "Statistics Korea"',
  )
    .argument('<policy>', 'a policy file, or open or standard')
    .argument('<query>', 'a query file')
    .option('--organisation <name>', 'of whoever asks')
    .option('--role <role>', 'of whoever asks')
    .addOption(
      new Option('--members <number>', 'who may be in the answer; without it, need: all is enough').argParser(Number),
    )
    .option('--json', 'for programs')
    .action(async (policy: string, file: string, options) => {
      if (options.members !== undefined && !(Number.isInteger(options.members) && options.members > 0)) {
        throw fault('bad-option', '--members is not a number of members')
      }
      const rules = await readPolicy(policy)
      const { question, need } = parseQueryFile(await readTextFile(file))
      const judged = judge(rules, {
        question,
        need,
        organisation: options.organisation ?? null,
        role: options.role ?? null,
        eligible: options.members,
        minimumCohort: 3,
        answeredToday: 0,
      })
      const verdict = verdictOf(judged)
      const said = { ...judged, template: judged.template ?? null, verdict }
      terminal.out(options.json ? `${JSON.stringify(said)}\n` : describe(judged))
      if (verdict !== 'allowed') throw new CommanderError(STATUSES[verdict], 'inbond.verdict', verdict)
    })
}

function verdictOf({ approval }: Judgement): keyof typeof STATUSES {
  return approval === 'automatic' ? 'allowed' : approval === 'refused' ? 'refused' : 'by hand'
}

function describe(judged: Judgement): string {
  const template = judged.template === undefined ? '' : `, by the template "${judged.template}"`
  const lines = [`${verdictOf(judged)}${template}`, ...judged.reasons]
  return lines.map(line => `${line}\n`).join('')
}

function printCommand(terminal: Terminal) {
  return commandWithoutKey(
    'print',
    'one of the policies that have a name, as a file to begin with',
    'inbond policy print standard > policy.yaml',
  )
    .argument('<name>', 'open or standard')
    .action((name: string) => {
      if (!Object.hasOwn(presets, name)) throw fault('bad-option', `"${name}" is neither open nor standard`)
      terminal.out(`# yaml-language-server: $schema=${SCHEMA}\n${stringify(presets[name])}`)
    })
}

import { program as coordinator } from '#coordinator/commands.ts'
import { program as member } from '#member-node/commands.ts'
import { run, type Terminal } from '#party/command.ts'
import { program as researcher } from '#researcher/commands.ts'
import type { Finished } from './federation.ts'

/** By first word, as in the script `inbond`: the commands, and how many words of the line name them. */
const programs = {
  coordinator: [coordinator, 1],
  member: [member, 1],
  researcher: [researcher, 0],
  query: [researcher, 0],
  verify: [researcher, 0],
} as const

/** Whether a command line is one of a party; anything else the script `inbond` answers itself. */
export function isOfAParty(args: readonly string[]): boolean {
  return Object.hasOwn(programs, args[0] ?? '')
}

/** Runs a command of a party in this process: all of it but the start of a process, which takes most of the time. */
export async function runHere(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  // As every party does: what it writes is its owner's alone.
  process.umask(0o077)
  const [program, words] = programs[args[0] as keyof typeof programs]
  let stdout = ''
  let stderr = ''
  const terminal: Terminal = {
    args: args.slice(words),
    environment,
    out: text => {
      stdout += text
    },
    err: text => {
      stderr += text
    },
    columns: undefined,
    signal: new AbortController().signal,
    endAtOnce: () => undefined,
  }
  const status = await run(program(terminal), terminal)
  return { status, signal: null, stdout, stderr }
}

import { readFile } from 'node:fs/promises'
import { Command, CommanderError } from 'commander'
import type { z } from 'zod'
import { InbondError } from '#crypto/error.ts'
import { fault } from '#specs/errors.ts'
import { inOneLine } from '#specs/printable.ts'
import { LONGEST_DETAIL, remedyOf } from '#specs/problem.ts'
import { inWords } from '#specs/wording.ts'
import { type Coordinates, warningOfPlainHttp } from './coordinates.ts'
import { explained, unreadable } from './system-errors.ts'

/** What a command line may use of its process; handed in, so that only a main file touches the process itself. */
export interface Terminal {
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The result and nothing else. */
  readonly out: (text: string) => void
  /** Progress, warnings, errors. */
  readonly err: (text: string) => void
  /** Width of the screen that `err` is and on which lines can be redrawn; undefined elsewhere. */
  readonly columns: number | undefined
  /** Aborts at Ctrl-C and at a termination signal. */
  readonly signal: AbortSignal
  /** For a command that keeps the thread busy and may be killed at any moment: signals end the process at once again. */
  readonly endAtOnce: () => void
}

export interface CommonOptions {
  readonly passphraseFile?: string
  readonly verbose?: boolean
}

/** A command of a party, with what such a command has: help with an example, a passphrase, and errors in one form. */
export function command(name: string, summary: string, example: string): Command {
  return commandWithoutKey(name, summary, example).option(
    '--passphrase-file <file>',
    'passphrase of the identity key (or INBOND_PASSPHRASE)',
  )
}

/** A command that reads what is anybody's, and opens no key. */
export function commandWithoutKey(name: string, summary: string, example: string): Command {
  return withConventions(new Command(name))
    .summary(summary)
    .description(summary)
    .option('--verbose', 'say more: where an error comes from, and of a party that runs every request that waits')
    .addHelpText('after', `\nExample:\n  ${example}`)
}

/** A group of commands, such as `coordinator charter`. */
export function group(name: string, summary: string, commands: readonly Command[]): Command {
  const made = withConventions(new Command(name)).summary(summary).description(summary)
  for (const one of commands) made.addCommand(one)
  return made
}

function withConventions(made: Command): Command {
  return made.helpOption('--help', 'show this').helpCommand(false).showSuggestionAfterError(true).exitOverride()
}

/** What stands after an option. @throws InbondError `bad-option` */
export function optionValue<S extends z.ZodType>(option: string, schema: S, text: string): z.output<S> {
  const parsed = schema.safeParse(text, { error: inWords })
  if (parsed.success) return parsed.data
  const [first] = parsed.error.issues
  const reason = first?.message.startsWith('must') ? `it ${first.message}` : first?.message
  throw fault('bad-option', `${option} "${text}": ${reason}`)
}

/** The passphrase that was given, if any. @throws InbondError `file-not-readable`, `bad-option` for an empty one */
export async function passphraseOf(options: CommonOptions, terminal: Terminal): Promise<string | undefined> {
  const given =
    options.passphraseFile === undefined
      ? terminal.environment.INBOND_PASSPHRASE
      : (await readTextFile(options.passphraseFile)).replace(/\r?\n$/, '')
  if (given !== '') return given
  throw fault('bad-option', `${options.passphraseFile ?? 'INBOND_PASSPHRASE'} holds an empty passphrase`)
}

/** @throws InbondError `file-not-readable` */
export async function readTextFile(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(cause => {
    throw fault('file-not-readable', unreadable(path, cause), cause)
  })
}

/** `--plain-http`, as coordinates have it. */
export function insisting(options: { readonly plainHttp?: boolean }): { plainHttp?: true } {
  return options.plainHttp ? { plainHttp: true } : {}
}

export function warnOfPlainHttp(to: Pick<Coordinates, 'url'>, terminal: Terminal): void {
  const warning = warningOfPlainHttp(to)
  if (warning !== undefined) terminal.err(`Warning: ${warning}.\n`)
}

export function warnOfPlainKey(passphrase: string | undefined, terminal: Terminal): void {
  if (passphrase !== undefined) return
  terminal.err('Warning: the identity key is stored without a passphrase, readable by this user only.\n')
}

/** Runs a program and returns its exit status: 0 only on success. */
export async function run(program: Command, terminal: Terminal): Promise<number> {
  writeTo(program, terminal)
  try {
    await program.parseAsync([...terminal.args], { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode
    if (terminal.signal.aborted && (error as Error)?.name === 'AbortError') return 130
    terminal.err(describeError(explained(error), terminal.args.includes('--verbose')))
    return 1
  }
}

function writeTo(program: Command, terminal: Terminal): void {
  program.configureOutput({
    writeOut: terminal.out,
    writeErr: terminal.err,
    outputError: (message, write) => write(`${oneSentence(message)} [bad-option]\n  ${remedyOf('bad-option')}\n`),
  })
  for (const one of program.commands) writeTo(one as Command, terminal)
}

/** Commander's message in the form of all others: `error: unknown option '--nme'\\n(Did you mean --name?)` on one line. */
function oneSentence(message: string): string {
  return message
    .trim()
    .replace(/^error: /, 'inbond: ')
    .replace('\n(Did', ' (did')
    .replace(/\.$/, '')
}

/** One sentence with its code, and below it what to do. */
export function describeError(error: unknown, verbose = false): string {
  const code = error instanceof InbondError ? error.code : 'internal-error'
  const message = inOneLine(error instanceof Error ? error.message : String(error), LONGEST_DETAIL)
  const lines = `inbond: ${message} [${code}]\n  ${remedyOf(code)}\n`
  return verbose && error instanceof Error ? `${lines}\n${error.stack}\n${stackOfCause(error)}` : lines
}

function stackOfCause(error: Error): string {
  return error.cause instanceof Error ? `caused by ${error.cause.stack}\n${stackOfCause(error.cause)}` : ''
}

/** Sentences for people, in lines of at most 100 characters; a longer word has a line of its own. */
export function wrapped(text: string): string {
  return text.replace(/(\S{101,}|.{1,100})(?: |$)/g, '$1\n')
}

/** A table for people: left-aligned columns, the last of which is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, i) => Math.max(most[i] ?? 0, cell.length)), [])
  return rows
    .map(row => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] as number))).join('  '))
    .map(line => `${line.trimEnd()}\n`)
    .join('')
}

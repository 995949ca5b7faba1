import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { systemClock } from '#party/clock.ts'
import { type CommonOptions, command, commandWithoutKey, optionValue, type Terminal } from '#party/command.ts'
import { counted } from '#party/glance.ts'
import { catalogue } from '#specs/datasets/catalogue.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { fault } from '#specs/errors.ts'
import { keyFingerprint, typedNote } from '#specs/messages.ts'
import { fetchRelease, isAddress, publicConnection, publishedAt, readReleaseFile } from './published.ts'
import { hasIdToken, keptContent, publish } from './release.ts'
import { type Researcher, storedQuery } from './researcher.ts'
import { type Step, type Verified, verifyRelease } from './verification.ts'
import { describeVerified, NOT_SHOWN, summary } from './verified.ts'

type WithResearcher = <T>(
  path: string,
  options: CommonOptions,
  terminal: Terminal,
  work: (researcher: Researcher) => Promise<T>,
) => Promise<T>

export function releaseCommand(terminal: Terminal, withResearcher: WithResearcher): Command {
  return command(
    'release',
    'publish an answer that you read, for ever, with everything to verify it',
    'inbond query release 3fa1b2 --as me --yes --output imports.release',
  )
    .requiredOption('--as <dir>', "the researcher's directory")
    .argument('<query>', 'its id, or the first digits of it')
    .option('--note <text>', 'what you say beside it')
    .option('--output <file>', 'write what was published, to publish it elsewhere too')
    .option('--yes', 'publish: it cannot be taken back')
    .option('--json', 'for programs')
    .action((id: string, options) =>
      withResearcher(options.as, options, terminal, async researcher => {
        const stored = storedQuery(researcher, id)
        const note = options.note === undefined ? null : optionValue('--note', typedNote, options.note)
        const content = keptContent(researcher, stored.id)
        if (!options.yes) {
          terminal.err(describeConsequences(stored.purpose, content.rows.length, hasIdToken(content)))
          throw fault('not-confirmed', 'nothing was published; --yes publishes it')
        }
        const { address, file } = await publish(researcher, stored.id, note, terminal.signal)
        if (options.output !== undefined) await writeFile(options.output, file)
        terminal.err(`Published and verified. To verify it, anybody runs: inbond verify ${address}\n`)
        terminal.out(options.json ? `${JSON.stringify({ query: stored.id, address })}\n` : `${address}\n`)
      }),
    )
}

function describeConsequences(purpose: string, rows: number, idToken: boolean): string {
  const token = idToken ? ', the ID token with which you logged in' : ''
  return (
    `"${purpose}": everybody will read its ${counted(rows, 'row')}, the number of records of each cell, the question and its purpose, ` +
    'who contributed and what their data cover, who did not, ' +
    `your name, organisation, role, purposes and sponsor${token}, and your note if there is one. It stays public for ever.\n`
  )
}

interface VerifyOptions {
  readonly federation?: string
  readonly explain?: boolean
  readonly json?: boolean
}

export function verifyCommand(terminal: Terminal): Command {
  return commandWithoutKey(
    'verify',
    'check a published answer, with public data alone',
    'inbond verify imports.release --federation FINGERPRINT',
  )
    .argument('<release>', 'a file, or its address')
    .option('--federation <fingerprint>', 'the federation that you mean, as its members publish it')
    .option('--explain', 'every step')
    .option('--json', 'for programs')
    .action(async (source: string, options: VerifyOptions) => {
      const { federation: given } = options
      const federation = given === undefined ? undefined : optionValue('--federation', keyFingerprint, given)
      const at = isAddress(source) ? publishedAt(source) : undefined
      const bytes = isAddress(source)
        ? await fetchRelease({ url: source }, globalThis.fetch, terminal.signal)
        : await readReleaseFile(source)
      const coordinator = at === undefined ? undefined : publicConnection({ url: at.coordinator }, globalThis.fetch)
      const steps: Step[] = []
      const verified = await verifyRelease(
        bytes,
        { federation, id: at?.id, coordinator },
        observer(terminal, options, steps),
      )
      terminal.out(options.json ? jsonOf(verified, steps) : textOf(verified, steps, options))
    })
}

/** After this long it is said what takes so long. */
const QUIET_MS = 2000

/** Keeps what holds. Where something does not, that is the result, and the error follows. */
function observer(terminal: Terminal, options: VerifyOptions, steps: Step[]) {
  const began = systemClock.now()
  return {
    begun: (step: string) => {
      if (systemClock.now() - began > QUIET_MS) terminal.err(`checking: ${step}\n`)
    },
    done: (step: Step) => void steps.push(step),
    failed: (step: string, reason: string) => {
      if (options.json) terminal.out(`${JSON.stringify({ verified: false, steps, failed: { step, reason } })}\n`)
      else if (options.explain) terminal.out(`${linesOf(steps)}✗ ${step}: ${reason}\n`)
    },
  }
}

function linesOf(steps: readonly Step[]): string {
  return steps.map(({ step, found, proved }) => `${proved ? '✓' : '–'} ${step}: ${found}\n`).join('')
}

function jsonOf(verified: Verified, steps: readonly Step[]): string {
  const { release, federation, answer } = verified
  const { id, payload } = release
  const explained = summary(verified)
  return `${JSON.stringify({ verified: true, id, federation, explained, release: payload, steps, answer })}\n`
}

function textOf(verified: Verified, steps: readonly Step[], { explain, federation }: VerifyOptions): string {
  const dataset = catalogue.get(verified.dataset) as Dataset
  const explained = explain ? `\n${linesOf(steps)}${NOT_SHOWN}` : ''
  return `${describeVerified(verified, dataset, federation !== undefined)}${explained}`
}

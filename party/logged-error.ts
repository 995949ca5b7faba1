import { InbondError } from '#crypto/error.ts'
import { remedyOf } from '#specs/problem.ts'
import { explained } from './system-errors.ts'

/** The code and the sentence may be another party's. */
const LONGEST_CODE = 64
const LONGEST_REASON = 1000

/** An error as a log may hold it. */
export type LoggedError = {
  readonly code: string
  readonly reason: string
  readonly remedy: string
  readonly stack?: string
}

/**
 * An error of Inbond says what is wrong without a secret in it. Any other may quote what it choked on, as those of JSON.parse,
 * BigInt and Drizzle do: of these a log gets kind and place.
 */
export function loggable(error: unknown): LoggedError {
  const known = explained(error)
  if (known instanceof InbondError && known.code !== 'internal-error') {
    const { code, message } = known
    return { code: code.slice(0, LONGEST_CODE), reason: message.slice(0, LONGEST_REASON), remedy: remedyOf(code) }
  }
  const chain = causesOf(error)
  const stack = chain.flatMap(framesOf).join('\n')
  const reason = chain.map(nameOf).join(', caused by ')
  const remedy = remedyOf('internal-error')
  return { code: 'internal-error', reason, remedy, ...(stack === '' ? {} : { stack }) }
}

const MOST_CAUSES = 4

function causesOf(error: unknown): unknown[] {
  const chain = [error]
  while (chain.length < MOST_CAUSES && (chain.at(-1) as Error | undefined)?.cause instanceof Error) {
    chain.push((chain.at(-1) as Error).cause)
  }
  return chain
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`
  if (error instanceof InbondError) return error.message
  const { code } = error as NodeJS.ErrnoException
  const kind = code === undefined ? error.name : `${error.name} ${code}`
  return mayBeQuoted(error) ? `${kind}: ${error.message}` : kind
}

/** SQLite and the operating system name columns and files. */
export function mayBeQuoted(error: unknown): boolean {
  const { name, syscall }: Partial<NodeJS.ErrnoException> = Object(error)
  return name === 'SqliteError' || syscall !== undefined
}

/** The lines of a stack that say where, without the message that comes before them. */
export function framesOf(error: unknown): string[] {
  if (!(error instanceof Error) || error.stack === undefined) return []
  const { stack, message } = error
  return stack
    .slice(stack.indexOf(message) + message.length)
    .split('\n')
    .filter(line => line.startsWith('    at '))
}

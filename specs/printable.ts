import { z } from 'zod'

/**
 * Control characters, separators of lines, and what turns the direction of a line around: with these a name could overwrite,
 * on a terminal, the fingerprint that is shown beside it.
 */
const UNPRINTABLE = '\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069'

/**
 * Text of others that people read. Half a surrogate pair, which JSON can escape, is none: every language makes something else of it.
 * The pattern means the same with and without the flag `u`, because it is published.
 */
export const printable = z
  .string()
  .regex(
    new RegExp(`^(?:[^${UNPRINTABLE}\\ud800-\\udfff]|[\\ud800-\\udbff][\\udc00-\\udfff])*$`),
    'must be one line, without control characters',
  )

/** The same text as `printable` takes it, at most `longest` UTF-16 code units of it. */
export function inOneLine(text: string, longest: number): string {
  const line = text.replace(new RegExp(`[${UNPRINTABLE}]+`, 'g'), ' ')
  return (line.length > longest ? `${line.slice(0, longest - 1)}…` : line).toWellFormed()
}

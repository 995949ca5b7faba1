import type { z } from 'zod'

/**
 * What is wrong with something that a person wrote, in words: `safeParse(file, { error: inWords })`. A message that stands in a
 * schema comes before it.
 */
export function inWords(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.input === undefined) return 'is missing'
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${NOUNS[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return `must be ${listed(issue.values.map(String))}`
    case 'too_small':
      return `must ${limit(issue.origin, 'at least', Number(issue.minimum))}`
    case 'too_big':
      return `must ${limit(issue.origin, 'at most', Number(issue.maximum))}`
    case 'unrecognized_keys':
      return `has no field ${issue.keys.map(key => `"${key}"`).join(', ')}`
    default:
      return undefined
  }
}

const NOUNS: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'a set of fields',
  record: 'a set of fields',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
}

function listed(values: readonly string[]): string {
  return values.length < 2 ? values.join() : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`
}

function limit(origin: string, bound: string, size: number): string {
  if (origin === 'string') return `have ${bound} ${size} ${size === 1 ? 'character' : 'characters'}`
  if (origin === 'array') return `have ${bound} ${size} ${size === 1 ? 'entry' : 'entries'}`
  return `be ${bound} ${size}`
}

const LONGEST_DESCRIPTION = 500

/**
 * One line of at most 500 characters for a zod error: where, and what is wrong there. What is wrong with the whole follows
 * `whole`. The names of fields are the sender's, and may be of any length and number.
 */
export function describeIssues(error: z.ZodError, whole = 'it:'): string {
  const line = error.issues
    .slice(0, 3)
    .map(issue => `${issue.path.length > 0 ? `${issue.path.join('.')}:` : whole} ${issue.message}`)
    .join('; ')
  return line.length > LONGEST_DESCRIPTION ? `${line.slice(0, LONGEST_DESCRIPTION - 1)}…` : line
}

import { isDeepStrictEqual } from 'node:util'
import { inOneLine } from '#specs/printable.ts'
import type { Policy } from './policy.ts'

const LONGEST_VALUE = 1000

/** What a policy changes against the one before, a line for each change: nothing where only comments or the order differ. */
export function policyChanges(before: Policy, after: Policy): string[] {
  const fields = Object.keys(after) as (keyof Policy)[]
  return fields.flatMap(field => changesOf(field, before[field], after[field]))
}

function changesOf(field: string, before: unknown, after: unknown): string[] {
  if (isDeepStrictEqual(before, after)) return []
  if (Array.isArray(before) && Array.isArray(after)) {
    const lacks = (list: unknown[]) => (one: unknown) => !list.some(other => isDeepStrictEqual(one, other))
    const [added, removed] = [after.filter(lacks(before)), before.filter(lacks(after))]
    return [
      ...added.map(one => `${field}: with ${inWords(one)}`),
      ...removed.map(one => `${field}: without ${inWords(one)}`),
    ]
  }
  if (isFields(before) && isFields(after)) {
    return Object.keys(after).flatMap(part => changesOf(`${field}.${part}`, before[part], after[part]))
  }
  return [`${field}: ${inWords(after)} instead of ${inWords(before)}`]
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function inWords(value: unknown): string {
  return inOneLine(listed(value), LONGEST_VALUE)
}

function listed(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(listed).join(', ')}]`
  if (!isFields(value)) return String(value)
  return `{ ${Object.entries(value)
    .map(([name, part]) => `${name}: ${listed(part)}`)
    .join(', ')} }`
}

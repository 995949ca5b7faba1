import { isDeepStrictEqual } from 'node:util'
import { fingerprint } from '#crypto/signature.ts'
import type { Charter, MemberId } from '../messages.ts'
import { changesBetween, quorumOf } from './succession.ts'

type Entry = Charter['members'][number]

/** What a charter changes against the one before, a line for each change, with the fingerprints that people compare. */
export async function describeChanges(previous: Charter, next: Charter): Promise<string[]> {
  const { added, removed, replaced, kept } = changesBetween(previous, next)
  const joining = added.map(async id => {
    const { name, publicKey } = entryOf(next, id)
    return `${id} joins, with the key ${await fingerprint(publicKey)}: ${name}`
  })
  const replacing = replaced.map(async id => {
    const [before, after] = [previous, next].map(charter => fingerprint(entryOf(charter, id).publicKey))
    return `${id} has the key ${await after} in place of ${await before}`
  })
  return [
    ...(await Promise.all(joining)),
    ...removed.map(id => `${id} leaves`),
    ...(await Promise.all(replacing)),
    ...[...replaced, ...kept].flatMap(id => entryChanges(entryOf(previous, id), entryOf(next, id))),
    ...termChanges(previous, next),
  ]
}

function entryOf(charter: Charter, id: MemberId): Entry {
  return charter.members.find(one => one.id === id) as Entry
}

function entryChanges(before: Entry, after: Entry): string[] {
  const named = before.name === after.name ? [] : [`${after.id} is called ${after.name} instead of ${before.name}`]
  const isMadeOtherwise = !isDeepStrictEqual(before.conventions, after.conventions)
  const made = isMadeOtherwise ? [`${after.id} makes its figures otherwise: ${listed(after.conventions)}`] : []
  return [...named, ...made]
}

/** What is shown otherwise, or is another one in each charter. */
const OWN = ['protocol', 'epoch', 'previous', 'logHead', 'proposedAt', 'members']

function termChanges(previous: Charter, next: Charter): string[] {
  const [before, after] = [previous, next].map(one => ({ ...one, quorum: quorumOf(one) })) as unknown as [
    Fields,
    Fields,
  ]
  const fields = [...new Set([...Object.keys(after), ...Object.keys(before)])]
  return fields
    .filter(field => !OWN.includes(field))
    .filter(field => !isDeepStrictEqual(before[field], after[field]))
    .map(field => `${nameOf(field)}: ${listed(after[field])} instead of ${listed(before[field])}`)
}

type Fields = Record<string, unknown>

function nameOf(field: string): string {
  return field.replaceAll(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)
}

/** A value of a charter for people: lists with commas, parts of objects with spaces. */
function listed(value: unknown): string {
  if (Array.isArray(value)) return value.map(listed).join(', ')
  if (typeof value === 'object' && value !== null) return Object.values(value).map(listed).join(' ')
  return value === undefined ? 'nothing' : String(value)
}

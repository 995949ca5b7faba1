import { isDeepStrictEqual } from 'node:util'
import type { PublicKey } from '#crypto/signature.ts'
import { fault } from '../errors.ts'
import type { Charter, CharterId, MemberId } from '../messages.ts'

/**
 * How one charter follows another: who must sign the next one, as a pure function of the two documents. Whoever reads a charter
 * holds the one before it to this rule, so that a coordinator cannot change the federation by itself.
 *
 * The first charter is signed by everybody on its roster. Each later one is signed by newcomers and with every new key; by a quorum
 * of the members whose keys stay; by all of those if somebody is added or a rule changes; and by so many of the custodians whose
 * keys stay, if the keys that open answers change.
 *
 * Two charters that follow the same one are never both in force. Each needs confirmations of the quorum too, which is more than half
 * of the members of the charter before, so that some member would have confirmed both; and a member confirms one alone.
 */

/** What a charter makes different from the one before. */
export interface Changes {
  readonly added: readonly MemberId[]
  readonly removed: readonly MemberId[]
  /** On both rosters, with another key. */
  readonly replaced: readonly MemberId[]
  /** On both rosters, with the same key. */
  readonly kept: readonly MemberId[]
  /** What else differs and does not follow from a removal: names of fields. */
  readonly rules: readonly string[]
  /** Other custodians, other keys of theirs, or another threshold. */
  readonly custody: boolean
}

/** So many of these members. */
export interface Several {
  readonly needed: number
  readonly of: readonly MemberId[]
}

/** Whom a charter needs before it is in force; or, where some have signed, whom it still needs. */
export interface Demands {
  /** Every one of them. */
  readonly members: readonly MemberId[]
  readonly quorum: Several
  readonly custodians: Several
}

type Terms = Pick<Charter, 'members' | 'quorum'>

/** How many members it takes to remove one or to replace a key. */
export function quorumOf({ members, quorum }: Terms): number {
  return quorum ?? members.length - 1
}

/** Two thirds: the largest share of members that may be lost at once is then a third. */
export function defaultQuorum(members: number): number {
  return Math.ceil((2 * members) / 3)
}

/** More than half of the members; all but one at the most, or nobody could ever be removed. */
export function quorumBounds(members: number): { least: number; most: number } {
  return { least: Math.floor(members / 2) + 1, most: members - 1 }
}

/** Custodians, threshold and quorum of a charter after members have left it, where nobody decides about them. */
export function inherited(previous: Charter, remaining: readonly MemberId[], members: number) {
  return {
    custodians: previous.custodians.filter(id => remaining.includes(id)),
    threshold: previous.threshold,
    quorum: Math.min(quorumOf(previous), members - 1),
  }
}

export function changesBetween(previous: Charter, next: Charter): Changes {
  const before = keysOf(previous)
  const after = keysOf(next)
  const both = [...before.keys()].filter(id => after.has(id))
  const kept = both.filter(id => before.get(id) === after.get(id))
  const custody = [previous, next].map(one => [one.threshold, one.custodians.map(id => [id, keysOf(one).get(id)])])
  return {
    added: [...after.keys()].filter(id => !before.has(id)),
    removed: [...before.keys()].filter(id => !after.has(id)),
    replaced: both.filter(id => !kept.includes(id)),
    kept,
    rules: changedRules(previous, next, both),
    custody: !isDeepStrictEqual(custody[0], custody[1]),
  }
}

function keysOf({ members }: Charter): Map<MemberId, PublicKey> {
  return new Map(members.map(one => [one.id, one.publicKey]))
}

/** What every charter has of its own, and what is compared otherwise. A field that a later version adds is a rule. */
const NO_RULES = ['epoch', 'previous', 'logHead', 'proposedAt', 'members', 'custodians', 'threshold', 'quorum']

function changedRules(previous: Charter, next: Charter, both: readonly MemberId[]): string[] {
  const fields = [...new Set([...Object.keys(previous), ...Object.keys(next)])].filter(one => !NO_RULES.includes(one))
  const [before, after] = [previous, next] as unknown as Record<string, unknown>[]
  const expected = inherited(previous, both, next.members.length)
  const actual = { custodians: next.custodians, threshold: next.threshold, quorum: quorumOf(next) }
  const described = (charter: Charter, id: MemberId) => {
    const { name, conventions } = charter.members.find(one => one.id === id) as Charter['members'][number]
    return { name, conventions }
  }
  return [
    ...fields.filter(field => !isDeepStrictEqual(before?.[field], after?.[field])),
    ...(['custodians', 'threshold', 'quorum'] as const).filter(
      field => !isDeepStrictEqual(expected[field], actual[field]),
    ),
    ...both
      .filter(id => !isDeepStrictEqual(described(previous, id), described(next, id)))
      .map(id => `name or conventions of ${id}`),
  ]
}

const nobody: Several = { needed: 0, of: [] }

/**
 * Who must sign. Of m custodians, t of whom open, a change of custody needs t with the keys that they have; where all open, all but
 * one, or a single lost key would be the end of the federation. Custodians that agreed to any cohort and those who sign here then
 * have a custodian in common.
 * @param previous the charter in force, or undefined for the first one
 */
export function demandsOf(previous: Charter | undefined, next: Charter): Demands {
  if (previous === undefined) return { members: next.members.map(one => one.id), quorum: nobody, custodians: nobody }
  const { added, replaced, kept, rules, custody } = changesBetween(previous, next)
  const all = added.length > 0 || rules.length > 0 ? kept : []
  const { custodians, threshold } = previous
  return {
    members: [...added, ...replaced, ...all],
    quorum: { needed: quorumOf(previous), of: kept },
    custodians: custody
      ? { needed: Math.min(threshold, custodians.length - 1), of: custodians.filter(id => kept.includes(id)) }
      : nobody,
  }
}

/** What is left of the demands once these have signed. */
export function outstanding({ members, quorum, custodians }: Demands, signed: ReadonlySet<MemberId>): Demands {
  const left = ({ needed, of }: Several): Several => {
    const missing = of.filter(id => !signed.has(id))
    return { needed: Math.max(0, needed - (of.length - missing.length)), of: missing }
  }
  return { members: members.filter(id => !signed.has(id)), quorum: left(quorum), custodians: left(custodians) }
}

export function isFulfilled({ members, quorum, custodians }: Demands): boolean {
  return members.length === 0 && quorum.needed === 0 && custodians.needed === 0
}

/** Whom a charter waits for, in words: `KR, 2 more of BR, FR, JP`. */
export function inWords({ members, quorum, custodians }: Demands): string {
  const whole = [quorum, custodians].filter(({ needed, of }) => needed >= of.length)
  const named = [...new Set([...members, ...whole.flatMap(one => one.of)])]
  // Who is asked for by name counts among the several, too.
  const several = ({ needed, of }: Several, what = '') => {
    const unnamed = of.filter(id => !named.includes(id))
    const more = needed - (of.length - unnamed.length)
    return more > 0 ? [`${more} more of ${what}${unnamed.join(', ')}`] : []
  }
  return [...named, ...several(quorum), ...several(custodians, 'the custodians ')].join(', ') || 'nobody'
}

/**
 * Checks that a charter may follow another at all, whoever signs it.
 * @param previous the charter in force, or undefined for the first one
 * @throws InbondError `bad-charter`
 */
export function checkSuccession(
  previous: { readonly id: CharterId; readonly payload: Charter } | undefined,
  next: Charter,
): void {
  const epoch = previous?.payload.epoch ?? 0
  if (next.epoch !== epoch + 1 || next.previous !== (previous?.id ?? null)) {
    throw fault('bad-charter', `the charter of epoch ${next.epoch} does not follow the one in force (epoch ${epoch})`)
  }
  if (previous === undefined) return
  if (next.coordinator !== previous.payload.coordinator) {
    throw fault('bad-charter', 'the charter names another coordinator than the one before')
  }
  const { quorum, custodians } = demandsOf(previous.payload, next)
  if (quorum.of.length < quorum.needed) {
    throw fault(
      'bad-charter',
      `${quorum.of.length} members would keep their keys; it takes ${quorum.needed} of them to remove or replace others`,
    )
  }
  if (custodians.of.length < custodians.needed) {
    throw fault(
      'bad-charter',
      `${custodians.of.length} custodians would keep their keys; it takes ${custodians.needed} of them to change custody`,
    )
  }
}

import { contributionBound } from '#crypto/parameters.ts'
import { fingerprint } from '#crypto/signature.ts'
import { fault } from '../errors.ts'
import {
  type Certificate,
  CLOCK_TOLERANCE_MS,
  LONGEST_PREKEY_MS,
  type MemberId,
  prekey,
  type Query,
  type QueryId,
  type Round,
  type RoundId,
  round,
} from '../messages.ts'
import { type Plan, plan } from '../query.ts'
import { claims, type Signed, verify } from '../signed.ts'
import type { SignedCharter } from './charter.ts'
import { checkLasts, verifyQuery } from './researcher.ts'

declare const checked: unique symbol

/** A round whose every part was verified. Nothing is encrypted, agreed to, or read for any other. */
export interface VerifiedRound {
  readonly id: RoundId
  readonly charter: SignedCharter
  readonly round: Round
  readonly compact: string
  readonly query: Signed<Query, QueryId>
  readonly researcher: Certificate
  readonly plan: Plan
  readonly custodians: readonly RoundCustodian[]
  /** The largest absolute value that one member may contribute to a cell. */
  readonly bound: bigint
  readonly [checked]: true
}

/** A custodian that takes part in a round. */
export interface RoundCustodian {
  readonly id: MemberId
  /** Its number in the charter, the point of its shares. */
  readonly index: number
  readonly prekey: string
  readonly sealingKey: Uint8Array
}

/**
 * Verifies a round document with everything that it stands on: coordinator, charter, question, researcher, prekeys, times.
 * @param now milliseconds since 1970, or undefined where the round may be over (a recipient reads it later)
 * @throws InbondError `bad-round`, `bad-certificate`, `bad-signature`, `bad-message`, `bad-query`, `upgrade-needed`, `too-late`
 */
export async function verifyRound(
  sent: { readonly round: string; readonly query: string },
  charter: SignedCharter,
  now: number | undefined,
): Promise<VerifiedRound> {
  const terms = charter.payload
  const signed: Signed<Round, RoundId> = await verify(round, sent.round, terms.coordinator)
  const document = signed.payload
  if (document.charter !== charter.id)
    throw fault('bad-round', 'the round is under another charter than the one in force')
  const { asked, researcher } = await verifyQuery(sent.query, charter)
  if (asked.id !== document.query) throw fault('bad-round', 'the round is about another query')
  checkTimes(document, asked.payload, now)
  checkLasts(researcher, Date.parse(document.opens))
  const ids = terms.members.map(one => one.id)
  if (
    new Set(document.eligible).size !== document.eligible.length ||
    !document.eligible.every(id => ids.includes(id))
  ) {
    throw fault('bad-round', 'somebody who is not on the roster is eligible')
  }
  return {
    id: signed.id,
    charter,
    round: document,
    compact: sent.round,
    query: asked,
    researcher,
    plan: plan(asked.payload.question),
    custodians: await verifyPrekeys(document, charter),
    bound: contributionBound(terms.members.length),
  } satisfies Omit<VerifiedRound, typeof checked> as Omit<VerifiedRound, typeof checked> as VerifiedRound
}

function checkTimes(document: Round, asked: Query, now: number | undefined): void {
  const [opens, closes, ends] = [document.opens, document.closes, document.ends].map(Date.parse) as [
    number,
    number,
    number,
  ]
  if (closes - opens !== asked.closesAfter || ends - closes !== asked.closesAfter) {
    throw fault('bad-round', 'the round does not last as long as the query says')
  }
  if (Date.parse(document.asOf) > opens)
    throw fault('bad-round', 'the round asks for data as of a time after its opening')
  if (opens > Date.parse(asked.expires)) throw fault('bad-round', 'the query expired before the round')
  if (now === undefined) return
  if (opens > now + CLOCK_TOLERANCE_MS) throw fault('clock-skew', 'the round opens in the future; a clock is wrong')
  if (ends < now - CLOCK_TOLERANCE_MS) throw fault('too-late', `the round ended at ${document.ends}`)
}

async function verifyPrekeys(document: Round, charter: SignedCharter): Promise<RoundCustodian[]> {
  const { members, custodians, threshold, coordinator } = charter.payload
  const federation = await fingerprint(coordinator)
  const taking: RoundCustodian[] = []
  for (const compact of document.prekeys) {
    const id = claims(prekey, compact).payload.custodian
    const index = custodians.indexOf(id) + 1
    const entry = members.find(one => one.id === id)
    if (index === 0 || !entry) throw fault('bad-round', `${id} is not a custodian`)
    const signed = await verify(prekey, compact, entry.publicKey)
    if (signed.payload.federation !== federation) throw fault('bad-round', 'a prekey is of another federation')
    if (signed.payload.notAfter <= document.ends) throw fault('bad-round', `the prekey of ${id} ends before the round`)
    // It was signed before the round opened, so that a life of 30 days ends within 30 days of the opening.
    if (Date.parse(signed.payload.notAfter) > Date.parse(document.opens) + LONGEST_PREKEY_MS + CLOCK_TOLERANCE_MS) {
      throw fault('bad-round', `the prekey of ${id} lasts longer than 30 days`)
    }
    const sealingKey = new Uint8Array(Buffer.from(signed.payload.publicKey, 'base64url'))
    taking.push({ id, index, prekey: signed.id, sealingKey })
  }
  if (new Set(taking.map(one => one.id)).size !== taking.length)
    throw fault('bad-round', 'a custodian takes part twice')
  if (taking.length < threshold)
    throw fault('bad-round', `only ${taking.length} custodians take part; ${threshold} must open`)
  return taking
}

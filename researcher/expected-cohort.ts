import type { Certificate, Charter, MemberId } from '#specs/messages.ts'
import type { QueryFile, Question } from '#specs/query.ts'
import type { Fit, Part } from '#specs/rules/pattern.ts'
import { askedPeriod } from '#specs/rules/region.ts'
import { type EarlierRound, fittingNow, Knowledge, type PlannedRound, planRound } from '#specs/rules/vintage.ts'
import type { PastAnswer } from './ledger.ts'
import type { Offered } from './offers.ts'

/**
 * Which round the coordinator would announce, and who would be in its cohort: by the rules that it and custodians go by. It knows more
 * than a researcher does: what members said in rounds that came to no cohort, and those said that were left out of one.
 */

/** What is known when somebody wants to ask. */
export interface Scene {
  readonly charter: Pick<Charter, 'members' | 'custodians' | 'minimumCohort' | 'datasets'>
  /** Whether a charter is proposed that changes the custodians: no round is announced meanwhile. */
  readonly isHandingOver: boolean
  /** Who asks. */
  readonly certificate: Pick<Certificate, 'organisation' | 'role' | 'administration' | 'purposes'>
  readonly offers: ReadonlyMap<MemberId, Offered>
  /** Oldest first. */
  readonly past: readonly PastAnswer[]
  /** From so many bytes on a custodian adds up the contributions in the researcher's place. */
  readonly recountFrom: number
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Past answers decide over regions and members, not over cells: the questions of one search share a judgement of them. */
export interface Remembered {
  readonly knowledge: Knowledge
  /** In how many cohorts of the last 24 hours a member is; it may have answered more. */
  readonly answeredToday: ReadonlyMap<MemberId, number>
  readonly plans: Map<string, PlannedRound>
  readonly fits: Map<string, Fit>
}

const DAY_MS = 86_400_000

export function remember({ offers, past, now }: Pick<Scene, 'offers' | 'past' | 'now'>): Remembered {
  const known = [...offers].flatMap(([member, one]) => ('unknown' in one ? [] : [[member, one] as const]))
  const lately = past.filter(one => Date.parse(one.opens) > now - DAY_MS)
  const answeredToday = new Map<MemberId, number>()
  for (const { member } of lately.flatMap(one => one.asked.parts)) {
    answeredToday.set(member, (answeredToday.get(member) ?? 0) + 1)
  }
  const knowledge = new Knowledge(past.map(earlierRound), new Map(known))
  return { knowledge, answeredToday, plans: new Map(), fits: new Map() }
}

function earlierRound({ asked: { parts, ...asked }, opens, asOf, isGivenUp }: PastAnswer): EarlierRound {
  return {
    ...asked,
    opens: Date.parse(opens),
    asOf: Date.parse(asOf),
    said: parts,
    cohort: isGivenUp ? null : parts.map(one => one.member),
  }
}

/** What of a question the rules go by. */
function regionOf(question: Question) {
  return [question.dataset, question.hsEdition, question.where, askedPeriod(question).grain]
}

/** The round that would be announced, were it now. */
export function planned({ question, need }: QueryFile, scene: Scene, { plans, knowledge }: Remembered): PlannedRound {
  const key = JSON.stringify([regionOf(question), need])
  const known = plans.get(key)
  if (known !== undefined) return known
  const wanted = { question, need, recipientAdministration: scene.certificate.administration }
  const found = planRound(wanted, scene.charter, knowledge, scene.now)
  plans.set(key, found)
  return found
}

/** Those of its members that would be the cohort of a planned round if these contributed. */
export function fitting(
  question: Question,
  parts: readonly Part[],
  scene: Scene,
  { fits, knowledge }: Remembered,
): Fit {
  const key = JSON.stringify([regionOf(question), parts.map(one => one.member)])
  const known = fits.get(key)
  if (known !== undefined) return known
  const { administration } = scene.certificate
  const wanted = { question, recipientAdministration: administration }
  const found = fittingNow(wanted, parts, knowledge, scene.charter.minimumCohort)
  fits.set(key, found)
  return found
}

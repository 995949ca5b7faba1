import { messageId, type PublicKey } from '#crypto/signature.ts'
import type { CohortBundle } from '../api.ts'
import { fault } from '../errors.ts'
import {
  type CharterId,
  type Cohort,
  type CohortId,
  certificate,
  cohort,
  manifest,
  type Query,
  type QueryId,
  query,
  type RoundId,
  round,
  voidCertificate,
  voidStatement,
} from '../messages.ts'
import { claims, type Signed, verify } from '../signed.ts'
import type { SignedCharter } from './charter.ts'
import type { AskedCohort } from './pattern.ts'
import type { Said } from './vintage.ts'

/** What later cohorts have to know of one in the log. */
export interface PastCohort {
  readonly id: CohortId
  readonly round: RoundId
  readonly query: QueryId
  readonly charter: CharterId
  readonly asked: AskedCohort & { readonly parts: readonly Said[] }
}

/**
 * Checks that documents are those of a cohort in the log. Each is named by its hash in the one before, so nothing in them can
 * be another; whether the members signed their manifests was checked by the custodians who agreed.
 * @throws InbondError `bad-cohort`, `bad-signature`, `bad-message`
 */
export async function verifyPastCohort(sent: CohortBundle, id: string, coordinator: PublicKey): Promise<PastCohort> {
  const signed: Signed<Cohort, CohortId> = await verify(cohort, sent.cohort, coordinator)
  if (signed.id !== id) throw fault('bad-cohort', 'this is another cohort than the one in the log')
  if (messageId(sent.round) !== signed.payload.round) throw fault('bad-cohort', 'the cohort is of another round')
  const document = claims(round, sent.round).payload
  if (messageId(sent.query) !== document.query) throw fault('bad-cohort', 'the round is about another query')
  const asked = claims(query, sent.query).payload
  const parts = signed.payload.manifests.map(named => {
    const compact = sent.manifests.find(one => messageId(one) === named.manifest)
    if (compact === undefined) throw fault('bad-cohort', `the manifest of ${named.member} is missing`)
    return partOf(compact)
  })
  return {
    id: signed.id,
    round: signed.payload.round,
    query: document.query,
    charter: document.charter,
    asked: {
      round: signed.payload.round,
      ...regionAndReader(asked),
      parts,
    },
  }
}

/** What a query says to the pattern rule. */
export function regionAndReader(asked: Query): Pick<AskedCohort, 'question' | 'recipientAdministration'> {
  const { administration } = claims(certificate, asked.certificate).payload
  return { question: asked.question, recipientAdministration: administration }
}

/** What a manifest says to the pattern rule, and to plans. */
export function partOf(compact: string): Said {
  const { member, coverage, alone } = claims(manifest, compact).payload
  return { member, coverage, alone }
}

/**
 * Checks that a round can never be opened: as many of its charter's custodians as the threshold signed so.
 * @param charter that of the round
 * @throws InbondError `bad-cohort`, `bad-signature`, `bad-message`
 */
export async function verifyVoidCertificate(compact: string, of: RoundId, charter: SignedCharter): Promise<void> {
  const { members, custodians, threshold, coordinator } = charter.payload
  const { payload } = await verify(voidCertificate, compact, coordinator)
  if (payload.round !== of) throw fault('bad-cohort', 'the void certificate is of another round')
  const signers = new Set<string>()
  for (const statement of payload.statements) {
    const { custodian } = claims(voidStatement, statement).payload
    const key = members.find(one => one.id === custodian)?.publicKey
    if (key === undefined || !custodians.includes(custodian)) {
      throw fault('bad-cohort', `${custodian}, who gave the round up, is not a custodian of its charter`)
    }
    const signed = await verify(voidStatement, statement, key)
    if (signed.payload.round !== of) throw fault('bad-cohort', `${custodian} gave up another round`)
    signers.add(custodian)
  }
  if (signers.size < threshold) {
    throw fault('bad-cohort', `${signers.size} custodians gave the round up; ${threshold} must`)
  }
}

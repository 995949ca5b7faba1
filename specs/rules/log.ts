import { type Checkpoint, verifyCheckpoint } from '#crypto/checkpoint.ts'
import { type LogHead, leafHash } from '#crypto/log.ts'
import { verifyConsistency, verifyInclusion } from '#crypto/log-proofs.ts'
import { messageId, type PublicKey } from '#crypto/signature.ts'
import type { AnswerEvidence } from '../api.ts'
import { fault } from '../errors.ts'
import { entryBytes, type LogEntry } from '../log-tiles.ts'
import {
  agreement,
  charter,
  cohort,
  confirmation,
  consent,
  manifest,
  opening,
  query,
  recount,
  refusal,
  round,
  sum,
} from '../messages.ts'
import { claims, type Kind } from '../signed.ts'

export type SignedEvidence = Omit<AnswerEvidence, 'log'>

/** The signed messages of an answer, whatever comes beside them. */
export type AnswerMessages = Omit<SignedEvidence, 'openings'> & {
  readonly openings: readonly { readonly opening: string }[]
}

/** The documents of an answer that name a head of the log, in the order in which they were made. */
export const headed = ['charter', 'round', 'cohort'] as const

/** The head that the log had when such a document was made. */
export function headNamedIn(evidence: AnswerMessages, which: (typeof headed)[number]): LogHead {
  const [kind, compact] = {
    charter: [charter, evidence.charter.charter] as const,
    round: [round, evidence.round] as const,
    cohort: [cohort, evidence.cohort] as const,
  }[which]
  return claims<typeof kind.schema>(kind, compact).payload.logHead
}

/** What the log has of every signed message of an answer. */
export function entriesOf(evidence: AnswerMessages): LogEntry[] {
  const entries = ({ typ }: Pick<Kind<never>, 'typ'>, ...compacts: readonly string[]) =>
    compacts.map(compact => ({ typ, message: messageId(compact) }))
  return [
    ...entries(charter, evidence.charter.charter),
    ...entries(consent, ...evidence.charter.consents.map(one => one.consent)),
    ...entries(confirmation, ...evidence.charter.confirmations.map(one => one.confirmation)),
    ...entries(query, evidence.query),
    ...entries(round, evidence.round),
    ...entries(manifest, ...evidence.manifests),
    ...entries(refusal, ...evidence.refusals),
    ...entries(cohort, evidence.cohort),
    ...entries(agreement, ...evidence.agreements),
    ...entries(opening, ...evidence.openings.map(one => one.opening)),
    ...entries(sum, evidence.sum),
    ...entries(recount, ...(evidence.recount === null ? [] : [evidence.recount])),
  ]
}

/**
 * Checks that every message of an answer is in one log of the coordinator, and that the heads which charter, round and cohort name
 * are beginnings of it: what members and custodians were told, and what the recipient is told, is one history.
 * @param further what else is to be in the log
 * @returns the head under which all of it is
 * @throws InbondError `bad-evidence`
 */
export async function verifyLogged(
  evidence: AnswerMessages & Pick<AnswerEvidence, 'log'>,
  coordinator: PublicKey,
  further: readonly LogEntry[] = [],
): Promise<Checkpoint> {
  const { checkpoint, proofs, heads } = evidence.log
  const head = await verifyCheckpoint(checkpoint, coordinator).catch(cause => {
    throw fault('bad-evidence', 'the answer comes without a head of the log that the coordinator signed', cause)
  })
  const proofOf = new Map(proofs.map(one => [one.message, one]))
  for (const entry of [...entriesOf(evidence), ...further]) {
    const proof = proofOf.get(entry.message)
    if (proof === undefined) throw fault('bad-evidence', `nothing shows that the ${entry.typ} is in the log`)
    expectProof(`the ${entry.typ} is not in the log of the coordinator`, () =>
      verifyInclusion(leafHash(entryBytes(entry)), proof.index, proof.hashes.map(bytesOf), head),
    )
  }
  for (const which of headed) {
    expectProof(`the ${which} names the head of another history`, () =>
      verifyConsistency(headNamedIn(evidence, which), head, heads[which].map(bytesOf)),
    )
  }
  return head
}

function expectProof(otherwise: string, verify: () => void): void {
  try {
    verify()
  } catch (cause) {
    throw fault('bad-evidence', otherwise, cause)
  }
}

function bytesOf(hash: string): Uint8Array {
  return new Uint8Array(Buffer.from(hash, 'hex'))
}

import { open } from 'node:fs/promises'
import { eq } from 'drizzle-orm'
import { consistencyOutline, inclusionOutline } from '#crypto/log-proofs.ts'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import type { AnswerEvidence, CohortBundle } from '#specs/api.ts'
import { sealedShareOffset, shareFrame } from '#specs/bodies.ts'
import { fault } from '#specs/errors.ts'
import type { LogEntry } from '#specs/log-tiles.ts'
import {
  type CohortId,
  cohort,
  type MemberId,
  manifest,
  type RoundId,
  round,
  type VoidCertificateId,
} from '#specs/messages.ts'
import { type AnswerMessages, entriesOf, type headed, headNamedIn, type SignedEvidence } from '#specs/rules/log.ts'
import { claims } from '#specs/signed.ts'
import { bundle, type Context, charterById } from './context.ts'
import { agreements, contributions, openings, queries, recounts, refusals, rounds } from './schema.ts'
import { termsOf } from './terms.ts'
import { contributionFile } from './uploads.ts'

function roundAndQuery(context: Context, id: RoundId) {
  const run = context.db.select().from(rounds).where(eq(rounds.id, id)).get()
  if (!run) throw fault('not-found', `there is no round ${id}`)
  const asked = context.db.select().from(queries).where(eq(queries.id, run.query)).get() as typeof queries.$inferSelect
  return { run, asked }
}

/** The recipient's round, once there is something to read. @throws InbondError `not-allowed`, `round-void`, `not-found` */
export function answeredRound(context: Context, researcher: string, id: RoundId) {
  const { run, asked } = roundAndQuery(context, id)
  if (asked.researcher !== researcher) throw fault('not-allowed', 'only its recipient reads the answer of a round')
  if (run.state === 'void') throw fault('round-void', run.reason ?? 'the round is void')
  if (run.state !== 'opened') throw fault('not-found', `the round is not opened yet (${run.state})`)
  return { run, asked }
}

/** Everything signed that an answer rests on. */
export function evidenceOf(context: Context, researcher: string, id: RoundId): AnswerEvidence {
  const evidence = evidenceMessagesOf(context, researcher, id)
  return { ...evidence, log: loggedProofs(context, evidence) }
}

/** The same, without proofs that the log has it. */
export function evidenceMessagesOf(context: Context, researcher: string, id: RoundId): SignedEvidence {
  const { db } = context
  const { run, asked } = answeredRound(context, researcher, id)
  const members = claims(cohort, run.cohort as string).payload.manifests.map(one => one.member)
  const sent = db.select().from(contributions).where(eq(contributions.round, id)).all()
  return {
    charter: bundle(db, charterById(db, claims(round, run.compact).payload.charter)),
    query: asked.compact,
    round: run.compact,
    cohort: run.cohort as string,
    manifests: sent.filter(one => members.includes(one.member)).map(one => one.manifest),
    refusals: db
      .select()
      .from(refusals)
      .where(eq(refusals.round, id))
      .all()
      .map(one => one.compact),
    agreements: db
      .select()
      .from(agreements)
      .where(eq(agreements.round, id))
      .all()
      .map(one => one.compact),
    openings: db
      .select()
      .from(openings)
      .where(eq(openings.round, id))
      .all()
      .map(one => ({ opening: one.compact, sealed: one.sealed.toString('base64url') })),
    sum: run.sum as string,
    recount: db.select().from(recounts).where(eq(recounts.round, id)).get()?.compact ?? null,
  }
}

/**
 * Where the messages of an answer are in the log, in their order, with proofs, all under the head that the log has now.
 * @param further what else is to be proved, after them
 */
export function loggedProofs(
  { log }: Pick<Context, 'log'>,
  evidence: AnswerMessages,
  further: readonly LogEntry[] = [],
): AnswerEvidence['log'] {
  // Another process may add to the log meanwhile.
  const head = log.head()
  const messages = [...entriesOf(evidence), ...further].map(one => one.message)
  const indices = log.indicesOf(messages)
  const found = messages.flatMap(message => {
    const index = indices.get(message)
    return index === undefined ? [] : [[message, index] as const]
  })
  const proofs = log.proofs(found.map(([, index]) => inclusionOutline(index, head.size)))
  const fromHead = (which: (typeof headed)[number]) =>
    log
      .proofs([consistencyOutline(headNamedIn(evidence, which).size, head.size)])
      .flat()
      .map(hex)
  return {
    checkpoint: log.checkpoint(head),
    proofs: found.map(([message, index], i) => ({ message, index, hashes: (proofs[i] as Uint8Array[]).map(hex) })),
    heads: { charter: fromHead('charter'), round: fromHead('round'), cohort: fromHead('cohort') },
  }
}

function hex(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex')
}

/** A cohort with the documents that it names: what later cohorts have to fit. @throws InbondError `not-found` */
export function cohortBundleOf(context: Context, id: CohortId): CohortBundle {
  const { db } = context
  const row = db.select().from(rounds).where(eq(rounds.cohortId, id)).get()
  if (!row) throw fault('not-found', `there is no cohort ${id}`)
  const { asked } = roundAndQuery(context, row.id)
  const members = claims(cohort, row.cohort as string).payload.manifests.map(one => one.member)
  const sent = db.select().from(contributions).where(eq(contributions.round, row.id)).all()
  const manifests = sent.filter(one => members.includes(one.member)).map(one => one.manifest)
  return { cohort: row.cohort as string, round: row.compact, query: asked.compact, manifests }
}

/** @throws InbondError `not-found` */
export function voidCertificateOf(context: Context, id: VoidCertificateId): string {
  const row = context.db.select().from(rounds).where(eq(rounds.voidCertificateId, id)).get()
  if (!row?.voidCertificate) throw fault('not-found', `there is no void certificate ${id}`)
  return row.voidCertificate
}

/**
 * For a custodian: the manifest of every member of the cohort, each with the share that is sealed to this custodian.
 * @throws InbondError `not-found`, `not-allowed`
 */
export function sharesFor(context: Context, custodian: MemberId, id: RoundId): AsyncGenerator<Uint8Array> {
  const { run } = roundAndQuery(context, id)
  const position = termsOf(context.db, run).custodians.findIndex(one => one.id === custodian)
  if (position === -1) throw fault('not-allowed', `${custodian} is not a custodian of this round`)
  if (run.cohort === null || run.state === 'void') throw fault('not-found', `the round has no cohort (${run.state})`)
  const members = claims(cohort, run.cohort).payload.manifests
  const sent = context.db.select().from(contributions).where(eq(contributions.round, id)).all()
  return framesOf(
    context,
    sent.filter(contribution => members.some(entry => entry.member === contribution.member)),
    position,
  )
}

async function* framesOf(context: Context, sent: readonly (typeof contributions.$inferSelect)[], position: number) {
  for (const one of sent) yield shareFrame(one.manifest, await readShare(context, one, position))
}

async function readShare(
  context: Context,
  { round, manifestId, manifest }: typeof contributions.$inferSelect,
  position: number,
): Promise<Uint8Array> {
  await using file = await open(contributionFile(context, round, manifestId))
  const share = Buffer.alloc(SEALED_BYTES)
  await file.read(share, 0, SEALED_BYTES, sealedShareOffset(manifest, position))
  return share
}

/** Where a cohort member's ciphertext stands in its stored contribution. @throws InbondError `not-found` */
export function storedCiphertext(context: Context, id: RoundId, member: MemberId) {
  const { run } = roundAndQuery(context, id)
  const named = claims(cohort, run.cohort as string).payload.manifests.find(entry => entry.member === member)
  const stored = context.db.select().from(contributions).where(eq(contributions.round, id)).all()
  const one = stored.find(contribution => contribution.manifestId === named?.manifest)
  if (!one) throw fault('not-found', `${member} is not in the cohort of this round`)
  const shares = claims(manifest, one.manifest).payload.shares.length
  return {
    path: contributionFile(context, id, one.manifestId),
    offset: sealedShareOffset(one.manifest, shares),
    bytes: one.bytes,
  }
}

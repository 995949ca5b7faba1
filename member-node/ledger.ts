import { and, eq, gte, isNull, lt, ne, or, type SQL } from 'drizzle-orm'
import type { LogHead } from '#crypto/log.ts'
import { messageId, type PublicKey } from '#crypto/signature.ts'
import { type CohortBundle, cohortBundle, voidCertificateAnswer } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import {
  CLOCK_TOLERANCE_MS,
  cohort,
  type ManifestId,
  manifest,
  type RoundId,
  round,
  voidCertificate,
} from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import type { SignedCohort, SignedManifest } from '#specs/rules/cohort.ts'
import { verifyPastCohort, verifyVoidCertificate } from '#specs/rules/past-cohort.ts'
import { type AskedCohort, describeExposure, type EarlierCohort, exposures } from '#specs/rules/pattern.ts'
import type { VerifiedRound } from '#specs/rules/round.ts'
import { claims, verify } from '#specs/signed.ts'
import { charterOf, termsSoFar } from './charters.ts'
import { followLog, readSoFar } from './log-mirror.ts'
import type { Node } from './node.ts'
import { learnLoggedRevocations, refuseRevoked } from './researchers.ts'
import { followNewest, forgottenFrom } from './restored.ts'
import { agreements, contributions, logEntries, pastCohorts, recalledAnswers, voidRounds } from './schema.ts'

/**
 * A custodian's ledger of cohorts is the log: it goes by all that are in it, whoever agreed to them. The local memory of a single
 * custodian would not do, for a coordinator could hide each round from another one. Nor does the log alone say that anybody agreed: a
 * cohort in it can forbid something, and allows nothing.
 */

/**
 * Refuses a cohort that would tell few members apart beside the cohorts in the log.
 * @throws InbondError `exposes-members`, `researcher-revoked`, `bad-cohort`, `log-not-extended`
 */
export async function checkAgainstLedger(
  node: Node,
  round: VerifiedRound,
  next: SignedCohort,
  manifests: readonly SignedManifest[],
  signal?: AbortSignal,
): Promise<void> {
  await followLog(node, next.payload.logHead, signal)
  // What earlier custodians agreed to is under the head that the charter names.
  const { previous, logHead } = round.charter.payload
  if (previous !== null) await followLog(node, logHead, signal)
  await learnLoggedRevocations(node, signal)
  refuseRevoked(node, round.researcher)
  const { coordinator, minimumCohort } = round.charter.payload
  await learnCohorts(node, coordinator, ne(logEntries.message, next.id), signal)
  await learnVoidRounds(node, signal)
  const counting = node.db
    .select({ query: pastCohorts.query, asked: pastCohorts.asked, agreed: agreements.cohort })
    .from(pastCohorts)
    .leftJoin(voidRounds, eq(voidRounds.round, pastCohorts.round))
    .leftJoin(agreements, eq(agreements.cohort, pastCohorts.cohort))
    .where(and(ne(pastCohorts.cohort, next.id), isNull(voidRounds.round)))
    .all()
  if (counting.some(one => one.query === round.query.id)) {
    throw fault('bad-cohort', 'the query has another cohort in the log, and it may have been opened')
  }
  const asked = askedCohort(round, manifests)
  const before = counting.map(
    ({ asked, agreed }): EarlierCohort => ({ ...JSON.parse(asked), isAgreed: agreed !== null }),
  )
  const [exposure] = exposures(asked, before, minimumCohort)
  if (exposure) throw fault('exposes-members', describeExposure(exposure))
}

/**
 * Makes sure that everybody who agrees to a cohort sees the others that this custodian agreed to, or saw this one when those were agreed to. To be
 * called in the transaction that stores the agreement: two cohorts may be checked at the same time.
 * @throws InbondError `bad-cohort`
 */
export function requireSharedHistory(tx: Pick<Node['db'], 'select'>, next: SignedCohort): void {
  const { size } = next.payload.logHead
  const { history } = readSoFar({ db: tx })
  const isCurrent = eq(logEntries.history, history)
  const own = tx
    .select()
    .from(logEntries)
    .where(and(isCurrent, eq(logEntries.typ, cohort.typ), eq(logEntries.message, next.id)))
    .get()
  const isHidden = agreedBeyond(tx, size)
    .filter(other => other.id !== next.id)
    .some(other => own === undefined || own.index >= claims(cohort, other.compact).payload.logHead.size)
  if (isHidden) throw fault('bad-cohort', 'this custodian agreed to a cohort that the log of this one does not have')
}

/**
 * Makes sure that every cohort that this custodian agreed to is under a head. To be called in the transaction after which it agrees to no more.
 * @throws InbondError `bad-charter`
 */
export function requireLogged(tx: Pick<Node['db'], 'select'>, { size }: LogHead): void {
  if (agreedBeyond(tx, size).length === 0) return
  throw fault('bad-charter', 'this custodian agreed to a cohort that the log does not have which the charter names')
}

/**
 * Makes sure that a round names a head with every cohort that this custodian agreed to before it opened: a restored member learns from there
 * what it answered, and t custodians, who agreed to that too, must agree here. To be called in the transaction that stores the agreement.
 * @throws InbondError `bad-round`
 */
export function requireNamed(tx: Pick<Node['db'], 'select'>, { round }: VerifiedRound): void {
  if (agreedBeyond(tx, round.logHead.size, Date.parse(round.opens) - CLOCK_TOLERANCE_MS).length === 0) return
  throw fault('bad-round', 'this custodian agreed before to a cohort that the log does not have which the round names')
}

/** The cohorts that this custodian agreed to, before a moment, which are not among so many entries of the log. */
function agreedBeyond(tx: Pick<Node['db'], 'select'>, size: number, before = Number.POSITIVE_INFINITY) {
  const { history, since } = readSoFar({ db: tx })
  const isCohort = and(eq(logEntries.history, history), eq(logEntries.typ, cohort.typ))
  const isLogged = and(isCohort, eq(logEntries.message, agreements.cohort))
  const isBeyond = or(isNull(logEntries.index), gte(logEntries.index, size))
  return tx
    .select({ id: agreements.cohort, compact: agreements.cohortCompact })
    .from(agreements)
    .leftJoin(logEntries, isLogged)
    .where(and(gte(agreements.createdAt, since), lt(agreements.createdAt, before), isBeyond))
    .all()
}

function askedCohort(round: VerifiedRound, manifests: readonly SignedManifest[]): AskedCohort {
  return {
    round: round.id,
    question: round.query.payload.question,
    recipientAdministration: round.researcher.administration,
    parts: manifests.map(({ payload: { member, coverage, alone } }) => ({ member, coverage, alone })),
  }
}

/** Writes down what this custodian agrees to: it counts whatever becomes of the coordinator's log. */
export function noteCohort(
  tx: Pick<Node['db'], 'insert'>,
  round: VerifiedRound,
  agreed: SignedCohort,
  manifests: readonly SignedManifest[],
): void {
  const asked = JSON.stringify(askedCohort(round, manifests))
  const row = { cohort: agreed.id, round: round.id, query: round.query.id, charter: round.charter.id, asked }
  tx.insert(pastCohorts).values(row).onConflictDoNothing().run()
}

/** Entries of a history that this node left cannot be asked for any more. */
function isCurrent(node: Node) {
  return eq(logEntries.history, readSoFar(node).history)
}

/**
 * Takes note of what a node that was restored answered after its backup, from the cohorts that came into the log after that. One that begins
 * with another key of its member knows nothing of what was answered with the one before, and looks at all of them.
 * @throws InbondError `log-not-extended`, `bad-cohort`, and like `followNewest`
 */
export async function recallAnswers(node: Node, { payload }: SignedCharter, signal?: AbortSignal): Promise<void> {
  const from = forgottenFrom(node)
  if (from === undefined) return
  const { coordinator, previous, logHead } = payload
  await followNewest(node, coordinator, signal)
  // Custodians know what earlier ones agreed to from there.
  if (previous !== null) await followLog(node, logHead, signal)
  await learnCohorts(node, coordinator, gte(logEntries.index, from), signal)
}

/** Fetches what it does not know yet of cohorts in the log, and takes note of own answers that it does not know. */
async function learnCohorts(node: Node, coordinator: PublicKey, which: SQL, signal?: AbortSignal): Promise<void> {
  const unknown = node.db
    .select({ id: logEntries.message })
    .from(logEntries)
    .leftJoin(pastCohorts, eq(pastCohorts.cohort, logEntries.message))
    .where(and(isCurrent(node), eq(logEntries.typ, cohort.typ), isNull(pastCohorts.cohort), which))
    .all()
  for (const { id } of unknown) {
    const sent = await node.connection.get(`/cohorts/${id}`, cohortBundle, signal)
    const past = await verifyPastCohort(sent, id, coordinator)
    const { round, query, charter } = past
    const row = { cohort: past.id, round, query, charter, asked: JSON.stringify(past.asked) }
    const forgotten = await forgottenAnswer(node, sent, round)
    node.db.transaction(tx => {
      tx.insert(pastCohorts).values(row).onConflictDoNothing().run()
      if (forgotten && !tx.select().from(recalledAnswers).where(eq(recalledAnswers.round, round)).get()) {
        tx.insert(recalledAnswers).values(forgotten).run()
      }
    })
  }
}

/**
 * A contribution of this member in a cohort that this node does not remember.
 * @throws InbondError `bad-cohort` if this member never signed it
 */
async function forgottenAnswer(
  node: Node,
  sent: CohortBundle,
  id: RoundId,
): Promise<typeof recalledAnswers.$inferInsert | undefined> {
  const named = claims(cohort, sent.cohort).payload.manifests.find(one => one.member === node.id)?.manifest
  const known = node.db.select().from(contributions).where(eq(contributions.round, id)).get()
  if (named === undefined || named === known?.manifestId) return undefined
  const compact = sent.manifests.find(one => messageId(one) === named) as string
  const own = termsSoFar(node).members.filter(one => one.id === node.id)
  const signed = await firstToVerify(compact, [node.key.publicKey, ...own.map(one => one.publicKey)])
  if (signed?.payload.round !== id || signed.payload.member !== node.id) {
    throw fault('bad-cohort', `the log has a cohort that names a contribution of ${node.id} which it never signed`)
  }
  // It may be of any moment in which the round was open; the latest one counts for longest.
  const answeredBy = Math.min(Date.parse(claims(round, sent.round).payload.closes), node.clock.now())
  return { round: id, queryCompact: sent.query, manifest: compact, answeredBy }
}

/** With any key that the member has had. */
async function firstToVerify(compact: string, keys: readonly PublicKey[]): Promise<SignedManifest | undefined> {
  for (const key of keys) {
    const verifying = verify<typeof manifest.schema, ManifestId>(manifest, compact, key)
    const signed = await verifying.catch(() => undefined)
    if (signed) return signed
  }
  return undefined
}

const NO_CERTIFICATE = ['bad-cohort', 'bad-signature', 'bad-message']

/** The round that a certificate gives up, if its cohort is known. @throws InbondError of `NO_CERTIFICATE` */
async function voidRoundOf(node: Node, certificate: string): Promise<RoundId | undefined> {
  const { round } = claims(voidCertificate, certificate).payload
  const past = node.db.select().from(pastCohorts).where(eq(pastCohorts.round, round)).get()
  if (past === undefined) return undefined
  await verifyVoidCertificate(certificate, round, charterOf(node, past.charter))
  return round
}

/** A certificate that does not hold what it should leaves its cohort counting, and is looked at again next time. */
async function learnVoidRounds(node: Node, signal?: AbortSignal): Promise<void> {
  const unknown = node.db
    .select({ id: logEntries.message })
    .from(logEntries)
    .leftJoin(voidRounds, eq(voidRounds.certificate, logEntries.message))
    .where(and(isCurrent(node), eq(logEntries.typ, voidCertificate.typ), isNull(voidRounds.certificate)))
    .all()
  for (const { id } of unknown) {
    const { certificate } = await node.connection.get(`/void-certificates/${id}`, voidCertificateAnswer, signal)
    if (messageId(certificate) !== id)
      throw fault('bad-answer', 'this is another void certificate than the one in the log')
    const round = await voidRoundOf(node, certificate).catch(error => {
      if (NO_CERTIFICATE.includes(error.code)) return undefined
      throw error
    })
    if (round !== undefined) node.db.insert(voidRounds).values({ round, certificate: id }).onConflictDoNothing().run()
  }
}

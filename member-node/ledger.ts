import { and, eq, gte, isNull, ne, or } from 'drizzle-orm'
import type { LogHead } from '#crypto/log.ts'
import { cohortBundle, voidCertificateAnswer } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { cohort, type RoundId, voidCertificate } from '#specs/messages.ts'
import type { SignedCohort, SignedManifest } from '#specs/rules/cohort.ts'
import { verifyPastCohort, verifyVoidCertificate } from '#specs/rules/past-cohort.ts'
import { type AskedCohort, describeExposure, exposures } from '#specs/rules/pattern.ts'
import type { VerifiedRound } from '#specs/rules/round.ts'
import { claims } from '#specs/signed.ts'
import { charterOf } from './charters.ts'
import { followLog, readSoFar } from './log-mirror.ts'
import type { Node } from './node.ts'
import { learnLoggedRevocations, refuseRevoked } from './researchers.ts'
import { agreements, logEntries, pastCohorts, voidRounds } from './schema.ts'

/**
 * A custodian's ledger of cohorts is the log: it goes by all that are in it, whoever agreed to them. The local memory of a single
 * custodian would not do, for a coordinator could hide each round from another one.
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
  await learnCohorts(node, coordinator, next.id, signal)
  await learnVoidRounds(node, signal)
  const counting = node.db
    .select({ query: pastCohorts.query, asked: pastCohorts.asked })
    .from(pastCohorts)
    .leftJoin(voidRounds, eq(voidRounds.round, pastCohorts.round))
    .where(and(ne(pastCohorts.cohort, next.id), isNull(voidRounds.round)))
    .all()
  if (counting.some(one => one.query === round.query.id)) {
    throw fault('bad-cohort', 'the query has another cohort in the log, and it may have been opened')
  }
  const asked = askedCohort(round, manifests)
  const before = counting.map(one => JSON.parse(one.asked) as AskedCohort)
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
    .where(and(isCurrent, eq(logEntries.message, next.id)))
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

/** The cohorts that this custodian agreed to which are not among so many entries of the log. */
function agreedBeyond(tx: Pick<Node['db'], 'select'>, size: number) {
  const { history, since } = readSoFar({ db: tx })
  const isLogged = and(eq(logEntries.history, history), eq(logEntries.message, agreements.cohort))
  const isBeyond = or(isNull(logEntries.index), gte(logEntries.index, size))
  return tx
    .select({ id: agreements.cohort, compact: agreements.cohortCompact })
    .from(agreements)
    .leftJoin(logEntries, isLogged)
    .where(and(gte(agreements.createdAt, since), isBeyond))
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

/** Fetches what it does not know yet of cohorts in the log. */
async function learnCohorts(node: Node, coordinator: string, except: string, signal?: AbortSignal): Promise<void> {
  const unknown = node.db
    .select({ id: logEntries.message })
    .from(logEntries)
    .leftJoin(pastCohorts, eq(pastCohorts.cohort, logEntries.message))
    .where(
      and(isCurrent(node), eq(logEntries.typ, cohort.typ), isNull(pastCohorts.cohort), ne(logEntries.message, except)),
    )
    .all()
  for (const { id } of unknown) {
    const sent = await node.connection.get(`/cohorts/${id}`, cohortBundle, signal)
    const past = await verifyPastCohort(sent, id, coordinator)
    const { round, query, charter } = past
    const row = { cohort: past.id, round, query, charter, asked: JSON.stringify(past.asked) }
    node.db.insert(pastCohorts).values(row).onConflictDoNothing().run()
  }
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
    const round: RoundId = claims(voidCertificate, certificate).payload.round
    const past = node.db.select().from(pastCohorts).where(eq(pastCohorts.round, round)).get()
    if (past === undefined) continue
    await verifyVoidCertificate(certificate, round, charterOf(node, past.charter))
    node.db.insert(voidRounds).values({ round, certificate: id }).onConflictDoNothing().run()
  }
}

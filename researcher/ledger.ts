import { and, asc, eq, isNull, max } from 'drizzle-orm'
import { messageId } from '#crypto/signature.ts'
import { LogReader } from '#party/log-reader.ts'
import { charterBundle, cohortBundle, voidCertificateAnswer } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import {
  type CharterId,
  certificate,
  cohort,
  type QueryId,
  query,
  type RoundId,
  round,
  voidCertificate,
} from '#specs/messages.ts'
import { type SignedCharter, verifyProposal } from '#specs/rules/charter.ts'
import { verifyPastCohort, verifyVoidCertificate } from '#specs/rules/past-cohort.ts'
import type { AskedCohort } from '#specs/rules/pattern.ts'
import type { Said } from '#specs/rules/vintage.ts'
import { claims } from '#specs/signed.ts'
import { followLog, lastCheckpoint } from './history.ts'
import type { Researcher } from './researcher.ts'
import { ledger } from './schema.ts'

/** A cohort in the log, and who asked for it. It was answered, or may have been. */
export interface PastAnswer {
  readonly query: QueryId
  readonly round: RoundId
  readonly charter: CharterId
  /** ISO 8601, as `asOf`: the data as of when it was made from. */
  readonly opens: string
  readonly asOf: string
  readonly researcher: string
  readonly organisation: string | null
  readonly asked: Omit<AskedCohort, 'parts'> & { readonly parts: readonly Said[] }
  /** Custodians gave it up for good: no later cohort has to fit it. */
  readonly isGivenUp: boolean
}

/** As it is stored. */
type Fetched = Omit<PastAnswer, 'isGivenUp'>

/**
 * Every cohort in the coordinator's log, oldest first. What was fetched once is kept, so that an attempt which is refused for too many
 * requests goes on from there.
 * @throws InbondError `log-not-extended`, `bad-cohort`, and like `LogReader.verifiedEntries`
 */
export async function pastAnswers(
  researcher: Researcher,
  charter: SignedCharter,
  signal?: AbortSignal,
): Promise<PastAnswer[]> {
  const history = await readLog(researcher, charter, signal)
  await fetchContents(researcher, history, charter, signal)
  const rows = ofHistory(researcher, history)
  const gaveUp = new Set(rows.filter(one => one.typ === voidCertificate.typ).map(one => JSON.parse(one.content)))
  const cohorts = rows.filter(one => one.typ === cohort.typ).map(one => JSON.parse(one.content) as Fetched)
  return cohorts.map(one => ({ ...one, isGivenUp: gaveUp.has(one.round) }))
}

/** Reads the log from where this researcher stopped. @returns the history that it is of */
async function readLog(researcher: Researcher, charter: SignedCharter, signal?: AbortSignal): Promise<number> {
  const { db } = researcher
  const reader = new LogReader(researcher.connection)
  // Before the request: whatever is shown after it has to be at least as long.
  const before = lastCheckpoint(db)
  const head = await reader.checkpoint(charter.payload.coordinator, signal)
  await followLog(researcher, head, before, signal)
  const history = lastCheckpoint(db)?.history ?? 1
  const last = db
    .select({ index: max(ledger.index) })
    .from(ledger)
    .where(eq(ledger.history, history))
    .get()
  const from = (last?.index ?? -1) + 1
  if (from >= head.size) return history
  const entries = await reader.verifiedEntries(from, head.size, head, signal)
  const telling = entries
    .map(({ typ, message }, i) => ({ history, index: from + i, typ, message }))
    .filter(one => one.typ === cohort.typ || one.typ === voidCertificate.typ)
  if (telling.length > 0) db.insert(ledger).values(telling).onConflictDoNothing().run()
  return history
}

/** In the log's order: a cohort comes before what makes it void. */
async function fetchContents(researcher: Researcher, history: number, charter: SignedCharter, signal?: AbortSignal) {
  const { db } = researcher
  const unknown = and(eq(ledger.history, history), isNull(ledger.content))
  for (const { index, typ, message } of db.select().from(ledger).where(unknown).orderBy(asc(ledger.index)).all()) {
    const content =
      typ === cohort.typ
        ? await fetchCohort(researcher, message, charter, signal)
        : await fetchVoidRound(researcher, message, history, charter, signal)
    const entry = and(eq(ledger.history, history), eq(ledger.index, index))
    db.update(ledger)
      .set({ content: JSON.stringify(content) })
      .where(entry)
      .run()
  }
}

async function fetchCohort(
  { connection }: Researcher,
  id: string,
  charter: SignedCharter,
  signal?: AbortSignal,
): Promise<Fetched> {
  const sent = await connection.get(`/cohorts/${id}`, cohortBundle, signal)
  const past = await verifyPastCohort(sent, id, charter.payload.coordinator)
  const { name, organisation } = claims(certificate, claims(query, sent.query).payload.certificate).payload
  const { opens, asOf } = claims(round, sent.round).payload
  const who = { researcher: name, organisation }
  return { query: past.query, round: past.round, charter: past.charter, opens, asOf, ...who, asked: past.asked }
}

/** @returns the round that is given up, or null where its cohort is not in this log */
async function fetchVoidRound(
  researcher: Researcher,
  id: string,
  history: number,
  inForce: SignedCharter,
  signal?: AbortSignal,
): Promise<RoundId | null> {
  const { certificate: compact } = await researcher.connection.get(
    `/void-certificates/${id}`,
    voidCertificateAnswer,
    signal,
  )
  if (messageId(compact) !== id) throw fault('bad-cohort', 'this is another void certificate than the one in the log')
  const given = claims(voidCertificate, compact).payload.round
  const past = ofHistory(researcher, history)
    .filter(one => one.typ === cohort.typ)
    .map(one => JSON.parse(one.content) as Fetched)
    .find(one => one.round === given)
  if (past === undefined) return null
  await verifyVoidCertificate(compact, given, await charterOf(researcher, past.charter, inForce, signal))
  return given
}

/** The charter of an earlier round, which names it by its hash. */
async function charterOf(
  { connection }: Researcher,
  id: CharterId,
  inForce: SignedCharter,
  signal?: AbortSignal,
): Promise<SignedCharter> {
  if (id === inForce.id) return inForce
  const told = await connection.get(`/charters/${id}`, charterBundle, signal)
  const charter = await verifyProposal(told.charter, inForce.payload.coordinator)
  if (charter.id !== id) throw fault('bad-charter', 'the coordinator sent another charter than the one asked for')
  return charter
}

function ofHistory({ db }: Pick<Researcher, 'db'>, history: number) {
  const rows = db.select().from(ledger).where(eq(ledger.history, history)).orderBy(asc(ledger.index)).all()
  return rows.flatMap(({ typ, content }) => (content === null ? [] : [{ typ, content }]))
}

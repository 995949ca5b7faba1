import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { and, eq, inArray, isNotNull, isNull, lt, or } from 'drizzle-orm'
import { chunksFor } from '#crypto/parameters.ts'
import { ciphertextOffset } from '#specs/bodies.ts'
import { type CohortId, cohort, type RoundId, sum, voidCertificate } from '#specs/messages.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import type { Aggregate } from './aggregation.ts'
import { type Context, charterInForce } from './context.ts'
import { fittingCohort } from './ledger.ts'
import { announceRound, waitingQueries } from './queries.ts'
import { reasonOfRevocation } from './researchers.ts'
import { nextStep, type RoundFacts, type Step } from './round.ts'
import { agreements, contributions, openings, queries, refusals, rounds, voidStatements } from './schema.ts'
import { termsOf } from './terms.ts'
import { contributionFile, roundFolder, sumFile } from './uploads.ts'

const UNFINISHED = ['open', 'closed', 'agreed'] as const
/** Ciphertexts and sums of ended rounds stay for the recipient to fetch and to add up again. */
const KEEP_MS = 30 * 86_400_000
/** A sum that failed is tried again after this long. */
const SUM_PAUSE_MS = 10_000
/** What goes wrong the same way at every attempt is told once in so long: a log that grows would fill a full disk further. */
const TELL_AGAIN_MS = 60_000

type RoundRow = typeof rounds.$inferSelect

/**
 * Moves queries and rounds on, as far as what is stored and the time allow. Everything that it does follows from the database,
 * so it may be called at any moment, and after a crash goes on where it was.
 */
export class Lifecycle {
  readonly #context: Context
  readonly #sums = new Map<RoundId, Promise<void>>()
  readonly #sumAgainAt = new Map<RoundId, number>()
  #turn: Promise<void> = Promise.resolve()
  readonly #aggregate: Aggregate
  readonly #onError: (error: unknown) => void
  /** When an error was told last, by its message. */
  readonly #toldAt = new Map<string, number>()

  constructor(context: Context, aggregate: Aggregate, onError: (error: unknown) => void) {
    this.#context = context
    this.#aggregate = aggregate
    this.#onError = onError
  }

  /** One caller at a time: two must not both sign a cohort. */
  advance(): Promise<void> {
    const turn = this.#turn.then(() => this.#advance())
    this.#turn = turn.catch(error => this.#tell(error))
    return turn
  }

  #tell(error: unknown): void {
    const now = this.#context.clock.now()
    const isOver = ([, at]: readonly [string, number]) => Math.abs(now - at) >= TELL_AGAIN_MS
    for (const [message] of [...this.#toldAt].filter(isOver)) this.#toldAt.delete(message)
    const message = String(error)
    if (this.#toldAt.has(message)) return
    this.#toldAt.set(message, now)
    this.#onError(error)
  }

  async #advance(): Promise<void> {
    const { db, clock, presence } = this.#context
    presence.write(db, clock.now())
    let changed = false
    for (const waiting of waitingQueries(this.#context)) {
      changed = (await announceRound(this.#context, waiting.id, waiting.compact, waiting.expiresAt)) || changed
    }
    const unfinished = db
      .select()
      .from(rounds)
      .where(inArray(rounds.state, [...UNFINISHED]))
      .all()
    for (const row of unfinished) {
      let current = row
      for (let step = this.#due(current); step !== undefined; step = this.#due(current)) {
        current = await this.#apply(current, step)
        changed = true
      }
      this.#sumIfDue(row.id)
    }
    changed = (await certifyVoidRounds(this.#context)) || changed
    if (changed) this.#context.changes.announce('everybody')
  }

  #due(row: RoundRow): Step | undefined {
    return nextStep(factsOf(this.#context, row), this.#context.clock.now())
  }

  async #apply(row: RoundRow, step: Step): Promise<RoundRow> {
    const { db, clock, tell } = this.#context
    const now = clock.now()
    switch (step.to) {
      case 'closed':
        await closeRound(this.#context, row.id, step)
        break
      case 'agreed':
        db.update(rounds).set({ state: 'agreed' }).where(eq(rounds.id, row.id)).run()
        tell({ msg: 'round agreed', round: row.id })
        break
      case 'opened':
        db.update(rounds).set({ state: 'opened', endedAt: now }).where(eq(rounds.id, row.id)).run()
        tell({ msg: 'round opened', round: row.id })
        break
      case 'void':
        db.update(rounds).set({ state: 'void', endedAt: now, reason: step.reason }).where(eq(rounds.id, row.id)).run()
        tell({ msg: 'round void', round: row.id, reason: step.reason })
        await rm(roundFolder(this.#context, row.id), { recursive: true, force: true })
        break
    }
    return db.select().from(rounds).where(eq(rounds.id, row.id)).get() as RoundRow
  }

  #sumIfDue(id: RoundId): void {
    const row = this.#context.db.select().from(rounds).where(eq(rounds.id, id)).get()
    if (!row || row.sum !== null || this.#sums.has(id) || (row.state !== 'closed' && row.state !== 'agreed')) return
    if (this.#context.clock.now() < (this.#sumAgainAt.get(id) ?? 0)) return
    const { clock, tell } = this.#context
    const began = clock.now()
    const sum = sumRound(this.#context, this.#aggregate, row)
      .then(
        () => tell({ msg: 'sum made', round: id, ms: clock.now() - began }),
        error => {
          this.#sumAgainAt.set(id, clock.now() + SUM_PAUSE_MS)
          if (error.code !== 'shutting-down') tell({ msg: 'sum failed', round: id, ms: clock.now() - began })
          throw error
        },
      )
      .finally(() => this.#sums.delete(id))
      .then(() => this.advance())
      .catch(error => this.#tell(error))
    this.#sums.set(id, sum)
  }

  /** Waits for the sums that are being made, and for what follows from them. */
  async finish(): Promise<void> {
    while (this.#sums.size > 0) await Promise.all(this.#sums.values())
    await this.#turn
  }

  /** Removes unfinished uploads and sums that an earlier process left behind. To be called before anything arrives. */
  async removeParts(): Promise<void> {
    const { uploads } = this.#context
    for (const file of await readdir(uploads, { recursive: true })) {
      if (file.endsWith('.part')) await rm(join(uploads, file), { force: true })
    }
  }

  /** Removes ciphertexts past their time, and those of void rounds that a killed process left behind. */
  async sweep(): Promise<void> {
    const { db, clock, uploads } = this.#context
    const isOld = and(eq(rounds.state, 'opened'), lt(rounds.endedAt, clock.now() - KEEP_MS))
    const isOver = or(eq(rounds.state, 'void'), isOld)
    for (const id of (await readdir(uploads)) as RoundId[]) {
      if (
        db
          .select()
          .from(rounds)
          .where(and(eq(rounds.id, id), isOver))
          .get() === undefined
      )
        continue
      await rm(roundFolder(this.#context, id), { recursive: true, force: true })
    }
  }
}

/** Reads what a round's next step depends on. */
export function factsOf(context: Context, row: RoundRow): RoundFacts {
  const { db } = context
  const terms = termsOf(db, row)
  const withdrawn = db.select({ by: queries.cancellation }).from(queries).where(eq(queries.id, row.query)).get()
  const members = (table: typeof contributions) =>
    db
      .select({ member: table.member })
      .from(table)
      .where(eq(table.round, row.id))
      .all()
      .map(one => one.member)
  const custodians = (table: typeof agreements | typeof openings) =>
    db
      .select({ custodian: table.custodian })
      .from(table)
      .where(eq(table.round, row.id))
      .all()
      .map(one => one.custodian)
  const refusing = db.select().from(refusals).where(eq(refusals.round, row.id)).all()
  return {
    ...terms,
    state: row.state,
    custodians: terms.custodians.map(one => one.id),
    opens: row.openedAt,
    closes: row.closes,
    ends: row.ends,
    closedAt: row.closedAt,
    contributed: members(contributions),
    fitting: contributed => fittingCohort(context, row, contributed, terms.minimumCohort),
    refused: refusing.filter(one => one.step === 'contribute').map(one => one.member),
    agreed: custodians(agreements),
    declined: refusing.filter(one => one.step === 'agree' || one.step === 'open').map(one => one.member),
    opened: custodians(openings),
    summed: row.sum !== null,
    cancelled: (withdrawn?.by ?? null) !== null,
    superseded: charterInForce(db)?.id !== terms.charter,
    revoked: reasonOfRevocation(db, terms.researcher),
  }
}

async function closeRound(
  context: Context,
  id: RoundId,
  { cohort: members, leftOut }: Step & { to: 'closed' },
): Promise<void> {
  const stored = context.db.select().from(contributions).where(eq(contributions.round, id)).all()
  const manifests = members.map(member => ({
    member,
    manifest: (stored.find(one => one.member === member) as (typeof stored)[number]).manifestId,
  }))
  const logHead = context.log.head()
  const signed = await sign<typeof cohort.schema, CohortId>(context.key, cohort, {
    protocol: PROTOCOL,
    round: id,
    manifests,
    leftOut: [...leftOut],
    logHead,
  })
  const now = context.clock.now()
  const isClosed = context.db.transaction(tx => {
    // One that arrived while the cohort was being signed belongs into it: then it is signed anew.
    const counted = tx.select().from(contributions).where(eq(contributions.round, id)).all().length
    if (counted !== members.length + leftOut.length) return false
    tx.update(rounds)
      .set({ state: 'closed', closedAt: now, cohortId: signed.id, cohort: signed.compact })
      .where(eq(rounds.id, id))
      .run()
    context.log.append(tx, cohort.typ, signed.id, now)
    return true
  })
  if (isClosed) context.tell({ msg: 'round closed', round: id, cohort: members.length })
}

/** Signs that the cohorts of void rounds do not count any more, where enough custodians gave them up. */
async function certifyVoidRounds(context: Context): Promise<boolean> {
  const { db, key, log, clock, tell } = context
  const isUncertified = and(eq(rounds.state, 'void'), isNotNull(rounds.cohortId), isNull(rounds.voidCertificate))
  let changed = false
  for (const row of db.select().from(rounds).where(isUncertified).all()) {
    const given = db.select().from(voidStatements).where(eq(voidStatements.round, row.id)).all()
    if (given.length < termsOf(db, row).threshold) continue
    const statements = given.map(one => one.compact)
    const signed = await sign(key, voidCertificate, { protocol: PROTOCOL, round: row.id, statements })
    db.transaction(tx => {
      const current = and(eq(rounds.id, row.id), isNull(rounds.voidCertificate))
      const certificate = { voidCertificate: signed.compact, voidCertificateId: signed.id }
      const { changes } = tx.update(rounds).set(certificate).where(current).run()
      if (changes === 1) log.append(tx, voidCertificate.typ, signed.id, clock.now())
    })
    tell({ msg: 'round given up', round: row.id, custodians: statements.length })
    changed = true
  }
  return changed
}

async function sumRound(context: Context, aggregate: Aggregate, row: RoundRow): Promise<void> {
  const { db } = context
  const stored = db.select().from(contributions).where(eq(contributions.round, row.id)).all()
  const members = claims(cohort, row.cohort as string).payload.manifests.map(one => one.member)
  const { slots, custodians } = termsOf(db, row)
  const ciphertext = await aggregate({
    contributions: stored
      .filter(one => members.includes(one.member))
      .map(one => ({
        path: contributionFile(context, row.id, one.manifestId),
        offset: ciphertextOffset(one.manifest, custodians.length),
      })),
    chunks: chunksFor(slots),
    output: sumFile(context, row.id),
  })
  const signed = await sign(context.key, sum, {
    protocol: PROTOCOL,
    round: row.id,
    cohort: row.cohortId as CohortId,
    slots,
    ciphertext,
  })
  db.transaction(tx => {
    tx.update(rounds)
      .set({ sum: signed.compact })
      .where(and(eq(rounds.id, row.id), isNull(rounds.sum)))
      .run()
    context.log.append(tx, sum.typ, signed.id, context.clock.now())
  })
}

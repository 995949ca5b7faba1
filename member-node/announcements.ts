import { and, eq, ne } from 'drizzle-orm'
import { fault } from '#specs/errors.ts'
import type { CharterId, RoundId } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { type VerifiedRound, verifyRound } from '#specs/rules/round.ts'
import { charterOf, placeOf, requireCharter } from './charters.ts'
import { recallAnswers } from './ledger.ts'
import { followLog } from './log-mirror.ts'
import type { Node } from './node.ts'
import { learnLoggedRevocations, refuseRevoked } from './researchers.ts'
import { recallSignatures } from './restored.ts'
import { pastCohorts, rounds, seenPrekeys } from './schema.ts'

export interface Announcement {
  readonly round: string
  readonly query: string
}

/**
 * Verifies an announced round against the charter in force, and writes it down: from then on its prekeys belong
 * to it and its query has no other round here. Asked again before the node agrees, because the researcher may be revoked since. A node that
 * was restored compares itself with the log before each round that is new to it.
 * @throws InbondError `no-charter`, `not-on-roster`, `researcher-revoked`, `prekey-used`, `bad-round`, `log-not-extended`, and what
 * `verifyRound`, `recallSignatures` and `recallAnswers` throw
 */
export async function verifyAnnouncement(
  node: Node,
  announced: Announcement,
  signal?: AbortSignal,
): Promise<VerifiedRound> {
  const round = await verifyRound(announced, requirePlace(node), node.clock.now())
  const isNew = node.db.select().from(rounds).where(eq(rounds.id, round.id)).get() === undefined
  if (isNew) {
    await followLog(node, round.round.logHead, signal)
    await recallSignatures(node, round.charter, signal)
    await recallAnswers(node, round.charter, signal)
  }
  await learnLoggedRevocations(node, signal)
  refuseRevoked(node, round.researcher)
  record(node, round)
  return round
}

/** A round that this node verified before, verified again from what it stored. @throws InbondError `not-found` */
export async function recallRound(node: Node, id: RoundId): Promise<VerifiedRound> {
  const row = node.db.select().from(rounds).where(eq(rounds.id, id)).get()
  if (!row) throw fault('not-found', `this node has not seen the round ${id}`)
  return verifyRound({ round: row.compact, query: row.queryCompact }, charterOf(node, row.charter), node.clock.now())
}

/** The charter of a round that this node has seen. */
export function charterOfRound(node: Node, id: RoundId): CharterId | undefined {
  return node.db.select({ charter: rounds.charter }).from(rounds).where(eq(rounds.id, id)).get()?.charter
}

/** Whether this node has cleared away what it held for a round, because that is over. */
export function isCleared(node: Node, id: RoundId): boolean {
  const row = node.db.select({ at: rounds.clearedAt }).from(rounds).where(eq(rounds.id, id)).get()
  return row !== undefined && row.at !== null
}

function requirePlace(node: Node): SignedCharter {
  const charter = requireCharter(node)
  if (placeOf(node) === 'member') return charter
  throw fault('not-on-roster', `the charter in force does not name ${node.id} with this key`)
}

function record(node: Node, round: VerifiedRound): void {
  node.db.transaction(tx => {
    if (tx.select().from(rounds).where(eq(rounds.id, round.id)).get()) return
    const other = otherRoundOf(tx, round)
    if (other) throw fault('bad-round', 'the query was announced in another round before')
    tx.insert(rounds)
      .values({
        id: round.id,
        query: round.query.id,
        compact: round.compact,
        queryCompact: round.query.compact,
        charter: round.charter.id,
        purpose: round.query.payload.question.purpose,
        researcher: round.researcher.name,
        seenAt: node.clock.now(),
        opens: Date.parse(round.round.opens),
        ends: Date.parse(round.round.ends),
      })
      .run()
    for (const { prekey, id } of round.custodians) {
      const seen = tx.select().from(seenPrekeys).where(eq(seenPrekeys.prekey, prekey)).get()
      if (seen) throw fault('prekey-used', `the prekey of ${id} was used in another round`)
      tx.insert(seenPrekeys).values({ prekey, round: round.id }).run()
    }
  })
}

/** Also one that this node has forgotten, if the log has its cohort. */
function otherRoundOf(tx: Pick<Node['db'], 'select'>, { id, query }: VerifiedRound): RoundId | undefined {
  const seen = tx.select({ round: rounds.id }).from(rounds).where(eq(rounds.query, query.id)).get()
  const isOther = and(eq(pastCohorts.query, query.id), ne(pastCohorts.round, id))
  const logged = tx.select({ round: pastCohorts.round }).from(pastCohorts).where(isOther).get()
  return (seen ?? logged)?.round
}

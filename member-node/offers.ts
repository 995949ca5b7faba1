import { desc, eq } from 'drizzle-orm'
import { isoTime } from '#party/clock.ts'
import { done } from '#specs/api.ts'
import { catalogue } from '#specs/datasets/catalogue.ts'
import { type CoveredMonths, LONGEST_OFFER_MS, MOST_MONTHS_COVERED, offer, type Terms } from '#specs/messages.ts'
import { monthIndex } from '#specs/period.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { charterInForce } from './charters.ts'
import type { Node } from './node.ts'
import { ownRecordsTake, published } from './policy.ts'
import { offers } from './schema.ts'
import type { PeriodCoverage } from './warehouse/warehouse.ts'

/**
 * What this node tells whoever may ask, before it is asked: the public part of its policy, and which months it has in which state and
 * version. Manifests say the same of months to everybody who is enrolled, as soon as a question is about them; when records came,
 * and how many, is in neither.
 */

/** As seldom is anything new said: nobody learns to the minute when data were imported or a policy was changed, but for the first data. */
const SHORTEST_PAUSE_MS = 10 * 60_000
const RENEWED_AFTER_MS = 86_400_000
const CHECK_MS = 5_000
/** Before there is a charter in force, and data, there is nothing to offer; once there is, nobody should wait for it. */
const PENDING_CHECK_MS = 2_000

/** Offers again and again, until `signal` aborts. @param failed told of what went wrong, once until it goes well again */
export async function keepOffering(node: Node, failed: (error: unknown) => void, signal: AbortSignal): Promise<void> {
  let said: string | undefined
  while (!signal.aborted) {
    try {
      await makeOffer(node, signal)
      said = undefined
    } catch (error) {
      const news = String(error)
      if (!signal.aborted && news !== said) failed(error)
      said = news
    }
    await node.clock.wait(hasOffered(node) ? CHECK_MS : PENDING_CHECK_MS, signal)
  }
}

/**
 * Sends what this node offers, if it was not sent yet: stored before it is sent, and made anew where it says something else than the
 * last one, or that is a day old.
 * @throws InbondError `bad-policy`, `bad-offer` if the coordinator has a newer one, as after a restore; and like `Connection.post`
 */
export async function makeOffer(node: Node, signal?: AbortSignal): Promise<void> {
  const charter = charterInForce(node)
  if (charter === undefined) return
  const { issuedAt, compact, sentAt } = await currentOffer(node, charter)
  if (sentAt !== null) return
  await node.connection.post('/offers', { offer: compact }, done, signal)
  node.db.update(offers).set({ sentAt: node.clock.now() }).where(eq(offers.issuedAt, issuedAt)).run()
}

async function currentOffer(node: Node, charter: SignedCharter): Promise<typeof offers.$inferSelect> {
  const now = node.clock.now()
  const stored = node.db.select().from(offers).orderBy(desc(offers.issuedAt)).limit(1).get()
  // One made while this machine's clock was ahead is not accepted, and holds nobody up.
  const last = stored?.sentAt === null && stored.issuedAt > now ? undefined : stored
  const saidBefore = last && claims(offer, last.compact).payload
  const isSameCharter = saidBefore?.charter === charter.id
  const isHeld = isSameCharter && !isWithoutData(saidBefore.terms)
  if (last !== undefined && isHeld && now - last.issuedAt < SHORTEST_PAUSE_MS) return last
  const terms = await currentTerms(node, charter)
  const isSame = isSameCharter && JSON.stringify(saidBefore?.terms) === JSON.stringify(terms)
  if (last !== undefined && isSame && now - last.issuedAt < RENEWED_AFTER_MS) return last
  // The clock may have gone back since.
  const issuedAt = Math.max(now, (last?.issuedAt ?? 0) + 1)
  const { compact } = await sign(node.key, offer, {
    protocol: PROTOCOL,
    charter: charter.id,
    member: node.id,
    terms,
    issuedAt: isoTime(issuedAt),
    notAfter: isoTime(issuedAt + LONGEST_OFFER_MS),
  })
  const row = { issuedAt, compact, sentAt: null }
  node.db.transaction(tx => {
    tx.delete(offers).run()
    tx.insert(offers).values(row).run()
  })
  return row
}

/** Whether the coordinator has an offer of this node that others can plan with. */
function hasOffered(node: Node): boolean {
  const stored = node.db.select().from(offers).get()
  return stored !== undefined && stored.sentAt !== null && !isWithoutData(claims(offer, stored.compact).payload.terms)
}

function isWithoutData(terms: Terms | null): boolean {
  return terms?.coverage.every(one => one.months.length === 0) ?? false
}

async function currentTerms(node: Node, charter: SignedCharter): Promise<Terms | null> {
  const { rules } = await node.policy()
  if (!rules.published) return null
  const datasets = charter.payload.datasets.flatMap(one => catalogue.get(one.id) ?? [])
  return {
    policy: published(rules),
    ownRecords: ownRecordsTake(rules),
    alone: rules.alone,
    coverage: datasets.map(dataset => ({ dataset: dataset.id, months: rangesOf(node.coverage(dataset)) })),
  }
}

/** Runs of months in the same state and version; months without data are in none. Of very many months the latest. */
export function rangesOf(coverage: readonly PeriodCoverage[]): CoveredMonths[] {
  const ranges: CoveredMonths[] = []
  for (const { period, state, version } of coverage.slice(-MOST_MONTHS_COVERED)) {
    if (state === 'none') continue
    const last = ranges.at(-1)
    const goesOn = last?.state === state && last.version === version && monthIndex(last.to) + 1 === monthIndex(period)
    if (goesOn) last.to = period
    else ranges.push({ from: period, to: period, state, version })
  }
  return ranges
}

import { and, desc, gt, isNotNull, isNull } from 'drizzle-orm'
import { table } from '#party/command.ts'
import { catalogue } from '#specs/datasets/catalogue.ts'
import { charterInForce } from './charters.ts'
import type { Node } from './node.ts'
import { agreements, charters, contributions, openings, prekeys, refusals, rounds } from './schema.ts'
import { openWarehouse } from './warehouse/warehouse.ts'

/** What an operator wants to see at a glance. */
export function overview(node: Node, warehousePath: string, policy: string, process: number | undefined) {
  const { db } = node
  const charter = charterInForce(node)
  const pending = db.select().from(charters).where(isNull(charters.inForceAt)).all()
  const usable = and(isNotNull(prekeys.privateKey), isNull(prekeys.round), gt(prekeys.notAfter, node.clock.now()))
  const done = <T extends { round: string }>(rows: T[]) => new Set(rows.map(row => row.round))
  const contributed = done(db.select({ round: contributions.round }).from(contributions).all())
  const agreed = done(db.select({ round: agreements.round }).from(agreements).all())
  const opened = done(db.select({ round: openings.round }).from(openings).all())
  const refused = new Map(
    db
      .select()
      .from(refusals)
      .all()
      .map(one => [one.round as string, one.reason]),
  )
  const latest = db.select().from(rounds).orderBy(desc(rounds.seenAt)).limit(10).all()
  using warehouse = openWarehouse(warehousePath, { readonly: true })
  return {
    id: node.id,
    process: process ?? null,
    policy,
    charter: charter === undefined ? null : { id: charter.id, epoch: charter.payload.epoch },
    charterSigned: pending.length > 0 || charter !== undefined,
    custodian: charter?.payload.custodians.includes(node.id) ?? false,
    prekeys: db.select({ id: prekeys.id }).from(prekeys).where(usable).all().length,
    datasets: [...catalogue.values()].map(dataset => warehouse.status(dataset)),
    contributed: contributed.size,
    opened: opened.size,
    rounds: latest.map(one => ({
      round: one.id,
      seenAt: new Date(one.seenAt).toISOString(),
      researcher: one.researcher,
      purpose: one.purpose,
      contributed: contributed.has(one.id),
      agreed: agreed.has(one.id),
      opened: opened.has(one.id),
      refused: refused.get(one.id) ?? null,
    })),
  }
}

export function describeOverview(status: ReturnType<typeof overview>): string {
  const charter =
    status.charter !== null
      ? `in force, epoch ${status.charter.epoch}`
      : status.charterSigned
        ? 'signed; waits for others'
        : 'not signed; see: inbond member charter sign DIR'
  const custodian = status.custodian ? `yes, ${status.prekeys} unused prekeys` : 'no'
  const data = status.datasets.map(({ dataset, records, first, last }) => [
    'data',
    `${dataset}: ${records.toLocaleString('en')} records${first === null ? '' : `, ${first} to ${last}`}`,
  ])
  const roundLines = status.rounds.map(one => {
    const steps = [one.contributed && 'contributed', one.agreed && 'agreed', one.opened && 'opened'].filter(Boolean)
    const what = one.refused === null ? steps.join(', ') || 'at work' : `refused: ${one.refused}`
    return ['round', `${one.round.slice(0, 12)}  ${one.purpose} (${one.researcher}): ${what}`]
  })
  return table([
    ['member', status.id],
    ['process', status.process === null ? 'not running' : `running, ${status.process}`],
    ['policy', status.policy === 'open' ? 'open: answers everything that the charter allows' : status.policy],
    ['charter', charter],
    ['custodian', custodian],
    ...data,
    ['answered', `${status.contributed} contributions, ${status.opened} openings`],
    ...roundLines,
  ])
}

import { and, desc, gt, isNotNull, isNull } from 'drizzle-orm'
import { isoTime } from '#party/clock.ts'
import { table } from '#party/command.ts'
import { describeDisk, diskConcern, diskOf, duration, verdict } from '#party/glance.ts'
import type { FederationInfo } from '#specs/api.ts'
import { catalogue } from '#specs/datasets/catalogue.ts'
import { charter } from '#specs/messages.ts'
import { describeMonths } from '#specs/period.ts'
import { claims } from '#specs/signed.ts'
import { charterInForce, placeOf } from './charters.ts'
import type { Node } from './node.ts'
import type { PolicyKeeper } from './policy-in-force.ts'
import { admissionInWords, concernsOfPolicy, policyStanding } from './policy-versions.ts'
import { pendingQuestions } from './queue.ts'
import { lastRestoration } from './restored.ts'
import { agreements, charters, contributions, openings, prekeys, refusals, rounds } from './schema.ts'
import { openWarehouse } from './warehouse/warehouse.ts'

/** A token of a clock that is wrong by two minutes is refused. */
const CLOCK_CONCERN_MS = 60_000
/** Of 32; a node makes more when fewer than 16 are left at the coordinator. */
const FEW_PREKEYS = 8

/**
 * What an operator wants to see at a glance.
 * @param coordinator what it says now, or why it cannot be asked
 */
export function overview(
  node: Node,
  warehousePath: string,
  policy: string,
  process: number | undefined,
  coordinator: FederationInfo | Error,
  keeper: Pick<PolicyKeeper, 'trouble' | 'versions'>,
) {
  const { db } = node
  const inForce = charterInForce(node)
  const place = placeOf(node)
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
  const restoration = lastRestoration(node)
  const latest = db.select().from(rounds).orderBy(desc(rounds.seenAt)).limit(10).all()
  using warehouse = openWarehouse(warehousePath, { readonly: true })
  return {
    id: node.id,
    process: process ?? null,
    policy,
    ...policyStanding(keeper),
    waiting: pendingQuestions(node).length,
    coordinator: standingOf(node, coordinator),
    charter: inForce === undefined ? null : { id: inForce.id, epoch: inForce.payload.epoch },
    place,
    key: node.key.fingerprint,
    /** One that a charter is to put in its place. */
    waitingKey: node.keys.waiting?.fingerprint ?? null,
    /** Restored from a backup, or begun with another key. */
    restored:
      restoration === undefined
        ? null
        : { at: isoTime(restoration.at), takesPartFrom: isoTime(restoration.takesPartFrom) },
    charterSigned: pending.length > 0,
    custodian: place === 'member' && (inForce?.payload.custodians.includes(node.id) ?? false),
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
    disk: diskOf(node.db.$client.name, warehousePath),
  }
}

function standingOf(node: Node, coordinator: FederationInfo | Error) {
  if (coordinator instanceof Error) return { answers: false as const, reason: coordinator.message }
  const { now, proposed } = coordinator
  const own = proposed && claims(charter, proposed.charter).payload.members.find(one => one.id === node.id)
  const isSigned = proposed?.consents.some(one => one.member === node.id)
  const isForThisNode = [node.key, node.keys.waiting].some(one => one !== undefined && one.publicKey === own?.publicKey)
  return {
    answers: true as const,
    clockDifferenceMs: Date.parse(now) - node.clock.now(),
    proposedCharter: !isForThisNode ? null : isSigned ? ('signed' as const) : ('unsigned' as const),
  }
}

type Overview = ReturnType<typeof overview>

/** What a person should look at, in sentences. @param now milliseconds since 1970 */
export function concernsOf(status: Overview, now: number): string[] {
  const { coordinator } = status
  const concerns = diskConcern(status.disk)
  if (status.process === null) concerns.unshift('The node does not run: it answers nothing.')
  if (status.waiting > 0) {
    const question = status.waiting === 1 ? 'A question waits' : `${status.waiting} questions wait`
    concerns.push(`${question} for a steward: inbond member queue DIR`)
  }
  concerns.push(...concernsOfPolicy(status))
  if (status.place === 'left')
    concerns.unshift(
      `${status.id} was left out by the charter of epoch ${status.charter?.epoch}: this node answers nothing.`,
    )
  if (status.place === 'replaced')
    concerns.unshift(`${status.id} has another key since epoch ${status.charter?.epoch}: this node answers nothing.`)
  if (status.waitingKey !== null)
    concerns.push(`The key ${status.waitingKey} waits for a charter. Tell the other members its fingerprint.`)
  if (!coordinator.answers) concerns.push(`The coordinator cannot be asked: ${coordinator.reason}.`)
  else {
    if (coordinator.proposedCharter === 'unsigned')
      concerns.push('A charter waits for your signature: inbond member charter sign DIR')
    if (Math.abs(coordinator.clockDifferenceMs) > CLOCK_CONCERN_MS)
      concerns.push(`The clock differs from the coordinator's by ${duration(Math.abs(coordinator.clockDifferenceMs))}.`)
  }
  if (status.custodian && status.prekeys < FEW_PREKEYS) concerns.push(`Only ${status.prekeys} prekeys are left.`)
  for (const { dataset, reopened, asOf } of status.datasets) {
    if (reopened.length > 0) {
      concerns.push(
        `${describeMonths(reopened)} changed after being closed, and are answered from the closed version: ` +
          `inbond member period close DIR ${dataset} MONTHS`,
      )
    }
    if (asOf !== null && Date.parse(asOf) > now) {
      concerns.push(
        `The newest data of ${dataset} are dated ${asOf}, ahead of the clock; questions see them from then on.`,
      )
    }
  }
  if (status.datasets.every(one => one.records === 0)) concerns.push('The warehouse has no records.')
  return concerns
}

/** @param now milliseconds since 1970 */
export function describeOverview(status: Overview, now: number): string {
  const named =
    status.charter !== null && status.place !== 'awaited'
      ? `in force, epoch ${status.charter.epoch}${status.place === 'member' ? '' : ', without this node'}`
      : status.charterSigned
        ? 'signed; waits for others'
        : 'not signed; see: inbond member charter sign DIR'
  const { policyAdmittedBy: admittedBy, policySignedBy: signedBy } = status
  const version = `version ${status.policyVersion}, SHA-256 ${status.policySha256?.slice(0, 12)}…`
  const custodian = status.custodian ? `yes, ${status.prekeys} unused prekeys` : 'no'
  const data = status.datasets.map(({ dataset, records, first, last }) => [
    'data',
    `${dataset}: ${records.toLocaleString('en')} records${first === null ? '' : `, ${first} to ${last}`}`,
  ])
  const roundLines = status.rounds.map(one => {
    const done = [one.contributed && 'contributed', one.agreed && 'agreed', one.opened && 'opened']
    const steps = [...done, one.refused !== null && `refused: ${one.refused}`].filter(Boolean)
    const what = steps.join(', ') || 'at work'
    return [
      'round',
      `${one.round.slice(0, 12)}  ${duration(now - Date.parse(one.seenAt))} ago  ${one.purpose} (${one.researcher}): ${what}`,
    ]
  })
  const rows = table([
    ['member', status.id],
    ['process', status.process === null ? 'not running' : `running, ${status.process}`],
    ['coordinator', status.coordinator.answers ? 'answers' : 'cannot be asked'],
    ['policy', status.policy === 'open' ? 'open: answers everything that the charter allows' : status.policy],
    ...(admittedBy === null ? [] : [['', `${version}, ${admissionInWords({ admittedBy, signedBy })}`]]),
    ['key', status.key],
    ...(status.waitingKey === null ? [] : [['', `${status.waitingKey} waits for a charter`]]),
    ...(status.restored === null
      ? []
      : [
          [
            'restored',
            `at ${status.restored.at}, or begun with another key then; says nothing new in rounds from before ${status.restored.takesPartFrom}`,
          ],
        ]),
    ['charter', named],
    ['custodian', custodian],
    ...data,
    ['answered', `${status.contributed} contributions, ${status.opened} openings`],
    ...roundLines,
    ['disk', describeDisk(status.disk)],
  ])
  return verdict(concernsOf(status, now)) + rows
}

import { and, desc, gt, isNotNull, isNull } from 'drizzle-orm'
import { isoTime } from '#party/clock.ts'
import { table } from '#party/command.ts'
import { counted, describeDisk, diskConcern, diskOf, duration, verdict } from '#party/glance.ts'
import type { FederationInfo } from '#specs/api.ts'
import { catalogue } from '#specs/datasets/catalogue.ts'
import { charter } from '#specs/messages.ts'
import { describeMonths } from '#specs/period.ts'
import { type Demands, demandsOf, inWords, isFulfilled, outstanding } from '#specs/rules/succession.ts'
import { claims } from '#specs/signed.ts'
import { charterInForce, placeOf } from './charters.ts'
import type { Node } from './node.ts'
import { warehouseFile } from './open.ts'
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
 * @param directory the node's, as whoever asks names it
 * @param coordinator what it says now, or why it cannot be asked
 */
export function overview(
  node: Node,
  directory: string,
  policy: string,
  process: number | undefined,
  coordinator: FederationInfo | Error,
  keeper: Pick<PolicyKeeper, 'trouble' | 'versions'>,
) {
  const { db } = node
  const warehousePath = warehouseFile(directory)
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
    directory,
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
  const { now, inForce, proposed } = coordinator
  const told = inForce === null ? undefined : claims(charter, inForce.charter).payload
  const isAhead = told !== undefined && told.epoch > (charterInForce(node)?.payload.epoch ?? 0)
  const next = proposed && claims(charter, proposed.charter).payload
  const own = next?.members.find(one => one.id === node.id)
  const signed = new Set(proposed?.consents.map(one => one.member))
  const isForThisNode = [node.key, node.keys.waiting].some(one => one !== undefined && one.publicKey === own?.publicKey)
  return {
    answers: true as const,
    clockDifferenceMs: Date.parse(now) - node.clock.now(),
    /** In force as the coordinator says, which this node has to learn and to verify yet. */
    charterAhead: isAhead ? { epoch: told.epoch, place: placeOf(node, told) } : null,
    proposedCharter: !isForThisNode ? null : signed.has(node.id) ? ('signed' as const) : ('unsigned' as const),
    /** Whom the proposed charter waits for, in words; null if there is none. */
    unsigned: next && whoIsAwaited(outstanding(demandsOf(told, next), signed)),
  }
}

function whoIsAwaited(left: Demands): string {
  return isFulfilled(left) ? 'nodes that confirm it' : inWords(left)
}

type Overview = ReturnType<typeof overview>

/** What a person should look at, in sentences. @param now milliseconds since 1970 */
export function concernsOf(status: Overview, now: number): string[] {
  const { coordinator, directory } = status
  const concerns = diskConcern(status.disk)
  if (status.process === null) concerns.unshift('The node does not run: it answers nothing.')
  if (status.waiting > 0) {
    const question = status.waiting === 1 ? 'A question waits' : `${status.waiting} questions wait`
    concerns.push(`${question} for a steward: inbond member queue ${directory}`)
  }
  concerns.push(...concernsOfPolicy(status))
  concerns.unshift(...concernsOfPlace(status))
  if (status.waitingKey !== null)
    concerns.push(`The key ${status.waitingKey} waits for a charter. Tell the other members its fingerprint.`)
  if (!coordinator.answers) concerns.push(`The coordinator cannot be asked: ${coordinator.reason}.`)
  else {
    if (coordinator.proposedCharter === 'unsigned')
      concerns.push(`A charter waits for your signature: inbond member charter sign ${directory}`)
    if (Math.abs(coordinator.clockDifferenceMs) > CLOCK_CONCERN_MS)
      concerns.push(`The clock differs from the coordinator's by ${duration(Math.abs(coordinator.clockDifferenceMs))}.`)
  }
  if (status.custodian && status.prekeys < FEW_PREKEYS) concerns.push(`${prekeysLeft(status.prekeys)} left.`)
  for (const { dataset, reopened, asOf } of status.datasets) {
    if (reopened.length > 0) {
      concerns.push(
        `${describeMonths(reopened)} changed after being closed, and are answered from the closed version: ` +
          `inbond member period close ${directory} ${dataset} MONTHS`,
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

function prekeysLeft(count: number): string {
  if (count === 0) return 'No prekeys are'
  return count === 1 ? 'Only 1 prekey is' : `Only ${count} prekeys are`
}

/** The newest charter that this node knows to be in force, or hears of, and what it is under that. */
function newestCharter({ charter: known, place, coordinator }: Overview) {
  const ahead = coordinator.answers ? coordinator.charterAhead : null
  return { epoch: known?.epoch, place, ...ahead, isHearsay: ahead !== null }
}

function concernsOfPlace(status: Overview): string[] {
  const { id, coordinator } = status
  const { epoch, place, isHearsay } = newestCharter(status)
  const source = isHearsay ? ', as the coordinator says' : ''
  if (place === 'left')
    return [`${id} was left out by the charter of epoch ${epoch}${source}: this node answers nothing.`]
  if (place === 'replaced') return [`${id} has another key since epoch ${epoch}${source}: this node answers nothing.`]
  if (place === 'member' || !coordinator.answers || coordinator.proposedCharter === 'unsigned') return []
  if (coordinator.proposedCharter === null) return [`No charter names ${id} yet: this node answers nothing.`]
  return [`The charter that you signed waits for ${coordinator.unsigned}: this node answers nothing yet.`]
}

function describeCharter(status: Overview): string {
  const { coordinator, directory } = status
  const { epoch, place, isHearsay } = newestCharter(status)
  if (place !== 'awaited') {
    const named = `in force, epoch ${epoch}${place === 'member' ? '' : ', without this node'}`
    return isHearsay && place === 'member' ? `${named}; this node learns of it when it runs` : named
  }
  if (!coordinator.answers) return status.charterSigned ? 'signed; not known to be in force' : 'not signed'
  if (coordinator.proposedCharter === null) return 'none that names this node'
  if (coordinator.proposedCharter === 'unsigned') return `not signed; see: inbond member charter sign ${directory}`
  return `signed; waits for ${coordinator.unsigned}`
}

/** @param now milliseconds since 1970 */
export function describeOverview(status: Overview, now: number): string {
  const { policyAdmittedBy: admittedBy, policySignedBy: signedBy } = status
  const version = `version ${status.policyVersion}, SHA-256 ${status.policySha256?.slice(0, 12)}…`
  const custodian = status.custodian ? `yes, ${status.prekeys} unused prekeys` : 'no'
  const data = status.datasets.map(({ dataset, records, first, last }) => [
    'data',
    `${dataset}: ${records.toLocaleString('en')} records${first === null ? '' : `, ${first}${first === last ? '' : ` to ${last}`}`}`,
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
    ['charter', describeCharter(status)],
    ['custodian', custodian],
    ...data,
    ['answered', `${counted(status.contributed, 'contribution')}, ${counted(status.opened, 'opening')}`],
    ...roundLines,
    ['disk', describeDisk(status.disk)],
  ])
  return verdict(concernsOf(status, now)) + rows
}

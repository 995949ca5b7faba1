import { eq, isNull } from 'drizzle-orm'
import { LARGEST_ROSTER, SMALLEST_COHORT } from '#crypto/parameters.ts'
import { isoTime } from '#party/clock.ts'
import { catalogue } from '#specs/datasets/catalogue.ts'
import { fault } from '#specs/errors.ts'
import { type CharterId, charter, consent, enrolment, type MemberId } from '#specs/messages.ts'
import { claims, PROTOCOL, sign, verify } from '#specs/signed.ts'
import { bundle, type Context, charterById, charterInForce, charterProposed, type StoredCharter } from './context.ts'
import { charters, consents, parties } from './schema.ts'

/** How many custodians there are when nobody says: all members of a small federation, five of a larger one. */
function defaultThreshold(custodians: number): number {
  return custodians <= 4 ? 3 : Math.ceil((2 * custodians + 1) / 3)
}

export interface Proposal {
  readonly custodians?: readonly string[]
  readonly threshold?: number
}

/**
 * Proposes a charter over everybody who is enrolled as a member. It takes the place of an earlier proposal that is not in force.
 * @throws InbondError `bad-charter`
 */
export async function proposeCharter(context: Context, proposal: Proposal): Promise<StoredCharter> {
  const enrolled = context.db.select().from(parties).where(eq(parties.role, 'member')).all()
  const members = enrolled
    .map(row => claims(enrolment, row.enrolment).payload)
    .filter(payload => payload.role === 'member')
    .map(({ id, name, publicKey, conventions }) => ({ id, name, publicKey, conventions }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  if (members.length < SMALLEST_COHORT || members.length > LARGEST_ROSTER) {
    throw fault(
      'bad-charter',
      `a federation has ${SMALLEST_COHORT} to ${LARGEST_ROSTER} members; ${members.length} are enrolled`,
    )
  }
  const custodians = chooseCustodians(
    members.map(one => one.id),
    proposal.custodians,
  )
  const threshold = proposal.threshold ?? defaultThreshold(custodians.length)
  checkThreshold(threshold, custodians.length)
  const current = charterInForce(context.db)
  const now = context.clock.now()
  const signed = await sign<typeof charter.schema, CharterId>(context.key, charter, {
    protocol: PROTOCOL,
    federation: context.name,
    epoch: (current?.payload.epoch ?? 0) + 1,
    previous: current?.id ?? null,
    coordinator: context.key.publicKey,
    currency: context.currency,
    members,
    custodians,
    threshold,
    minimumCohort: SMALLEST_COHORT,
    datasets: [...catalogue.values()].map(({ id, version }) => ({ id, version })),
    logHead: context.log.head(),
    proposedAt: isoTime(now),
  })
  context.db.transaction(tx => {
    tx.update(charters).set({ withdrawnAt: now }).where(isNull(charters.inForceAt)).run()
    tx.insert(charters)
      .values({ id: signed.id, epoch: signed.payload.epoch, compact: signed.compact, proposedAt: now })
      .run()
    context.log.append(tx, charter.typ, signed.id, now)
  })
  context.changes.announce('everybody')
  return signed
}

function chooseCustodians(members: readonly MemberId[], wanted: readonly string[] | undefined): MemberId[] {
  if (wanted === undefined) return members.slice(0, 5)
  const strange = wanted.find(id => !members.some(member => member === id))
  if (strange !== undefined)
    throw fault('bad-charter', `${strange} is not an enrolled member; there are ${members.join(', ')}`)
  if (new Set(wanted).size !== wanted.length) throw fault('bad-charter', 'a custodian is named twice')
  return members.filter(id => wanted.includes(id)).sort((a, b) => wanted.indexOf(a) - wanted.indexOf(b))
}

/** Below ⌈m/2⌉ + 1, two cohorts of one round could be opened by two groups of custodians that hardly overlap. */
function checkThreshold(threshold: number, custodians: number): void {
  const least = Math.ceil(custodians / 2) + 1
  if (custodians < 3 || threshold < least || threshold > custodians) {
    throw fault(
      'bad-charter',
      `with ${custodians} custodians (at least 3) the threshold lies between ${least} and ${custodians}`,
    )
  }
}

/**
 * Takes a member's signature under a charter; with the last one the charter is in force.
 * @throws InbondError `not-found`, `not-on-roster`, `bad-signature`, `too-late`
 */
export async function takeConsent(context: Context, member: MemberId, compact: string): Promise<void> {
  const claim = claims(consent, compact).payload
  const stored = charterById(context.db, claim.charter)
  const entry = stored.payload.members.find(one => one.id === member)
  if (!entry || claim.member !== member) throw fault('not-on-roster', `${member} is not on the roster of this charter`)
  const signed = await verify(consent, compact, entry.publicKey)
  const now = context.clock.now()
  const completed = context.db.transaction(tx => {
    const row = tx.select().from(charters).where(eq(charters.id, stored.id)).get()
    if (row?.withdrawnAt != null) throw fault('too-late', 'another charter was proposed in the meantime')
    const inserted = tx
      .insert(consents)
      .values({ charter: stored.id, member, compact, receivedAt: now })
      .onConflictDoNothing()
      .run()
    if (inserted.changes === 0) return false
    context.log.append(tx, consent.typ, signed.id, now)
    const count = tx.select().from(consents).where(eq(consents.charter, stored.id)).all().length
    if (count < stored.payload.members.length) return false
    tx.update(charters).set({ inForceAt: now }).where(eq(charters.id, stored.id)).run()
    return true
  })
  const { epoch, members } = stored.payload
  if (!completed) return
  context.tell({ msg: 'charter in force', charter: stored.id, epoch, members: members.length })
  context.changes.announce('everybody')
}

/** The charter that a member should know of, proposed before in force. */
export function charterBundles(context: Context) {
  const inForce = charterInForce(context.db)
  const proposed = charterProposed(context.db)
  return {
    inForce: inForce ? bundle(context.db, inForce) : null,
    proposed: proposed ? bundle(context.db, proposed) : null,
  }
}

import { mkdirSync } from 'node:fs'
import { and, desc, eq, isNotNull, isNull } from 'drizzle-orm'
import type { IdentityKey } from '#crypto/signature.ts'
import type { Clock } from '#party/clock.ts'
import { Remembered } from '#party/remembered.ts'
import type { CharterBundle } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { type Charter, type CharterId, charter, type MemberId } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { claims } from '#specs/signed.ts'
import { Changes } from './changes.ts'
import { type Database, EventLog, type Transaction } from './event-log.ts'
import type { Tell } from './events.ts'
import { Presence } from './presence.ts'
import { charters, confirmations, consents } from './schema.ts'

/** What every part of the coordinator works with. */
export interface Context {
  readonly db: Database
  readonly key: IdentityKey
  readonly name: string
  readonly currency: string
  /** The folder for contributions and sums. */
  readonly uploads: string
  readonly clock: Clock
  /** Tells the operator what happens. */
  readonly tell: Tell
  readonly changes: Changes
  readonly presence: Presence
  readonly log: EventLog
}

/** Who a request is from, where it is a member. */
export interface Member {
  readonly id: MemberId
  readonly publicKey: string
}

export interface ContextOptions extends Omit<Context, 'tell' | 'changes' | 'presence' | 'log'> {
  readonly tell?: Tell
}

/** Everything a coordinator needs beside its HTTP interface: also for commands that work beside the running service. */
export function createContext(options: ContextOptions): Context {
  const { db, key, name, currency, uploads, clock, tell = () => undefined } = options
  mkdirSync(uploads, { recursive: true, mode: 0o700 })
  return {
    db,
    key,
    name,
    currency,
    uploads,
    clock,
    tell,
    changes: new Changes(),
    presence: new Presence(),
    log: new EventLog(db, key),
  }
}

const remembered = new Remembered<CharterId, Charter>(4)

/** Own signed messages come back from the own database: their payload is read, not verified again. */
function read(row: { id: CharterId; compact: string } | undefined): SignedCharter | undefined {
  if (row === undefined) return undefined
  const { id, compact } = row
  return { id, compact, payload: remembered.get(id, () => claims(charter, compact).payload) } as SignedCharter
}

export function charterInForce(db: Database | Transaction): SignedCharter | undefined {
  return read(
    db.select().from(charters).where(isNotNull(charters.inForceAt)).orderBy(desc(charters.epoch)).limit(1).get(),
  )
}

export function requireCharter(db: Database): SignedCharter {
  const found = charterInForce(db)
  if (found) return found
  if (charterProposed(db)) throw fault('charter-pending', 'the charter is not in force yet: signatures are missing')
  throw fault('no-charter', 'this federation has no charter yet')
}

export function charterProposed(db: Database | Transaction): SignedCharter | undefined {
  return read(
    db
      .select()
      .from(charters)
      .where(and(isNull(charters.inForceAt), isNull(charters.withdrawnAt)))
      .orderBy(desc(charters.proposedAt))
      .limit(1)
      .get(),
  )
}

export function charterById(db: Database, id: CharterId): SignedCharter {
  const found = read(db.select().from(charters).where(eq(charters.id, id)).get())
  if (!found) throw fault('not-found', `there is no charter ${id}`)
  return found
}

export function bundle(db: Database, stored: SignedCharter): CharterBundle {
  const signed = db.select().from(consents).where(eq(consents.charter, stored.id)).all()
  const confirmed = db.select().from(confirmations).where(eq(confirmations.charter, stored.id)).all()
  return {
    charter: stored.compact,
    consents: signed.map(one => ({ member: one.member, consent: one.compact })),
    confirmations: confirmed.map(one => ({ member: one.member, confirmation: one.compact })),
  }
}

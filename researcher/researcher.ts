import { desc, eq } from 'drizzle-orm'
import type { Randomness } from '#crypto/sampling.ts'
import { type IdentityKey, messageId } from '#crypto/signature.ts'
import { followCharters } from '#party/charter-chain.ts'
import type { Clock } from '#party/clock.ts'
import type { Connection, Fetch } from '#party/connection.ts'
import type { Coordinates } from '#party/coordinates.ts'
import type { PartyDatabase } from '#party/database.ts'
import { meetCoordinator } from '#party/invitation.ts'
import { charterBundle } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import { type CharterId, charter } from '#specs/messages.ts'
import { type SignedCharter, verifyProposal } from '#specs/rules/charter.ts'
import { claims } from '#specs/signed.ts'
import * as schema from './schema.ts'

/** A researcher: its identity, its memory, and its way to the coordinator. */
export interface Researcher {
  readonly key: IdentityKey
  readonly db: PartyDatabase<typeof schema>
  readonly to: Coordinates
  readonly connection: Connection
  readonly fetch: Fetch
  readonly clock: Clock
  readonly randomness: Randomness
  /** Of all contributions together: from so many bytes on, a custodian adds them up again in this party's place. */
  readonly recountFrom: number
  /** Told why the coordinator has not answered for a while, and `undefined` once it does again. */
  readonly unanswered?: (reason: string | undefined) => void
}

/**
 * The charter in force, followed from the newest that this researcher has seen in force, or from the first: never back, never sideways.
 * @throws InbondError `charter-pending`, `bad-charter`, `wrong-federation`, and those of a connection
 */
export async function fetchCharter(researcher: Researcher): Promise<SignedCharter> {
  const { inForce } = await meetCoordinator(researcher.to, researcher.fetch)
  if (inForce === null) throw fault('charter-pending', 'the federation has no charter in force yet')
  const id = messageId(inForce.charter) as CharterId
  const { charters } = schema
  const newest = researcher.db.select().from(charters).orderBy(desc(charters.epoch)).limit(1).get()
  if (newest?.id === id) return knownCharter(researcher, inForce.charter)
  const known = newest && (await recallCharter(researcher, newest))
  const followed = await followCharters(researcher.connection, researcher.to.federation, id, known)
  const rows = followed.map(({ charter }) => ({ epoch: charter.payload.epoch, id: charter.id }))
  if (rows.length > 0) researcher.db.insert(charters).values(rows).onConflictDoNothing().run()
  return (followed.at(-1)?.charter ?? known) as SignedCharter
}

/** Only ids are remembered: the document to an id is the same wherever it comes from. */
async function recallCharter(researcher: Researcher, { id, epoch }: { id: string; epoch: number }) {
  const found = await researcher.connection.get(`/charters/${id}`, charterBundle).catch(error => {
    if (error.code !== 'not-found') throw error
    throw fault('bad-charter', `the coordinator does not know charter ${epoch}, which was in force before`)
  })
  return knownCharter(researcher, found.charter)
}

/** A charter that this researcher has seen in force. @throws InbondError `bad-charter` */
export async function knownCharter(researcher: Pick<Researcher, 'db'>, compact: string): Promise<SignedCharter> {
  const signed: SignedCharter = await verifyProposal(compact, claims(charter, compact).payload.coordinator)
  const row = researcher.db.select().from(schema.charters).where(eq(schema.charters.id, signed.id)).get()
  if (row) return signed
  throw fault('bad-charter', `the charter ${signed.id} was not seen in force`)
}

/** A query by its id, or by the first digits of it. @throws InbondError `not-found` */
export function storedQuery(researcher: Pick<Researcher, 'db'>, id: string) {
  if (!/^[0-9a-f]{4,64}$/.test(id)) {
    throw fault('not-found', `"${id}" is not the id of a query; its first four digits or more will do`)
  }
  const all = researcher.db.select().from(schema.queries).all()
  const found = all.filter(one => one.id.startsWith(id))
  if (found.length === 1) return found[0] as (typeof found)[number]
  throw fault(
    'not-found',
    found.length === 0 ? `there is no query ${id} here` : `${id} is the beginning of several queries`,
  )
}

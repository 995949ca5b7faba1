import { max } from 'drizzle-orm'
import type { Randomness } from '#crypto/sampling.ts'
import type { IdentityKey } from '#crypto/signature.ts'
import type { Clock } from '#party/clock.ts'
import type { Connection, Fetch } from '#party/connection.ts'
import type { Coordinates } from '#party/coordinates.ts'
import type { PartyDatabase } from '#party/database.ts'
import { meetCoordinator } from '#party/invitation.ts'
import { fault } from '#specs/errors.ts'
import { type SignedCharter, verifyCharter } from '#specs/rules/charter.ts'
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
}

/** The charter in force, with every signature under it verified; never one older than a researcher has seen. */
export async function fetchCharter(researcher: Researcher): Promise<SignedCharter> {
  const federation = await meetCoordinator(researcher.to, researcher.fetch)
  if (federation.inForce === null) throw fault('charter-pending', 'the federation has no charter in force yet')
  const charter = await verifyCharter(federation.inForce, federation.publicKey)
  const newest =
    researcher.db
      .select({ epoch: max(schema.charters.epoch) })
      .from(schema.charters)
      .get()?.epoch ?? 0
  const { epoch } = charter.payload
  if (epoch < newest)
    throw fault('bad-charter', `the coordinator shows charter ${epoch}; charter ${newest} was in force before`)
  researcher.db.insert(schema.charters).values({ epoch, id: charter.id }).onConflictDoNothing().run()
  return charter
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

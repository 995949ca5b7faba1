import { eq } from 'drizzle-orm'
import { messageId } from '#crypto/signature.ts'
import { isoTime } from '#party/clock.ts'
import { fault } from '#specs/errors.ts'
import {
  certificate,
  type QueryId,
  query,
  type Release,
  type ReleaseId,
  type RoundId,
  release,
} from '#specs/messages.ts'
import { fileOf, type ReleaseContent, type SentRelease } from '#specs/release.ts'
import { contentHash } from '#specs/rules/release.ts'
import { claims, PROTOCOL, type Signed, sign } from '#specs/signed.ts'
import { fetchRelease, publicConnection } from './published.ts'
import { type Researcher, storedQuery } from './researcher.ts'
import * as schema from './schema.ts'
import { type Verified, verifyRelease } from './verification.ts'

/** Publishing an answer: whoever read it signs it with everything that it was decrypted from. It cannot be taken back. */

export interface Released {
  readonly address: string
  /** As everybody reads it. */
  readonly file: Uint8Array
  readonly verified: Verified
}

/**
 * Publishes an answer, fetches what was published, and verifies it as every reader does. Done again, it is the same release.
 * @param note what the recipient says beside it, or null
 * @throws InbondError `not-found` for an answer that was not read, or cannot be released; `differs-from-stored` where it was released with
 * another note; the coordinator's codes, and those of `verifyRelease`
 */
export async function publish(researcher: Researcher, id: QueryId, note: string | null, signal?: AbortSignal) {
  const content = keptContent(researcher, id)
  const { id: releaseId, compact } = await signedOnce(researcher, id, content, note)
  const sent: SentRelease = { release: compact, content }
  const body = new Blob([new Uint8Array(fileOf(sent))])
  await researcher.connection.put(`/rounds/${roundOf(content)}/release`, body, signal)
  const { url, federation } = researcher.to
  const address = `${url}/releases/${releaseId}`
  const file = await fetchRelease({ ...researcher.to, url: address }, researcher.fetch, signal)
  const coordinator = publicConnection(researcher.to, researcher.fetch)
  const verified = await verifyRelease(file, { federation, id: releaseId, coordinator })
  return { address, file, verified } satisfies Released
}

/** What a release of this query would consist of. @throws InbondError `not-found` */
export function keptContent(researcher: Pick<Researcher, 'db'>, id: QueryId): ReleaseContent {
  if (storedQuery(researcher, id).answer === null) throw fault('not-found', 'this query has no answer that was read')
  const kept = researcher.db.select().from(schema.readings).where(eq(schema.readings.query, id)).get()
  if (kept) return JSON.parse(kept.content) as ReleaseContent
  throw fault(
    'not-found',
    'what a release consists of was not kept: the answer is too large, was read by an earlier version, or custodians signed other shares',
  )
}

/** Whether the ID token of whoever logged in would be published too. */
export function hasIdToken(content: ReleaseContent): boolean {
  return claims(certificate, claims(query, content.query).payload.certificate).payload.idToken !== null
}

function roundOf(content: ReleaseContent): RoundId {
  return messageId(content.round) as RoundId
}

/** Stored before it is sent: whatever happens, there is one release of an answer. */
async function signedOnce(
  researcher: Researcher,
  id: QueryId,
  content: ReleaseContent,
  note: string | null,
): Promise<{ readonly id: ReleaseId; readonly compact: string }> {
  const { db, key, clock } = researcher
  const find = () => db.select().from(schema.releases).where(eq(schema.releases.query, id)).get()
  if (find() === undefined) {
    const now = clock.now()
    const signed: Signed<Release, ReleaseId> = await sign(key, release, {
      protocol: PROTOCOL,
      query: id,
      round: roundOf(content),
      content: contentHash(content),
      addedUpAgain: content.recount === null ? 'by-recipient' : 'by-custodian',
      note,
      releasedAt: isoTime(now),
    })
    const row = { query: id, id: signed.id, compact: signed.compact, releasedAt: now }
    // Another process may have released it meanwhile.
    db.transaction(tx => find() ?? tx.insert(schema.releases).values(row).run())
  }
  const stored = find() as NonNullable<ReturnType<typeof find>>
  if (claims(release, stored.compact).payload.note === note) return stored
  throw fault('differs-from-stored', 'this answer was released before, with another note')
}

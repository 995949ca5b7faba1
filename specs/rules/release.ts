import { createHash } from 'node:crypto'
import { messageId } from '#crypto/signature.ts'
import { fault } from '../errors.ts'
import type { LogEntry } from '../log-tiles.ts'
import { type Release, type ReleaseId, release } from '../messages.ts'
import { type ReleaseContent, type SentRelease, written } from '../release.ts'
import { type Signed, verify } from '../signed.ts'
import type { AnswerMessages } from './log.ts'

export type SignedRelease = Signed<Release, ReleaseId>

/** What the recipient signs of the content. */
export function contentHash(content: ReleaseContent): string {
  return createHash('sha256').update(written(content)).digest('hex')
}

/** The signed messages of a release, as evidence has them. */
export function messagesIn(content: ReleaseContent): AnswerMessages {
  const { charters, ...sent } = content
  const charter = charters.at(-1) as (typeof charters)[number]
  return { ...sent, charter, refusals: [], recount: content.recount?.recount ?? null }
}

/** What the log has of the release itself. */
export function entryOf(compact: string): LogEntry {
  return { typ: release.typ, message: messageId(compact) }
}

/**
 * Checks that a release is its recipient's word on this content.
 * @param of of whom and of what it has to be
 * @throws InbondError `bad-release`, `bad-signature`, `bad-message`
 */
export async function verifyReleaseMessage(
  sent: SentRelease,
  of: { readonly recipient: string; readonly query: string; readonly round: string },
): Promise<SignedRelease> {
  const signed: SignedRelease = await verify(release, sent.release, of.recipient)
  const { payload } = signed
  if (payload.query !== of.query || payload.round !== of.round) {
    throw fault('bad-release', 'the release is of another query or round')
  }
  if (payload.content !== contentHash(sent.content)) {
    throw fault('bad-release', 'the content is not the one that the recipient signed')
  }
  if ((payload.addedUpAgain === 'by-custodian') !== (sent.content.recount !== null)) {
    throw fault('bad-release', 'the release does not say who added up again')
  }
  return signed
}

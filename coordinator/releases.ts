import { createHash } from 'node:crypto'
import { desc, eq } from 'drizzle-orm'
import type { z } from 'zod'
import { fault } from '#specs/errors.ts'
import {
  CLOCK_TOLERANCE_MS,
  cohort,
  opening,
  query,
  type ReleaseId,
  type RoundId,
  release,
  sum,
} from '#specs/messages.ts'
import {
  fileOf,
  LONGEST_RELEASE,
  type ReleaseContent,
  readFileOf,
  type releaseList,
  sentRelease,
} from '#specs/release.ts'
import { verifyChain } from '#specs/rules/charter.ts'
import { entryOf, messagesIn, verifyReleaseMessage } from '#specs/rules/release.ts'
import { claims } from '#specs/signed.ts'
import { answeredRound, evidenceMessagesOf, loggedProofs } from './answers.ts'
import type { Context } from './context.ts'
import { certified, refuseRevoked } from './researchers.ts'
import { draws, releases } from './schema.ts'
import { termsOf } from './terms.ts'
import { unlessIdle } from './uploads.ts'

/** Answers that their recipients publish: everybody reads them, and verifies them alone. */

const MOST_LISTED = 100

/**
 * Takes the release of an answer, logs it and publishes it. Who did not read the answer has not the shares of which custodians
 * signed the hashes. The figures are not decrypted here: every reader does that.
 * @throws InbondError `not-allowed`, `round-void`, `not-found`, `too-large`, `not-a-release`, `bad-release`, `bad-signature`,
 * `researcher-revoked`, `differs-from-stored`, `clock-skew`
 */
export async function takeRelease(
  context: Context,
  researcher: { readonly fingerprint: string; readonly publicKey: string },
  id: RoundId,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { run, asked } = answeredRound(context, researcher.fingerprint, id)
  const sent = readFileOf(sentRelease, await bytesOf(unlessIdle(body, context.clock)))
  const of = { recipient: researcher.publicKey, query: asked.id, round: id }
  const signed = await verifyReleaseMessage(sent, of)
  refuseRevoked(context.db, certified(claims(query, asked.compact).payload.certificate))
  const now = context.clock.now()
  if (Date.parse(signed.payload.releasedAt) > now + CLOCK_TOLERANCE_MS) {
    throw fault('clock-skew', 'the release is of the future; a clock is wrong')
  }
  await verifyChain(sent.content.charters, context.key.fingerprint, undefined).catch(cause => {
    throw fault('bad-release', 'the charters of the release do not follow one another', cause)
  })
  checkContent(context, researcher.fingerprint, id, sent.content, termsOf(context.db, run).threshold)
  const isNew = context.db.transaction(tx => {
    const stored = tx.select({ id: releases.id }).from(releases).where(eq(releases.round, id)).get()
    if (stored?.id === signed.id) return false
    if (stored) throw fault('differs-from-stored', 'this answer was released before, in other words')
    context.log.append(tx, release.typ, signed.id, now)
    const log = loggedProofs(context, messagesIn(sent.content), [entryOf(sent.release)])
    const file = Buffer.from(fileOf({ ...sent, log }))
    if (file.length > LONGEST_RELEASE) throw tooLarge()
    tx.insert(releases).values({ round: id, id: signed.id, compact: sent.release, file, receivedAt: now }).run()
    return true
  })
  if (isNew) context.tell({ msg: 'answer released', round: id, release: signed.id })
}

function tooLarge() {
  return fault('too-large', `a release has at most ${LONGEST_RELEASE} bytes`)
}

async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of body) {
    length += part.length
    if (length > LONGEST_RELEASE) throw tooLarge()
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** Everything signed in it is what this coordinator has of the round, and what is not signed has the hash that somebody signed. */
function checkContent(
  context: Context,
  researcher: string,
  id: RoundId,
  content: ReleaseContent,
  threshold: number,
): void {
  const own = evidenceMessagesOf(context, researcher, id)
  const members = claims(cohort, own.cohort).payload.manifests.length
  const charter = messagesIn(content).charter
  const draw = context.db.select().from(draws).where(eq(draws.round, id)).get()
  const revealed = content.recount === null ? null : { recount: own.recount, seed: draw?.seed }
  const isOwn =
    charter.charter === own.charter.charter &&
    isPartOf(
      charter.consents.map(one => one.consent),
      own.charter.consents.map(one => one.consent),
      0,
    ) &&
    isPartOf(
      charter.confirmations.map(one => one.confirmation),
      own.charter.confirmations.map(one => one.confirmation),
      0,
    ) &&
    content.query === own.query &&
    content.round === own.round &&
    content.cohort === own.cohort &&
    content.sum === own.sum &&
    isPartOf(content.manifests, own.manifests, members) &&
    isPartOf(content.agreements, own.agreements, threshold) &&
    isPartOf(
      content.openings.map(one => one.opening),
      own.openings.map(one => one.opening),
      threshold,
    ) &&
    content.recount?.recount === revealed?.recount &&
    content.recount?.seed === revealed?.seed
  if (!isOwn) throw fault('bad-release', 'the messages of the release are not those of this round')
  for (const one of content.openings) {
    const { custodian, share } = claims(opening, one.opening).payload
    if (sha256(one.share) === share) continue
    throw fault('bad-release', `the share of ${custodian} is not the one that it signed`)
  }
  if (sha256(content.ciphertext) !== claims(sum, own.sum).payload.ciphertext) {
    throw fault('bad-release', 'the sum of the release is not the one that was signed')
  }
}

/** Whether all of these are among the known ones, each once, and as many as needed. */
function isPartOf(some: readonly string[], known: readonly string[], needed: number): boolean {
  const all = new Set(known)
  return some.length >= needed && new Set(some).size === some.length && some.every(one => all.has(one))
}

/** Of what is base64url. */
function sha256(text: string): string {
  return createHash('sha256').update(Buffer.from(text, 'base64url')).digest('hex')
}

/** The file as it was published. @throws InbondError `not-found` */
export function publishedFile(context: Context, id: ReleaseId): Uint8Array {
  const row = context.db.select({ file: releases.file }).from(releases).where(eq(releases.id, id)).get()
  if (!row) throw fault('not-found', `there is no release ${id}`)
  return row.file
}

/** The newest hundred; the log has them all. */
export function newestReleases({ db }: Context): z.output<typeof releaseList> {
  const { id, compact, receivedAt } = releases
  const rows = db.select({ id, release: compact }).from(releases).orderBy(desc(receivedAt), id).limit(MOST_LISTED).all()
  return { releases: rows }
}

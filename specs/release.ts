import { z } from 'zod'
import { answerEvidence, charterBundle } from './api.ts'
import { fault } from './errors.ts'
import { describeIssues } from './wording.ts'

/**
 * The file of a release: a published answer, with everything from which anybody can decrypt it again. It has one form: what its parts
 * are written as, fields in the order of the schema, without white space, in UTF-8, with one line feed at the end. So another byte is
 * another file, and the recipient's signature is on the bytes of the content.
 */

/** In bytes. The sum of 2,000,000 slots has 27 million as base64url. */
export const LONGEST_RELEASE = 64 * 1024 * 1024
/** What is left are proofs that the log has every message. */
export const LONGEST_CONTENT = 48 * 1024 * 1024

const compact = z.string()

/**
 * What the recipient had when it read the answer. Refusals and sealed openings are left out: no figure rests on them, and reasons of
 * members were told to the recipient alone.
 */
export const releaseContent = z.object({
  /** From the first to that of the round, each with the signatures that put it in force. */
  charters: z.array(charterBundle).min(1).max(1000),
  query: compact,
  round: compact,
  cohort: compact,
  manifests: z.array(compact),
  agreements: z.array(compact),
  /** Each with the custodian's share of the sum of the keys, in the clear, of which it signed the hash. */
  openings: z.array(z.object({ opening: compact, share: z.base64url() })),
  sum: compact,
  /** The sum itself: packed chunks. */
  ciphertext: z.base64url(),
  /** Of a large sum: what the drawn custodian signed, and the seed from which it was drawn. */
  recount: z.object({ recount: compact, seed: z.string().regex(/^[\w-]{43}$/) }).nullable(),
  /** The answer's rows, as `query run --json` prints them. */
  rows: z.array(z.record(z.string(), z.union([z.string(), z.number()]))),
})
export type ReleaseContent = z.infer<typeof releaseContent>

/** What the recipient sends. */
export const sentRelease = z.object({ release: compact, content: releaseContent })
export type SentRelease = z.infer<typeof sentRelease>

/** What everybody reads: with proofs that the coordinator's log has all of it, the release last. */
export const publishedRelease = sentRelease.extend({ log: answerEvidence.shape.log })
export type PublishedRelease = z.infer<typeof publishedRelease>

/** In the order in which the coordinator publishes them, newest first. */
export const releaseList = z.object({ releases: z.array(z.object({ id: z.string(), release: compact })) })

/** A release, or a part of one, as its one form has it. */
export function written(value: ReleaseContent | SentRelease | PublishedRelease): string {
  return JSON.stringify(value)
}

/** The bytes of a file. */
export function fileOf(value: SentRelease | PublishedRelease): Uint8Array {
  return Buffer.from(`${written(value)}\n`)
}

/**
 * Reads a file that is in the one form.
 * @throws InbondError `not-a-release`
 */
export function readFileOf<S extends typeof sentRelease | typeof publishedRelease>(
  schema: S,
  bytes: Uint8Array,
): z.output<S> {
  if (bytes.length > LONGEST_RELEASE) throw fault('not-a-release', `a release has at most ${LONGEST_RELEASE} bytes`)
  const parsed = schema.safeParse(jsonIn(bytes))
  if (!parsed.success) throw fault('not-a-release', `this is not a release: ${describeIssues(parsed.error)}`)
  if (!Buffer.from(fileOf(parsed.data)).equals(bytes)) {
    throw fault('not-a-release', 'the file says what a release says, in other bytes than those that were published')
  }
  return parsed.data as z.output<S>
}

function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw fault('not-a-release', 'this is not a release: it is no JSON text', cause)
  }
}

import { packShare } from '#crypto/packing.ts'
import type { Share } from '#crypto/shamir.ts'
import type { CharterBundle } from '#specs/api.ts'
import { opening } from '#specs/messages.ts'
import { LONGEST_CONTENT, type ReleaseContent, written } from '#specs/release.ts'
import { claims } from '#specs/signed.ts'
import type { Row } from './answer.ts'
import { type CheckedEvidence, sha256 } from './evidence.ts'

/** What an answer was decrypted from, beside the evidence. */
export interface Decrypted {
  /** All charters to that of the round. */
  readonly charters: readonly CharterBundle[]
  readonly total: Uint8Array
  /** As custodians sealed them. */
  readonly openings: readonly Share[]
  /** Where a custodian was drawn that added up again. */
  readonly seed: Uint8Array | null
  readonly rows: readonly Row[]
}

/**
 * The content of a release of this answer, as it is written, kept from the moment of reading: the coordinator throws sums away.
 * @returns null if there can be none: it would be too long, or too few custodians signed the hash of the share that they sent
 */
export function releasable(
  checked: CheckedEvidence,
  { charters, total, openings, seed, rows }: Decrypted,
): string | null {
  const { query, round, cohort, manifests, agreements, sum, recount } = checked.sent
  const clear = checked.openings.flatMap(({ custodian, compact }) => {
    const index = checked.round.custodians.find(one => one.id === custodian)?.index
    const share = openings.find(one => one.index === index)
    if (share === undefined) return []
    const packed = packShare(share.residues)
    if (sha256(packed) !== claims(opening, compact).payload.share) return []
    return [{ opening: compact, share: base64url(packed) }]
  })
  if (clear.length < checked.round.charter.payload.threshold) return null
  const content = written({
    charters: [...charters],
    query,
    round,
    cohort,
    manifests,
    agreements,
    openings: clear,
    sum,
    ciphertext: base64url(total),
    recount: seed === null || recount === null ? null : { recount, seed: base64url(seed) },
    rows: rows.map(row => ({ ...row })),
  } satisfies ReleaseContent)
  return content.length > LONGEST_CONTENT ? null : content
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}

import { createHash } from 'node:crypto'
import { verify } from './fields.ts'
import { unpackChunk } from './packing.ts'
import { CHUNK_BYTES, n, Refusal, SEALED_BYTES } from './parameters.ts'
import { fits, type Round } from './rules.ts'

/** "The body of a contribution" of specs/one-shot-sum.md, as the coordinator takes it. */

const LONGEST_MANIFEST = 262_144

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** @returns the id of the manifest */
export function takeContribution(
  body: Uint8Array,
  member: string,
  publicKey: string,
  round: Round,
  slots: number,
): string {
  let at = 0
  const take = (length: number) => {
    if (at + length > body.length) throw new Refusal('truncated-body', `${at + length - body.length} bytes are missing`)
    at += length
    return body.subarray(at - length, at)
  }
  const require = (holds: boolean, reason: string) => {
    if (!holds) throw new Refusal('bad-body', reason)
  }
  require(Buffer.from(take(8)).toString('latin1') === 'INBOND01', 'another beginning')
  const length = Buffer.from(take(4)).readUInt32LE()
  require(length <= LONGEST_MANIFEST, 'a manifest that long')
  const message = Buffer.from(take(length)).toString('latin1')
  const { id, payload } = verify(message, 'inbond-manifest', publicKey)
  require(payload.member === member && fits(payload, round, slots), 'the manifest does not fit the round')
  for (const { sealed } of payload.shares as { sealed: string }[]) {
    require(sha256(take(SEALED_BYTES)) === sealed, 'another sealed share')
  }
  const from = at
  for (let chunk = 0; chunk < Math.ceil(slots / n); chunk++) unpackChunk(take(CHUNK_BYTES))
  require(at === body.length, 'the body goes on')
  require(sha256(body.subarray(from)) === payload.ciphertext, 'another ciphertext')
  return id
}

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { CHUNK_BYTES, chunksFor } from '#crypto/parameters.ts'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import { messageId, readKeyFile } from '#crypto/signature.ts'
import { isoTime, systemClock } from '#party/clock.ts'
import { Connection } from '#party/connection.ts'
import { meetCoordinator, parseInvitation } from '#party/invitation.ts'
import { workResponse } from '#specs/api.ts'
import { contributionHead } from '#specs/bodies.ts'
import { manifest, memberId, prekey, query, type RoundId, round, token } from '#specs/messages.ts'
import { plan } from '#specs/query.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import type { Federation } from './federation.ts'

export interface StalledUpload {
  /** Whether the coordinator has said anything to it. */
  readonly answered: boolean
  [Symbol.dispose](): void
}

/**
 * A member's hand-made client, with the member's own identity key: it contributes to the open round as far as half of the
 * ciphertext, and then sends nothing more.
 */
export async function stalledUpload(federation: Federation, member: string): Promise<StalledUpload> {
  const id = memberId.parse(member)
  const key = await readKeyFile(readFileSync(join(federation.of(member), 'keys', 'identity'), 'utf8'), undefined)
  const line = await federation.line.succeed('coordinator', 'invite', federation.of('coordinator'), '--member', 'ZZ')
  const coordinator = parseInvitation(line)
  await meetCoordinator(coordinator)
  const { items } = await new Connection(coordinator, key, systemClock).get('/work', workResponse)
  const item = items.find(one => one.kind === 'contribute')
  if (!item) throw new Error(`there is nothing to contribute for ${member}`)
  const roundId = messageId(item.round) as RoundId
  const { slots } = plan(claims(query, item.query).payload.question)
  const sealed = claims(round, item.round).payload.prekeys.map(compact => ({
    compact,
    share: randomBytes(SEALED_BYTES),
  }))
  const signed = await sign(key, manifest, {
    protocol: PROTOCOL,
    round: roundId,
    member: id,
    slots,
    ciphertext: sha256(Buffer.alloc(0)),
    shares: sealed.map(({ compact, share }) => ({
      custodian: claims(prekey, compact).payload.custodian,
      prekey: messageId(compact),
      sealed: sha256(share),
    })),
    coverage: [],
    alone: false,
  })
  const path = `/rounds/${roundId}/contribution`
  const { federation: name } = coordinator
  const bearer = await sign(key, token, { federation: name, method: 'PUT', path, issuedAt: isoTime(Date.now()) })
  const sending = request(`${federation.url}${path}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream', authorization: `Bearer ${bearer.compact}` },
  })
  let answered = false
  sending.on('response', () => {
    answered = true
  })
  sending.on('error', () => undefined)
  sending.write(
    contributionHead(
      signed.compact,
      sealed.map(one => one.share),
    ),
  )
  const half = Math.floor((chunksFor(slots) * CHUNK_BYTES) / 2)
  await new Promise<void>((resolve, reject) => {
    sending.write(Buffer.alloc(half), error => (error ? reject(error) : resolve()))
  })
  return {
    get answered() {
      return answered
    },
    [Symbol.dispose]: () => void sending.destroy(),
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

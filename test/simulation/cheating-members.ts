import { writeFileSync } from 'node:fs'
import { contribute } from '#crypto/one-shot.ts'
import { packShare } from '#crypto/packing.ts'
import { CELLS_PER_CHUNK, CHUNK_BYTES, chunksFor } from '#crypto/parameters.ts'
import { loadSeal } from '#crypto/seal.ts'
import { SEALED_BYTES, seal } from '#crypto/sealing.ts'
import type { IdentityKey } from '#crypto/signature.ts'
import type { Compute } from '#member-node/computation.ts'
import { contributionHead } from '#specs/bodies.ts'
import { type MemberId, manifest, opening, query } from '#specs/messages.ts'
import { openingContext, shareContext } from '#specs/sealed-context.ts'
import { claims, sign } from '#specs/signed.ts'
import type { Federation } from '../federation.ts'
import { seededRandomness } from '../randomness.ts'
import { type Adversary, jsonOf, roomOf, select } from './adversary.ts'
import { type History, manifestOf, sha256 } from './history.ts'

const randomness = seededRandomness('cheating members')

/** JP contributes what BR contributed, under its own name, once it has seen it. */
export function copiedContribution(federation: Federation, history: History): Adversary {
  const seen = new Map<string, Buffer>()
  return {
    take: async message => {
      const { id, what } = roomOf(message)
      if (what !== 'contribution' || message.body === undefined) return undefined
      if (message.who === 'BR') seen.set(id, Buffer.from(message.body))
      const original = seen.get(id)
      if (message.who !== 'JP' || original === undefined) return undefined
      const compact = manifestOf(original)
      const copy = await sign(federation.node('JP').key, manifest, {
        ...claims(manifest, compact).payload,
        member: 'JP' as MemberId,
      })
      history.manifests.set(copy.id, copy.payload)
      const body = Buffer.concat([contributionHead(copy.compact, []), original.subarray(12 + compact.length)])
      return { ...message, body: new Uint8Array(body) }
    },
  }
}

/** Deals the first custodian something else than the others. */
export function dealInconsistently(honest: Compute): Compute {
  return async task => {
    const result = await honest(task)
    const { id, prekey, sealingKey } = task.custodians[0] as (typeof task.custodians)[number]
    const { round, dealer } = task
    const context = shareContext({ round, dealer, custodian: id, prekey, ciphertext: result.ciphertext })
    const share = packShare(new Int32Array(CELLS_PER_CHUNK).fill(12_345_678))
    const sealedShares = new Uint8Array(result.sealedShares)
    sealedShares.set(await seal('inbond/share/v1', sealingKey, context, share, randomness))
    return { ...result, sealedShares }
  }
}

/** KR deals so. */
export function inconsistentDealing(federation: Federation): Adversary {
  const node = federation.node('KR')
  Object.assign(node, { compute: dealInconsistently(node.compute) })
  return {}
}

/** Deals a key as it should, and makes a ciphertext that is none under it: words in their range, with the right hashes. */
export const noiseInsteadOf =
  (honest: Compute): Compute =>
  async task => {
    const dealing = {
      roundId: Buffer.from(task.round, 'hex'),
      bound: task.bound,
      threshold: task.threshold,
      custodians: task.custodians.map(one => one.index),
    }
    const { slots, coverage } = await honest(task)
    const { shares } = contribute(await loadSeal(), dealing, new BigInt64Array(slots), randomness)
    // One byte in five is the highest of its word, and below that of both primes.
    const words = randomness(chunksFor(slots) * CHUNK_BYTES).map((byte, i) => (i % 5 === 4 ? byte & 0x7f : byte))
    writeFileSync(task.output, words)
    const ciphertext = sha256(words)
    const sealedShares = new Uint8Array(task.custodians.length * SEALED_BYTES)
    for (const [i, { id, prekey, sealingKey }] of task.custodians.entries()) {
      const context = shareContext({ round: task.round, dealer: task.dealer, custodian: id, prekey, ciphertext })
      const share = packShare(shares[i]?.residues as Int32Array)
      sealedShares.set(await seal('inbond/share/v1', sealingKey, context, share, randomness), i * SEALED_BYTES)
    }
    return { slots, ciphertext, sealedShares, coverage }
  }

/** KR contributes noise. */
export function badCiphertext(federation: Federation): Adversary {
  const node = federation.node('KR')
  Object.assign(node, { compute: noiseInsteadOf(node.compute) })
  return {}
}

/** What a custodian sends in the place of its opening: numbers of its own, sealed and signed as they should be. */
export async function falseOpening(key: IdentityKey, asked: string, compact: string) {
  const { payload } = claims(opening, compact)
  const to = new Uint8Array(Buffer.from(claims(query, asked).payload.recipient, 'base64url'))
  const share = packShare(new Int32Array(CELLS_PER_CHUNK).fill(12_345_678))
  const sealed = Buffer.from(await seal('inbond/opening/v1', to, openingContext(payload), share, randomness))
  const signed = await sign(key, opening, { ...payload, sealed: sha256(sealed) })
  return JSON.stringify({ opening: signed.compact, sealed: sealed.toString('base64url') })
}

/** BR opens with numbers of its own. */
export function lyingCustodian(federation: Federation): Adversary {
  const told = new Map<string, string>()
  return {
    take: async message => {
      const { id, what } = roomOf(message)
      if (message.who !== 'BR' || what !== 'openings') return undefined
      const sql = 'SELECT queries.compact FROM rounds JOIN queries ON queries.id = query WHERE rounds.id = ?'
      const [asked] = select<{ compact: string }>(federation, sql, id)
      if (asked === undefined) return undefined
      const { opening: compact } = jsonOf(message)
      if (!told.has(id)) told.set(id, await falseOpening(federation.node('BR').key, asked.compact, compact))
      return { ...message, body: new TextEncoder().encode(told.get(id)) }
    },
  }
}

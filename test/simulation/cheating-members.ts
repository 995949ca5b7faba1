import { packShare } from '#crypto/packing.ts'
import { CELLS_PER_CHUNK } from '#crypto/parameters.ts'
import { seal } from '#crypto/sealing.ts'
import type { Compute } from '#member-node/computation.ts'
import { contributionHead } from '#specs/bodies.ts'
import { type MemberId, manifest } from '#specs/messages.ts'
import { shareContext } from '#specs/sealed-context.ts'
import { claims, sign } from '#specs/signed.ts'
import type { Federation } from '../federation.ts'
import { seededRandomness } from '../randomness.ts'
import { type Adversary, roomOf } from './adversary.ts'
import { type History, manifestOf } from './history.ts'

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

/** KR deals the first custodian something else than the others. */
export function inconsistentDealing(federation: Federation): Adversary {
  const node = federation.node('KR')
  const honest = node.compute
  const compute: Compute = async task => {
    const result = await honest(task)
    const { id, prekey, sealingKey } = task.custodians[0] as (typeof task.custodians)[number]
    const { round, dealer } = task
    const context = shareContext({ round, dealer, custodian: id, prekey, ciphertext: result.ciphertext })
    const share = packShare(new Int32Array(CELLS_PER_CHUNK).fill(12_345_678))
    const sealedShares = new Uint8Array(result.sealedShares)
    sealedShares.set(await seal('inbond/share/v1', sealingKey, context, share, randomness))
    return { ...result, sealedShares }
  }
  Object.assign(node, { compute })
  return {}
}

import { generateSealingKeyPair } from '#crypto/sealing.ts'
import type { WorkItem } from '#specs/api.ts'
import { prekey, query, round } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'
import type { Federation } from '../federation.ts'
import { seededRandomness } from '../randomness.ts'
import { type Adversary, keyOf, working } from './adversary.ts'

type Announced = Extract<WorkItem, { kind: 'contribute' | 'agree' }>

/** A coordinator that announces each round as `forge` says, always in the same way. */
export function announcingInstead(forge: (item: Announced) => Promise<Pick<Announced, 'round' | 'query'>>): Adversary {
  const forged = new Map<string, Pick<Announced, 'round' | 'query'>>()
  return {
    show: working(async (_, items) =>
      Promise.all(
        items.map(async item => {
          if (item.kind !== 'contribute' && item.kind !== 'agree') return item
          if (!forged.has(item.round)) forged.set(item.round, await forge(item))
          return { ...item, ...forged.get(item.round) }
        }),
      ),
    ),
  }
}

export const publicKeyOf = async (seed: string) =>
  Buffer.from((await generateSealingKeyPair(seededRandomness(seed))).publicKey).toString('base64url')

/** A coordinator that puts keys of its own in the place of the custodians' prekeys. */
export function falsePrekeys(federation: Federation): Adversary {
  return announcingInstead(async item => {
    const announced = claims(round, item.round).payload
    const prekeys = await Promise.all(
      announced.prekeys.map(async compact => {
        const publicKey = await publicKeyOf(`in the place of ${compact}`)
        return (await sign(keyOf(federation), prekey, { ...claims(prekey, compact).payload, publicKey })).compact
      }),
    )
    return { ...item, round: (await sign(keyOf(federation), round, { ...announced, prekeys })).compact }
  })
}

/** A coordinator that makes itself the recipient of every answer. */
export function anotherRecipient(federation: Federation): Adversary {
  return announcingInstead(async item => {
    const asked = claims(query, item.query).payload
    const recipient = await publicKeyOf('another recipient')
    const forged = await sign(keyOf(federation), query, { ...asked, recipient })
    const announced = { ...claims(round, item.round).payload, query: forged.id as never }
    return { query: forged.compact, round: (await sign(keyOf(federation), round, announced)).compact }
  })
}

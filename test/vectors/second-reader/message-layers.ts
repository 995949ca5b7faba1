import type { Value } from '../format.ts'
import type { Inputs, Layers, MessageLayer } from '../layers.ts'
import { sha256, takeContribution } from './body.ts'
import { verify } from './fields.ts'
import { cellBound } from './packing.ts'
import { Refusal } from './parameters.ts'
import { recordRounds, verifyAgreements, verifyCharter, verifyCohort, verifyManifest, verifyRound } from './rules.ts'
import { fingerprint, sign } from './signatures.ts'
import { aggregate } from './sum.ts'

/** The layers of messages, as the second reader has them. */

function roundOf(input: Pick<Inputs['verify-round'], 'coordinator' | 'charter' | 'query' | 'round'>, at?: string) {
  const terms = verifyCharter(input.charter, input.coordinator)
  return verifyRound(terms, input.round, input.query, at === undefined ? undefined : Date.parse(at))
}

export const messageLayers: Pick<Layers, MessageLayer> = {
  'take-contribution': input => ({
    manifest: takeContribution(input.body, input.member, input.publicKey, roundOf(input), input.slots),
  }),
  'add-up-again': ({ contributions, sum }) => {
    const signed = contributions.every(({ ciphertext, hash }) => sha256(ciphertext) === hash)
    const again = aggregate(contributions.map(one => one.ciphertext))
    if (!signed || !Buffer.from(again).equals(sum)) throw new Refusal('bad-evidence', 'not what the members signed')
    return {}
  },
  fingerprint: ({ publicKey }) => ({ fingerprint: fingerprint(publicKey) }),
  sign: ({ privateKey, typ, payload }) => sign(privateKey, typ, payload),
  verify: ({ publicKey, typ, message }) => {
    const { id, payload } = verify(message, typ, publicKey)
    return { id, payload: payload as Value }
  },
  'verify-charter': ({ coordinator, charter }) => ({ id: verifyCharter(charter, coordinator).id }),
  'verify-round': input => {
    const { id, terms, query, custodians } = roundOf(input, input.at)
    return {
      id,
      query: query.id,
      bound: String(cellBound(terms.members.length)),
      custodians: custodians.map(one => ({ ...one })),
    }
  },
  'record-rounds': ({ rounds, at, ...charter }) => {
    const verified = rounds.map(one => roundOf({ ...charter, ...one }, at))
    recordRounds(verified)
    return { rounds: verified.map(one => one.id) }
  },
  'verify-cohort': input => {
    const { id, members } = verifyCohort(input.cohort, roundOf(input))
    return { id, members }
  },
  'verify-manifest': input => {
    const round = roundOf(input)
    const [manifest, cohort] = input.evidence
    const { manifests } = verifyCohort(cohort, round)
    const { id, payload } = verifyManifest(manifest, round, manifests, input.slots)
    return { id, member: payload.member as string, ciphertext: payload.ciphertext as string }
  },
  'verify-agreements': input => {
    const round = roundOf(input)
    const { id } = verifyCohort(input.cohort, round)
    return { custodians: verifyAgreements(input.agreements, round, id) }
  },
  draw: ({ revealed, sum, custodians }) => {
    const digest = Buffer.from(sha256(Buffer.concat([revealed, Buffer.from(sum, 'hex')])), 'hex')
    // Byte by byte, as on paper.
    const number = digest.reduce((rest, byte) => (rest * 256 + byte) % custodians.length, 0)
    return { draw: sha256(revealed), custodian: custodians[number] as string }
  },
}

import { Aggregator, contribute, open } from '#crypto/one-shot.ts'
import { packShare } from '#crypto/packing.ts'
import { loadSeal } from '#crypto/seal.ts'
import { generateSealingKeyPair, type SealingKeyPair, seal } from '#crypto/sealing.ts'
import type { Share } from '#crypto/shamir.ts'
import { type MemberId, opening, sum } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { type RoundCustodian, verifyRound } from '#specs/rules/round.ts'
import { openingContext, shareContext } from '#specs/sealed-context.ts'
import { PROTOCOL, sign } from '#specs/signed.ts'
import { federationKeys, NOON } from '#test/federation-keys.ts'
import { seededIdentityKey, seededRandomness } from '#test/randomness.ts'
import { sha256 } from './writing.ts'

/** Three members, who are the custodians too, answer a question of two chunks: every message and every byte of it, reproducible. */

const QUERY_FILE = `
dataset: declarations
where: { flow: import, period: { from: 2029-01, to: 2029-12 } }
by: [hs4]
measures: [{ sum: value }, { sum: netMass }, { sum: duty }]
purpose: Imports by heading, 2029
closes: 1h
`

export type Scenario = Awaited<ReturnType<typeof makeScenario>>

let made: Promise<Scenario> | undefined

export function scenario(): Promise<Scenario> {
  made ??= makeScenario()
  return made
}

async function makeScenario() {
  let keys = 0
  const federation = await federationKeys({
    members: ['JP', 'KE', 'KR'],
    newKey: () => seededIdentityKey(`identity key ${keys++}`),
  })
  const randomness = seededRandomness('scenario')
  const { question } = parseQueryFile(QUERY_FILE)
  const asked = await federation.ask({ question })
  const pairs = new Map<MemberId, SealingKeyPair>()
  const prekeys: string[] = []
  for (const id of federation.ids) {
    const pair = await generateSealingKeyPair(randomness)
    pairs.set(id, pair)
    const publicKey = Buffer.from(pair.publicKey).toString('base64url')
    prekeys.push((await federation.publish(id, { publicKey })).compact)
  }
  const announced = await federation.announce(asked, { prekeys })
  const round = await verifyRound({ round: announced.compact, query: asked.compact }, federation.charter, NOON)

  const contributions: Awaited<ReturnType<typeof contributionOf>>[] = []
  for (const [i, member] of federation.ids.entries()) {
    contributions.push(await contributionOf(member, cellsOf(i)))
  }
  const manifests = contributions.map(one => one.manifest)
  const cohort = await federation.close(round.id, manifests)
  const agreements = await Promise.all(federation.ids.map(id => federation.agree(id, cohort)))
  const openings = []
  for (const custodian of round.custodians) openings.push(await openingOf(custodian))
  using aggregator = new Aggregator(await loadSeal())
  const total = aggregator.sum(contributions.map(one => one.ciphertext))
  const signedSum = await sign(federation.coordinator, sum, {
    protocol: PROTOCOL,
    round: round.id,
    cohort: cohort.id,
    slots: round.plan.slots,
    ciphertext: sha256(total),
  })

  /** Different at each member, with negative ones and the largest among them. */
  function cellsOf(i: number): BigInt64Array {
    const cells = new BigInt64Array(round.plan.slots).map((_, at) => BigInt((at % 7) * (i + 1)))
    cells[0] = round.bound
    cells[1] = -round.bound
    cells[cells.length - 1] = BigInt(-1 - i)
    return cells
  }

  async function contributionOf(member: MemberId, cells: BigInt64Array) {
    const dealing = {
      roundId: Buffer.from(round.id, 'hex'),
      bound: round.bound,
      threshold: federation.charter.payload.threshold,
      custodians: round.custodians.map(one => one.index),
    }
    const drawn = contribute(await loadSeal(), dealing, cells, seededRandomness(`contribution of ${member}`))
    const ciphertext = new Uint8Array(Buffer.concat([...drawn.ciphertext]))
    const sealed: Uint8Array[] = []
    for (const [i, custodian] of round.custodians.entries()) {
      const context = contextOf(member, custodian, ciphertext)
      const packed = packShare((drawn.shares[i] as Share).residues)
      sealed.push(await seal('inbond/share/v1', custodian.sealingKey, context, packed, randomness))
    }
    const to = { id: round.id, slots: round.plan.slots, custodians: round.custodians }
    const named = round.custodians.map(({ id, prekey }, i) => ({
      custodian: id,
      prekey,
      sealed: sha256(sealed[i] as Uint8Array),
    }))
    const manifest = await federation.contribute(member, to, { ciphertext: sha256(ciphertext), shares: named })
    return { member, cells, ciphertext, shares: drawn.shares, sealed, manifest }
  }

  function contextOf(dealer: MemberId, custodian: RoundCustodian, ciphertext: Uint8Array): string {
    const { id, prekey } = custodian
    return shareContext({ round: round.id, dealer, custodian: id, prekey, ciphertext: sha256(ciphertext) })
  }

  async function openingOf({ id: custodian, index }: RoundCustodian) {
    const shares = contributions.map(one => one.shares[index - 1] as Share)
    const context = openingContext({ round: round.id, cohort: cohort.id, custodian })
    const content = packShare(open(index, shares).residues)
    const { publicKey } = federation.recipient
    const sealed = await seal('inbond/opening/v1', publicKey, context, content, randomness)
    const signed = await sign(federation.keyOf(custodian), opening, {
      protocol: PROTOCOL,
      round: round.id,
      cohort: cohort.id,
      custodian,
      sealed: sha256(sealed),
      share: sha256(content),
    })
    return { custodian, context, content, sealed, signed }
  }

  return {
    federation,
    asked,
    pairs,
    prekeys,
    announced,
    round,
    contributions,
    cohort,
    agreements,
    openings,
    total,
    signedSum,
    contextOf,
    /** What verifies the round, as a vector has it. */
    input: {
      coordinator: federation.coordinator.publicKey,
      charter: federation.charter.compact,
      query: asked.compact,
      round: announced.compact,
    },
  }
}

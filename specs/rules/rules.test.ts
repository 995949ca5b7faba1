import { beforeAll, describe, expect, test } from 'vitest'
import { contributionBound } from '#crypto/parameters.ts'
import { at, DAY, type FederationKeys, federationKeys, HOUR, hashOf, NOON } from '#test/federation-keys.ts'
import { type Manifest, type ManifestId, type MemberId, memberId } from '../messages.ts'
import type { Signed } from '../signed.ts'
import { standingOf, verifyCharter, verifyProposal } from './charter.ts'
import { type SignedCohort, verifyAgreements, verifyCohort, verifyManifest } from './cohort.ts'
import { type VerifiedRound, verifyRound } from './round.ts'

let five: FederationKeys

beforeAll(async () => {
  five = await federationKeys()
})

const member = (id: string): MemberId => memberId.parse(id)
const [JP, KE, KR, NO, VN] = ['JP', 'KE', 'KR', 'NO', 'VN'].map(member) as [
  MemberId,
  MemberId,
  MemberId,
  MemberId,
  MemberId,
]

/** Refused with this code, and with a reason that says this. */
async function refused(attempt: Promise<unknown>, code: string, reason: RegExp): Promise<void> {
  await expect(attempt).rejects.toMatchObject({ code, message: expect.stringMatching(reason) })
}

describe('a charter', () => {
  test('is in force when everybody on its roster signed it', async () => {
    const { payload } = await verifyCharter(five.bundle, five.coordinator.publicKey, undefined)
    expect(payload.members.map(one => one.id)).toEqual([JP, KE, KR, NO, VN])
  })

  test('of three members needs all three custodians', async () => {
    const three = await federationKeys({ members: ['AA', 'BB', 'CC'] })
    expect(three.charter.payload.threshold).toBe(3)
  })

  test('says who has not signed', async () => {
    const consents = five.bundle.consents.filter(one => one.member !== KR)
    const bundle = { ...five.bundle, consents }
    await refused(verifyCharter(bundle, five.coordinator.publicKey, undefined), 'charter-pending', /not signed by KR$/)
    expect((await standingOf(five.charter, bundle, undefined)).consents.members).toEqual([KR])
  })

  test('signed by somebody else is refused', async () => {
    const forged = await five.propose({}, five.stranger)
    await refused(verifyProposal(forged.compact, five.coordinator.publicKey), 'bad-signature', /expected key/)
  })

  test('that names another coordinator is refused', async () => {
    const other = await five.propose({ coordinator: five.stranger.publicKey })
    await refused(verifyProposal(other.compact, five.coordinator.publicKey), 'bad-charter', /another coordinator/)
  })

  async function signedBy(id: MemberId, consent: { member: MemberId; consent: string }) {
    const consents = five.bundle.consents.map(one => (one.member === id ? consent : one))
    return verifyCharter({ ...five.bundle, consents }, five.coordinator.publicKey, undefined)
  }

  test("with another member's signature in a member's place is refused", async () => {
    const forged = await five.consentTo(five.charter.id, KR, five.keyOf(JP))
    await refused(signedBy(KR, forged), 'bad-signature', /expected key/)
  })

  test('with a signature under another charter is refused', async () => {
    const earlier = await five.propose({ epoch: 2 })
    await refused(signedBy(KR, await five.consentTo(earlier.id, KR)), 'bad-charter', /of KR is under another charter/)
  })

  test('with a signature that speaks for another member is refused', async () => {
    const { consent } = await five.consentTo(five.charter.id, JP, five.keyOf(KR))
    await refused(signedBy(KR, { member: KR, consent }), 'bad-charter', /of KR is under another charter/)
  })

  const roster = () => five.charter.payload.members
  test.each<[string, () => object, RegExp]>([
    [
      'a member twice',
      () => ({ members: [...roster(), { ...roster()[0], name: 'Again' }] }),
      /a member or a key twice/,
    ],
    [
      'one key under two names',
      () => ({ members: [...roster(), { ...roster()[0], id: 'XX' }] }),
      /a member or a key twice/,
    ],
    [
      'a custodian that is no member',
      () => ({ custodians: [JP, KE, KR, NO, 'XX'] }),
      /not a member, or is named twice/,
    ],
    ['a custodian twice', () => ({ custodians: [JP, KE, KR, NO, NO] }), /not a member, or is named twice/],
    ['a threshold of three of five', () => ({ threshold: 3 }), /3 of 5 custodians protects too little/],
    ['a threshold of two of three', () => ({ custodians: [JP, KE, KR], threshold: 2 }), /2 of 3 custodians/],
    ['a threshold above the custodians', () => ({ threshold: 6 }), /6 of 5 custodians/],
    ['a quorum of two of five', () => ({ quorum: 2 }), /quorum of 2 of 5 members is not between 3 and 4/],
    ['a quorum of everybody', () => ({ quorum: 5 }), /quorum of 5 of 5 members/],
  ])('with %s is refused', async (_, change, reason) => {
    const proposed = await five.propose(change())
    await refused(verifyProposal(proposed.compact, five.coordinator.publicKey), 'bad-charter', reason)
  })

  test.each<[string, () => object]>([
    ['a minimum cohort of two', () => ({ minimumCohort: 2 })],
    ['two custodians', () => ({ custodians: [JP, KE], threshold: 2 })],
    ['two members', () => ({ members: roster().slice(0, 2) })],
  ])('with %s cannot be written down', async (_, change) => {
    await refused(five.propose(change()), 'bad-message', /Too small/)
  })
})

describe('a round', () => {
  test('stands on charter, question, researcher, prekeys and times', async () => {
    const asked = await five.ask()
    const announced = await five.announce(asked)
    const round = await verifyRound({ round: announced.compact, query: asked.compact }, five.charter, NOON)
    expect(round.id).toBe(announced.id)
    expect(round.custodians.map(one => [one.id, one.index])).toEqual([
      [JP, 1],
      [KE, 2],
      [KR, 3],
      [NO, 4],
      [VN, 5],
    ])
    expect(round.bound).toBe(contributionBound(5))
    expect(round.researcher.name).toBe('A. Researcher')
  })

  test('may leave out custodians beyond the threshold, whose numbers stay', async () => {
    const asked = await five.ask()
    const prekeys = await Promise.all([VN, KE, JP, NO].map(id => five.publish(id)))
    const announced = await five.announce(asked, { prekeys: prekeys.map(one => one.compact) })
    const round = await verifyRound({ round: announced.compact, query: asked.compact }, five.charter, NOON)
    expect(round.custodians.map(one => one.index)).toEqual([5, 2, 1, 4])
  })

  test('can be read long after it ended, where no time is given', async () => {
    const asked = await five.ask()
    const announced = await five.announce(asked)
    const sent = { round: announced.compact, query: asked.compact }
    await refused(verifyRound(sent, five.charter, NOON + 2 * HOUR + 121_000), 'too-late', /ended at/)
    await expect(verifyRound(sent, five.charter, undefined)).resolves.toMatchObject({ id: announced.id })
  })

  test('may open two minutes ahead of the own clock and no more', async () => {
    const asked = await five.ask()
    const announced = await five.announce(asked)
    const sent = { round: announced.compact, query: asked.compact }
    await expect(verifyRound(sent, five.charter, NOON - 120_000)).resolves.toMatchObject({ id: announced.id })
    await refused(verifyRound(sent, five.charter, NOON - 120_001), 'clock-skew', /opens in the future/)
  })

  async function announced(change: object, by?: FederationKeys['coordinator']) {
    const asked = await five.ask()
    const document = await five.announce(asked, change, by)
    return verifyRound({ round: document.compact, query: asked.compact }, five.charter, NOON)
  }

  async function withPrekeys(change: (own: string[]) => Promise<string[]> | string[]) {
    const own = await Promise.all(five.ids.map(id => five.publish(id)))
    return announced({ prekeys: await change(own.map(one => one.compact)) })
  }

  test.each<[string, () => Promise<unknown>, string, RegExp]>([
    ['signed by somebody else', () => announced({}, five.stranger), 'bad-signature', /expected key/],
    ['under another charter', () => announced({ charter: hashOf('another') }), 'bad-round', /another charter/],
    [
      'about another query than the one sent',
      () => announced({ query: hashOf('another') }),
      'bad-round',
      /another query/,
    ],
    ['that closes early', () => announced({ closes: at(NOON + HOUR / 2) }), 'bad-round', /as long as the query says/],
    ['that ends late', () => announced({ ends: at(NOON + 3 * HOUR) }), 'bad-round', /as long as the query says/],
    ['as of a time after its opening', () => announced({ asOf: at(NOON + 1) }), 'bad-round', /after its opening/],
    ['with a stranger eligible', () => announced({ eligible: [JP, KE, 'XX'] }), 'bad-round', /not on the roster/],
    ['with a member eligible twice', () => announced({ eligible: [JP, KE, KR, KR] }), 'bad-round', /not on the roster/],
    [
      'with a prekey of somebody who is no custodian',
      async () => {
        const four = await federationKeys({ members: ['AA', 'BB', 'CC', 'DD'], custodians: ['AA', 'BB', 'CC'] })
        const asked = await four.ask()
        const prekeys = await Promise.all(four.ids.map(id => four.publish(id)))
        const document = await four.announce(asked, { prekeys: prekeys.map(one => one.compact) })
        return verifyRound({ round: document.compact, query: asked.compact }, four.charter, NOON)
      },
      'bad-round',
      /DD is not a custodian/,
    ],
    [
      "with a prekey that the coordinator made in a custodian's name",
      () => withPrekeys(async own => [...own.slice(1), (await five.publish(JP, {}, five.coordinator)).compact]),
      'bad-signature',
      /expected key/,
    ],
    [
      'with a prekey of another federation',
      () =>
        withPrekeys(async own => [
          ...own.slice(1),
          (await five.publish(JP, { federation: five.stranger.fingerprint })).compact,
        ]),
      'bad-round',
      /another federation/,
    ],
    [
      'with a prekey that ends with it',
      () =>
        withPrekeys(async own => [
          ...own.slice(1),
          (await five.publish(JP, { notAfter: at(NOON + 2 * HOUR) })).compact,
        ]),
      'bad-round',
      /prekey of JP ends before the round/,
    ],
    [
      'with a prekey that lasts longer than 30 days',
      () =>
        withPrekeys(async own => [
          ...own.slice(1),
          (await five.publish(JP, { notAfter: at(NOON + 31 * DAY) })).compact,
        ]),
      'bad-round',
      /prekey of JP lasts longer than 30 days/,
    ],
    [
      'with the same prekey twice',
      () => withPrekeys(own => [...own.slice(1), own[1] as string]),
      'bad-round',
      /takes part twice/,
    ],
    [
      'with two prekeys of one custodian',
      () => withPrekeys(async own => [...own.slice(1), (await five.publish(KE)).compact]),
      'bad-round',
      /takes part twice/,
    ],
    [
      'with fewer custodians than the threshold',
      () => withPrekeys(own => own.slice(0, 3)),
      'bad-round',
      /only 3 custodians take part; 4 must open/,
    ],
  ])('%s is refused', async (_, attempt, code, reason) => {
    await refused(attempt(), code, reason)
  })

  async function askedWith(change: object, by = five.researcher, certified?: Signed<unknown>) {
    const asked = await five.ask(change, by, certified)
    const document = await five.announce(asked)
    return verifyRound({ round: document.compact, query: asked.compact }, five.charter, NOON)
  }

  test.each<[string, () => Promise<unknown>, string, RegExp]>([
    ['that somebody else signed', () => askedWith({}, five.stranger), 'bad-signature', /expected key/],
    ['under another charter', () => askedWith({ charter: hashOf('another') }), 'bad-round', /under another charter/],
    ['that expired before', () => askedWith({ expires: at(NOON - 1) }), 'bad-round', /query expired before the round/],
    [
      'of a researcher whom nobody certified',
      async () => askedWith({}, five.researcher, await five.certify({}, five.researcher)),
      'bad-signature',
      /expected key/,
    ],
    [
      'of a researcher of another federation',
      async () => askedWith({}, five.researcher, await five.certify({ federation: five.stranger.fingerprint })),
      'bad-certificate',
      /certified for another federation/,
    ],
    [
      'of a researcher whose certificate expired',
      async () => askedWith({}, five.researcher, await five.certify({ notAfter: at(NOON - 1) })),
      'bad-certificate',
      /certificate expired/,
    ],
    [
      'about a dimension that does not exist',
      async () => askedWith({ question: { ...(await five.ask()).payload.question, by: ['trader'] } }),
      'bad-query',
      /no dimension "trader"/,
    ],
    [
      'about another version of the dataset',
      async () => {
        const { question } = (await five.ask()).payload
        return askedWith({ question: { ...question, dataset: { id: 'declarations', version: 2 } } })
      },
      'bad-query',
      /version 2 of declarations; this is version 1/,
    ],
  ])('with a query %s is refused', async (_, attempt, code, reason) => {
    await refused(attempt(), code, reason)
  })

  test('with the query of another round is refused', async () => {
    const asked = await five.ask()
    const other = await five.ask({ nonce: Buffer.alloc(16, 2).toString('base64url') })
    const document = await five.announce(asked)
    const attempt = verifyRound({ round: document.compact, query: other.compact }, five.charter, NOON)
    await refused(attempt, 'bad-round', /about another query/)
  })
})

/** A round that is announced, with the manifests that arrived. */
async function contributed(
  federation: FederationKeys,
  {
    members = federation.ids,
    need = 'all',
    administration = null,
    eligible = federation.ids,
  }: {
    members?: readonly MemberId[]
    need?: 'all' | { atLeast: number }
    administration?: MemberId | null
    eligible?: readonly MemberId[]
  } = {},
) {
  const asked = await federation.ask({ need }, federation.researcher, await federation.certify({ administration }))
  const announced = await federation.announce(asked, { eligible })
  const round = await verifyRound({ round: announced.compact, query: asked.compact }, federation.charter, NOON)
  const to = { id: round.id, slots: round.plan.slots, custodians: round.custodians }
  const manifests = await Promise.all(members.map(id => federation.contribute(id, to)))
  return { round, to, manifests }
}

describe('a cohort', () => {
  test('of everybody is accepted', async () => {
    const { round, manifests } = await contributed(five)
    const { compact, id } = await five.close(round.id, manifests)
    expect((await verifyCohort(compact, round)).id).toBe(id)
  })

  test('of three is accepted where the query needs three', async () => {
    const { round, manifests } = await contributed(five, { members: [JP, KR, VN], need: { atLeast: 3 } })
    await expect(verifyCohort((await five.close(round.id, manifests)).compact, round)).resolves.toBeDefined()
  })

  async function closed(
    options: Parameters<typeof contributed>[1],
    change: (sent: readonly Signed<Manifest, ManifestId>[]) => object = () => ({}),
    by?: FederationKeys['coordinator'],
  ) {
    const { round, manifests } = await contributed(five, options)
    const signed = await five.close(round.id, manifests, change(manifests), by)
    return verifyCohort(signed.compact, round)
  }

  const entries = (sent: readonly Signed<Manifest, ManifestId>[]) =>
    sent.map(one => ({ member: one.payload.member as string, manifest: one.id as string }))

  test.each<[string, () => Promise<unknown>, string, RegExp]>([
    ['signed by a member', () => closed({}, () => ({}), five.keyOf(JP)), 'bad-signature', /expected key/],
    ['of another round', () => closed({}, () => ({ round: hashOf('another') })), 'bad-cohort', /another round/],
    [
      'with a stranger',
      () => closed({}, sent => ({ manifests: [...entries(sent), { member: 'XX', manifest: hashOf('XX') }] })),
      'bad-cohort',
      /XX is not eligible/,
    ],
    [
      'with a member of the roster who is not eligible',
      () => closed({ eligible: [JP, KE, KR, NO] }),
      'bad-cohort',
      /VN is not eligible/,
    ],
    [
      'with a member twice',
      () => closed({}, sent => ({ manifests: [...entries(sent), { member: 'KR', manifest: hashOf('second') }] })),
      'bad-cohort',
      /in the cohort twice/,
    ],
    [
      'with one contribution under two names',
      () =>
        closed({ members: [JP, KE, KR, NO] }, sent => ({
          manifests: [...entries(sent), { member: 'VN', manifest: sent[0]?.id }],
        })),
      'bad-cohort',
      /in the cohort twice/,
    ],
    [
      'without a member that the query needs',
      () => closed({ members: [JP, KE, KR, NO] }),
      'bad-cohort',
      /needs 5 members; the cohort has 4/,
    ],
    [
      'smaller than the query says',
      () => closed({ members: [JP, KE, KR], need: { atLeast: 4 } }),
      'bad-cohort',
      /needs 4 members; the cohort has 3/,
    ],
    [
      'of two',
      () => closed({ members: [JP, KE], need: { atLeast: 1 } }),
      'bad-cohort',
      /needs 3 members beside the recipient's own administration; it has 2/,
    ],
    [
      "of three, one of them the recipient's own administration",
      () => closed({ members: [JP, KE, KR], need: { atLeast: 3 }, administration: KR }),
      'bad-cohort',
      /needs 3 members beside the recipient's own administration; it has 2/,
    ],
  ])('%s is refused', async (_, attempt, code, reason) => {
    await refused(attempt(), code, reason)
  })

  test('of four with the recipient among them is accepted', async () => {
    await expect(closed({ members: [JP, KE, KR, NO], need: { atLeast: 3 }, administration: KR })).resolves.toBeDefined()
  })

  test('of a federation of three never serves a researcher of its own members', async () => {
    const three = await federationKeys({ members: ['AA', 'BB', 'CC'] })
    const { round, manifests } = await contributed(three, { administration: member('AA') })
    const attempt = verifyCohort((await three.close(round.id, manifests)).compact, round)
    await refused(attempt, 'bad-cohort', /it has 2/)
  })
})

describe('a manifest', () => {
  let round: VerifiedRound
  let to: Awaited<ReturnType<typeof contributed>>['to']
  let cohort: SignedCohort
  let manifests: readonly Signed<Manifest, ManifestId>[]

  beforeAll(async () => {
    const run = await contributed(five)
    ;({ round, to, manifests } = run)
    cohort = await verifyCohort((await five.close(round.id, manifests)).compact, round)
  })

  test('that its cohort names is accepted', async () => {
    for (const one of manifests) {
      expect((await verifyManifest(one.compact, round, cohort)).payload.member).toBe(one.payload.member)
    }
  })

  /** A manifest with one fault, in a cohort that names it as if it were well. */
  async function named(change: object, by?: FederationKeys['coordinator']) {
    const faulty = await five.contribute(KR, to, change, by)
    const others = manifests.filter(one => one.payload.member !== KR)
    const around = await five.close(round.id, [...others, faulty], {
      manifests: [...others, faulty].map((one, i) => ({
        member: i === others.length ? KR : one.payload.member,
        manifest: one.id,
      })),
    })
    return verifyManifest(faulty.compact, round, await verifyCohort(around.compact, round))
  }

  const shares = () => manifests[2]?.payload.shares ?? []
  test.each<[string, () => Promise<unknown>, string, RegExp]>([
    ['that another member signed', () => named({}, five.keyOf(JP)), 'bad-signature', /expected key/],
    ['of another round', () => named({ round: hashOf('another') }), 'bad-cohort', /of another round/],
    ['of a member that is not on the roster', () => named({ member: 'XX' }), 'bad-cohort', /XX is not on the roster/],
    ['with another number of slots', () => named({ slots: to.slots + 1 }), 'bad-cohort', /does not fit the round/],
    ['without a share for a custodian', () => named({ shares: shares().slice(1) }), 'bad-cohort', /does not fit/],
    ['with its shares in another order', () => named({ shares: shares().toReversed() }), 'bad-cohort', /does not fit/],
    [
      'with a share to another prekey',
      () => named({ shares: shares().map((one, i) => (i === 0 ? { ...one, prekey: hashOf('another') } : one)) }),
      'bad-cohort',
      /does not fit/,
    ],
    [
      "with a share under another custodian's name",
      () => named({ shares: shares().map((one, i) => (i === 0 ? { ...one, custodian: KE } : one)) }),
      'bad-cohort',
      /does not fit/,
    ],
  ])('%s is refused', async (_, attempt, code, reason) => {
    await refused(attempt(), code, reason)
  })

  test('other than the one in the cohort is refused', async () => {
    const second = await five.contribute(KR, to, { ciphertext: hashOf('other cells') })
    await refused(verifyManifest(second.compact, round, cohort), 'bad-cohort', /of KR is not the one in the cohort/)
  })

  test('of a member outside of the cohort is refused', async () => {
    const run = await contributed(five, { members: [JP, KE, KR], need: { atLeast: 3 } })
    const smaller = await verifyCohort((await five.close(run.round.id, run.manifests)).compact, run.round)
    const late = await five.contribute(VN, run.to)
    await refused(verifyManifest(late.compact, run.round, smaller), 'bad-cohort', /of VN is not the one in the cohort/)
  })
})

describe('agreements', () => {
  let round: VerifiedRound
  let cohort: Awaited<ReturnType<FederationKeys['close']>>

  beforeAll(async () => {
    const run = await contributed(five)
    round = run.round
    cohort = await five.close(round.id, run.manifests)
  })

  test('are counted once for each custodian', async () => {
    const compacts = await Promise.all([JP, KE, KR, NO, JP].map(id => five.agree(id, cohort)))
    expect(await verifyAgreements(compacts, round, cohort.id)).toEqual([JP, KE, KR, NO])
  })

  test.each<[string, () => Promise<string>, string, RegExp]>([
    ['to another cohort', () => five.agree(JP, cohort, { cohort: hashOf('another') }), 'bad-cohort', /another cohort/],
    ['in another round', () => five.agree(JP, cohort, { round: hashOf('another') }), 'bad-cohort', /another cohort/],
    ["in another custodian's name", () => five.agree(JP, cohort, {}, five.keyOf(KE)), 'bad-signature', /expected key/],
    ['of a stranger', () => five.agree(JP, cohort, { custodian: 'XX' }), 'bad-cohort', /XX is not a custodian/],
  ])('%s are refused', async (_, forge, code, reason) => {
    const good = await five.agree(KR, cohort)
    await refused(verifyAgreements([good, await forge()], round, cohort.id), code, reason)
  })

  test('of a member that is no custodian of the round are refused', async () => {
    const asked = await five.ask()
    const prekeys = await Promise.all([JP, KE, KR, NO].map(id => five.publish(id)))
    const announced = await five.announce(asked, { prekeys: prekeys.map(one => one.compact) })
    const without = await verifyRound({ round: announced.compact, query: asked.compact }, five.charter, NOON)
    const closed = await five.close(without.id, [], { manifests: [{ member: JP, manifest: hashOf('JP') }] })
    const attempt = verifyAgreements([await five.agree(VN, closed)], without, closed.id)
    await refused(attempt, 'bad-cohort', /VN is not a custodian of this round/)
  })
})

import { type Certificate, type MemberId, memberId } from '#specs/messages.ts'
import { at, DAY, HOUR, NOON } from '#test/federation-keys.ts'
import { seededIdentityKey } from '#test/randomness.ts'
import type { Fields } from '../format.ts'
import { type Scenario, scenario } from '../scenario.ts'
import type { Writing } from '../writing.ts'

export const description =
  'Ids, and how charter, query, round, manifests, cohort and agreements refer to one another by them.'

interface Compact {
  readonly compact: string
}

export async function write(file: Writing): Promise<void> {
  const made = await scenario()
  await writeCharter(file, made)
  await writeRounds(file, made)
  await writeRecords(file, made)
  await writeCohorts(file, made)
}

async function writeCharter(file: Writing, { federation, input }: Scenario): Promise<void> {
  const { members } = federation.charter.payload
  const [first, second, third] = members as [(typeof members)[0], (typeof members)[0], (typeof members)[0]]
  const [JP, KE] = federation.ids
  const charter = async (change: object, by?: typeof federation.stranger) => ({
    charter: (await federation.propose(change, by)).compact,
  })
  await file.takes('verify-charter', 'a charter', { coordinator: input.coordinator, charter: input.charter })
  await file.takes('verify-charter', 'a charter that declares a quorum', {
    coordinator: input.coordinator,
    ...(await charter({ quorum: 2 })),
  })
  file.refuses('a charter', [
    ['bad-signature', 'another coordinator is expected', { coordinator: federation.stranger.publicKey }],
    ['bad-signature', 'signed by a stranger', await charter({}, federation.stranger)],
    ['bad-charter', 'names another coordinator', await charter({ coordinator: federation.stranger.publicKey })],
    ['bad-charter', 'a member twice', await charter({ members: [first, second, { ...third, id: first.id }] })],
    ['bad-charter', 'a key twice', await charter({ members: [...members, { ...first, id: 'NO' }] })],
    ['bad-charter', 'a custodian twice', await charter({ custodians: [JP, KE, KE] })],
    ['bad-charter', 'a custodian who is no member', await charter({ custodians: [JP, KE, 'NO'] })],
    ['bad-charter', 'a threshold of two of three', await charter({ threshold: 2 })],
    ['bad-charter', 'a threshold of four of three', await charter({ threshold: 4 })],
    ['bad-charter', 'a quorum of all three', await charter({ quorum: 3 })],
    [
      'bad-charter',
      'a quorum of half of four',
      await charter({
        members: [...members, { ...first, id: 'NO', publicKey: federation.stranger.publicKey }],
        quorum: 2,
      }),
    ],
  ])
}

async function writeRounds(file: Writing, made: Scenario): Promise<void> {
  const { federation, asked, prekeys, input, round, cohort } = made
  const { ids, stranger } = federation
  const [JP, KE] = ids as [MemberId, MemberId]
  const announced = async (change: object, by?: typeof stranger): Promise<Fields> => ({
    round: (await federation.announce(asked, { prekeys, ...change }, by)).compact,
  })
  const named = async (...others: readonly Promise<Compact>[]) => {
    const published = (await Promise.all(others)).map(one => one.compact)
    return announced({ prekeys: [...published, ...prekeys.slice(published.length)] })
  }
  const { question } = asked.payload
  const otherQuery = await federation.ask({ question, nonce: 'AAAAAAAAAAAAAAAAAAAAAA' })
  await file.takes('verify-round', 'a round', { ...input, at: at(NOON + HOUR) })
  file.refuses('a round', [
    ['bad-signature', 'signed by a stranger', await announced({}, stranger)],
    ['bad-signature', 'signed by a member', await announced({}, federation.keyOf(JP))],
    ['bad-signature', 'a query in its place', { round: input.query }],
    ['bad-round', 'under another charter', await announced({ charter: round.id })],
    ['bad-round', 'about another query', await announced({ query: otherQuery.id })],
    ['bad-round', 'with another query', { query: otherQuery.compact }],
    [
      'bad-round',
      'closes a millisecond late',
      await announced({ closes: at(NOON + HOUR + 1), ends: at(NOON + 2 * HOUR + 1) }),
    ],
    ['bad-round', 'ends a millisecond late', await announced({ ends: at(NOON + 2 * HOUR + 1) })],
    ['bad-round', 'a member eligible twice', await announced({ eligible: [...ids, JP] })],
    ['bad-round', 'a stranger eligible', await announced({ eligible: [...ids, 'NO'] })],
    ['bad-round', 'a prekey left out, which leaves too few', await announced({ prekeys: prekeys.slice(1) })],
    ['bad-round', 'a prekey twice', await announced({ prekeys: [...prekeys, prekeys[0]] })],
    ['bad-round', 'two prekeys of one custodian', await named(federation.publish(KE))],
    [
      'bad-round',
      'a prekey of another federation',
      await named(federation.publish(JP, { federation: stranger.fingerprint })),
    ],
    [
      'bad-round',
      'a prekey that ends with the round',
      await named(federation.publish(JP, { notAfter: at(NOON + 2 * HOUR) })),
    ],
    [
      'bad-round',
      'a prekey of more than 30 days',
      await named(federation.publish(JP, { notAfter: at(NOON + 31 * DAY) })),
    ],
    [
      'bad-signature',
      'a prekey that another member signed',
      await named(federation.publish(JP, {}, federation.keyOf(KE))),
    ],
    [
      'bad-signature',
      'a manifest in the place of a prekey',
      await announced({ prekeys: [cohort.compact, ...prekeys.slice(1)] }),
    ],
    ['bad-round', 'data as of a time after its opening', await announced({ asOf: at(NOON + 1) })],
    ['clock-skew', 'opens more than two minutes ahead', { at: at(NOON - 120_001) }],
    ['too-late', 'ended more than two minutes ago', { at: at(NOON + 2 * HOUR + 120_001) }],
  ])
  const query = async (
    change: object,
    by?: typeof stranger,
    certificate?: Awaited<ReturnType<typeof federation.certify>>,
  ) => {
    const other = await federation.ask({ question, ...change }, by, certificate)
    const about = await federation.announce(other, { prekeys })
    return { query: other.compact, round: about.compact }
  }
  // What is wrong is the query; the round is made for it, so that nothing else is.
  await file.takes('record-rounds', 'a query that is about to expire', {
    coordinator: input.coordinator,
    charter: input.charter,
    rounds: [await query({ expires: at(NOON) })],
    at: at(NOON),
  })
  const wrong = async (...of: Parameters<typeof query>): Promise<Fields> => ({ rounds: [await query(...of)] })
  const strangers = memberId.parse('XX')
  const certified = async (change: Partial<Certificate>, sponsored?: Awaited<ReturnType<typeof federation.vouch>>) =>
    wrong(
      {},
      undefined,
      await federation.certify(change, federation.coordinator, sponsored ?? (await federation.vouch())),
    )
  file.refuses('a query that is about to expire', [
    ['bad-round', 'it expired a millisecond before', await wrong({ expires: at(NOON - 1) })],
    ['bad-round', 'it is under another charter', await wrong({ charter: cohort.id })],
    ['bad-signature', 'it is signed by a stranger', await wrong({}, stranger)],
    [
      'bad-signature',
      'its certificate is signed by a stranger',
      await wrong({}, undefined, await federation.certify({}, stranger)),
    ],
    [
      'bad-certificate',
      'its certificate is of another federation',
      await wrong({}, undefined, await federation.certify({ federation: stranger.fingerprint })),
    ],
    [
      'bad-certificate',
      'its certificate ended a millisecond before',
      await wrong({}, undefined, await federation.certify({ notAfter: at(NOON - 1) })),
    ],
    [
      'bad-signature',
      'its sponsorship is signed by the coordinator',
      await certified({}, await federation.vouch({}, federation.coordinator)),
    ],
    [
      'bad-certificate',
      'its sponsor is not on the roster',
      await certified({}, await federation.vouch({ sponsor: strangers }, stranger)),
    ],
    ['bad-certificate', 'it says more than its sponsor', await certified({ purposes: ['risk-analysis'] })],
    ['bad-certificate', 'it lasts longer than its sponsor said', await certified({ notAfter: at(NOON + 366 * DAY) })],
    ['bad-certificate', 'it names another sponsor', await certified({ sponsor: KE })],
    [
      'bad-certificate',
      'its sponsorship lasts two years',
      await wrong({}, undefined, await federation.certify({ notAfter: at(NOON + 730 * DAY) })),
    ],
    [
      'bad-certificate',
      'its sponsor says who belongs to another member',
      await certified({}, await federation.vouch({ sponsor: JP, administration: KE })),
    ],
  ])
  const [provider, other] = [await seededIdentityKey('provider of identities'), stranger]
  const loggedIn = async (change: Parameters<typeof federation.logIn>[1] = {}, by = provider): Promise<Fields> => ({
    rounds: [await query({}, undefined, await federation.logIn(by, change))],
  })
  const { sponsorship } = (await federation.logIn(provider)).payload
  await file.takes('record-rounds', 'a query of somebody who logged in', {
    coordinator: input.coordinator,
    charter: input.charter,
    ...(await loggedIn()),
    at: at(NOON),
  })
  const said = (claims: object) => loggedIn({ claims })
  file.refuses('a query of somebody who logged in', [
    ['bad-id-token', 'signed with another key', await loggedIn({ certificate: { sponsorship } }, other)],
    ['bad-id-token', 'bound to another key', await loggedIn({ boundTo: stranger.publicKey })],
    ['bad-id-token', 'a nonce that is not bound', await said({ nonce: 'abc' })],
    ['bad-id-token', 'of another issuer', await said({ iss: 'https://login.example/' })],
    ['bad-id-token', 'for another program', await said({ aud: 'webmail' })],
    ['bad-id-token', 'for two programs', await said({ aud: ['inbond', 'webmail'] })],
    ['bad-id-token', 'given to another program', await said({ azp: 'webmail' })],
    ['bad-id-token', 'over before it was issued', await said({ exp: (NOON - 2 * DAY) / 1000 })],
    ['bad-certificate', 'another name than the token has', await said({ name: 'B. Researcher' })],
    ['bad-certificate', 'no token', await loggedIn({ certificate: { idToken: null } })],
    ['bad-certificate', 'longer than 30 days', await loggedIn({ certificate: { notAfter: at(NOON + 30 * DAY) } })],
    ['bad-certificate', 'another organisation', await loggedIn({ certificate: { organisation: 'Another' } })],
  ])
}

async function writeRecords(file: Writing, { federation, asked, announced, prekeys, input }: Scenario): Promise<void> {
  const { question } = asked.payload
  const first = { query: asked.compact, round: announced.compact }
  const next = await federation.ask({ question, nonce: 'AAAAAAAAAAAAAAAAAAAAAA' })
  const fresh = await federation.announce(next)
  const again = await federation.announce(next, { prekeys: [prekeys[0], ...fresh.payload.prekeys.slice(1)] })
  const repeated = await federation.announce(asked)
  const second = { query: next.compact, round: fresh.compact }
  await file.takes('record-rounds', 'two rounds, and the first again', {
    coordinator: input.coordinator,
    charter: input.charter,
    rounds: [first, second, first],
    at: at(NOON),
  })
  file.refuses('two rounds, and the first again', [
    [
      'prekey-used',
      'one prekey of the second served the first',
      { rounds: [first, { ...second, round: again.compact }] },
    ],
    ['bad-round', 'two rounds of one query', { rounds: [first, { ...first, round: repeated.compact }] }],
  ])
}

async function writeCohorts(file: Writing, made: Scenario): Promise<void> {
  const { federation, input, round, contributions, cohort, agreements, openings } = made
  const { ids, stranger } = federation
  const [JP, KE] = ids as [MemberId, MemberId]
  const manifests = contributions.map(one => one.manifest)
  const [own, other, third] = manifests as [(typeof manifests)[0], (typeof manifests)[0], (typeof manifests)[0]]
  const entries = cohort.payload.manifests
  const [one, two, three] = entries as [(typeof entries)[0], (typeof entries)[0], (typeof entries)[0]]
  const closed = async (change: object, by?: typeof stranger): Promise<Fields> => ({
    cohort: (await federation.close(round.id, manifests, change, by)).compact,
  })
  await file.takes('verify-cohort', 'a cohort', { ...input, cohort: cohort.compact })
  file.refuses('a cohort', [
    ['bad-signature', 'signed by a stranger', await closed({}, stranger)],
    ['bad-signature', 'an agreement in its place', { cohort: agreements[0] as string }],
    ['bad-cohort', 'of another round', await closed({ round: cohort.id })],
    ['bad-cohort', 'one member too few', await closed({ manifests: [one, two] })],
    ['bad-cohort', 'a member twice', await closed({ manifests: [...entries, { ...one, manifest: cohort.id }] })],
    ['bad-cohort', 'a manifest twice', await closed({ manifests: [one, two, { ...three, manifest: two.manifest }] })],
    [
      'bad-cohort',
      'a member who is not eligible',
      await closed({ manifests: [...entries, { member: 'NO', manifest: cohort.id }] }),
    ],
  ])

  const { slots } = round.plan
  const to = { id: round.id, slots, custodians: round.custodians }
  const { ciphertext, shares } = own.payload
  const [first, second, last] = shares as [(typeof shares)[0], (typeof shares)[0], (typeof shares)[0]]
  /** A manifest of the first member, and a cohort that names it. */
  const renamed = async (change: object, by = federation.keyOf(JP)): Promise<Fields> => {
    const manifest = await federation.contribute(JP, to, { ciphertext, shares, ...change }, by)
    const naming = await federation.close(round.id, [manifest, other, third])
    return { evidence: [manifest.compact, naming.compact] }
  }
  await file.takes('verify-manifest', 'a manifest', { ...input, evidence: [own.compact, cohort.compact], slots })
  file.refuses('a manifest', [
    ['bad-signature', 'the wrong dealer signed it', await renamed({}, federation.keyOf(KE))],
    ['bad-signature', 'a stranger signed it', await renamed({}, stranger)],
    [
      'bad-cohort',
      'another manifest of the member than the cohort names',
      {
        evidence: [(await federation.contribute(JP, to, { ciphertext, shares, alone: true })).compact, cohort.compact],
      },
    ],
    ['bad-cohort', 'of another round', await renamed({ round: cohort.id })],
    ['bad-cohort', 'a slot too few', await renamed({ slots: slots - 1 })],
    ['bad-cohort', 'a month left out', await renamed({ coverage: own.payload.coverage.slice(1) })],
    ['bad-cohort', 'months in another order', await renamed({ coverage: own.payload.coverage.toReversed() })],
    ['bad-cohort', 'custodians in another order', await renamed({ shares: [second, first, last] })],
    ['bad-cohort', 'a custodian left out', await renamed({ shares: [first, second] })],
    ['bad-cohort', 'another prekey', await renamed({ shares: [{ ...first, prekey: second.prekey }, second, last] })],
  ])

  const agreed = async (change: object, by?: typeof stranger): Promise<Fields> => ({
    agreements: [await federation.agree(JP, cohort, change, by), ...agreements.slice(1)],
  })
  await file.takes('verify-agreements', 'agreements', { ...input, cohort: cohort.compact, agreements })
  file.refuses('agreements', [
    ['bad-signature', 'one that another custodian signed', await agreed({}, federation.keyOf(KE))],
    ['bad-signature', 'an opening among them', { agreements: [openings[0]?.signed.compact as string] }],
    ['bad-cohort', 'to another cohort', await agreed({ cohort: round.id })],
    ['bad-cohort', 'of another round', await agreed({ round: cohort.id })],
    ['bad-cohort', 'of somebody who is no custodian', await agreed({ custodian: 'NO' })],
  ])
}

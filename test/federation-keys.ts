import { createHash, createPrivateKey, sign as signBytes } from 'node:crypto'
import { generateSealingKeyPair } from '#crypto/sealing.ts'
import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import type { CharterBundle } from '#specs/api.ts'
import { nonceFor } from '#specs/login.ts'
import {
  agreement,
  type Certificate,
  type Charter,
  type CharterId,
  type Cohort,
  type CohortId,
  certificate,
  charter,
  cohort,
  confirmation,
  consent,
  type Manifest,
  type ManifestId,
  type MemberId,
  manifest,
  memberId,
  type PersonSponsorship,
  prekey,
  type Query,
  type QueryId,
  query,
  type RoundId,
  round,
  sponsorship,
} from '#specs/messages.ts'
import { parseQueryFile, plan } from '#specs/query.ts'
import { verifyCharter } from '#specs/rules/charter.ts'
import { drawOf, SEED_BYTES } from '#specs/rules/recount.ts'
import { PROTOCOL, type Signed, sign } from '#specs/signed.ts'
import { seededRandomness } from './randomness.ts'

/** The moment at which every round of these tests opens. */
export const NOON = Date.parse('2030-01-15T12:00:00.000Z')
export const HOUR = 3_600_000
export const DAY = 24 * HOUR

export const noHead = { size: 0, root: createHash('sha256').digest('hex') } as const

export function at(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

/** A well-formed id of nothing. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export const QUERY_FILE = `
dataset: declarations
where: { flow: import, period: { from: 2029-01, to: 2029-12 } }
by: [hs2]
measures: [{ sum: value }]
purpose: Imports by chapter, 2029
closes: 1h
`

/** A JWT as a provider makes it. */
export function signJws(key: IdentityKey, payload: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${part({ alg: 'EdDSA', kid: 'first' })}.${part(payload)}`
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: key.publicKey, d: key.privateKey }
  const signature = signBytes(null, Buffer.from(input), createPrivateKey({ key: jwk, format: 'jwk' }))
  return `${input}.${signature.toString('base64url')}`
}

export type FederationKeys = Awaited<ReturnType<typeof federationKeys>>

/**
 * A federation as its signed messages alone: real keys, no service, no data. Each function signs one message as an honest party
 * would; `change` replaces fields of it and `by` the signer, so that a test can make exactly one thing wrong.
 */
export async function federationKeys({
  members = ['JP', 'KE', 'KR', 'NO', 'VN'],
  custodians = members,
  threshold = custodians.length === 3 ? 3 : 4,
  newKey = generateIdentityKey,
}: {
  members?: readonly string[]
  custodians?: readonly string[]
  threshold?: number
  newKey?: () => Promise<IdentityKey>
} = {}) {
  const ids = members.map(id => memberId.parse(id))
  const randomness = seededRandomness(`federation of ${ids.join()}`)
  const coordinator = await newKey()
  const researcher = await newKey()
  const stranger = await newKey()
  const keys = new Map<MemberId, IdentityKey>()
  for (const id of ids) keys.set(id, await newKey())
  const conventions = {
    importValuation: 'CIF',
    exportValuation: 'FOB',
    tradeSystem: 'general',
    dateBasis: 'accepted',
    hsEdition: 'HS2022',
  } as const

  function keyOf(member: MemberId): IdentityKey {
    const key = keys.get(member)
    if (!key) throw new Error(`${member} is not in this federation`)
    return key
  }

  function propose(change: object = {}, by = coordinator) {
    return sign<typeof charter.schema, CharterId>(by, charter, {
      protocol: PROTOCOL,
      federation: 'Federation of tests',
      epoch: 1,
      previous: null,
      coordinator: coordinator.publicKey,
      currency: 'USD',
      members: ids.map(id => ({ id, name: `Customs of ${id}`, publicKey: keyOf(id).publicKey, conventions })),
      custodians: custodians.map(id => memberId.parse(id)),
      threshold,
      minimumCohort: 3,
      datasets: [{ id: 'declarations', version: 1 }],
      logHead: noHead,
      proposedAt: at(NOON - DAY),
      ...change,
    })
  }

  async function consentTo(id: string, member: MemberId, by = keyOf(member)) {
    const signed = await sign(by, consent, { protocol: PROTOCOL, charter: id as CharterId, member })
    return { member, consent: signed.compact }
  }

  async function confirm(to: Signed<Charter, CharterId>, member: MemberId, by = keyOf(member)) {
    const previous = to.payload.previous as CharterId
    const signed = await sign(by, confirmation, { protocol: PROTOCOL, charter: to.id, previous, member })
    return { member, confirmation: signed.compact }
  }

  async function bundleOf(proposed: Signed<unknown, CharterId>): Promise<CharterBundle> {
    return {
      charter: proposed.compact,
      consents: await Promise.all(ids.map(member => consentTo(proposed.id, member))),
      confirmations: [],
    }
  }

  const bundle = await bundleOf(await propose())
  const inForce = await verifyCharter(bundle, coordinator.publicKey, undefined)
  const recipient = await generateSealingKeyPair(randomness)

  /** By the member that the researcher belongs to, or by the first. */
  async function vouch(change: Partial<PersonSponsorship> = {}, by?: IdentityKey): Promise<Signed<PersonSponsorship>> {
    const sponsor = change.sponsor ?? change.administration ?? (ids[0] as MemberId)
    const signed = await sign(by ?? keyOf(sponsor), sponsorship, {
      protocol: PROTOCOL,
      federation: coordinator.fingerprint,
      of: 'researcher',
      name: 'A. Researcher',
      publicKey: researcher.publicKey,
      administration: null,
      organisation: 'Institute of tests',
      role: 'analyst',
      purposes: ['official-statistics', 'research'],
      sponsor,
      notAfter: at(NOON + 365 * DAY),
      ...change,
    })
    return signed as Signed<PersonSponsorship>
  }

  /** A certificate after a sponsorship. `change` is what the sponsor says otherwise, or, beside a sponsorship, the certificate alone. */
  async function certify(change: Partial<Certificate> = {}, by = coordinator, sponsored?: Signed<PersonSponsorship>) {
    const { idToken: _idToken, sponsorship: _sponsorship, ...sayable } = change
    const { compact, payload } = sponsored ?? (await vouch(sayable))
    const { of: _, ...said } = payload
    return sign(by, certificate, { ...said, idToken: null, ...(sponsored ? change : {}), sponsorship: compact })
  }

  /** The certificate of somebody whom an organisation let log in a day before noon. Its provider signs with this identity key. */
  async function logIn(
    provider: IdentityKey,
    change: { readonly claims?: object; readonly certificate?: Partial<Certificate>; readonly boundTo?: string } = {},
  ) {
    const { name, publicKey, administration, role, purposes, sponsor, ...rest } = (await vouch()).payload
    const standing = { administration, organisation: 'Institute of tests', role, purposes, sponsor }
    const sponsored = await sign(keyOf(sponsor), sponsorship, {
      protocol: PROTOCOL,
      federation: rest.federation,
      of: 'organisation',
      issuer: 'https://login.example',
      clientId: 'inbond',
      keys: [{ kty: 'OKP', kid: 'first', alg: 'EdDSA', crv: 'Ed25519', x: provider.publicKey }],
      ...standing,
      notAfter: rest.notAfter,
    })
    const issued = (NOON - DAY) / 1000
    const nonce = nonceFor(rest.federation, change.boundTo ?? publicKey, new Uint8Array(16))
    const claims = {
      iss: 'https://login.example',
      aud: 'inbond',
      sub: 'ada',
      name,
      nonce,
      iat: issued,
      exp: issued + 3600,
    }
    return sign(coordinator, certificate, {
      protocol: PROTOCOL,
      federation: rest.federation,
      name,
      publicKey,
      ...standing,
      sponsorship: sponsored.compact,
      idToken: signJws(provider, { ...claims, ...change.claims }),
      notAfter: at(NOON + 29 * DAY),
      ...change.certificate,
    })
  }

  async function ask(change: object = {}, by = researcher, certified?: Signed<unknown>) {
    const file = parseQueryFile(QUERY_FILE)
    return sign<typeof query.schema, QueryId>(by, query, {
      protocol: PROTOCOL,
      charter: inForce.id,
      certificate: (certified ?? (await certify())).compact,
      question: file.question,
      need: file.need,
      closesAfter: file.closesAfter,
      recipient: Buffer.from(recipient.publicKey).toString('base64url'),
      draw: drawOf(Buffer.alloc(SEED_BYTES, 1)),
      nonce: Buffer.alloc(16, 1).toString('base64url'),
      askedAt: at(NOON - 60_000),
      expires: at(NOON + DAY),
      ...change,
    })
  }

  async function publish(custodian: MemberId, change: object = {}, by = keyOf(custodian)) {
    const { publicKey } = await generateSealingKeyPair(randomness)
    return sign(by, prekey, {
      protocol: PROTOCOL,
      federation: coordinator.fingerprint,
      custodian,
      publicKey: Buffer.from(publicKey).toString('base64url'),
      notAfter: at(NOON + 29 * DAY),
      ...change,
    })
  }

  async function announce(asked: Signed<Query, QueryId>, change: object = {}, by = coordinator) {
    const { closesAfter } = asked.payload
    const named = await Promise.all(inForce.payload.custodians.map(custodian => publish(custodian)))
    return sign<typeof round.schema, RoundId>(by, round, {
      protocol: PROTOCOL,
      charter: inForce.id,
      query: asked.id,
      kind: 'value',
      asOf: at(NOON),
      opens: at(NOON),
      closes: at(NOON + closesAfter),
      ends: at(NOON + 2 * closesAfter),
      eligible: ids,
      prekeys: named.map(one => one.compact),
      logHead: noHead,
      ...change,
    })
  }

  /** The manifest of a contribution of which nothing but hashes exists. */
  function contribute(
    member: MemberId,
    to: {
      readonly id: RoundId
      readonly slots: number
      readonly custodians: readonly { id: MemberId; prekey: string }[]
    },
    change: object = {},
    by = keyOf(member),
  ): Promise<Signed<Manifest, ManifestId>> {
    return sign<typeof manifest.schema, ManifestId>(by, manifest, {
      protocol: PROTOCOL,
      round: to.id,
      member,
      slots: to.slots,
      ciphertext: hashOf(`ciphertext of ${member} in ${to.id}`),
      shares: to.custodians.map(({ id, prekey }) => ({ custodian: id, prekey, sealed: hashOf(member + id) })),
      coverage: Array.from({ length: 12 }, (_, i) => ({
        period: `2029-${String(i + 1).padStart(2, '0')}`,
        state: 'complete' as const,
        version: 1,
        latest: 1,
        asOf: at(NOON - DAY),
      })),
      alone: false,
      ...change,
    })
  }

  function close(
    run: RoundId,
    manifests: readonly Signed<Manifest, ManifestId>[],
    change: object = {},
    by = coordinator,
  ): Promise<Signed<Cohort, CohortId>> {
    return sign<typeof cohort.schema, CohortId>(by, cohort, {
      protocol: PROTOCOL,
      round: run,
      manifests: manifests.map(one => ({ member: one.payload.member, manifest: one.id })),
      leftOut: [],
      logHead: noHead,
      ...change,
    })
  }

  async function agree(custodian: MemberId, to: Signed<Cohort, CohortId>, change: object = {}, by = keyOf(custodian)) {
    const signed = await sign(by, agreement, {
      protocol: PROTOCOL,
      round: to.payload.round,
      cohort: to.id,
      custodian,
      ...change,
    })
    return signed.compact
  }

  function slotsOf(asked: Signed<Query>): number {
    return plan(asked.payload.question).slots
  }

  return {
    ids,
    coordinator,
    researcher,
    stranger,
    recipient,
    charter: inForce,
    bundle,
    keyOf,
    propose,
    consentTo,
    confirm,
    bundleOf,
    vouch,
    certify,
    logIn,
    ask,
    publish,
    announce,
    contribute,
    close,
    agree,
    slotsOf,
  }
}

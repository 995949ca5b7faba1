import { createPrivateKey, sign as signBytes } from 'node:crypto'
import { type IdentityKey, messageId, signMessage } from '#crypto/signature.ts'
import {
  cancellation,
  certificate,
  enrolment,
  login,
  refusal,
  revocation,
  type SponsorshipId,
  token,
} from '#specs/messages.ts'
import { claims, PROTOCOL, sign } from '#specs/signed.ts'
import { at, NOON } from '#test/federation-keys.ts'
import type { Fields, Json } from '../format.ts'
import { scenario } from '../scenario.ts'
import type { Writing } from '../writing.ts'

export const description =
  'Identity keys, and every kind of message as it travels: signature, kind, version and fields.'

/** RFC 8037, appendix A: a key, its thumbprint in A.3. */
const RFC_8037 = {
  privateKey: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
  publicKey: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
}

/** The order of the group that Ed25519 signs in. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n

function part(value: Json | string): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

/** Signs any header over any bytes, as no honest party would. */
function signed(key: IdentityKey, header: Json, payload: string): string {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: key.publicKey, d: key.privateKey }
  const input = `${part(header)}.${payload}`
  return `${input}.${signBytes(null, Buffer.from(input), createPrivateKey({ key: jwk, format: 'jwk' })).toString('base64url')}`
}

export async function write(file: Writing): Promise<void> {
  await file.takes('fingerprint', 'RFC 8037, A.3', { publicKey: RFC_8037.publicKey })
  const text = '{"protocol":1,"query":"0000000000000000000000000000000000000000000000000000000000000000"}'
  await file.takes('sign', 'a cancellation with the key of RFC 8037', {
    ...RFC_8037,
    typ: cancellation.typ,
    payload: text,
  })
  await writeKinds(file)
  await writeRefusals(file)
  await writeNames(file)
}

async function writeKinds(file: Writing): Promise<void> {
  const { federation, asked, prekeys, announced, contributions, cohort, agreements, openings, signedSum } =
    await scenario()
  const { coordinator, researcher, stranger } = federation
  const member = federation.ids[0] as (typeof federation.ids)[0]
  const own = federation.keyOf(member)
  const verified = (typ: string, { publicKey }: IdentityKey, message: string) =>
    file.takes('verify', typ, { typ, publicKey, message })
  const enrolled = await sign(stranger, enrolment, {
    protocol: PROTOCOL,
    role: 'researcher',
    federation: coordinator.fingerprint,
    invitation: 'b25lLXRpbWUgY29kZQ',
    publicKey: stranger.publicKey,
    name: 'A. Researcher',
  })
  const { consent } = federation.bundle.consents[0] as (typeof federation.bundle.consents)[0]
  const next = await federation.propose({ epoch: 2, previous: federation.charter.id })
  const confirmed = await federation.confirm(next, member)
  const cancelled = await sign(researcher, cancellation, { protocol: PROTOCOL, query: asked.id })
  const { sponsorship } = claims(certificate, asked.payload.certificate).payload
  const stopped = await sign(own, revocation, {
    protocol: PROTOCOL,
    federation: coordinator.fingerprint,
    by: member,
    of: 'researcher',
    publicKey: researcher.publicKey,
    reason: 'left the organisation',
  })
  const refused = await sign(own, refusal, {
    protocol: PROTOCOL,
    round: announced.id,
    member,
    step: 'contribute',
    code: 'policy-refused',
    reason: 'the policy does not allow questions by hs4',
  })
  const request = await sign(own, token, {
    federation: coordinator.fingerprint,
    method: 'GET',
    path: '/work',
    issuedAt: at(NOON),
  })
  await verified('inbond-enrolment', stranger, enrolled.compact)
  await verified('inbond-sponsorship', own, sponsorship)
  const entering = await sign(researcher, login, {
    protocol: PROTOCOL,
    federation: coordinator.fingerprint,
    publicKey: researcher.publicKey,
    sponsorship: messageId(sponsorship) as SponsorshipId,
    idToken: 'e30.e30.AA',
  })
  await verified('inbond-revocation', own, stopped.compact)
  await verified('inbond-login', researcher, entering.compact)
  await verified('inbond-researcher-certificate', coordinator, asked.payload.certificate)
  await verified('inbond-charter', coordinator, federation.charter.compact)
  await verified('inbond-charter-consent', own, consent)
  await verified('inbond-charter-confirmation', own, confirmed.confirmation)
  await verified('inbond-prekey', own, prekeys[0] as string)
  await verified('inbond-query', researcher, asked.compact)
  await verified('inbond-cancellation', researcher, cancelled.compact)
  await verified('inbond-round', coordinator, announced.compact)
  await verified('inbond-manifest', own, contributions[0]?.manifest.compact as string)
  await verified('inbond-refusal', own, refused.compact)
  await verified('inbond-cohort', coordinator, cohort.compact)
  await verified('inbond-agreement', own, agreements[0] as string)
  await verified('inbond-opening', own, openings[0]?.signed.compact as string)
  await verified('inbond-sum', coordinator, signedSum.compact)
  await verified('inbond-token', own, request.compact)
}

async function writeRefusals(file: Writing): Promise<void> {
  const { federation, cohort, round, agreements } = await scenario()
  const key = federation.coordinator
  const typ = 'inbond-cohort'
  const [header, payload, signature] = cohort.compact.split('.') as [string, string, string]
  const head = { alg: 'Ed25519', typ, kid: key.fingerprint }
  const read = cohort.payload as unknown as { [field: string]: Json }
  const message = (text: string): Fields => ({ message: text })
  const headed = (change: Fields) => message(signed(key, { ...head, ...change }, payload))
  const saying = async (change: Fields) => message((await signMessage(key, typ, { ...read, ...change })).compact)
  const without = async (field: string) => {
    const { [field]: _, ...rest } = read
    return message((await signMessage(key, typ, rest)).compact)
  }
  const bytes = Buffer.from(signature, 'base64url')
  const withSignature = (other: Uint8Array) =>
    message(`${header}.${payload}.${Buffer.from(other).toString('base64url')}`)
  const flipped = Buffer.from(bytes)
  flipped[0] = (flipped[0] as number) ^ 1
  const payloadText = JSON.stringify(read)
  const manifests = read.manifests as { member: string; manifest: string }[]

  file.refuses(typ, [
    ['bad-signature', 'another typ is expected', { typ: 'inbond-manifest' }],
    ['bad-signature', 'another key is expected', { publicKey: federation.stranger.publicKey }],
    ['bad-signature', 'a message of another kind', message(agreements[0] as string)],
    ['bad-signature', 'no typ', message(signed(key, { alg: 'Ed25519', kid: key.fingerprint }, payload))],
    ['bad-signature', 'a typ in other letters', headed({ typ: 'Inbond-cohort' })],
    ['bad-signature', 'the algorithm by its older name', headed({ alg: 'EdDSA' })],
    ['bad-signature', 'the algorithm none', headed({ alg: 'none' })],
    [
      'bad-signature',
      'the algorithm none, without a signature',
      message(`${part({ ...head, alg: 'none' })}.${payload}.`),
    ],
    ['bad-signature', 'an algorithm with a shared secret', headed({ alg: 'HS256' })],
    ['bad-signature', 'an extension that must be understood', headed({ crit: ['exp'], exp: 1 })],
    [
      'bad-signature',
      'a payload that is not encoded',
      message(signed(key, { ...head, crit: ['b64'], b64: false }, payloadText)),
    ],
    ['bad-signature', 'one bit of the signature changed', withSignature(flipped)],
    ['bad-signature', 'a signature with its number raised by the order of the group', withSignature(raised(bytes))],
    ['bad-signature', 'a signature that lacks a byte', withSignature(bytes.subarray(0, 63))],
    ['bad-signature', 'a signature of a byte more', withSignature(Buffer.concat([bytes, Buffer.alloc(1)]))],
    ['bad-signature', 'a signature of zeros', withSignature(Buffer.alloc(64))],
    ['bad-signature', 'padding after the signature', message(`${cohort.compact}==`)],
    [
      'bad-signature',
      'an unused bit of the last character',
      message(`${cohort.compact.slice(0, -1)}${nextCharacter(signature)}`),
    ],
    ['bad-signature', 'no signature', message(`${header}.${payload}.`)],
    ['bad-signature', 'two parts', message(`${header}.${payload}`)],
    ['bad-signature', 'four parts', message(`${cohort.compact}.${signature}`)],
    [
      'bad-signature',
      'another payload under the signature',
      message(`${header}.${part({ ...read, round: cohort.id })}.${signature}`),
    ],
    [
      'bad-signature',
      'another header over the signature',
      message(`${part({ ...head, kid: '' })}.${payload}.${signature}`),
    ],
    ['bad-signature', 'white space at the end', message(`${cohort.compact}\n`)],
    ['bad-signature', 'a payload that is not JSON', message(signed(key, head, part(`${payloadText}}`)))],
    [
      'bad-signature',
      'a payload that is not UTF-8',
      message(signed(key, head, Buffer.from([0x22, 0xff, 0x22]).toString('base64url'))),
    ],
    ['bad-signature', 'no payload', message(signed(key, head, ''))],
    ['bad-signature', 'nothing', message('')],
    ['bad-message', 'a payload that is a list', message(signed(key, head, part([read])))],
    ['bad-message', 'a payload that is null', message(signed(key, head, part(null)))],
  ])
  file.refuses(typ, [
    ['upgrade-needed', 'protocol 2', await saying({ protocol: 2 })],
    ['upgrade-needed', 'protocol 0', await saying({ protocol: 0 })],
    ['upgrade-needed', 'protocol 1.5', await saying({ protocol: 1.5 })],
    ['bad-message', 'protocol as text', await saying({ protocol: '1' })],
    ['bad-message', 'no protocol', await without('protocol')],
    ['bad-message', 'no round', await without('round')],
    ['bad-message', 'a field too many', await saying({ threshold: 1 })],
    ['bad-message', 'a field too many in a part', await saying({ logHead: { ...(read.logHead as Fields), time: 0 } })],
    ['bad-message', 'a round that is null', await saying({ round: null })],
    ['bad-message', 'an id in capital digits', await saying({ round: round.id.toUpperCase() })],
    ['bad-message', 'an id that lacks a digit', await saying({ round: round.id.slice(1) })],
    ['bad-message', 'an id with a line feed', await saying({ round: `${round.id}\n` })],
    ['bad-message', 'an empty list of manifests', await saying({ manifests: [] })],
    [
      'bad-message',
      'a manifest without its member',
      await saying({ manifests: manifests.map(one => ({ manifest: one.manifest })) }),
    ],
    [
      'bad-message',
      'a member id in small letters',
      await saying({ manifests: manifests.map(one => ({ ...one, member: one.member.toLowerCase() })) }),
    ],
    ['bad-message', 'a log of negative size', await saying({ logHead: { ...(read.logHead as Fields), size: -1 } })],
    ['bad-message', 'a log of half an entry', await saying({ logHead: { ...(read.logHead as Fields), size: 0.5 } })],
  ])
}

/** What people read, beside what must not be read otherwise than it was signed. */
async function writeNames(file: Writing): Promise<void> {
  const { federation } = await scenario()
  const [key, typ] = [federation.coordinator, 'inbond-charter']
  const named = async (name: string) => ({
    message: (await signMessage(key, typ, { ...federation.charter.payload, federation: name })).compact,
  })
  const longest = await named('\u{1f6a2}'.repeat(200))
  await file.takes('verify', `${typ}: a name of 200 characters`, { typ, publicKey: key.publicKey, ...longest })
  file.refuses(typ, [
    ['bad-message', 'an empty name', await named('')],
    ['bad-message', 'a name of 201 characters', await named('x'.repeat(201))],
    ['bad-message', 'a name after white space', await named(' Trade statistics')],
    ['bad-message', 'a name before white space', await named('Trade statistics\u00a0')],
    ['bad-message', 'a name after a byte order mark', await named('\ufeffTrade statistics')],
    ['bad-message', 'a name of two lines', await named('Trade\nstatistics')],
    ['bad-message', 'a name that turns its direction around', await named('Trade \u202estatistics')],
    ['bad-message', 'a name that ends in half a surrogate pair', await named('Trade statistics \ud83d')],
  ])
}

/** 64 bytes are 86 characters, the last of which holds two bits: the character after it means the same. */
function nextCharacter(signature: string): string {
  return String.fromCharCode(signature.charCodeAt(signature.length - 1) + 1)
}

/** R ‖ S becomes R ‖ S + L, which a careless verifier takes for another valid signature. */
function raised(signature: Buffer): Buffer {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + L
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()])
}

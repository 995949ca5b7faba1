import { Refusal } from './parameters.ts'
import { claimed, type Message, verifySignature } from './signatures.ts'

/** The fields of every message, as the tables of specs/messages.md give them. */

type Test = (value: unknown) => boolean

const text =
  (least: number, most: number): Test =>
  value => {
    const length = typeof value === 'string' ? [...value].length : -1
    return length >= least && length <= most
  }
const like =
  (pattern: RegExp): Test =>
  value =>
    typeof value === 'string' && pattern.test(value)
/** Text that people read. */
const line =
  (least: number, most: number): Test =>
  value =>
    text(least, most)(value) && ![...(value as string)].some(isHidden)

function isHidden(character: string): boolean {
  const code = character.codePointAt(0) as number
  const hidden = [
    [0x00, 0x1f],
    [0x7f, 0x9f],
    [0x2028, 0x202e],
    [0x2066, 0x2069],
    [0xd800, 0xdfff],
  ] as const
  return hidden.some(([first, last]) => code >= first && code <= last)
}
const whole =
  (least: number): Test =>
  value =>
    Number.isSafeInteger(value) && (value as number) >= least
const oneOf =
  (...values: readonly unknown[]): Test =>
  value =>
    values.includes(value)
const orNull =
  (test: Test): Test =>
  value =>
    value === null || test(value)
const either =
  (...tests: readonly Test[]): Test =>
  value =>
    tests.some(test => test(value))
const list =
  (item: Test, least = 0, most = Number.POSITIVE_INFINITY): Test =>
  value =>
    Array.isArray(value) && value.length >= least && value.length <= most && value.every(item)

/** Every field, and no other; those in `optional` may be left out. */
function object(fields: Record<string, Test>, optional: readonly string[] = []): Test {
  return value => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
    const found = value as Record<string, unknown>
    if (!Object.keys(found).every(name => Object.hasOwn(fields, name))) return false
    return Object.entries(fields).every(([name, test]) =>
      Object.hasOwn(found, name) ? test(found[name]) : optional.includes(name),
    )
  }
}

const hash = like(/^[0-9a-f]{64}$/)
const id = hash
const identityKey = like(/^[\w-]{43}$/)
const thumbprint = like(/^[\w-]{43}$/)
const sealingKey = like(/^[\w-]{1622}$/)
const member = like(/^[A-Z][A-Z0-9]{1,15}$/)
const instant: Test = value =>
  like(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)(value) && !Number.isNaN(Date.parse(value as string))
const name: Test = value => line(1, 200)(value) && !/^[\ufeff\p{Zs}]|[\ufeff\p{Zs}]$/u.test(value as string)
const message = text(0, 4 * 1024 * 1024)
const logHead = object({ size: whole(0), root: hash })
const protocol = oneOf(1)

const conventionFields = {
  importValuation: oneOf('CIF', 'FOB'),
  exportValuation: oneOf('FOB', 'CIF'),
  tradeSystem: oneOf('general', 'special'),
  dateBasis: oneOf('lodged', 'accepted', 'released'),
  hsEdition: oneOf('HS2022'),
}
const conventions = object(conventionFields, Object.keys(conventionFields))
const coverageFields = object({
  period: like(/^\d{4}-(0[1-9]|1[0-2])$/),
  state: oneOf('complete', 'provisional', 'none'),
  version: whole(0),
  latest: whole(0),
  asOf: orNull(instant),
})
const coverage: Test = value => {
  if (!coverageFields(value)) return false
  const { version, latest } = value as { version: number; latest: number }
  return latest >= version
}
/** What is in the lists of a question is a matter of the query language. */
const purposeCode = oneOf(
  'official-statistics',
  'research',
  'policy-analysis',
  'risk-analysis',
  'trade-negotiation',
  'capacity-building',
)
const question = object(
  {
    dataset: object({ id: text(0, 64), version: whole(1) }),
    hsEdition: oneOf('HS2022'),
    where: list(() => true, 0, 32),
    by: list(() => true, 0, 8),
    measures: list(() => true, 1, 16),
    purpose: line(3, 500),
    purposeCode,
  },
  ['purposeCode'],
)
const consent = oneOf('automatic', 'one person', 'two people', 'refused')
const finest = oneOf('month', 'year')
/** What is in these lists is a matter of the datasets. */
const allOrSome = either(
  oneOf('all'),
  list(() => true, 0, 1000),
)
const whole8: Test = value => whole(0)(value) && (value as number) <= 8
const shape = { by: allOrSome, where: allOrSome, measures: allOrSome, periods: finest }
const publicPolicy = object({
  organisations: either(oneOf('all'), list(line(1, 200), 0, 1000)),
  roles: either(oneOf('all'), list(line(1, 200), 0, 1000)),
  purposes: either(oneOf('all'), list(purposeCode, 0, 1000)),
  datasets: allOrSome,
  dimensions: allOrSome,
  mostDimensions: whole8,
  hsDigits: oneOf(2, 4, 6),
  mostDimensionsAtFinest: whole8,
  periods: finest,
  measures: allOrSome,
  smallestCohort: whole(3),
  questionsADay: whole(0),
  templates: list(
    object({
      ...shape,
      name: line(1, 100),
      dataset: text(0, 64),
      approval: oneOf('automatic', 'one person', 'two people'),
    }),
    0,
    1000,
  ),
  otherwise: consent,
  expires: like(/^\d{1,6}[smhd]$/),
})
const month = like(/^\d{4}-(0[1-9]|1[0-2])$/)
const covered = object({ from: month, to: month, state: oneOf('complete', 'provisional'), version: whole(0) })
const terms = object({
  policy: publicPolicy,
  ownRecords: consent,
  alone: oneOf(true, false),
  coverage: list(object({ dataset: text(0, 64), months: list(covered, 0, 1200) }), 0, 20),
})
const need = either(oneOf('all'), object({ atLeast: value => whole(1)(value) && (value as number) <= 4096 }))

const enrolment = { protocol, federation: thumbprint, invitation: text(0, 64), publicKey: identityKey, name }

const person = { protocol, federation: thumbprint, name, publicKey: identityKey }
const revoking = { protocol, federation: thumbprint, by: orNull(member), reason: line(1, 1000) }
const idToken = text(1, 20_000)
const keyPart = like(/^[\w-]{1,2000}$/)
const signingKey = either(
  object({
    kty: oneOf('RSA'),
    kid: text(0, 200),
    alg: oneOf('RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'),
    n: keyPart,
    e: keyPart,
  }),
  object({
    kty: oneOf('EC'),
    kid: text(0, 200),
    alg: oneOf('ES256', 'ES384', 'ES512'),
    crv: oneOf('P-256', 'P-384', 'P-521'),
    x: keyPart,
    y: keyPart,
  }),
  object({ kty: oneOf('OKP'), kid: text(0, 200), alg: oneOf('EdDSA', 'Ed25519'), crv: oneOf('Ed25519'), x: keyPart }),
)
const issuer: Test = value =>
  text(0, 500)(value) && like(/^(https:\/\/|http:\/\/(127\.0\.0\.1|\[::1\]|localhost)[:/])[\x21-\x7e]+$/)(value)
const provider = { issuer, clientId: line(1, 200), keys: list(signingKey, 1, 20) }
const standing = {
  administration: orNull(member),
  organisation: orNull(name),
  role: orNull(line(1, 100)),
  purposes: list(purposeCode, 1, 20),
  sponsor: member,
  notAfter: instant,
}

const messages: Record<string, Test> = {
  'inbond-enrolment': either(
    object({ ...enrolment, role: oneOf('member'), id: member, conventions }),
    object({ ...enrolment, role: oneOf('researcher') }),
  ),
  'inbond-sponsorship': either(
    object({ ...person, ...standing, of: oneOf('researcher') }),
    object({
      ...standing,
      ...provider,
      protocol,
      federation: thumbprint,
      of: oneOf('organisation'),
      organisation: name,
    }),
  ),
  'inbond-login': object({ protocol, federation: thumbprint, publicKey: identityKey, sponsorship: id, idToken }),
  'inbond-researcher-certificate': object({ ...person, ...standing, sponsorship: message, idToken: orNull(idToken) }),
  'inbond-revocation': either(
    object({ ...revoking, of: oneOf('researcher'), publicKey: identityKey }),
    object({ ...revoking, of: oneOf('organisation'), sponsorship: id }),
  ),
  'inbond-charter': object(
    {
      protocol,
      federation: name,
      epoch: whole(1),
      previous: orNull(id),
      coordinator: identityKey,
      currency: like(/^[A-Z]{3}$/),
      members: list(object({ id: member, name, publicKey: identityKey, conventions }), 3, 4096),
      custodians: list(member, 3, 15),
      threshold: whole(2),
      quorum: orNull(whole(2)),
      minimumCohort: whole(3),
      datasets: list(object({ id: text(0, 64), version: whole(1) }), 1),
      logHead,
      proposedAt: instant,
    },
    ['quorum'],
  ),
  'inbond-charter-consent': object({ protocol, charter: id, member }),
  'inbond-charter-confirmation': object({ protocol, charter: id, previous: id, member }),
  'inbond-prekey': object({
    protocol,
    federation: thumbprint,
    custodian: member,
    publicKey: sealingKey,
    notAfter: instant,
  }),
  'inbond-query': object({
    protocol,
    charter: id,
    certificate: message,
    question,
    need,
    closesAfter: whole(1),
    recipient: sealingKey,
    draw: hash,
    nonce: like(/^[\w-]{22}$/),
    askedAt: instant,
    expires: instant,
  }),
  'inbond-cancellation': object({ protocol, query: id }),
  'inbond-round': object({
    protocol,
    charter: id,
    query: id,
    kind: oneOf('value'),
    asOf: instant,
    opens: instant,
    closes: instant,
    ends: instant,
    eligible: list(member, 3),
    prekeys: list(message, 2, 15),
    logHead,
  }),
  'inbond-manifest': object(
    {
      protocol,
      round: id,
      member,
      slots: whole(1),
      ciphertext: hash,
      shares: list(object({ custodian: member, prekey: id, sealed: hash }), 2, 15),
      coverage: list(coverage, 0, 1200),
      alone: oneOf(true, false),
      policy: orNull(hash),
    },
    ['policy'],
  ),
  'inbond-offer': object({ protocol, charter: id, member, terms: orNull(terms), issuedAt: instant, notAfter: instant }),
  'inbond-refusal': object(
    {
      protocol: whole(1),
      round: id,
      member,
      step: oneOf('contribute', 'agree', 'open', 'void', 'recount'),
      code: text(0, 64),
      reason: line(1, 1000),
      policy: orNull(hash),
    },
    ['policy'],
  ),
  'inbond-cohort': object({
    protocol,
    round: id,
    manifests: list(object({ member, manifest: id }), 1, 4096),
    leftOut: list(member, 0, 4096),
    logHead,
  }),
  'inbond-agreement': object({ protocol, round: id, cohort: id, custodian: member }),
  'inbond-opening': object({ protocol, round: id, cohort: id, custodian: member, sealed: hash, share: hash }),
  'inbond-void-statement': object({ protocol, round: id, custodian: member }),
  'inbond-void-certificate': object({ protocol, round: id, statements: list(text(0, 4 * 1024 * 1024), 2, 15) }),
  'inbond-sum': object({ protocol, round: id, cohort: id, slots: whole(1), ciphertext: hash }),
  'inbond-recount': object({ protocol, round: id, sum: id, custodian: member, ciphertext: hash }),
  'inbond-release': object({
    protocol,
    query: id,
    round: id,
    content: hash,
    addedUpAgain: oneOf('by-recipient', 'by-custodian'),
    note: orNull(line(1, 1000)),
    releasedAt: instant,
  }),
  'inbond-token': object({ federation: thumbprint, method: text(0, 10), path: text(0, 2000), issuedAt: instant }),
}

/** Steps 3 and 4 of "Reading". */
function checkFields(typ: string, payload: unknown): void {
  if (messages[typ]?.(payload)) return
  const version = (payload as { protocol?: unknown } | null)?.protocol
  if (typeof version === 'number' && version !== 1) throw new Refusal('upgrade-needed', `version ${version}`)
  throw new Refusal('bad-message', `not a well-formed ${typ}`)
}

export function verify(message: string, typ: string, publicKey: string): Message {
  const read = verifySignature(message, typ, publicKey)
  checkFields(typ, read.payload)
  return read
}

export function claims(message: string, typ: string): Record<string, unknown> {
  const { payload } = claimed(message, typ)
  checkFields(typ, payload)
  return payload
}

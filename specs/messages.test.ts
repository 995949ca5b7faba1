import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { generateIdentityKey, type IdentityKey, messageId, signMessage } from '#crypto/signature.ts'
import { at, DAY, federationKeys, HOUR, hashOf, NOON, noHead } from '#test/federation-keys.ts'
import { cancellation, charter, conventions, coverage, messageKinds, signingKeys } from './messages.ts'
import { publicPolicy } from './policy.ts'
import { parseQueryFile, question } from './query.ts'
import { claims, PROTOCOL, sign, verify } from './signed.ts'

type Kind = Pick<(typeof messageKinds)[number], 'typ' | 'signer' | 'meaning'> & { readonly schema: z.ZodType }
type Json = Record<string, unknown>

const PAGE = readFileSync(new URL('messages.md', import.meta.url), 'utf8')
const all: readonly Kind[] = messageKinds
const kinds = all.map(kind => [kind.typ, kind] as const)

/** The text under each heading, by its title. */
const sections = new Map(
  PAGE.split(/^(?=#{2,3} )/m).map(section => {
    const [title = '', ...lines] = section.split('\n')
    return [title.replace(/^#+ /, '').replaceAll('`', ''), lines.join('\n')]
  }),
)

/** The first column of the table in a section. */
function documented(section: string): string[] {
  return [...(sections.get(section) ?? '').matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name as string)
}

/** Every field of a schema: `members`, and those of objects within, `members[].id`. */
function fieldsOf(schema: z.ZodType, prefix = ''): string[] {
  if (schema instanceof z.ZodNullable) return fieldsOf(schema.unwrap() as z.ZodType, prefix)
  if (schema instanceof z.ZodArray) return fieldsOf(schema.element as z.ZodType, `${prefix}[]`)
  if (schema instanceof z.ZodDiscriminatedUnion) {
    return [...new Set(schema.options.flatMap(option => fieldsOf(option as z.ZodType, prefix)))]
  }
  if (!(schema instanceof z.ZodObject)) return []
  return Object.entries(schema.shape).flatMap(([name, inner]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`
    return [path, ...fieldsOf(inner as z.ZodType, path)]
  })
}

/** Fields within these are said once, under "Parts". */
const PARTS = /^(question|terms\.policy|logHead|conventions|members\[\]\.conventions|coverage\[\]|keys\[\])\./

test('what is wrong with a message is said in one line, however many fields it invents', async () => {
  const key = await generateIdentityKey()
  const fields = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`invented ${i}`, i]))
  const { compact } = await signMessage(key, 'inbond-cancellation', { protocol: PROTOCOL, ...fields })
  const error = await verify(cancellation, compact, key.publicKey).catch(caught => caught)
  expect(error.code).toBe('bad-message')
  expect(error.message.length).toBeLessThan(600)
})

describe('messages.md', () => {
  test('has every kind of message, and no other', () => {
    const named = [...sections.keys()].filter(title => title.startsWith('inbond-'))
    expect(named.sort()).toEqual(messageKinds.map(kind => kind.typ).sort())
  })

  test.each(kinds)('says who signs %s', (typ, { signer }) => {
    expect(sections.get(typ)).toContain(`\nSigned by: ${signer}. `)
  })

  test.each(kinds)('has exactly the fields of %s', (typ, { schema }) => {
    const fields = fieldsOf(schema).filter(field => !PARTS.test(field))
    expect(documented(typ).sort()).toEqual(fields.sort())
  })

  test.each([
    ['conventions', conventions],
    ['coverage', coverage],
    ['log head', charter.schema.shape.logHead],
    ['public policy', publicPolicy],
    ['question', question],
    ['signing key', signingKeys.element],
  ] as const)('has exactly the fields of the part %s', (part, schema) => {
    const fields = fieldsOf(schema).filter(field => !/^(where|measures)\[\]/.test(field))
    expect(documented(part).sort()).toEqual(fields.sort())
  })
})

const key43 = 'A'.repeat(43)
const sealingKey = 'A'.repeat(1622)
const head = { size: 7, root: hashOf('root') }
const { question: asked } = parseQueryFile('dataset: declarations\nmeasures: [count: records]\npurpose: A test')
const member = {
  importValuation: 'CIF',
  exportValuation: 'FOB',
  tradeSystem: 'general',
  dateBasis: 'lodged',
  hsEdition: 'HS2022',
}

const standing = {
  administration: null,
  organisation: 'Institute of tests',
  role: null,
  purposes: ['official-statistics'],
  sponsor: 'KR',
}

const rsa = { kty: 'RSA', kid: 'first', alg: 'RS256', n: 'AQAB', e: 'AQAB' }
const organisation = { of: 'organisation', issuer: 'https://login.example', clientId: 'inbond', keys: [rsa] }
const ofOrganisation = { protocol: PROTOCOL, federation: key43, ...standing, ...organisation, notAfter: at(NOON) }

const publicTerms = {
  organisations: ['Institute of tests'],
  roles: 'all',
  purposes: ['official-statistics'],
  datasets: ['declarations'],
  dimensions: ['hs2', 'flow'],
  mostDimensions: 2,
  hsDigits: 4,
  mostDimensionsAtFinest: 1,
  periods: 'year',
  measures: ['sum(value)'],
  smallestCohort: 4,
  questionsADay: 50,
  templates: [],
  otherwise: 'automatic',
  expires: '48h',
}

/** A well-formed payload of each kind. */
const samples: Record<string, Json> = {
  'inbond-enrolment': {
    protocol: PROTOCOL,
    role: 'member',
    federation: key43,
    invitation: 'one-time-code',
    publicKey: key43,
    id: 'KR',
    name: 'Customs of KR',
    conventions: member,
  },
  'inbond-sponsorship': {
    protocol: PROTOCOL,
    federation: key43,
    of: 'researcher',
    name: 'A. Researcher',
    publicKey: key43,
    ...standing,
    notAfter: at(NOON),
  },
  'inbond-login': {
    protocol: PROTOCOL,
    federation: key43,
    publicKey: key43,
    sponsorship: hashOf('sponsorship'),
    idToken: 'a.b.c',
  },
  'inbond-researcher-certificate': {
    protocol: PROTOCOL,
    federation: key43,
    name: 'A. Researcher',
    publicKey: key43,
    ...standing,
    sponsorship: 'a.b.c',
    idToken: null,
    notAfter: at(NOON),
  },
  'inbond-revocation': {
    protocol: PROTOCOL,
    federation: key43,
    by: 'KR',
    of: 'researcher',
    publicKey: key43,
    reason: 'left the organisation',
  },
  'inbond-charter': {
    protocol: PROTOCOL,
    federation: 'Federation of tests',
    epoch: 1,
    previous: null,
    coordinator: key43,
    currency: 'USD',
    members: ['JP', 'KR', 'VN'].map(id => ({ id, name: id, publicKey: key43, conventions: member })),
    custodians: ['JP', 'KR', 'VN'],
    threshold: 3,
    quorum: 2,
    minimumCohort: 3,
    datasets: [{ id: 'declarations', version: 1 }],
    logHead: noHead,
    proposedAt: at(NOON),
  },
  'inbond-charter-consent': { protocol: PROTOCOL, charter: hashOf('charter'), member: 'KR' },
  'inbond-charter-confirmation': {
    protocol: PROTOCOL,
    charter: hashOf('charter'),
    previous: hashOf('charter before'),
    member: 'KR',
  },
  'inbond-prekey': {
    protocol: PROTOCOL,
    federation: key43,
    custodian: 'KR',
    publicKey: sealingKey,
    notAfter: at(NOON + 30 * DAY),
  },
  'inbond-query': {
    protocol: PROTOCOL,
    charter: hashOf('charter'),
    certificate: 'a.b.c',
    question: asked,
    need: { atLeast: 4 },
    closesAfter: HOUR,
    recipient: sealingKey,
    draw: hashOf('seed'),
    nonce: 'A'.repeat(22),
    askedAt: at(NOON),
    expires: at(NOON + DAY),
  },
  'inbond-cancellation': { protocol: PROTOCOL, query: hashOf('query') },
  'inbond-round': {
    protocol: PROTOCOL,
    charter: hashOf('charter'),
    query: hashOf('query'),
    kind: 'value',
    asOf: at(NOON),
    opens: at(NOON),
    closes: at(NOON + HOUR),
    ends: at(NOON + 2 * HOUR),
    eligible: ['JP', 'KR', 'VN'],
    prekeys: ['a.b.c', 'd.e.f'],
    logHead: head,
  },
  'inbond-manifest': {
    protocol: PROTOCOL,
    round: hashOf('round'),
    member: 'KR',
    slots: 99,
    ciphertext: hashOf('ciphertext'),
    shares: ['JP', 'KR'].map(custodian => ({
      custodian,
      prekey: hashOf(`prekey ${custodian}`),
      sealed: hashOf(custodian),
    })),
    coverage: [{ period: '2029-01', state: 'none', version: 0, latest: 0, asOf: null }],
    alone: false,
    policy: hashOf('policy'),
  },
  'inbond-offer': {
    protocol: PROTOCOL,
    charter: hashOf('charter'),
    member: 'KR',
    terms: {
      policy: publicTerms,
      ownRecords: 'one person',
      alone: false,
      coverage: [
        { dataset: 'declarations', months: [{ from: '2029-01', to: '2029-11', state: 'complete', version: 3 }] },
      ],
    },
    issuedAt: at(NOON),
    notAfter: at(NOON + 7 * DAY),
  },
  'inbond-refusal': {
    protocol: PROTOCOL,
    round: hashOf('round'),
    member: 'KR',
    step: 'contribute',
    code: 'policy-refused',
    reason: 'a question may have 3 dimensions; this one has 4',
    policy: hashOf('policy'),
  },
  'inbond-cohort': {
    protocol: PROTOCOL,
    round: hashOf('round'),
    manifests: [{ member: 'KR', manifest: hashOf('manifest') }],
    leftOut: ['JP'],
    logHead: head,
  },
  'inbond-agreement': { protocol: PROTOCOL, round: hashOf('round'), cohort: hashOf('cohort'), custodian: 'KR' },
  'inbond-opening': {
    protocol: PROTOCOL,
    round: hashOf('round'),
    cohort: hashOf('cohort'),
    custodian: 'KR',
    sealed: hashOf('opening'),
    share: hashOf('share'),
  },
  'inbond-void-statement': { protocol: PROTOCOL, round: hashOf('round'), custodian: 'KR' },
  'inbond-void-certificate': { protocol: PROTOCOL, round: hashOf('round'), statements: ['a.b.c', 'd.e.f'] },
  'inbond-sum': {
    protocol: PROTOCOL,
    round: hashOf('round'),
    cohort: hashOf('cohort'),
    slots: 99,
    ciphertext: hashOf('sum'),
  },
  'inbond-recount': {
    protocol: PROTOCOL,
    round: hashOf('round'),
    sum: hashOf('sum message'),
    custodian: 'KR',
    ciphertext: hashOf('sum'),
  },
  'inbond-release': {
    protocol: PROTOCOL,
    query: hashOf('query'),
    round: hashOf('round'),
    content: hashOf('content'),
    addedUpAgain: 'by-recipient',
    note: 'Preliminary figures',
    releasedAt: at(NOON),
  },
  'inbond-token': { federation: key43, method: 'GET', path: '/work', issuedAt: at(NOON) },
}

/** Fields that the first release did not write. */
const LATER: Readonly<Record<string, readonly string[]>> = {
  'inbond-charter': ['quorum'],
  'inbond-manifest': ['policy'],
  'inbond-refusal': ['policy'],
}

let key: IdentityKey
let stranger: IdentityKey

beforeAll(async () => {
  key = await generateIdentityKey()
  stranger = await generateIdentityKey()
})

/** Signed without a look at the schema, as a party with other code would. */
async function signedAnyhow(typ: string, payload: unknown): Promise<string> {
  return (await signMessage(key, typ, payload)).compact
}

/** Both ways in which a message is read. */
async function refusedByAll(kind: Kind, compact: string, code: string, reason: RegExp): Promise<void> {
  const refusal = { code, message: expect.stringMatching(reason) }
  await expect(verify(kind, compact, key.publicKey)).rejects.toMatchObject(refusal)
  expect(() => claims(kind, compact)).toThrow(expect.objectContaining(refusal))
}

describe.each(kinds)('%s', (typ, kind) => {
  const sample = samples[typ] as Json

  test('is read as it was signed', async () => {
    const signed = await sign(key, kind, sample as never)
    const read = await verify(kind, signed.compact, key.publicKey)
    expect(read).toEqual(signed)
    expect(read.payload).toEqual(sample)
    expect(read.id).toMatch(/^[0-9a-f]{64}$/)
    expect(claims(kind, signed.compact)).toEqual({ kid: key.fingerprint, payload: sample })
  })

  test('has an id that covers header and payload, and not the signature', async () => {
    const { id, compact } = await sign(key, kind, sample as never)
    const [header, payload] = compact.split('.')
    expect(messageId(`${header}.${payload}.AAAA`)).toBe(id)
    expect(messageId(`${header}x.${payload}.AAAA`)).not.toBe(id)
  })

  test('of another kind is refused, whatever it says', async () => {
    const other = all.find(one => one.typ !== typ) as Kind
    await refusedByAll(kind, await signedAnyhow(other.typ, sample), 'bad-signature', new RegExp(`no ${typ}`))
  })

  test('signed with another key is refused', async () => {
    const { compact } = await sign(stranger, kind, sample as never)
    await expect(verify(kind, compact, key.publicKey)).rejects.toMatchObject({ code: 'bad-signature' })
  })

  test('changed by one bit is refused', async () => {
    const { compact } = await sign(key, kind, sample as never)
    const middle = compact.indexOf('.') + 12
    const changed = compact.slice(0, middle) + (compact[middle] === 'A' ? 'B' : 'A') + compact.slice(middle + 1)
    await expect(verify(kind, changed, key.publicKey)).rejects.toMatchObject({ code: 'bad-signature' })
  })

  // A token carries no version: it travels before anybody knows the other side's.
  test.each('protocol' in sample ? ['asks for an upgrade'] : [])('of another protocol version %s', async () => {
    const newer = await signedAnyhow(typ, { ...sample, protocol: PROTOCOL + 1, fieldOfThatVersion: true })
    await refusedByAll(kind, newer, 'upgrade-needed', /protocol version 2; this is version 1/)
  })

  test('with a field too many is refused', async () => {
    const more = { ...sample, comment: 'hello' }
    await refusedByAll(kind, await signedAnyhow(typ, more), 'bad-message', /comment/)
    await expect(sign(key, kind, more as never)).rejects.toMatchObject({ code: 'bad-message' })
  })

  test.each(LATER[typ] ?? [])('without %s, which came later, is read as an earlier party meant it', async field => {
    const { [field]: _, ...less } = sample
    const read = await verify(kind, await signedAnyhow(typ, less), key.publicKey)
    expect(read.payload).toEqual({ ...less, [field]: null })
  })

  test.each(Object.keys(sample).filter(field => !LATER[typ]?.includes(field)))('without %s is refused', async field => {
    const { [field]: _, ...less } = sample
    await refusedByAll(kind, await signedAnyhow(typ, less), 'bad-message', /not well-formed/)
  })

  test.each([null, [], 'text', 1])('whose payload is %j is refused', async payload => {
    await refusedByAll(kind, await signedAnyhow(typ, payload), 'bad-message', /not well-formed/)
  })

  test('that is longer than 4 MiB is refused before anything else', async () => {
    const long = `${(await sign(key, kind, sample as never)).compact}${'A'.repeat(4 * 1024 * 1024)}`
    await refusedByAll(kind, long, 'bad-message', /longer than 4 MiB/)
  })

  test.each(['', 'a', 'a.b', 'a.b.c', '....', '{"payload":1}'])('that is %j is refused', async compact => {
    await refusedByAll(kind, compact, 'bad-signature', /this is no /)
  })
})

describe('fields', () => {
  const malformed: [Kind['typ'], Json][] = [
    ['inbond-charter-consent', { member: 'kr' }],
    ['inbond-charter-consent', { member: 'K' }],
    ['inbond-charter-consent', { member: '1K' }],
    ['inbond-charter-consent', { charter: hashOf('charter').toUpperCase() }],
    ['inbond-charter-consent', { charter: hashOf('charter').slice(1) }],
    ['inbond-charter-consent', { protocol: '1' }],
    ['inbond-sponsorship', { purposes: [] }],
    ['inbond-sponsorship', { purposes: ['Research'] }],
    ['inbond-sponsorship', { role: '' }],
    ['inbond-revocation', { by: 'coordinator' }],
    ['inbond-revocation', { of: 'organisation' }],
    [
      'inbond-sponsorship',
      { ...ofOrganisation, name: undefined, publicKey: undefined, issuer: 'http://login.example' },
    ],
    ['inbond-sponsorship', { ...ofOrganisation, name: undefined, publicKey: undefined, organisation: null }],
    ['inbond-sponsorship', { ...ofOrganisation, name: undefined, publicKey: undefined, keys: [] }],
    [
      'inbond-sponsorship',
      {
        ...ofOrganisation,
        name: undefined,
        publicKey: undefined,
        keys: [{ kty: 'oct', kid: 'first', alg: 'HS256', k: 'AAAA' }],
      },
    ],
    [
      'inbond-sponsorship',
      { ...ofOrganisation, name: undefined, publicKey: undefined, keys: [{ ...rsa, alg: 'HS256' }] },
    ],
    ['inbond-sponsorship', { ...ofOrganisation, name: undefined, publicKey: undefined, keys: [{ ...rsa, d: 'AAAA' }] }],
    ['inbond-token', { issuedAt: '2030-01-15T12:00:00Z' }],
    ['inbond-token', { issuedAt: '2030-01-15T13:00:00.000+01:00' }],
    ['inbond-prekey', { publicKey: sealingKey.slice(1) }],
    ['inbond-round', { kind: 'check' }],
    ['inbond-round', { prekeys: ['a.b.c'] }],
    ['inbond-round', { eligible: ['JP', 'KR'] }],
    ['inbond-query', { closesAfter: 0 }],
    ['inbond-query', { need: { atLeast: 0 } }],
    ['inbond-query', { need: 'most' }],
    ['inbond-charter', { custodians: ['JP', 'KR'] }],
    ['inbond-charter', { minimumCohort: 2 }],
    ['inbond-manifest', { slots: 0 }],
    ['inbond-offer', { terms: { ...(samples['inbond-offer'] as { terms: Json }).terms, records: 7 } }],
    ['inbond-offer', { terms: { ...(samples['inbond-offer'] as { terms: Json }).terms, ownRecords: 'nobody' } }],
    ['inbond-refusal', { step: 'answer' }],
    ['inbond-release', { addedUpAgain: 'by-coordinator' }],
    ['inbond-release', { note: '' }],
    ['inbond-enrolment', { role: 'coordinator' }],
  ]
  test.each(malformed)('of %s are not %j', async (typ, change) => {
    const kind = all.find(one => one.typ === typ) as Kind
    await refusedByAll(kind, await signedAnyhow(typ, { ...samples[typ], ...change }), 'bad-message', /not well-formed/)
  })

  test('of a sponsorship are those of whom it is of', async () => {
    const kind = messageKinds[1]
    const signed = await sign(key, kind, ofOrganisation as never)
    await expect(verify(kind, signed.compact, key.publicKey)).resolves.toMatchObject({ payload: ofOrganisation })
    await expect(sign(key, kind, { ...ofOrganisation, name: 'A. Researcher' } as never)).rejects.toMatchObject({
      code: 'bad-message',
    })
  })

  test('of an enrolment are those of its role', async () => {
    const { id: _, conventions: __, ...researcher } = samples['inbond-enrolment'] as Json
    const kind = messageKinds[0]
    const signed = await sign(key, kind, { ...researcher, role: 'researcher' } as never)
    await expect(verify(kind, signed.compact, key.publicKey)).resolves.toBeDefined()
    await expect(
      sign(key, kind, { ...samples['inbond-enrolment'], role: 'researcher' } as never),
    ).rejects.toMatchObject({
      code: 'bad-message',
    })
  })

  test('of conventions have defaults, which are signed', async () => {
    const { payload } = await sign(key, messageKinds[0], { ...samples['inbond-enrolment'], conventions: {} } as never)
    expect(payload).toMatchObject({
      conventions: { importValuation: 'CIF', exportValuation: 'FOB', tradeSystem: 'general' },
    })
  })
})

test('a signature of an algorithm other than Ed25519 is refused', async () => {
  const federation = await federationKeys({ members: ['AA', 'BB', 'CC'] })
  const [, payload, signature] = (await federation.propose()).compact.split('.')
  for (const alg of ['EdDSA', 'none', 'HS256']) {
    const header = Buffer.from(JSON.stringify({ alg, typ: charter.typ })).toString('base64url')
    const attempt = verify(charter, `${header}.${payload}.${signature}`, federation.coordinator.publicKey)
    await expect(attempt).rejects.toMatchObject({ code: 'bad-signature' })
  }
})

test('the charter of the largest federation fits into a message', async () => {
  const members = Array.from({ length: 4096 }, (_, i) => ({
    id: `M${i}`,
    name: 'An administration with a name of usual length',
    publicKey: key43,
    conventions: member,
  }))
  const { compact } = await sign(key, charter, { ...samples['inbond-charter'], members } as never)
  await expect(verify(charter, compact, key.publicKey)).resolves.toBeDefined()
})

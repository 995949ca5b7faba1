import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CHUNK_BYTES } from '#crypto/parameters.ts'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import type { IdentityKey } from '#crypto/signature.ts'
import { cancel } from '#researcher/client.ts'
import { contributionHead } from '#specs/bodies.ts'
import { type Manifest, type MemberId, manifest, type RoundId } from '#specs/messages.ts'
import { claims, sign } from '#specs/signed.ts'
import { Federation } from '#test/federation.ts'
import { problemOf, request } from '#test/requests.ts'
import { documentOf, pose, roundRow, step } from '#test/steps.ts'

/** Two chunks of slots, so that there is an order to get wrong. */
const QUESTION = `dataset: declarations
where: { flow: import }
by: [hs4]
measures: [{ sum: value }, { sum: netMass }, { sum: duty }]
purpose: hostile uploads
closes: 12h
`
const CUSTODIANS = 3
const CHUNKS = 2
const HOUR = 3_600_000

let federation: Federation
/** Contributions that members made and that were held back on their way. */
const held = new Map<string, Buffer>()

beforeAll(async () => {
  federation = await Federation.create({
    members: ['BR', 'JP', 'KR'],
    network: (who, fetch) => async (url, init) => {
      if (init?.method !== 'PUT') return fetch(url, init)
      held.set(who, Buffer.from(await (init.body as Blob).arrayBuffer()))
      return new Response(null, { status: 204 })
    },
  })
  federation.load('BR', 'flow,period,hs6,value\nimport,2020-01,010121,5\n')
})
afterAll(() => federation[Symbol.dispose]())

interface Parts {
  manifest: string
  shares: Buffer[]
  ciphertext: Buffer
}

let id: RoundId
let body: Buffer
let parts: Parts

beforeEach(async () => {
  await step(federation, 'prekeys')
  id = (await pose(federation, QUESTION)).round
  held.clear()
  await step(federation, 'contribute')
  body = bodyOf('BR')
  parts = partsOf(body)
})

afterEach(async () => {
  // Ended rounds leave nothing for the next test; whatever is an error inside was expected by nobody.
  federation.clock.advance(13 * HOUR)
  await federation.coordinator.lifecycle.advance()
  expect(federation.errors).toEqual([])
})

function bodyOf(member: string): Buffer {
  return held.get(member) as Buffer
}

function partsOf(whole: Buffer): Parts {
  const length = whole.readUInt32LE(8)
  const shares = Array.from({ length: CUSTODIANS }, (_, i) => {
    const start = 12 + length + i * SEALED_BYTES
    return whole.subarray(start, start + SEALED_BYTES)
  })
  const ciphertext = whole.subarray(12 + length + CUSTODIANS * SEALED_BYTES)
  expect(ciphertext.length).toBe(CHUNKS * CHUNK_BYTES)
  return { manifest: whole.subarray(12, 12 + length).toString(), shares, ciphertext }
}

function assembled({ manifest, shares, ciphertext }: Parts): Buffer {
  return Buffer.concat([contributionHead(manifest, shares), ciphertext])
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** The same contribution with another manifest, well signed. */
async function resigned(change: Partial<Manifest>, by: IdentityKey = federation.node('BR').key): Promise<string> {
  return (await sign(by, manifest, { ...claims(manifest, parts.manifest).payload, ...change })).compact
}

/** A contribution with other content that is as good as the first one. */
async function another(): Promise<Buffer> {
  const ciphertext = Buffer.from(parts.ciphertext)
  ciphertext[0] = (ciphertext[0] as number) ^ 1
  return assembled({ ...parts, ciphertext, manifest: await resigned({ ciphertext: sha256(ciphertext) }) })
}

function put(bytes: Uint8Array | ReadableStream, member = 'BR', round = id): Promise<Response> {
  return request(federation.coordinator, federation.node(member).key, `/rounds/${round}/contribution`, {
    method: 'PUT',
    body: bytes,
    headers: { 'content-type': 'application/octet-stream' },
  })
}

function filesOnDisk(): string[] {
  const { uploads } = federation.coordinator.context
  return readdirSync(uploads, { recursive: true })
    .map(String)
    .filter(file => statSync(join(uploads, file)).isFile())
}

function storedFile(member: string): Buffer {
  const row = federation.coordinator.context.db.$client
    .prepare('SELECT manifest_id FROM contributions WHERE round = ? AND member = ?')
    .pluck()
    .get(id, member)
  return readFileSync(join(federation.coordinator.context.uploads, id, `${row}.contribution`))
}

async function refused(bytes: Uint8Array | ReadableStream, code: string, member = 'BR'): Promise<string> {
  const problem = await problemOf(put(bytes, member))
  expect(problem.code).toBe(code)
  return problem.detail
}

async function isCounted(bytes: Uint8Array, member = 'BR'): Promise<void> {
  const answer = await put(bytes, member)
  expect(answer.status).toBe(204)
}

/** A body whose rest comes when the test says so; `waiting` resolves when the coordinator has taken the first part. */
function inTwo(bytes: Uint8Array, at: number) {
  const rest = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  async function* pieces() {
    yield bytes.subarray(0, at)
    asked.resolve()
    await rest.promise
    yield bytes.subarray(at)
  }
  return { stream: ReadableStream.from(pieces()), release: rest.resolve, waiting: asked.promise }
}

describe('a contribution is refused, and nothing of it kept,', () => {
  test('that ends too early, wherever', async () => {
    const boundaries = [0, 7, 8, 11, 12, 12 + parts.manifest.length]
    for (let at = 12 + parts.manifest.length; at < body.length; at += SEALED_BYTES) boundaries.push(at - 1, at)
    boundaries.push(body.length - CHUNK_BYTES, body.length - CHUNK_BYTES + 1, body.length - 1)
    for (const at of boundaries) await refused(body.subarray(0, at), 'truncated-body')
    expect(filesOnDisk()).toEqual([])
    await isCounted(body)
  })

  test('in which one bit is another', async () => {
    const signatureStart = 12 + parts.manifest.lastIndexOf('.')
    const inside = fc.nat(body.length - 1).filter(at => at < signatureStart || at >= 12 + parts.manifest.length)
    await fc.assert(
      fc.asyncProperty(inside, fc.nat(7), async (at, bit) => {
        const flipped = Buffer.from(body)
        flipped[at] = (flipped[at] as number) ^ (1 << bit)
        const { code } = await problemOf(put(flipped))
        expect([
          'bad-body',
          'bad-residue',
          'bad-signature',
          'bad-message',
          'truncated-body',
          'upgrade-needed',
        ]).toContain(code)
      }),
      { numRuns: 40 },
    )
    expect(filesOnDisk()).toEqual([])
  })

  const cases: [string, string, () => Buffer | Promise<Buffer>][] = [
    ['that begins like something else', 'bad-body', () => Buffer.from(body).fill('INBOND02', 0, 8)],
    ['with a byte too many', 'bad-body', () => Buffer.concat([body, Buffer.of(0)])],
    ['with a chunk too many', 'bad-body', () => Buffer.concat([body, parts.ciphertext.subarray(0, CHUNK_BYTES)])],
    [
      'with its chunks swapped',
      'bad-body',
      () =>
        assembled({
          ...parts,
          ciphertext: Buffer.concat([
            parts.ciphertext.subarray(CHUNK_BYTES),
            parts.ciphertext.subarray(0, CHUNK_BYTES),
          ]),
        }),
    ],
    [
      'with a word that is not below its prime, though signed',
      'bad-residue',
      async () => {
        const ciphertext = Buffer.from(parts.ciphertext).fill(0xff, CHUNK_BYTES + 5, CHUNK_BYTES + 10)
        return assembled({ ...parts, ciphertext, manifest: await resigned({ ciphertext: sha256(ciphertext) }) })
      },
    ],
    [
      'with sealed shares in another order',
      'bad-body',
      () => assembled({ ...parts, shares: parts.shares.toReversed() }),
    ],
    [
      "with another dealer's sealed share",
      'bad-body',
      () => assembled({ ...parts, shares: [partsOf(bodyOf('JP')).shares[0] as Buffer, ...parts.shares.slice(1)] }),
    ],
    ['with a manifest of four gigabytes', 'bad-body', () => Buffer.from(body).fill(0xff, 8, 12)],
    [
      'with a byte above 127 in its manifest',
      'bad-signature',
      () => {
        const bent = Buffer.from(body)
        bent[12] = (bent[12] as number) | 0x80
        return bent
      },
    ],
    ['with a manifest of no bytes', 'bad-signature', () => assembled({ ...parts, manifest: '' })],
    ['with a manifest that is none', 'bad-signature', () => assembled({ ...parts, manifest: 'a.b.c' })],
    [
      'with a manifest of another round',
      'bad-body',
      async () => assembled({ ...parts, manifest: await resigned({ round: '0'.repeat(64) as RoundId }) }),
    ],
    [
      'with a manifest of another member',
      'bad-body',
      async () => assembled({ ...parts, manifest: await resigned({ member: 'JP' as MemberId }) }),
    ],
    ['with too few slots', 'bad-body', async () => assembled({ ...parts, manifest: await resigned({ slots: 1 }) })],
    [
      'with a custodian left out',
      'bad-body',
      async () => {
        const { shares } = claims(manifest, parts.manifest).payload
        return assembled({ ...parts, manifest: await resigned({ shares: shares.slice(1) }) })
      },
    ],
    [
      'with prekeys of another round',
      'bad-body',
      async () => {
        const { shares } = claims(manifest, parts.manifest).payload
        const moved = shares.map(share => ({ ...share, prekey: sha256(Buffer.from(share.prekey)) }))
        return assembled({ ...parts, manifest: await resigned({ shares: moved }) })
      },
    ],
    [
      'signed by somebody else',
      'bad-signature',
      async () => assembled({ ...parts, manifest: await resigned({}, federation.node('JP').key) }),
    ],
  ]
  test.each(cases)('%s', async (_, code, made) => {
    await refused(await made(), code)
    expect(filesOnDisk()).toEqual([])
    await isCounted(body)
    expect(storedFile('BR').equals(body)).toBe(true)
  })

  test('to a round that there is not', async () => {
    expect((await problemOf(put(body, 'BR', '0'.repeat(64) as RoundId))).code).toBe('not-found')
  })

  test("with a custodian's shares named in another custodian's place", async () => {
    const { shares } = claims(manifest, parts.manifest).payload
    const [first, second, third] = shares as [(typeof shares)[0], (typeof shares)[0], (typeof shares)[0]]
    const renamed = [{ ...first, custodian: second.custodian }, { ...second, custodian: first.custodian }, third]
    await refused(assembled({ ...parts, manifest: await resigned({ shares: renamed }) }), 'bad-body')
  })
})

describe('an upload that stands still', () => {
  test.each(['in the manifest', 'in a share', 'in the ciphertext'])(
    '%s is given up, and may be begun again',
    async where => {
      const at = { 'in the manifest': 20, 'in a share': 12 + parts.manifest.length + 5 }[where] ?? body.length - 1
      const { stream, waiting } = inTwo(body, at)
      const answer = problemOf(put(stream))
      await waiting
      federation.clock.advance(31_000)
      expect((await answer).code).toBe('truncated-body')
      expect(filesOnDisk()).toEqual([])
      await isCounted(body)
    },
  )
})

describe('a second contribution', () => {
  test('of the same bytes is the same one', async () => {
    await isCounted(body)
    await isCounted(body)
    expect(filesOnDisk()).toHaveLength(1)
  })

  test('of the same bytes at the same time is the same one', async () => {
    const uploads = [inTwo(body, 20), inTwo(body, body.length - 1), inTwo(body, body.length)]
    const answers = uploads.map(upload => put(upload.stream))
    for (const upload of uploads) upload.release()
    expect((await Promise.all(answers)).map(answer => answer.status)).toEqual([204, 204, 204])
    expect(filesOnDisk()).toHaveLength(1)
    expect(storedFile('BR').equals(body)).toBe(true)
  })

  test('with other content is refused, and the first one stays as it was', async () => {
    await isCounted(body)
    await refused(await another(), 'differs-from-stored')
    await refused(assembled({ ...parts, manifest: await resigned({ alone: false }) }), 'differs-from-stored')
    expect(filesOnDisk()).toHaveLength(1)
    expect(storedFile('BR').equals(body)).toBe(true)
  })

  test('with other content at the same time: one of them counts, and only its file stays', async () => {
    const other = await another()
    const uploads = [inTwo(body, body.length - 1), inTwo(other, other.length - 1)]
    const answers = uploads.map(upload => put(upload.stream))
    await Promise.all(uploads.map(upload => upload.waiting))
    for (const upload of uploads) upload.release()
    const statuses = (await Promise.all(answers)).map(answer => answer.status)
    expect(statuses.toSorted()).toEqual([204, 409])
    expect(filesOnDisk()).toHaveLength(1)
    expect(storedFile('BR').equals(statuses[0] === 204 ? body : other)).toBe(true)
  })

  test('that breaks off beside a whole one takes nothing from it', async () => {
    const broken = inTwo(body.subarray(0, -1), 20)
    const answer = put(broken.stream)
    await isCounted(body)
    broken.release()
    // Stored by now, so that the rest does not matter.
    expect([204, 400]).toContain((await answer).status)
    expect(storedFile('BR').equals(body)).toBe(true)
  })

  test("of another member's ciphertext under one's own name is refused", async () => {
    await isCounted(body)
    await refused(body, 'bad-signature', 'JP')
    const stolen = await resigned({ member: 'JP' as MemberId }, federation.node('JP').key)
    expect(await refused(assembled({ ...parts, manifest: stolen }), 'bad-signature')).toMatch(/expected key/)
    await refused(assembled({ ...parts, manifest: stolen }), 'differs-from-stored', 'JP')
    expect(filesOnDisk()).toHaveLength(1)
  })
})

describe('too late', () => {
  test('is what comes after the round, and it leaves no file', async () => {
    federation.clock.advance(12 * HOUR)
    await refused(body, 'too-late')
    await federation.coordinator.lifecycle.advance()
    await refused(body, 'too-late')
    expect(roundRow(federation, id).state).toBe('void')
    expect(filesOnDisk()).toEqual([])
  })

  test('is what is still on its way when the round ends', async () => {
    const { stream, release, waiting } = inTwo(body, body.length - 1)
    const answer = problemOf(put(stream))
    await waiting
    const { researcher } = federation
    const { query } = documentOf(federation, id)
    researcher.db.$client.prepare('UPDATE queries SET sent_at = 1 WHERE id = ?').run(query)
    await cancel(researcher, query)
    release()
    expect((await answer).code).toBe('too-late')
    expect(filesOnDisk()).toEqual([])
  })
})

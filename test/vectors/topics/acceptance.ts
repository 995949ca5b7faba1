import { Aggregator, contribute, open } from '#crypto/one-shot.ts'
import { packShare } from '#crypto/packing.ts'
import { CELLS_PER_CHUNK, CHUNK_BYTES, contributionBound, SHARE_PRIME } from '#crypto/parameters.ts'
import { centredBinomial } from '#crypto/sampling.ts'
import { loadSeal } from '#crypto/seal.ts'
import { deal, type Share } from '#crypto/shamir.ts'
import { seededRandomness } from '#test/randomness.ts'
import type { Fields } from '../format.ts'
import { publicPolynomial } from '../second-reader/drawing.ts'
import { packChunk } from '../second-reader/packing.ts'
import { encryptChunk } from '../second-reader/sum.ts'
import { transform } from '../second-reader/transform.ts'
import { base64url, type Writing } from '../writing.ts'

export const description = 'Reading a sum: which key is accepted, and which noise.'

const SEED = { seed: 'the round of the acceptance vectors', length: 32 }
const ROUND = seededRandomness(SEED.seed)(SEED.length)
const CUSTODIANS = [1, 2, 3, 4, 5]
const THRESHOLD = 4

type Labelled = { readonly custodian: number; readonly share: Fields }

export async function write(file: Writing): Promise<void> {
  for (const contributors of [1, 2, 3, 4, 5, 10, 50, 186, 300, 500, 1000, 4096]) {
    await file.takes('smallest-budget', `of ${contributors} contributors`, { contributors })
  }
  await writeIntact(file)
  await writeLongKey(file)
  await writeLargeNoise(file)
}

/** Three members with two chunks. */
async function contributions() {
  const seal = await loadSeal()
  const bound = contributionBound(3)
  const dealing = { roundId: ROUND, bound, threshold: THRESHOLD, custodians: CUSTODIANS }
  return [0, 1, 2].map(j => {
    const cells = new BigInt64Array(CELLS_PER_CHUNK + 1).fill(BigInt(j - 1))
    cells[0] = bound
    cells[1] = -bound
    cells[CELLS_PER_CHUNK] = BigInt(100 + j)
    const { ciphertext, shares } = contribute(seal, dealing, cells, seededRandomness(`acceptance ${j}`))
    return { ciphertext: new Uint8Array(Buffer.concat([...ciphertext])), shares }
  })
}

type Contribution = Awaited<ReturnType<typeof contributions>>[number]

async function added(cohort: readonly Contribution[]): Promise<Uint8Array> {
  using aggregator = new Aggregator(await loadSeal())
  return aggregator.sum(cohort.map(one => one.ciphertext))
}

function opened(cohort: readonly Contribution[], custodian: number): Share {
  return open(
    custodian,
    cohort.map(one => one.shares[custodian - 1] as Share),
  )
}

function nameOpenings(file: Writing, name: string, openings: readonly Share[]): Labelled[] {
  return openings.map(({ index, residues }) => ({
    custodian: index,
    share: file.bytes(`${name} ${index}`, packShare(residues)),
  }))
}

/** The bytes of a named share with 1 added to one residue. */
function altered(name: string, share: Share, at: number): Labelled {
  const residues = share.residues.slice()
  residues[at] = ((residues[at] as number) + 1) % SHARE_PRIME
  // Four residues have 13 bytes.
  const start = Math.floor(at / 4) * 13
  const put = base64url(packShare(residues).subarray(start, start + 13))
  return { custodian: share.index, share: { in: { bytes: `${name} ${share.index}` }, at: start, put } }
}

function word(value: number): Fields {
  const bytes = Buffer.alloc(5)
  bytes.writeUIntLE(value, 0, 5)
  return base64url(bytes)
}

async function writeIntact(file: Writing): Promise<void> {
  const cohort = await contributions()
  const total = await added(cohort)
  const sum = file.bytes('sum', total)
  const shares = CUSTODIANS.map(custodian => opened(cohort, custodian))
  const all = nameOpenings(file, 'opening', shares)
  const four = all.slice(0, THRESHOLD)
  const [one, two, three, fourth, fifth] = all as [Labelled, Labelled, Labelled, Labelled, Labelled]
  const changed = (custodian: number, at: number) => altered('opening', shares[custodian - 1] as Share, at)
  const input = { roundId: SEED, sum, threshold: THRESHOLD, contributors: 3 }

  await file.takes('read', 'four of five openings', { ...input, openings: four })
  await file.takes('read', 'all openings, in another order', { ...input, openings: [fifth, one, fourth, two, three] })
  await file.takes('read', 'opening 2 disagrees in one residue', {
    ...input,
    openings: [one, changed(2, 17), three, fourth, fifth],
  })
  const first = { part: sum, start: 0, end: CHUNK_BYTES }
  await file.takes('read', 'one chunk', { ...input, sum: first, openings: four })
  await file.takes('read', 'shifted by 5 and -5: not seen here, but where the contributions are added up again', {
    ...input,
    openings: four,
    sum: { join: [shifted(total), { part: sum, start: CHUNK_BYTES, end: 2 * CHUNK_BYTES }] },
  })

  const other = cohort.slice(1)
  const second = { part: sum, start: CHUNK_BYTES, end: 2 * CHUNK_BYTES }
  const bit = (at: number) => ({ in: sum, at, put: base64url(Buffer.of((total[at] as number) ^ 1)) })
  const wrong = (openings: readonly Labelled[]): Fields => ({ openings })
  const withShare = (share: Fields) => wrong([one, two, three, { custodian: 4, share }])
  file.refuses('four of five openings', [
    ['sum-not-accepted', 'another round', { roundId: { seed: 'another round', length: 32 } }],
    ['sum-not-accepted', 'one bit of the first word changed', { sum: bit(0) }],
    ['sum-not-accepted', 'one bit of a word of limb 1 changed', { sum: bit(5 * 6000) }],
    ['sum-not-accepted', 'one bit of the last word changed', { sum: bit(2 * CHUNK_BYTES - 5) }],
    ['sum-not-accepted', 'chunks exchanged', { sum: { join: [second, first] } }],
    ['sum-not-accepted', 'the second chunk is the first again', { sum: { join: [first, first] } }],
    ['sum-not-accepted', 'a chunk too many', { sum: { join: [sum, { repeat: 0, length: CHUNK_BYTES }] } }],
    ['sum-not-accepted', 'a contribution left out of the sum', { sum: file.bytes('sum of two', await added(other)) }],
    ['sum-not-accepted', 'one residue of an opening changed', wrong([one, two, changed(3, 4095), fourth])],
    [
      'sum-not-accepted',
      'one coefficient of the key off by one, and still short',
      // The same constant in every share moves the value at 0 by that constant.
      wrong([1, 2, 3, 4].map(custodian => changed(custodian, 2000))),
    ],
    [
      'sum-not-accepted',
      'an opening of another cohort',
      wrong([one, two, three, ...nameOpenings(file, 'opening of two', [opened(other, 4)])]),
    ],
    [
      'sum-not-accepted',
      'two numbers exchanged',
      wrong([{ ...one, custodian: 2 }, { ...two, custodian: 1 }, three, fourth]),
    ],
    ['sum-not-accepted', 'an opening too few', wrong([one, two, three])],
    ['sum-not-accepted', 'no openings', wrong([])],
    ['sum-not-accepted', 'a threshold of one less', { threshold: 3 }],
    ['sum-not-accepted', 'a threshold of one more', { threshold: 5 }],
    ['bad-share', 'custodian 0', wrong([{ ...one, custodian: 0 }, two, three, fourth])],
    ['bad-share', 'custodian p + 1, which is 1', wrong([{ ...one, custodian: SHARE_PRIME + 1 }, two, three, fourth])],
    ['bad-share', 'a custodian twice', wrong([one, two, three, three])],
    ['bad-share', 'a custodian twice, beside enough others', wrong([...four, changed(4, 0)])],
    [
      'bad-share',
      'a residue of an opening is not below p',
      withShare({ in: { bytes: 'opening 4' }, at: 6500, put: { repeat: 255, length: 4 } }),
    ],
    ['bad-length', 'an opening that lacks a byte', withShare({ part: { bytes: 'opening 4' }, start: 0, end: 13_311 })],
    ['bad-length', 'a sum that lacks a byte', { sum: { part: sum, start: 0, end: 2 * CHUNK_BYTES - 1 } }],
    ['bad-length', 'a sum of nothing', { sum: { repeat: 0, length: 0 } }],
    ['bad-length', 'a round id of 31 bytes', { roundId: { repeat: 0, length: 31 } }],
    [
      'bad-residue',
      'a word in the middle is its prime',
      { sum: { in: sum, at: 5 * 6000, put: word(1_099_511_480_321) } },
    ],
    [
      'bad-residue',
      'the last word is the largest of 40 bits',
      { sum: { in: sum, at: 2 * CHUNK_BYTES - 5, put: { repeat: 255, length: 5 } } },
    ],
  ])
}

/** The first chunk plus a polynomial that whoever adds up may choose: 5 - 5x. */
function shifted(total: Uint8Array): Fields {
  const [low, high] = transform([5n, -5n, ...new Array<bigint>(CELLS_PER_CHUNK - 2).fill(0n)])
  const words = [...low, ...high]
  const bytes = Buffer.from(total.subarray(0, CHUNK_BYTES))
  words.forEach((added, i) => {
    const prime = i < CELLS_PER_CHUNK ? 1_099_511_390_209 : 1_099_511_480_321
    bytes.writeUIntLE((bytes.readUIntLE(5 * i, 5) + Number(added)) % prime, 5 * i, 5)
  })
  return base64url(bytes)
}

/** A sum as it would be of these keys, errors and cells together, whatever a single member may have. */
function sumOf(key: Int8Array, error: readonly bigint[], cells: readonly bigint[]): Uint8Array {
  const a = publicPolynomial(ROUND, 0)
  return packChunk(encryptChunk(a, transform([...key].map(BigInt)), error, cells))
}

function dealt(key: Int8Array): Share[] {
  return deal(key, THRESHOLD, CUSTODIANS.slice(0, THRESHOLD), seededRandomness('dealt'))
}

async function writeLongKey(file: Writing): Promise<void> {
  for (const [sign, name] of [
    [1, 'a coefficient of 64'],
    [-1, 'a coefficient of -64'],
  ] as const) {
    const key = centredBinomial(seededRandomness('long key'))
    key[CELLS_PER_CHUNK / 2] = 64 * sign
    const error = [...centredBinomial(seededRandomness('error'))].map(BigInt)
    const sum = file.bytes(`sum under a key with ${name}`, sumOf(key, error, [1n, 2n, 3n]))
    const openings = nameOpenings(file, `opening of a key with ${name}`, dealt(key))
    const like = `a key with ${name}`
    await file.takes('read', like, { roundId: SEED, sum, openings, threshold: THRESHOLD, contributors: 4 })
    file.refuses(like, [['sum-not-accepted', 'longer than 21 for each of three', { contributors: 3 }]])
  }
}

async function writeLargeNoise(file: Writing): Promise<void> {
  const key = centredBinomial(seededRandomness('key under noise'))
  const openings = nameOpenings(file, 'opening of a key under noise', dealt(key))
  // 128·t is 2^67 - 2097024: with it in one coefficient, the cell beside it decides on which side of 2^67 the noise is.
  const noise = (e: bigint, cell: bigint) => {
    const error = [...centredBinomial(seededRandomness('error'))].map(BigInt)
    error[77] = e
    const cells = new Array<bigint>(78).fill(0n)
    cells[77] = cell
    return sumOf(key, error, cells)
  }
  const sum = (name: string, e: bigint, cell: bigint) => file.bytes(name, noise(e, cell))
  const input = { roundId: SEED, openings, threshold: THRESHOLD, contributors: 3 }
  const largest = 'noise of 2^67 - 1, a budget of 12'
  await file.takes('read', largest, { ...input, sum: sum('sum with noise of 2^67 - 1', 128n, 2_097_023n) })
  await file.takes('read', 'noise of 1 - 2^67, a budget of 12', {
    ...input,
    sum: sum('sum with noise of 1 - 2^67', -128n, -2_097_023n),
  })
  const above = sum('sum with noise of 2^67', 128n, 2_097_024n)
  file.refuses(largest, [
    ['sum-not-accepted', 'noise of 2^67, a budget of 11', { sum: above }],
    ['sum-not-accepted', 'noise of -2^67, a budget of 11', { sum: sum('sum with noise of -2^67', -128n, -2_097_024n) }],
  ])
  await file.takes('read', 'noise of 2^67, a budget of 11, of four contributors', {
    ...input,
    contributors: 4,
    sum: above,
  })
}

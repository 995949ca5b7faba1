import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { append, emptyLog, type Frontier, headOf, type LogHead, leafHash, root } from '#crypto/log.ts'
import { generateIdentityKey } from '#crypto/signature.ts'
import { Connection } from '#party/connection.ts'
import { LogReader } from '#party/log-reader.ts'
import { bundleOf, entryBytes, extend, type LogEntry, parseTilePath, type Tile } from '#specs/log-tiles.ts'
import { TestClock } from './clock.ts'
import { Federation } from './federation.ts'

/** A log of c2sp.org/tlog-tiles as files would have it: of every head that was signed its tiles, and nothing else. */
interface StaticLog {
  readonly entries: readonly LogEntry[]
  /** By level, the hashes of full subtrees. */
  readonly levels: readonly (readonly Uint8Array[])[]
  readonly heads: ReadonlyMap<number, LogHead>
}

const SIZES = [0, 1, 2, 255, 256, 257, 700, 65_535, 65_536, 65_537, 66_000, 66_001]
const key = await generateIdentityKey()
const clock = new TestClock()

function staticLog(name: string, common: number): StaticLog {
  const entries = Array.from({ length: SIZES.at(-1) as number }, (_, i) => ({
    typ: i % 5 === 0 ? 'inbond-query' : 'inbond-manifest',
    message: createHash('sha256')
      .update(`${i < common ? 'one' : name} ${i}`)
      .digest('hex'),
  }))
  const levels = [entries.map(one => leafHash(entryBytes(one)))]
  for (let full = levels[0] as Uint8Array[]; full.length >= 256; full = levels.at(-1) as Uint8Array[]) {
    const next = Array.from({ length: Math.floor(full.length / 256) }, (_, i) =>
      root(full.slice(256 * i, 256 * (i + 1)).reduce((tree, hash) => append(tree, hash), emptyLog)),
    )
    levels.push(next)
  }
  const heads = new Map<number, LogHead>()
  let frontier: Frontier = emptyLog
  for (const leaf of [...(levels[0] as Uint8Array[]), undefined]) {
    if (SIZES.includes(frontier.size)) heads.set(frontier.size, headOf(frontier))
    if (leaf !== undefined) frontier = append(frontier, leaf)
  }
  return { entries, levels, heads }
}

const log = staticLog('one', 0)
const headAt = (size: number) => log.heads.get(size) as LogHead

function serve({ entries, levels }: StaticLog, { level, index, width }: Tile): Uint8Array | undefined {
  const perHash = 256 ** (level === 'entries' ? 0 : level)
  const isSigned = width === 256 || SIZES.some(size => Math.floor(size / perHash) - 256 * index === width)
  const [first, end] = [256 * index, 256 * index + width]
  if (!isSigned || first * perHash >= (SIZES.at(-1) as number)) return undefined
  return level === 'entries'
    ? bundleOf(entries.slice(first, end))
    : Buffer.concat((levels[level] as Uint8Array[]).slice(first, end))
}

type Change = (bytes: Uint8Array, tile: Tile) => Uint8Array

function readerOf(served: StaticLog, asked: string[] = [], change: Change = bytes => bytes): LogReader {
  const to = { url: 'https://coordinator.test', federation: 'f'.repeat(43) }
  const connection = new Connection(to, key, clock, async url => {
    const path = url.replace('https://coordinator.test/log/tile/', '')
    asked.push(path)
    const tile = parseTilePath(path)
    const bytes = serve(served, tile)
    return bytes === undefined
      ? new Response(null, { status: 404 })
      : new Response(new Uint8Array(change(bytes, tile)) as Uint8Array<ArrayBuffer>)
  })
  return new LogReader(connection)
}

const pairs = SIZES.flatMap((later, i) => SIZES.slice(0, i + 1).map(earlier => [earlier, later] as const))

describe('a reader', () => {
  test.each(pairs)('makes sure from tiles that %i entries are the beginning of %i', async (earlier, later) => {
    const asked: string[] = []
    await readerOf(log, asked).verifyExtension(headAt(earlier), headAt(later))
    expect(new Set(asked).size).toBe(asked.length)
    expect(asked.length).toBeLessThanOrEqual(5)
  })

  test('refuses a head that was shown later and is shorter', async () => {
    const asked: string[] = []
    const shown = readerOf(log, asked).verifyExtension(headAt(257), headAt(256))
    await expect(shown).rejects.toMatchObject({ code: 'log-not-extended' })
    expect(asked).toEqual([])
  })

  test('refuses another history, whichever tiles it is shown', async () => {
    const fork = staticLog('two', 260)
    for (const [earlier, later] of pairs.filter(([one]) => one > 0)) {
      const isCommon = earlier < 260
      for (const served of [log, fork]) {
        const shown = readerOf(served).verifyExtension(headAt(earlier), fork.heads.get(later) as LogHead)
        if (!isCommon) await expect(shown).rejects.toMatchObject({ code: 'log-not-extended' })
        else if (served === fork || later < 260) await shown
        else await expect(shown).rejects.toMatchObject({ code: 'log-not-extended' })
      }
    }
  })

  test('reads entries in bundles, from anywhere to anywhere', async () => {
    const read = (from: number, to: number) => Array.fromAsync(readerOf(log).readEntries(from, to))
    expect(await read(0, 700)).toEqual(log.entries.slice(0, 700))
    expect(await read(255, 257)).toEqual(log.entries.slice(255, 257))
    expect(await read(600, 700)).toEqual(log.entries.slice(600, 700))
    expect(await read(300, 300)).toEqual([])
  })

  test('verifies entries against a head, at its end and before', async () => {
    for (const [from, to, size] of [
      [0, 700, 700],
      [0, 1, 256],
      [255, 257, 66_001],
      [65_530, 65_537, 65_537],
      [65_999, 66_001, 66_001],
      [700, 700, 66_000],
    ] as const) {
      const entries = await readerOf(log).verifiedEntries(from, to, headAt(size))
      expect(entries).toEqual(log.entries.slice(from, to))
    }
    await expect(readerOf(log).verifiedEntries(0, 257, headAt(256))).rejects.toMatchObject({ code: 'bad-proof' })
  })

  test('refuses a bit changed in anything that it reads', async () => {
    const anything = fc.record({
      range: fc.constantFrom([0, 257, 700], [255, 257, 66_001], [600, 700, 66_000]),
      which: fc.nat(6),
      at: fc.nat(),
    })
    await fc.assert(
      fc.asyncProperty(anything, async ({ range: [from = 0, to = 0, size = 0], which, at }) => {
        let count = 0
        let isBent = false
        const reader = readerOf(log, [], (bytes, { level }) => {
          if (count++ !== which) return bytes
          const bent = Buffer.from(bytes)
          // The last entry of each bundle is one of those that are wanted.
          const place = level === 'entries' ? bent.length - 1 - (at % 64) : at % bent.length
          bent[place] = (bent[place] as number) ^ 1
          isBent = level === 'entries'
          return bent
        })
        const read = reader.verifiedEntries(from, to, headAt(size))
        const outcome = await read.catch(({ code }) => code)
        if (isBent) expect(['bad-proof', 'bad-body']).toContain(outcome)
        // Not every hash of a tile is needed.
        else expect([log.entries.slice(from, to), 'bad-proof']).toContainEqual(outcome)
      }),
      { numRuns: 40 },
    )
  })

  test('refuses tiles and bundles of another length', async () => {
    for (const change of [
      (bytes: Uint8Array) => bytes.subarray(1),
      (bytes: Uint8Array) => Buffer.concat([bytes, bytes]),
    ]) {
      const reader = readerOf(log, [], change)
      await expect(Array.fromAsync(reader.readEntries(0, 2))).rejects.toMatchObject({ code: 'bad-body' })
      await expect(reader.verifyExtension(headAt(2), headAt(257))).rejects.toMatchObject({ code: 'bad-body' })
    }
    const endless = readerOf(log, [], () => new Uint8Array(1_000_000))
    await expect(endless.verifyExtension(headAt(2), headAt(257))).rejects.toThrow('longer than it can be')
  })
})

describe('of a real coordinator', () => {
  let federation: Federation
  let reader: LogReader
  beforeAll(async () => {
    federation = await Federation.create({ members: ['BR', 'JP', 'KR'] })
    reader = new LogReader(federation.node('BR').connection)
  })
  afterAll(() => federation[Symbol.dispose]())

  test('entries and heads are what a member sees in its documents, and grow', async () => {
    const { context } = federation.coordinator
    const { publicKey } = context.key
    const before = await reader.checkpoint(publicKey)
    federation.load('BR', 'flow,period,hs6,value\nimport,2020-01,010121,1.25\n')
    await federation.ask('dataset: declarations\nmeasures: [{ count: records }]\npurpose: a log that grows\n')
    const after = await reader.checkpoint(publicKey)
    expect(after.size).toBeGreaterThan(before.size + 10)
    await reader.verifyExtension(before, after)
    const entries = await reader.verifiedEntries(0, after.size, after)
    const stored = context.db.$client.prepare('SELECT typ, message FROM log ORDER BY "index"').all()
    expect(entries).toEqual(stored)
    expect(headOf(entries.reduce(extend, emptyLog))).toEqual(context.log.head())
    await expect(reader.checkpoint(federation.node('BR').key.publicKey)).rejects.toMatchObject({
      code: 'bad-checkpoint',
    })
  })
})

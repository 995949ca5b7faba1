import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyCheckpoint } from '#crypto/checkpoint.ts'
import { emptyLog, headOf, leafHash } from '#crypto/log.ts'
import {
  consistencyOutline,
  inclusionOutline,
  type ProofOutline,
  verifyConsistency,
  verifyInclusion,
} from '#crypto/log-proofs.ts'
import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { openDatabase } from '#party/database.ts'
import { bundleOf, entriesOf, entryBytes, extend, hashesOf, type LogEntry } from '#specs/log-tiles.ts'
import { type Database, EventLog } from './event-log.ts'
import * as schema from './schema.ts'

const MIGRATIONS = join(import.meta.dirname, 'migrations')
const SIZE = 700

const entry = (i: number): LogEntry => ({
  typ: i % 3 === 0 ? 'inbond-query' : 'inbond-manifest',
  message: createHash('sha256').update(`message ${i}`).digest('hex'),
})
const entries = Array.from({ length: SIZE }, (_, i) => entry(i))
const headAt = (size: number) => headOf(entries.slice(0, size).reduce(extend, emptyLog))

let folder: string
let key: IdentityKey
let made = 0
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'inbond-event-log-'))
  key = await generateIdentityKey()
})
afterAll(() => rmSync(folder, { recursive: true }))

const newFile = () => join(folder, `${made++}.sqlite`)
const open = (file: string) => openDatabase(file, schema, MIGRATIONS)

function add(db: Database, log: EventLog, from: number, to: number): void {
  db.transaction(tx => {
    for (const { typ, message } of entries.slice(from, to)) log.append(tx, typ, message, 1)
  })
}

function filled(): { db: Database; log: EventLog } {
  const db = open(':memory:')
  const log = new EventLog(db, key)
  add(db, log, 0, SIZE)
  return { db, log }
}

describe('the head', () => {
  test('is the one of RFC 6962 after every entry', () => {
    const db = open(':memory:')
    const log = new EventLog(db, key)
    expect(log.head()).toEqual(headAt(0))
    for (let size = 1; size <= 70; size++) {
      add(db, log, size - 1, size)
      expect(log.head()).toEqual(headAt(size))
    }
  })

  test('does not have what was rolled back', () => {
    const db = open(':memory:')
    const log = new EventLog(db, key)
    add(db, log, 0, 5)
    const failing = () =>
      db.transaction(tx => {
        for (const { typ, message } of entries.slice(0, 3)) log.append(tx, typ, message, 1)
        throw new Error('no')
      })
    expect(failing).toThrow('no')
    expect(log.head()).toEqual(headAt(5))
    add(db, log, 5, 8)
    expect(log.head()).toEqual(headAt(8))
  })

  test('is the same in every process that writes to the database', () => {
    const file = newFile()
    const [one, two] = [open(file), open(file)]
    const [first, second] = [new EventLog(one, key), new EventLog(two, key)]
    add(one, first, 0, 3)
    add(two, second, 3, 4)
    expect(first.head()).toEqual(headAt(4))
    add(one, first, 4, 9)
    expect(second.head()).toEqual(headAt(9))
    expect(second.checkpoint()).toBe(first.checkpoint())
    for (const db of [one, two]) db.$client.close()
  })

  test('is there for entries that were written without hashes', () => {
    const file = newFile()
    const db = open(file)
    const insert = db.$client.prepare('INSERT INTO log (typ, message, at) VALUES (?, ?, 1)')
    for (const { typ, message } of entries.slice(0, 300)) insert.run(typ, message)
    const log = new EventLog(db, key)
    expect(log.head()).toEqual(headAt(300))
    // Half of the way, as an interrupted process leaves it.
    for (const { typ, message } of entries.slice(300, 310)) insert.run(typ, message)
    expect(new EventLog(db, key).head()).toEqual(headAt(310))
    db.$client.close()
  })

  test('is signed in a checkpoint', async () => {
    const { log } = filled()
    expect(await verifyCheckpoint(log.checkpoint(), key.publicKey)).toMatchObject(headAt(SIZE))
  })
})

describe('what anybody reads', () => {
  let log: EventLog
  let db: Database
  beforeAll(() => {
    ;({ log, db } = filled())
  })
  const tile = (level: number | 'entries', index: number, width: number) => log.tile({ level, index, width })

  test('is every entry and its hash', () => {
    const bundles = [tile('entries', 0, 256), tile('entries', 1, 256), tile('entries', 2, SIZE - 512)]
    expect(bundles.flatMap((bundle, i) => entriesOf(bundle, i < 2 ? 256 : SIZE - 512))).toEqual(entries)
    const hashes = [...hashesOf(tile(0, 1, 256), 256), ...hashesOf(tile(0, 2, 100), 100)]
    const leaves = entries.slice(256, 612).map(one => new Uint8Array(leafHash(entryBytes(one))))
    expect(hashes.map(one => new Uint8Array(one))).toEqual(leaves)
  })

  test('is the hash of every full tile, one level higher', () => {
    const roots = hashesOf(tile(1, 0, 2), 2).map(one => Buffer.from(one).toString('hex'))
    const of = (from: number) => headOf(entries.slice(from, from + 256).reduce(extend, emptyLog)).root
    expect(roots).toEqual([of(0), of(256)])
  })

  test('is the beginning of a tile in any width', () => {
    expect(tile(0, 2, 3)).toEqual(tile(0, 2, SIZE - 512).subarray(0, 96))
    expect(tile('entries', 0, 2)).toEqual(bundleOf(entries.slice(0, 2)))
  })

  test.each([
    ['entries', 2, SIZE - 511],
    ['entries', 2, 256],
    ['entries', 3, 1],
    [0, 2, SIZE - 511],
    [0, Number.MAX_SAFE_INTEGER, 1],
    [1, 0, 3],
    [2, 0, 1],
    [63, 0, 1],
  ] as const)('is not there past the end: level %s, index %i, width %i', (level, index, width) => {
    expect(() => tile(level, index, width)).toThrow(expect.objectContaining({ code: 'not-found' }))
  })

  test('can be proved, at any size that the log had', () => {
    const head = log.head()
    const proof = (outline: ProofOutline) => log.proofs([outline])[0] as Uint8Array[]
    const indices = log.indicesOf([...entries.slice(0, 300).map(one => one.message), '0'.repeat(64)])
    expect(indices.size).toBe(300)
    for (const [message, index] of indices) {
      expect(entries[index]?.message).toBe(message)
      const leaf = leafHash(entryBytes(entries[index] as LogEntry))
      verifyInclusion(leaf, index, proof(inclusionOutline(index, SIZE)), head)
    }
    for (const size of [0, 1, 255, 256, 257, 511, 512, 600, SIZE]) {
      verifyConsistency(headAt(size), head, proof(consistencyOutline(size, SIZE)))
    }
  })

  test.each([
    'UPDATE log_hashes SET hash = zeroblob(32)',
    'DELETE FROM log_hashes',
    'INSERT OR REPLACE INTO log_hashes SELECT height, "index", zeroblob(32) FROM log_hashes',
    'INSERT INTO log_hashes VALUES (0, 0, zeroblob(32))',
  ])('is never changed: %s', sql => {
    expect(() => db.$client.exec(sql)).toThrow('the log is never changed')
  })
})

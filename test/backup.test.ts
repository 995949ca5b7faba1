import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { backupContents as ofCoordinator } from '#coordinator/backup.ts'
import * as coordinatorSchema from '#coordinator/schema.ts'
import { generateIdentityKey, writeKeyFile } from '#crypto/signature.ts'
import { backupContents } from '#member-node/backup.ts'
import * as memberSchema from '#member-node/schema.ts'
import { openWarehouse } from '#member-node/warehouse/warehouse.ts'
import { type BackupOptions, makeBackup } from '#party/backup.ts'
import { openDatabase } from '#party/database.ts'
import { completeDirectory } from '#party/directory.ts'
import { restoreBackup } from '#party/restore.ts'
import * as researcherSchema from '#researcher/schema.ts'
import { conventions } from '#specs/messages.ts'

/** Backups of a node's directory that no process serves; test/processes/restore.test.ts has whole federations. */

const CONFIG = {
  role: 'member',
  id: 'KR',
  name: 'Customs of KR',
  coordinator: { url: 'http://127.0.0.1:8400', federation: 'f'.repeat(43) },
  currency: 'USD',
  policy: 'standard',
  conventions: conventions.parse({}),
}
const PREKEY = Buffer.from('private half of a prekey')
const SHARE = Buffer.from('share that a dealer sealed')
const OPENING = Buffer.from('opening that was sealed to a recipient')

const never = new AbortController().signal
const options: BackupOptions = { withRecords: true, now: 0, signal: never, progress: () => undefined }
const restoring = { now: 1000, signal: never }

let root: string
let directory: string
let backup: string
let made = 0
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'inbond-backup-'))
  directory = join(root, 'kr')
  mkdirSync(join(directory, 'keys'), { recursive: true })
  mkdirSync(join(directory, 'outbox'))
  writeFileSync(join(directory, 'keys', 'identity'), await writeKeyFile(await generateIdentityKey(), undefined))
  await completeDirectory(directory, CONFIG)
  const { $client } = openDatabase(join(directory, 'node.sqlite'), memberSchema, backupContents.migrations)
  for (const round of ['under-way', 'over', 'lost']) {
    const clearedAt = round === 'over' ? 1 : null
    $client
      .prepare("INSERT INTO rounds VALUES (?, ?, 'c', 'q', 'h', 'p', 'Ada', 0, 0, ?, 0)")
      .run(round, `query ${round}`, clearedAt)
    $client.prepare('INSERT INTO contributions VALUES (?, ?, ?, ?, 0)').run(round, 'm', 'm', Buffer.from('sealed'))
    if (round !== 'lost') writeFileSync(join(directory, 'outbox', `${round}.ciphertext`), `cells of ${round}`)
  }
  $client.prepare("INSERT INTO prekeys VALUES ('a', 'b', 1, ?, NULL, 1, 0)").run(PREKEY)
  $client.prepare("INSERT INTO shares VALUES ('under-way', 'JP', 'c', ?)").run(SHARE)
  $client.exec("INSERT INTO agreements VALUES ('over', 'c', 'cc', 'a', 0)")
  $client.prepare("INSERT INTO openings VALUES ('over', 'o', ?, 0)").run(OPENING)
  // It is not closed: what is in the write-ahead log belongs to the backup.
  openWarehouse(join(directory, 'warehouse.sqlite')).close()
})
afterAll(() => rmSync(root, { recursive: true }))
beforeEach(() => {
  backup = join(root, `backup-${made++}`)
})

const filesOf = (folder: string) =>
  (readdirSync(folder, { recursive: true }) as string[])
    .filter(file => statSync(join(folder, file)).isFile())
    .toSorted()
const holding = (folder: string, bytes: Buffer) =>
  filesOf(folder).filter(file => readFileSync(join(folder, file)).includes(bytes))
const refused = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })
const restored = () => join(root, `restored-${made++}`)

describe('a backup', () => {
  test('has the ledger and what is under way, and nothing that serves once', async () => {
    await makeBackup(directory, backup, backupContents, options)
    expect(filesOf(backup)).toEqual([
      'backup.json',
      'config.yaml',
      'keys/identity',
      'node.sqlite',
      'outbox/under-way.ciphertext',
      'warehouse.sqlite',
    ])
    expect([PREKEY, SHARE].map(secret => holding(backup, secret))).toEqual([[], []])
    expect(holding(backup, OPENING)).toEqual(['node.sqlite'])
    expect([PREKEY, SHARE].every(secret => holding(directory, secret).length > 0)).toBe(true)
  })

  test('is its owner’s alone, and as it says', async () => {
    const { manifest, keyIsSealed } = await makeBackup(directory, backup, backupContents, options)
    expect(keyIsSealed).toBe(false)
    expect(statSync(backup).mode & 0o777).toBe(0o700)
    for (const file of filesOf(backup)) expect(statSync(join(backup, file)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(join(backup, 'backup.json'), 'utf8'))).toEqual(manifest)
    expect(manifest).toMatchObject({ role: 'member', madeAt: '1970-01-01T00:00:00.000Z' })
  })

  test('leaves the records out if asked', async () => {
    await makeBackup(directory, backup, backupContents, { ...options, withRecords: false })
    expect(filesOf(backup)).not.toContain('warehouse.sqlite')
  })

  test('overwrites nothing, and takes the place of one that was killed', async () => {
    mkdirSync(`${backup}.part`)
    writeFileSync(join(`${backup}.part`, 'node.sqlite'), 'half')
    await makeBackup(directory, backup, backupContents, options)
    await expect(makeBackup(directory, backup, backupContents, options)).rejects.toEqual(
      refused('not-writable', /there/),
    )
    expect(existsSync(`${backup}.part`)).toBe(false)
  })

  test('that is given up leaves nothing', async () => {
    for (const last of ['config.yaml', 'keys/identity', 'outbox/under-way.ciphertext', 'warehouse.sqlite']) {
      const ending = new AbortController()
      const progress = (file: string) => {
        if (file === last) ending.abort()
      }
      const making = makeBackup(directory, backup, backupContents, { ...options, progress, signal: ending.signal })
      await expect(making).rejects.toMatchObject({ name: 'AbortError' })
      expect([backup, `${backup}.part`].map(existsSync)).toEqual([false, false])
    }
  })

  test('is made of a node alone', async () => {
    await expect(makeBackup(root, backup, backupContents, options)).rejects.toEqual(refused('not-initialised'))
    await expect(makeBackup(directory, backup, ofCoordinator, options)).rejects.toEqual(refused('not-allowed'))
    const keyless = restored()
    cpSync(directory, keyless, { recursive: true })
    rmSync(join(keyless, 'keys', 'identity'))
    await expect(makeBackup(keyless, backup, backupContents, options)).rejects.toEqual(
      refused('not-initialised', /key/),
    )
  })
})

describe('a restore', () => {
  let good: string
  beforeAll(async () => {
    good = join(root, 'good')
    await makeBackup(directory, good, backupContents, options)
  })

  test('makes the directory again, without what serves once', async () => {
    const target = restored()
    await restoreBackup(good, target, backupContents, restoring)
    expect(filesOf(target)).toEqual(filesOf(good).filter(file => file !== 'backup.json'))
    const { $client } = openDatabase(join(target, 'node.sqlite'), memberSchema, backupContents.migrations)
    expect($client.prepare('SELECT round FROM contributions').pluck().all()).toEqual(['lost', 'over', 'under-way'])
    expect($client.prepare('SELECT count(*) FROM prekeys WHERE private_key IS NOT NULL').pluck().get()).toBe(0)
    expect(() => $client.exec("UPDATE contributions SET manifest = 'another'")).toThrow(/never changed/)
    expect($client.prepare('SELECT * FROM restorations').all()).toEqual([
      { id: 1, at: 1000, takes_part_from: 241_000, history: 1, log_size: 0 },
    ])
    expect($client.prepare('SELECT is_lost FROM prekeys').pluck().all()).toEqual([1])
    $client.close()
    expect([target, join(target, 'keys')].map(path => statSync(path).mode & 0o777)).toEqual([0o700, 0o700])
  })

  test('goes nowhere where something is', async () => {
    await expect(restoreBackup(good, directory, backupContents, restoring)).rejects.toEqual(
      refused('already-initialised'),
    )
    const filled = restored()
    mkdirSync(filled)
    await restoreBackup(good, filled, backupContents, restoring)
    rmSync(join(filled, 'config.yaml'))
    await expect(restoreBackup(good, filled, backupContents, restoring)).rejects.toEqual(
      refused('not-writable', /not empty/),
    )
  })

  test('waits until the clock of the machine is right', async () => {
    await makeBackup(directory, backup, backupContents, { ...options, now: 1_000_000 })
    const target = restored()
    await expect(restoreBackup(backup, target, backupContents, restoring)).rejects.toEqual(refused('clock-skew'))
    expect(existsSync(target)).toBe(false)
  })

  type Change = [what: string, code: string, message: RegExp, change: (folder: string) => void]
  const edit = (file: string, change: (text: string) => string) => (folder: string) =>
    writeFileSync(join(folder, file), change(readFileSync(join(folder, file), 'latin1')), 'latin1')
  const changes: Change[] = [
    ['not a backup', 'bad-backup', /it has no backup.json/, folder => rmSync(join(folder, 'backup.json'))],
    ['without its database', 'bad-backup', /does not hold node.sqlite/, folder => rmSync(join(folder, 'node.sqlite'))],
    [
      'of another policy',
      'bad-backup',
      /config.yaml .* not as it was/,
      edit('config.yaml', t => t.replace('standard', 'open')),
    ],
    ['cut short', 'bad-backup', /node.sqlite .* not as it was/, edit('node.sqlite', t => t.slice(0, -1))],
    [
      'of another kind of party',
      'not-allowed',
      /of a researcher/,
      edit('backup.json', t => t.replace('"member"', '"researcher"')),
    ],
    ['half written', 'bad-backup', /not understood/, edit('backup.json', t => t.slice(0, 50))],
    [
      'of a later format',
      'bad-backup',
      /not understood/,
      edit('backup.json', t => t.replace('"format": 1', '"format": 2')),
    ],
    [
      'that leads out of the directory',
      'bad-backup',
      /not understood/,
      edit('backup.json', t => t.replace('keys/identity', '../identity')),
    ],
    [
      'that leads anywhere',
      'bad-backup',
      /not understood/,
      edit('backup.json', t => t.replace('keys/identity', '/etc/passwd')),
    ],
    [
      'without its key',
      'bad-backup',
      /does not hold keys.identity/,
      edit('backup.json', t => t.replace('keys/identity', 'keys/other')),
    ],
  ]
  test.each(changes)('of one %s leaves nothing', async (_, code, message, change) => {
    cpSync(good, backup, { recursive: true })
    change(backup)
    const target = restored()
    await expect(restoreBackup(backup, target, backupContents, restoring)).rejects.toEqual(refused(code, message))
    expect([target, `${target}.part`].map(existsSync)).toEqual([false, false])
  })
})

test('every column that could hold a secret is known to be withheld, or known to hold none', () => {
  const blobs = (schema: Record<string, unknown>) =>
    Object.values(schema)
      .filter(table => table instanceof SQLiteTable)
      .map(table => getTableConfig(table))
      .flatMap(({ name, columns }) =>
        columns
          .filter(one => one.getSQLType() === 'blob' || /private|secret/.test(one.name))
          .map(one => `${name}.${one.name}`),
      )
  expect(blobs(coordinatorSchema)).toEqual(['openings.sealed', 'releases.file', 'log_hashes.hash'])
  expect(blobs(memberSchema)).toEqual([
    'contributions.sealed_shares',
    'prekeys.private_key',
    'shares.sealed',
    'openings.sealed',
    'log_reading.subtrees',
  ])
  expect(blobs(researcherSchema)).toEqual(['queries.private_key', 'queries.seed'])
})

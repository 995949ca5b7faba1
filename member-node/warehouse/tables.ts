import type { Database } from 'better-sqlite3'
import { InbondError } from '#crypto/error.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import { LARGEST_UNITS } from './tally.ts'

/** An identifier in SQL. Identifiers come from the specification; values are always bound. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

/** The table of a dataset's records; the space keeps it apart from the warehouse's own tables. */
export function tableOf(dataset: Dataset): string {
  return `dataset ${dataset.id}`
}

/** The table of the records of a dataset that were replaced or deleted, for the versions that had them. */
export function historyOf(dataset: Dataset): string {
  return `${tableOf(dataset)} history`
}

/** The dimension that holds the month; every dataset has one, for without a period a record cannot be covered. */
export function periodOf(dataset: Dataset): string {
  const period = Object.entries(dataset.dimensions).find(([, dimension]) => dimension.kind === 'period')
  if (!period) throw new Error(`${dataset.id} has no period`)
  return period[0]
}

/** Where a hierarchical code is kept as it was written. */
export function rawColumn(of: string): string {
  return `${of} raw`
}

/** Columns of the source that hold hierarchical codes. */
export function hierarchies(dataset: Dataset): string[] {
  return [...new Set(Object.values(dataset.dimensions).flatMap(one => (one.kind === 'level' ? [one.of] : [])))]
}

/**
 * The columns of a dataset's table. Integers come first, because a query reads only them and SQLite decodes a row from its
 * start: the import that brought the record, the dimensions (ids into the dictionary, or the month's index), the measures in
 * smallest units. Then texts: raw codes, trader, key.
 */
export function columnsOf(dataset: Dataset): { name: string; type: 'INTEGER' | 'TEXT' }[] {
  const integers = ['import', ...Object.keys(dataset.dimensions), ...Object.keys(dataset.measures)]
  const texts = [...hierarchies(dataset).map(rawColumn), 'trader', 'key']
  return [
    ...integers.map(name => ({ name, type: 'INTEGER' as const })),
    ...texts.map(name => ({ name, type: 'TEXT' as const })),
  ]
}

const OWN_TABLES = `
  CREATE TABLE IF NOT EXISTS codes (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE IF NOT EXISTS imports (
    id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL, mapping TEXT NOT NULL,
    currency TEXT NOT NULL, importedAt TEXT NOT NULL, counts TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS versions (
    dataset TEXT NOT NULL, period INTEGER NOT NULL, version INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('complete', 'provisional')),
    asOf TEXT NOT NULL, import INTEGER NOT NULL, follows INTEGER NOT NULL,
    PRIMARY KEY (dataset, period, version), UNIQUE (dataset, period, asOf), CHECK (version > follows)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS "versions as of" ON versions (asOf);
  CREATE TABLE IF NOT EXISTS datasets (id TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;`

/** What was answered once can be answered again: versions follow one another in time, and none that is answered from goes. */
const VERSIONS_STAY = `
  CREATE TRIGGER "versions follow one another" BEFORE INSERT ON versions
  WHEN NEW.asOf < (SELECT max(asOf) FROM versions)
  BEGIN SELECT RAISE(ABORT, 'a version is dated before an earlier one'); END;
  CREATE TRIGGER "versions are not changed" BEFORE UPDATE ON versions
  BEGIN SELECT RAISE(ABORT, 'a version stays as it is'); END;
  CREATE TRIGGER "versions in use are not forgotten" BEFORE DELETE ON versions
  WHEN NOT EXISTS (
    SELECT 1 FROM versions WHERE dataset = OLD.dataset AND period = OLD.period AND version > OLD.version
    AND (state = 'complete' OR OLD.state = 'provisional')
  )
  BEGIN SELECT RAISE(ABORT, 'a version is answered from'); END;`

/** Earlier releases knew the newest version of a month alone, in the table `periods`. */
const NEWEST_VERSIONS = `
  SELECT dataset, period, version, state, asOf, coalesce((SELECT max(id) FROM imports), 0) AS import, version - 1 AS follows
  FROM periods`

/** Of the warehouse's own tables, in SQLite's `user_version`; raised whenever they change. The first release had 0. */
const SHAPE = 2

/** Makes the warehouse's own tables, or brings those of an earlier release up to date; writes nothing if they are. */
export function createOwnTables(db: Database): void {
  const shape = shapeOf(db)
  if (shape === SHAPE) return
  db.exec(OWN_TABLES)
  // The first release did not write the versions of datasets down; they were all the first.
  if (shape === 0) {
    db.exec(`
      INSERT INTO datasets SELECT substr(name, length('dataset ') + 1), 1 FROM sqlite_schema
      WHERE type = 'table' AND name LIKE 'dataset %'`)
  }
  if (tableExists(db, 'periods')) db.exec(`INSERT INTO versions ${NEWEST_VERSIONS}; DROP TABLE periods`)
  db.exec(VERSIONS_STAY)
  db.pragma(`user_version = ${SHAPE}`)
}

/** Lets a warehouse of an earlier release be read like one of this, without a change to its file. */
export function showOwnTables(db: Database): void {
  if (shapeOf(db) < SHAPE) db.exec(`CREATE TEMP VIEW versions AS ${NEWEST_VERSIONS.replace('periods', 'main.periods')}`)
}

function shapeOf(db: Database): number {
  return db.pragma('user_version', { simple: true }) as number
}

/** @throws InbondError `newer-database`, with the database closed */
export function refuseNewer(db: Database): void {
  if (shapeOf(db) <= SHAPE) return
  const { name } = db
  db.close()
  throw new InbondError('newer-database', `${name} was written by a later version of Inbond`)
}

export function isWarehouse(db: Database): boolean {
  return tableExists(db, 'imports')
}

export function hasTable(db: Database, dataset: Dataset): boolean {
  return tableExists(db, tableOf(dataset))
}

/** A warehouse of an earlier release has no history until the next import. */
export function hasHistory(db: Database, dataset: Dataset): boolean {
  return tableExists(db, historyOf(dataset))
}

function tableExists(db: Database, name: string): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined
}

/**
 * Makes a dataset's tables if they are not there yet: its records, and those that were replaced or deleted, which triggers keep, with
 * the import that did it. A record that was never there between two imports is not kept.
 * @throws InbondError `warehouse-outdated` if they are there in another version
 */
export function createDatasetTables(db: Database, dataset: Dataset): void {
  const columns = columnsOf(dataset)
  for (const [id, { most, least, decimals }] of Object.entries(dataset.measures)) {
    const widest = Math.max(Math.abs(most), Math.abs(least)) * 10 ** decimals
    if (widest > LARGEST_UNITS) throw new Error(`${dataset.id}.${id} is too wide for exact sums; narrow its bounds`)
  }
  const [table, history] = [quoted(tableOf(dataset)), quoted(historyOf(dataset))]
  const period = periodOf(dataset)
  const declared = columns.map(({ name, type }) => {
    const required = name === 'import' || name === period ? ' NOT NULL' : ''
    return `${quoted(name)} ${type}${required}`
  })
  const old = columns.map(({ name }) => `OLD.${quoted(name)}`).join(', ')
  const keepBefore = (change: string) => `
    CREATE TRIGGER IF NOT EXISTS ${quoted(`${tableOf(dataset)} ${change}`)} BEFORE ${change} ON ${table}
    WHEN OLD.import <> (SELECT max(id) FROM imports)
    BEGIN INSERT INTO ${history} SELECT max(id), ${old} FROM imports; END;`
  db.exec(`
    CREATE TABLE IF NOT EXISTS ${table} (${declared.join(', ')}) STRICT;
    CREATE UNIQUE INDEX IF NOT EXISTS ${quoted(`${tableOf(dataset)} key`)} ON ${table} (key) WHERE key IS NOT NULL;
    CREATE TABLE IF NOT EXISTS ${history} (removed INTEGER NOT NULL, ${declared.join(', ')}) STRICT;
    ${['UPDATE', 'DELETE'].map(keepBefore).join('')}`)
  db.prepare('INSERT INTO datasets VALUES (?, ?) ON CONFLICT DO NOTHING').run(dataset.id, dataset.version)
  requireVersion(db, dataset)
}

/**
 * Records of another version of the dataset are not taken for records of this one.
 * @throws InbondError `warehouse-outdated`
 */
export function requireVersion(db: Database, dataset: Dataset): void {
  const present = db.prepare('SELECT name FROM pragma_table_info(?)').pluck().all(tableOf(dataset))
  const columns = columnsOf(dataset).map(({ name }) => name)
  const version = tableExists(db, 'datasets')
    ? db.prepare('SELECT version FROM datasets WHERE id = ?').pluck().get(dataset.id)
    : 1
  if (present.join() === columns.join() && version === dataset.version) return
  throw new InbondError(
    'warehouse-outdated',
    `the warehouse holds ${dataset.id} in another version than ${dataset.version}`,
  )
}

import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Coordinator } from '#coordinator/app.ts'
import type { Context } from '#coordinator/context.ts'
import * as coordinatorSchema from '#coordinator/schema.ts'
import { contributionFile, roundFolder, sumFile } from '#coordinator/uploads.ts'
import { ciphertextFile, type Node } from '#member-node/node.ts'
import * as memberSchema from '#member-node/schema.ts'
import * as researcherSchema from '#researcher/schema.ts'
import type { ManifestId, RoundId } from '#specs/messages.ts'
import type { Names } from './inside/faults.ts'

/**
 * The points at which a party can be killed, made from what the product declares: its tables, whose columns of states and steps
 * are those of the round; the operations of its interface; its files. That nothing is missing, and nothing too much, is proven
 * by what processes trace.
 */

export type Kind = 'coordinator' | 'member' | 'researcher'

const schemas = { coordinator: coordinatorSchema, member: memberSchema, researcher: researcherSchema }
/** Where the migrations that a database has are noted. */
const MIGRATIONS = '__drizzle_migrations'

function columnsOf(kind: Kind) {
  return Object.values(schemas[kind])
    .filter(one => one instanceof SQLiteTable)
    .flatMap(table => {
      const { name, columns } = getTableConfig(table)
      return columns.map(column => ({
        table: name,
        name: `${name}.${column.name}`,
        isNullable: !column.notNull && !column.primary,
        values: (column.enumValues ?? []) as readonly string[],
        // A secret that is thrown away while its row stays.
        isEmptied: !column.notNull && !column.primary && column.columnType === 'SQLiteBlobBuffer',
      }))
    })
}

/**
 * Tables, columns and operations that no scenario here comes to: a login takes a provider, charters are given back to a restored
 * coordinator alone, a sum is added up again by a custodian only where contributions have 64 MiB, and nobody is restored.
 */
const ELSEWHERE = [
  'logins',
  'GET /organisations',
  'POST /logins',
  'GET /revocations/{revocation}',
  'POST /charters',
  'draws',
  'recounts',
  'refusals.step=recount',
  'restorations',
  'recalled_answers',
  'queries.sum',
  'queries.revealed_at',
  'POST /rounds/{round}/draw',
  'POST /rounds/{round}/recounts',
]

/** Columns that are never empty, and change: a key waits no more. */
const CHANGING = ['parties.is_replacement']

function commits(kind: Kind): string[] {
  const columns = columnsOf(kind).filter(one => !ELSEWHERE.includes(one.table))
  const tables = [...new Set(columns.map(one => one.table)), MIGRATIONS]
  const all = [
    ...tables,
    ...columns.flatMap(one => one.values.map(value => `${one.name}=${value}`)),
    ...columns.filter(one => one.isNullable || CHANGING.includes(one.name)).map(one => one.name),
    ...columns.filter(one => one.isEmptied).map(one => `${one.name} emptied`),
  ]
  return all.filter(name => !ELSEWHERE.includes(name)).map(name => `commit ${name}`)
}

interface Operation {
  readonly name: string
  readonly path: string
  readonly tag: string
  readonly isPublic: boolean
}

function operations(app: Coordinator['app']): Operation[] {
  const { paths = {} } = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: '', version: '' } })
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, { tags: string[]; security: unknown[] }>).map(([method, made]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      tag: made.tags[0] as string,
      isPublic: made.security.length === 0,
    })),
  )
}

/** Whose business the operations of a tag are; those that need no token are everybody's, but for the log. */
const CLIENTS: Readonly<Record<string, Kind>> = {
  Federation: 'member',
  Rounds: 'member',
  Ledger: 'member',
  Queries: 'researcher',
}
/** Whose business others are. Readers alone ask for the list of releases. */
const READERS: Readonly<Record<string, readonly Kind[]>> = {
  'GET /log/checkpoint': ['researcher'],
  'GET /log/tile/entries/{index}': ['member', 'researcher'],
  'GET /log/tile/{level}/{index}': ['member', 'researcher'],
  'GET /charters/{charter}': ['member', 'researcher'],
  'GET /cohorts/{cohort}': ['member', 'researcher'],
  'GET /offers': ['researcher'],
  'PUT /rounds/{round}/release': ['researcher'],
  'GET /releases': [],
  'GET /releases/{release}': ['researcher'],
}

function sends(kind: Kind, app: Coordinator['app']): string[] {
  const all = operations(app).filter(one => !ELSEWHERE.includes(one.name))
  const isSent = ({ name, isPublic, tag }: Operation, by: Kind) =>
    READERS[name]?.includes(by) ?? (isPublic || CLIENTS[tag] === by)
  if (kind === 'coordinator') {
    return all.filter(one => READERS[one.name]?.length !== 0).map(one => `answer ${one.name}`)
  }
  return all.filter(one => isSent(one, kind)).map(one => `send ${one.name}`)
}

const ID = '{id}'
const round = ID as RoundId
const coordinatorFiles = { uploads: 'uploads' } as Context
const memberFiles = { outbox: 'outbox' } as Node
const IDENTITY = ['keep keys/identity', 'keep config.yaml']

const files: Readonly<Record<Kind, readonly string[]>> = {
  coordinator: [
    ...IDENTITY,
    `keep ${contributionFile(coordinatorFiles, round, ID as ManifestId)}`,
    `keep ${sumFile(coordinatorFiles, round)}`,
    `remove ${roundFolder(coordinatorFiles, round)}`,
  ],
  member: [...IDENTITY, `keep ${ciphertextFile(memberFiles, round)}`, `remove ${ciphertextFile(memberFiles, round)}`],
  researcher: IDENTITY,
}

/** Everything that a party commits, sends, keeps or removes; each is a point before and a point after. */
export function boundaries(kind: Kind, app: Coordinator['app']): string[] {
  return [...commits(kind), ...sends(kind, app), ...files[kind]]
}

export function points(kind: Kind, app: Coordinator['app']): string[] {
  return boundaries(kind, app).flatMap(what => [`before ${what}`, `after ${what}`])
}

/** How processes name what they do. */
export function names(kind: Kind, app: Coordinator['app']): Names {
  const columns = columnsOf(kind)
  return {
    paths: operations(app).map(one => one.path),
    nullable: columns.filter(one => one.isNullable).map(one => one.name),
    enumerated: columns.filter(one => one.values.length > 0).map(one => one.name),
  }
}

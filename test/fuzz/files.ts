import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { CompactEncrypt } from 'jose'
import { expect } from 'vitest'
import { stringify } from 'yaml'
import { config as coordinatorConfig } from '#coordinator/config.ts'
import { type IdentityKey, readKeyFile, writeKeyFile } from '#crypto/signature.ts'
import { config as memberConfig } from '#member-node/config.ts'
import { openCsv } from '#member-node/import/csv.ts'
import { importFile } from '#member-node/import/importer.ts'
import { type Mapping, parseMapping } from '#member-node/import/mapping.ts'
import { type Policy, parsePolicy, presets } from '#member-node/policy.ts'
import { openWarehouse } from '#member-node/warehouse/warehouse.ts'
import { keysIn, readConfig } from '#party/directory.ts'
import { config as researcherConfig } from '#researcher/config.ts'
import { declarations } from '#specs/datasets/declarations.ts'
import { parseQueryFile, plan, type QueryFile, question } from '#specs/query.ts'
import { type Decoder, decoder } from './decoder.ts'
import { mutatedBytes, mutatedText } from './mutations.ts'

/**
 * Files that a person writes, or is sent. What was read is written again in the plainest form and read once more: it must be
 * the same, or something was taken for what it is not.
 */
export async function fileDecoders(folder: string, key: IdentityKey): Promise<Decoder[]> {
  mkdirSync(folder, { recursive: true })
  return [
    queryFiles,
    mappings,
    policies,
    configuration(folder, 'coordinator', coordinatorConfig, COORDINATOR),
    configuration(folder, 'member', memberConfig, MEMBER),
    configuration(folder, 'researcher', researcherConfig, RESEARCHER),
    await keyFiles(key),
    keyRings(key),
    csvFiles(folder),
    imports(folder),
  ]
}

const folderOf = (path: string) => join(import.meta.dirname, '../demo', path)

function filesIn(path: string): string[] {
  return readdirSync(folderOf(path)).map(file => readFileSync(join(folderOf(path), file), 'utf8'))
}

const QUERIES = [
  ...filesIn('queries'),
  `dataset: declarations
where:
  flow: import
  origin: [KR, other, unknown]
  hs6: 8517*
  hs4: { from: "8501", to: "8548" }
  period: { from: 2023-01, to: 2023-12 }
by: [hs6, period]
measures: [{ count: records }, { count: netMass }, { sum: value }]
purpose: Telephones by month
need: { atLeast: 4 }
closes: 90m
`,
]

function queryAgain({ question: asked, need, closesAfter }: QueryFile): string {
  const where = asked.where.map(one => {
    if (one.kind === 'codes') return [one.dimension, one.codes]
    return [one.dimension, one.kind === 'prefix' ? `${one.prefix}*` : { from: one.from, to: one.to }]
  })
  const { dataset, by, measures, purpose, purposeCode } = asked
  const file = { dataset: dataset.id, where: Object.fromEntries(where), by, measures, purpose, purposeCode, need }
  return JSON.stringify({ ...file, closes: `${closesAfter / 1000}s` })
}

const queryFiles = decoder<string, QueryFile>({
  name: 'a query file',
  examples: QUERIES,
  inputs: mutatedText(QUERIES),
  codes: ['bad-query', 'unknown-dataset', 'too-many-slots'],
  decode: parseQueryFile,
  believe: read => {
    expect(question.parse(read.question)).toEqual(read.question)
    expect(plan(read.question).slots).toBeGreaterThan(0)
    expect(parseQueryFile(queryAgain(read))).toEqual(read)
  },
})

const MAPS = filesIn('maps')

function mappingAgain({ key, sources, delimiter, encoding, decimal }: Mapping): string {
  const constants: Record<string, string> = {}
  const columns: Record<string, unknown> = {}
  for (const [target, source] of sources) {
    if ('constant' in source) constants[target] = source.constant
    else columns[target] = source.codes ? { ...source, codes: Object.fromEntries(source.codes) } : source
  }
  const keyed = key.length > 0 ? { key } : {}
  return JSON.stringify({ dataset: 'declarations', ...keyed, constants, columns, delimiter, encoding, decimal })
}

const mappings = decoder<string, Mapping>({
  name: 'a map',
  isSlow: true,
  examples: MAPS,
  inputs: mutatedText(MAPS),
  codes: ['bad-mapping'],
  decode: yaml => parseMapping(yaml, declarations),
  believe: read => {
    expect({ ...parseMapping(mappingAgain(read), declarations), hash: '' }).toEqual({ ...read, hash: '' })
  },
})

const POLICIES = [
  stringify(presets.standard),
  stringify({
    ...presets.standard,
    organisations: ['OECD', 'Statistics Korea'],
    dimensions: ['hs2', 'flow'],
    otherwise: 'one person',
    stewards: [{ name: 'Kim', key: 'A'.repeat(43) }],
    templates: [
      {
        name: 'by chapter',
        dataset: 'declarations',
        by: ['hs2'],
        where: 'all',
        measures: ['sum(value)'],
        periods: 'year',
        approval: 'automatic',
      },
    ],
  }),
  'datasets: [declarations]\ndimensions: 2\nhsDigits: 4\ndimensionsAtFinest: 0\nsmallestCohort: 3\nquestionsADay: 5\n',
]

const policies = decoder<string, Policy>({
  name: 'a policy',
  examples: POLICIES,
  inputs: mutatedText(POLICIES),
  codes: ['bad-policy'],
  decode: parsePolicy,
  believe: read => expect(parsePolicy(JSON.stringify(read))).toEqual(read),
})

const FEDERATION = 'f'.repeat(43)
const COORDINATOR = {
  role: 'coordinator',
  name: 'Trade statistics',
  currency: 'USD',
  host: '127.0.0.1',
  port: 8400,
  url: 'https://inbond.example/path',
  tls: { certificate: '/etc/ssl/inbond.crt', key: '/etc/ssl/inbond.key' },
  plainHttp: true,
}
const MEMBER = {
  role: 'member',
  id: 'KR',
  name: 'Korea Customs',
  coordinator: { url: 'https://inbond.example', federation: FEDERATION, plainHttp: true },
  currency: 'USD',
  policy: 'standard',
  conventions: { importValuation: 'CIF', exportValuation: 'FOB', tradeSystem: 'general', dateBasis: 'lodged' },
}
const RESEARCHER = { role: 'researcher', name: 'Ada', coordinator: MEMBER.coordinator, certificate: 'a.b.c' }

function configuration(
  folder: string,
  role: string,
  schema: Parameters<typeof readConfig>[1],
  written: object,
): Decoder {
  const examples = [stringify(written)]
  const path = join(folder, role)
  mkdirSync(path, { recursive: true })
  const read = (yaml: string) => {
    writeFileSync(join(path, 'config.yaml'), yaml)
    return readConfig(path, schema)
  }
  return decoder<string, unknown>({
    name: `config.yaml of a ${role}`,
    examples,
    inputs: mutatedText(examples),
    codes: ['bad-config', 'not-allowed'],
    decode: read,
    believe: async found => expect(await read(JSON.stringify(found))).toEqual(found),
  })
}

const PASSPHRASE = 'correct horse'

/** Key files, plain and sealed; sealed with few iterations, because what they cost is not in question. */
async function keyFiles(key: IdentityKey): Promise<Decoder> {
  const plain = await writeKeyFile(key, undefined)
  const sealed = await new CompactEncrypt(new TextEncoder().encode(plain))
    .setProtectedHeader({ alg: 'PBES2-HS512+A256KW', enc: 'A256GCM' })
    .setKeyManagementParameters({ p2c: 1000 })
    .encrypt(new TextEncoder().encode(PASSPHRASE))
  const examples = [plain, sealed]
  return decoder<string, IdentityKey>({
    name: 'a key file',
    examples,
    inputs: mutatedText(examples),
    codes: ['bad-key-file', 'wrong-passphrase'],
    decode: file => readKeyFile(file, PASSPHRASE),
    believe: read => expect(read).toEqual(key),
  })
}

/** A file of several keys, one a line. */
function keyRings(key: IdentityKey): Decoder {
  const line = JSON.stringify({ x: key.publicKey, d: key.privateKey })
  const examples = [`${line}\n`, `${line}\n${line}\n`]
  return decoder<string, IdentityKey[]>({
    name: 'a file of several keys',
    examples,
    inputs: mutatedText(examples),
    codes: ['bad-key-file', 'wrong-passphrase'],
    decode: file => keysIn(file, PASSPHRASE),
    believe: read => {
      expect(read.length).toBeGreaterThan(0)
      for (const one of read) expect(one).toEqual(key)
    },
  })
}

const TABLE = `Id;Date;HS;From;Mode;Price;Mass
1;2020-01;0101;KR;10;10,50;1
2;2020-02-29;8517.12;410;"4""0";"1.234,5";7,0005

"3;x";2020-12;85;kor;;0;
`
const LATIN = Buffer.from(TABLE.replaceAll('KR', 'Curaçao'), 'latin1')
const UTF16 = Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from(TABLE, 'utf16le')])
const TABLES = [
  Buffer.from(TABLE),
  Buffer.from(`\ufeffsep=;\r\n${TABLE.replaceAll('\n', '\r\n')}`),
  Buffer.from(TABLE.replaceAll('\n', '\r')),
  LATIN,
  UTF16,
]

interface Table {
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly delimiter: string
}

function csvFiles(folder: string): Decoder {
  const path = join(folder, 'table.csv')
  const read = (bytes: Uint8Array, hints = {}): Table => {
    writeFileSync(path, bytes)
    const { header, delimiter, records } = openCsv(path, { wanted: ['Id', 'Date'], ...hints })
    return { header, delimiter, rows: [...records()].filter(one => one.problem === undefined).map(one => one.cells) }
  }
  return decoder<Uint8Array, Table>({
    name: 'a CSV file',
    isSlow: true,
    examples: TABLES,
    inputs: mutatedBytes(TABLES),
    codes: ['bad-file'],
    decode: bytes => read(bytes),
    believe: ({ header, rows, delimiter }) => {
      const line = (cells: readonly string[]) =>
        `${cells.map(cell => `"${cell.replaceAll('"', '""')}"`).join(delimiter)}\n`
      const again = read(Buffer.from([header, ...rows].map(line).join('')), { delimiter, encoding: 'utf-8' })
      expect(again).toEqual({ header, rows: rows.map(wellFormed), delimiter })
    },
  })
}

/** Half a surrogate pair cannot be written as UTF-8. */
function wellFormed(cells: readonly string[]): string[] {
  return cells.map(cell => cell.toWellFormed())
}

const MAP = `dataset: declarations
key: Id
constants: { flow: import, currency: USD }
columns:
  period: Date
  hs6: HS
  origin: From
  transport: { from: Mode, codes: { "10": sea, "*": other } }
  value: Price
  netMass: Mass
`

/** The whole way of a file into the warehouse, of which nothing is kept. */
function imports(folder: string): Decoder {
  const mapping = parseMapping(MAP, declarations)
  const file = join(folder, 'import.csv')
  return decoder<Uint8Array, ReturnType<typeof importFile>>({
    name: 'an import',
    isSlow: true,
    examples: TABLES,
    inputs: fc.oneof(mutatedBytes(TABLES), mutatedText([TABLE]).map(Buffer.from)),
    codes: ['bad-file', 'column-not-found', 'ambiguous-decimal', 'currency-not-supported', 'nothing-loaded'],
    decode: bytes => {
      writeFileSync(file, bytes)
      using warehouse = openWarehouse(':memory:')
      const request = { dataset: declarations, mapping, file, rejectedFolder: join(folder, 'rejected') }
      return importFile(request, { warehouse, currency: 'USD', clock: () => 0 })
    },
    believe: ({ read, loaded, replaced, rejected, periods }) => {
      expect(read).toBe(loaded + replaced + rejected)
      for (const period of periods) expect(period).toMatch(/^(19|20|21)\d\d-(0[1-9]|1[0-2])$/)
    },
  })
}

import { createHash } from 'node:crypto'
import { z } from 'zod'
import { InbondError } from '#crypto/error.ts'
import { type Dataset, sourceColumns } from '#specs/datasets/dataset.ts'
import { describeIssues, inWords } from '#specs/wording.ts'
import { readYaml } from '#specs/yaml.ts'
import { monthReader } from './months.ts'

/** Where a column of the dataset comes from: a column of the file, or one value for every record. */
export type Source =
  | { readonly constant: string }
  | {
      readonly from: string
      /** How dates are written, such as `DD/MM/YYYY`; without it, ISO 8601. */
      readonly format?: string
      /** The file's own codes to the dataset's; `*` stands for every other one that is not empty. */
      readonly codes?: ReadonlyMap<string, string>
    }

/** How an administration's own columns become the dataset's. */
export interface Mapping {
  /** Columns of the file that together name a record, so that a later one replaces it; empty without a key. */
  readonly key: readonly string[]
  /** By column of the dataset. */
  readonly sources: ReadonlyMap<string, Source>
  readonly delimiter?: string
  /** A label of the WHATWG Encoding Standard. */
  readonly encoding?: string
  readonly decimal?: '.' | ','
  /** SHA-256 of the map's text, in hexadecimal. */
  readonly hash: string
}

const name = z.string().trim().min(1)
const column = z.union([
  name.transform(from => ({ from })),
  z.strictObject({
    from: name,
    take: z.enum(['month', 'year-month']).optional(),
    format: name.optional(),
    codes: z.record(z.string(), name).optional(),
  }),
])
const mapFile = z.strictObject({
  dataset: name,
  key: z.union([name.transform(one => [one]), z.array(name).min(1)]).default([]),
  constants: z.record(z.string(), name).default({}),
  columns: z.record(z.string(), column),
  delimiter: z.enum([',', ';', '|', '\t', 'tab']).optional(),
  encoding: name.optional(),
  decimal: z.enum(['.', ',']).optional(),
})
type MapColumn = z.infer<typeof column>

function refuse(message: string): never {
  throw new InbondError('bad-mapping', message)
}

/**
 * Reads a map file for a dataset.
 * @throws InbondError `bad-mapping`
 */
export function parseMapping(yaml: string, dataset: Dataset): Mapping {
  const file = readMapFile(yaml)
  if (file.dataset !== dataset.id) refuse(`the map is for the dataset "${file.dataset}", not for "${dataset.id}"`)
  const possible = sourceColumns(dataset)
  const sources = new Map<string, Source>()
  for (const [target, constant] of Object.entries(file.constants)) sources.set(target, { constant })
  for (const [target, from] of Object.entries(file.columns)) {
    if (sources.has(target)) refuse(`${target} stands both under constants and under columns`)
    sources.set(target, columnSource(dataset, target, from))
  }
  const strange = [...sources.keys()].find(target => !possible.includes(target))
  if (strange !== undefined) refuse(`${dataset.id} has no column "${strange}"; it has ${possible.join(', ')}`)
  const period = Object.entries(dataset.dimensions).find(([, dimension]) => dimension.kind === 'period')?.[0]
  if (period !== undefined && !sources.has(period)) refuse(`the map does not say where ${period} comes from`)
  return {
    key: file.key,
    sources,
    hash: createHash('sha256').update(yaml).digest('hex'),
    ...(file.delimiter !== undefined && { delimiter: file.delimiter === 'tab' ? '\t' : file.delimiter }),
    ...(file.encoding !== undefined && { encoding: file.encoding }),
    ...(file.decimal !== undefined && { decimal: file.decimal }),
  }
}

function readMapFile(yaml: string): z.infer<typeof mapFile> {
  const document = readYaml(yaml, { name: 'the map', code: 'bad-mapping', schema: 'failsafe' })
  const parsed = mapFile.safeParse(document ?? {}, { error: inWords })
  return parsed.success ? parsed.data : refuse(`the map does not fit: ${describeIssues(parsed.error, 'it')}`)
}

function columnSource(dataset: Dataset, target: string, column: MapColumn): Source {
  if (!('codes' in column || 'format' in column || 'take' in column)) return { from: column.from }
  const dimension = dimensionFrom(dataset, target)
  if (dimension?.kind !== 'period' && (column.format ?? column.take) !== undefined) {
    refuse(`${target} is no date, so it has neither format nor take`)
  }
  if (column.format !== undefined) monthReader(column.format)
  if (column.codes === undefined) {
    return column.format === undefined ? { from: column.from } : { from: column.from, format: column.format }
  }
  if (dimension === undefined || dimension.kind === 'period') return refuse(`${target} has no codes to translate to`)
  for (const code of Object.values(column.codes)) {
    if (code === 'other' || code === 'unknown' || dimension.kind === 'level') continue
    if (dimension.codeList.recognise(code) !== undefined) continue
    const some = dimension.codeList.codes.slice(0, 20).join(', ')
    refuse(`${target}: "${code}" is not a code of the list ${dimension.codeList.id} (${some}), nor other or unknown`)
  }
  return { from: column.from, codes: new Map(Object.entries(column.codes)) }
}

/** The dimension that a column of the source fills; for a hierarchical code, one of its levels. */
function dimensionFrom(dataset: Dataset, target: string) {
  const filled = Object.entries(dataset.dimensions).find(([id, d]) => (d.kind === 'level' ? d.of : id) === target)
  return filled?.[1]
}

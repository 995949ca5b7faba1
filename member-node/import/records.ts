import { InbondError } from '#crypto/error.ts'
import type { Dataset, LevelDimension, Measure } from '#specs/datasets/dataset.ts'
import { columnsOf, hierarchies, periodOf, rawColumn } from '../warehouse/tables.ts'
import type { Row } from '../warehouse/writer.ts'
import { type CodeReading, codeReader, levelReader, remembered } from './codes.ts'
import type { CsvRecord } from './csv.ts'
import { type CodeCount, FrequentCodes } from './frequent-codes.ts'
import { columnIndex } from './header.ts'
import type { Mapping, Source } from './mapping.ts'
import { monthReader } from './months.ts'
import { decimalReader, type NumberFormat, type Units } from './rounding.ts'

/** How often something was noted, by dimension or measure. */
export type Counts = Record<string, number>

/** What was noted of the records that were accepted. */
export interface Quality {
  readonly rounded: Counts
  readonly clipped: Counts
  readonly other: Counts
  readonly unknown: Counts
  /** The most frequent codes that count as `other`, and those that count as `unknown`, by dimension. */
  readonly otherCodes: Readonly<Record<string, readonly CodeCount[]>>
  readonly unknownCodes: Readonly<Record<string, readonly CodeCount[]>>
}

/** Parts of a key of several columns; no text has it. */
const KEY_SEPARATOR = '\u001f'

type Cell = (cells: readonly string[]) => string
/**
 * Fills its part of a row, or says why the record is rejected. A reason does not quote the cell: it is printed, and with a wrong map the
 * cell could be a trader. The file of rejected records has it.
 */
type Field = (record: CsvRecord, row: Row) => string | undefined

/**
 * Makes rows for the warehouse out of records of a file, as the mapping says. What can reject a record is read first, so
 * that only accepted records are counted.
 */
export class RecordReader {
  readonly #counts = { rounded: {}, clipped: {}, other: {}, unknown: {} } satisfies Record<string, Counts>
  readonly #codes = { other: new FrequentCodes(), unknown: new FrequentCodes() }
  /** Dimensions that the map leaves out: unknown in every record, and not counted. */
  readonly unmapped: readonly string[]
  readonly #dataset: Dataset
  readonly #mapping: Mapping
  readonly #header: readonly string[]
  readonly #columns: ReadonlyMap<string, number>
  readonly #fields: readonly Field[]

  /**
   * @param currency the charter's
   * @param idOf the warehouse's dictionary
   * @throws InbondError `column-not-found`, `bad-file`, `bad-mapping`, `currency-not-supported`
   */
  constructor(
    dataset: Dataset,
    mapping: Mapping,
    header: readonly string[],
    numbers: NumberFormat,
    currency: string,
    idOf: (code: string) => number,
  ) {
    this.#dataset = dataset
    this.#mapping = mapping
    this.#header = header
    this.#columns = new Map(columnsOf(dataset).map(({ name }, i) => [name, i]))
    this.unmapped = Object.entries(dataset.dimensions)
      .filter(([id, one]) => !mapping.sources.has(one.kind === 'level' ? one.of : id))
      .map(([id]) => id)
    this.#fields = [
      this.#period(),
      this.#currency(currency),
      this.#measures(numbers),
      this.#key(),
      this.#text('trader', 'trader'),
      ...this.#coded(idOf),
      ...hierarchies(dataset).map(of => this.#levels(of, idOf)),
    ].filter(field => field !== undefined)
  }

  get quality(): Quality {
    const { other, unknown } = this.#codes
    return { ...this.#counts, otherCodes: other.listed(), unknownCodes: unknown.listed() }
  }

  /** A row, or the reason why the record is rejected. @throws InbondError `currency-not-supported` */
  read(record: CsvRecord): Row | string {
    const row: Row = new Array(this.#columns.size).fill(null)
    for (const field of this.#fields) {
      const reason = field(record, row)
      if (reason !== undefined) return reason
    }
    return row
  }

  #period(): Field {
    const id = periodOf(this.#dataset)
    const source = this.#mapping.sources.get(id)
    const cell = this.#cell(source) as Cell
    const at = this.#at(id)
    const read = monthReader(source && 'format' in source ? source.format : undefined)
    const month = remembered(text => read(text) ?? Number.NaN)
    return ({ cells }, row) => {
      const text = cell(cells)
      const index = month(text)
      row[at] = index
      if (!Number.isNaN(index)) return undefined
      return text === '' ? `${id} is empty` : `${id} is not a date in the expected form`
    }
  }

  #currency(charters: string): Field | undefined {
    const source = this.#mapping.sources.get('currency')
    const cell = this.#cell(source)
    if (source && 'constant' in source && source.constant.toUpperCase() !== charters.toUpperCase()) {
      throw new InbondError(
        'currency-not-supported',
        `the map says ${source.constant}, and the charter counts in ${charters}`,
      )
    }
    return (
      cell &&
      (({ cells, line }) => {
        const text = cell(cells)
        if (text === charters) return undefined
        if (text === '') return 'currency is empty'
        if (text.toUpperCase() === charters.toUpperCase()) return undefined
        throw new InbondError(
          'currency-not-supported',
          `line ${line} is in another currency, and the charter counts in ${charters}`,
        )
      })
    )
  }

  /** All measures of a record: they are counted only when none of them rejects it. */
  #measures(numbers: NumberFormat): Field {
    const measures = Object.entries(this.#dataset.measures).flatMap(([id, measure]) => {
      const cell = this.#cell(this.#mapping.sources.get(id))
      return cell ? [{ id, cell, at: this.#at(id), read: measureReader(measure, numbers) }] : []
    })
    return ({ cells }, row) => {
      const notes: [Counts, string][] = []
      for (const { id, cell, at, read } of measures) {
        const text = cell(cells)
        if (text === '') continue
        const reading = read(text)
        if (typeof reading === 'string') return `${id} ${reading}`
        row[at] = reading.units
        if (reading.rounded) notes.push([this.#counts.rounded, id])
        if (reading.clipped) notes.push([this.#counts.clipped, id])
      }
      for (const [counts, id] of notes) count(counts, id)
      return undefined
    }
  }

  #key(): Field | undefined {
    const at = this.#at('key')
    const parts = this.#mapping.key.map(name => columnIndex(this.#header, name))
    if (parts.length === 0) return undefined
    return ({ cells }, row) => {
      const key = parts.map(index => cells[index]?.trim() ?? '')
      if (key.includes('')) return 'the key is empty'
      row[at] = key.join(KEY_SEPARATOR)
      return undefined
    }
  }

  #text(target: string, column: string): Field | undefined {
    const cell = this.#cell(this.#mapping.sources.get(target))
    const at = this.#at(column)
    return (
      cell &&
      (({ cells }, row) => {
        row[at] = cell(cells) || null
        return undefined
      })
    )
  }

  #coded(idOf: (code: string) => number): (Field | undefined)[] {
    return Object.entries(this.#dataset.dimensions).map(([id, dimension]) => {
      if (dimension.kind !== 'coded') return undefined
      const source = this.#mapping.sources.get(id)
      // A dimension that the map leaves out is empty everywhere, which may mean a code.
      const cell = this.#cell(source) ?? (dimension.whenEmpty === undefined ? undefined : () => '')
      const read = codeReader(dimension, translation(source), idOf)
      if (source && 'constant' in source && source.constant !== 'unknown' && read(source.constant).id === null) {
        const { codeList } = dimension
        throw new InbondError('bad-mapping', `${id}: "${source.constant}" is not a code of the list ${codeList.id}`)
      }
      const at = this.#at(id)
      return cell && (({ cells }, row) => this.#note(row, at, id, read(cell(cells))))
    })
  }

  #levels(of: string, idOf: (code: string) => number): Field | undefined {
    const source = this.#mapping.sources.get(of)
    const cell = this.#cell(source)
    if (!cell) return undefined
    const levels = Object.entries(this.#dataset.dimensions).filter(
      (entry): entry is [string, LevelDimension] => entry[1].kind === 'level' && entry[1].of === of,
    )
    const read = levelReader(
      levels.map(([, level]) => level),
      translation(source),
      idOf,
    )
    const at = levels.map(([id]) => ({ id, at: this.#at(id) }))
    const rawAt = this.#at(rawColumn(of))
    return ({ cells }, row) => {
      const text = cell(cells)
      const readings = read(text)
      for (const [i, level] of at.entries()) this.#note(row, level.at, level.id, readings[i] as CodeReading)
      row[rawAt] = text || null
      return undefined
    }
  }

  #note(row: Row, at: number, id: string, { id: code, counts, named }: CodeReading): undefined {
    row[at] = code
    if (counts === undefined) return
    count(this.#counts[counts], id)
    if (named !== undefined) this.#codes[counts].add(id, named)
  }

  #cell(source: Source | undefined): Cell | undefined {
    if (source === undefined) return undefined
    if ('constant' in source) return () => source.constant
    const index = columnIndex(this.#header, source.from)
    return cells => (cells[index] as string).trim()
  }

  #at(column: string): number {
    return this.#columns.get(column) as number
  }
}

function translation(source: Source | undefined): ReadonlyMap<string, string> | undefined {
  return source && 'codes' in source ? source.codes : undefined
}

function count(counts: Counts, id: string): void {
  counts[id] = (counts[id] ?? 0) + 1
}

/** A measure within its bounds, or what is wrong with it. */
function measureReader(
  { least, most, decimals, beyond }: Measure,
  numbers: NumberFormat,
): (text: string) => (Units & { clipped: boolean }) | string {
  const read = decimalReader(numbers, decimals)
  const [lowest, highest] = [least * 10 ** decimals, most * 10 ** decimals]
  return text => {
    const reading = read(text)
    if (!reading) return `is not a number with a decimal ${numbers.decimal === '.' ? 'point' : 'comma'}`
    const { units, rounded } = reading
    if (units >= lowest && units <= highest) return { units, rounded, clipped: false }
    if (beyond === 'reject') return `is not between ${least} and ${most}`
    return { units: units < lowest ? lowest : highest, rounded, clipped: true }
  }
}

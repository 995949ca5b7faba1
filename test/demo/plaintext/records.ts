import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import iso from 'i18n-iso-countries/codes.json' with { type: 'json' }
import { declarations } from '#specs/datasets/declarations.ts'
import { type ReadLayout, readLayouts } from './layouts.ts'
import { exactUnits, monthOf, rowsOf } from './text.ts'

/** A record of a CSV file that an importer must accept. */
export interface PlainRecord {
  /** By dimension: a code, or undefined for unknown. `hs6` holds all digits that were written. */
  readonly codes: Readonly<Record<string, string | undefined>>
  /** By measure, in smallest units; undefined where the cell is empty. */
  readonly amounts: Readonly<Record<string, bigint | undefined>>
}

const COUNTRIES = ['origin', 'consignment', 'destination']
const WORDS = ['flow', 'procedure', 'transport', 'quantityUnit']
const countryOf = new Map((iso as string[][]).flatMap(([a2 = '', a3 = '', n = '']) => [a2, a3, n].map(c => [c, a2])))

const measures = Object.entries(declarations.measures).map(([id, { decimals, least, most }]) => {
  const scale = 10n ** BigInt(decimals)
  return { id, decimals, least: BigInt(least) * scale, most: BigInt(most) * scale }
})

const known = new Map<string, readonly PlainRecord[]>()

/**
 * What a member's files in `folder` say: rejected records left out, and of those with the same key the last. Files that did not
 * change are read once.
 */
export function plaintextRecords(folder: string, member: string): readonly PlainRecord[] {
  const layout = readLayouts[member]
  if (!layout) throw new Error(`nobody knows how ${member} writes its files`)
  const paths = Object.keys(layout.files).map(name => join(folder, name))
  const state = paths.map(path => `${path} ${statSync(path).mtimeMs} ${statSync(path).size}`).join()
  const records = known.get(state) ?? Object.keys(layout.files).flatMap(name => readRecords(folder, name, layout))
  known.set(state, records)
  return records
}

function readRecords(folder: string, name: string, layout: ReadLayout): PlainRecord[] {
  const text = new TextDecoder(layout.encoding, { fatal: true }).decode(readFileSync(join(folder, name)))
  const rows = rowsOf(text, layout.delimiter)
  const header: string[] = rows.next().value ?? []
  const read = recordReader(layout, header, layout.files[name] ?? {})
  const keyAt = layout.key?.map(column => header.indexOf(column))
  const records: PlainRecord[] = []
  const placeOf = new Map<string, number>()
  for (const cells of rows) {
    const record = cells.length === header.length ? read(cells) : undefined
    if (!record) continue
    const key = keyAt?.map(index => cells[index]).join('/')
    const place = key === undefined ? undefined : placeOf.get(key)
    if (key !== undefined) placeOf.set(key, place ?? records.length)
    records[place ?? records.length] = record
  }
  return records
}

/** Undefined for a record that must be rejected: no such date, or an amount that is none or out of bounds. */
function recordReader(layout: ReadLayout, header: readonly string[], fixed: Readonly<Record<string, string>>) {
  const at = Object.fromEntries(
    Object.entries(layout.columns).map(([id, names]) => [
      id,
      [names]
        .flat()
        .map(n => header.indexOf(n))
        .find(i => i >= 0),
    ]),
  )
  const periodAt = at.period ?? -1
  const hsAt = at.hs6 ?? -1
  const words = WORDS.map(id => ({ id, meaning: dictionary(layout.words[id]), isOther: layout.others?.includes(id) }))
  const cell = (cells: readonly string[], id: string) => cells[at[id] ?? -1] ?? ''

  return (cells: readonly string[]): PlainRecord | undefined => {
    const period = monthOf(cells[periodAt] ?? '', layout.date)
    if (period === undefined) return undefined
    const amounts: Record<string, bigint | undefined> = {}
    for (const { id, decimals, least, most } of measures) {
      const text = cell(cells, id)
      if (text === '') continue
      const units = exactUnits(text, decimals, layout)
      if (units === undefined || units < least || units > most) return undefined
      amounts[id] = units
    }
    const codes: Record<string, string | undefined> = { period, hs6: digitsOf(cells[hsAt] ?? '') }
    for (const id of COUNTRIES) codes[id] = fixed[id] ?? countryOf.get(cell(cells, id))
    for (const { id, meaning, isOther } of words) {
      const word = cell(cells, id)
      codes[id] = fixed[id] ?? meaning.get(word) ?? (isOther && word !== '' ? 'other' : undefined)
    }
    return { codes, amounts }
  }
}

function dictionary(words = ''): Map<string, string | undefined> {
  const entries = words.split(' ').map(entry => entry.split('=') as [string, string])
  return new Map(entries.map(([word, code]) => [word.replaceAll('_', ' '), code === 'unknown' ? undefined : code]))
}

function digitsOf(written: string): string | undefined {
  const digits = written.replaceAll(/[ .-]/g, '')
  return /^(\d\d)+$|^\d{6,}$/.test(digits) ? digits : undefined
}

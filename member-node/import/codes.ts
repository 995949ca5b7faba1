import type { CodedDimension, LevelDimension } from '#specs/datasets/dataset.ts'

/** What a cell means on a dimension: an id of the dictionary (null is unknown), and how that is counted. */
export interface CodeReading {
  readonly id: number | null
  readonly counts?: 'other' | 'unknown'
  /** How the report names what is counted, if it does. */
  readonly named?: string
}

/** What may be a code, or is empty. Nothing longer is printed: with a wrong map the cell could be a trader. */
const SHORT = /^[\p{L}\p{N}\p{P} ]{0,6}$/u

function counted(id: number | null, counts: 'other' | 'unknown', spelling: string): CodeReading {
  return { id, counts, ...(SHORT.test(spelling) && { named: spelling }) }
}

export type CodeIds = (code: string) => number
/** The file's own codes to the dataset's; `*` stands for every other one that is not empty. */
export type Translation = ReadonlyMap<string, string> | undefined

/** Reads the cells of a column of codes. */
export function codeReader(
  dimension: CodedDimension,
  codes: Translation,
  idOf: CodeIds,
): (cell: string) => CodeReading {
  return remembered(cell => {
    const written = translated(cell, codes) ?? (cell === '' ? dimension.whenEmpty : cell)
    if (written === undefined || written === 'unknown') return counted(null, 'unknown', cell)
    const isTranslated = written !== cell
    if (isTranslated && written === 'other') return counted(idOf('other'), 'other', cell)
    const code = dimension.codeList.recognise(written)
    return code === undefined ? counted(null, 'unknown', cell) : { id: idOf(code) }
  })
}

/** Pairs of digits, which a mark may part; more digits than the deepest level follow in national codes. */
const HIERARCHICAL = /^(?:\d\d[. -]?)*\d*$/
const LONGEST_CODE = 24

/**
 * Reads the cells of a column of hierarchical codes, one reading for each level. Every level stands for itself: 8517 is known
 * at two and four digits and unknown at six. Digits that the edition does not list are kept, and count as `other`. An odd
 * number of digits, short of the deepest level, is no code: a spreadsheet may have dropped a leading zero.
 */
export function levelReader(
  levels: readonly LevelDimension[],
  codes: Translation,
  idOf: CodeIds,
): (cell: string) => readonly CodeReading[] {
  const deepest = Math.max(...levels.map(level => level.digits))
  const listed = levels.map(level => new Set(level.codeList.codes))
  return remembered(cell => {
    const written = translated(cell, codes) ?? cell
    if (written === 'other' && written !== cell) return levels.map(() => counted(idOf('other'), 'other', cell))
    const digits = written.length <= LONGEST_CODE && HIERARCHICAL.test(written) ? written.replaceAll(/[. -]/g, '') : ''
    const isCode = digits.length >= deepest || digits.length % 2 === 0
    return levels.map((level, i) => {
      if (!isCode || digits.length < level.digits) return counted(null, 'unknown', cell)
      const code = digits.slice(0, level.digits)
      return listed[i]?.has(code) ? { id: idOf(code) } : counted(idOf(code), 'other', code)
    })
  })
}

function translated(cell: string, codes: Translation): string | undefined {
  return codes?.get(cell) ?? (cell === '' ? undefined : codes?.get('*'))
}

/** More spellings than any code list has; a column of free text must not fill the memory. */
const MOST_REMEMBERED = 50_000

/** Reads each spelling once. */
export function remembered<T extends object | number>(read: (cell: string) => T): (cell: string) => T {
  const readings = new Map<string, T>()
  return cell => {
    const known = readings.get(cell)
    if (known !== undefined) return known
    const reading = read(cell)
    if (readings.size >= MOST_REMEMBERED) readings.clear()
    // A part of a string keeps the whole piece of the file in memory; a copy does not.
    readings.set(Buffer.from(cell, 'utf16le').toString('utf16le'), reading)
    return reading
  }
}

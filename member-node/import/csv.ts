import Papa from 'papaparse'
import { InbondError } from '#crypto/error.ts'
import { findEncoding, inspect, textOf } from './text-file.ts'

export interface CsvRecord {
  /** The line of the file on which the record starts; the first line is 1. */
  readonly line: number
  readonly cells: readonly string[]
  /** Why the record cannot be read, if so. */
  readonly problem?: string
}

export interface Csv {
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly sha256: string
  /** Size of the file. */
  readonly bytes: number
  readonly encoding: string
  readonly delimiter: string
  readonly header: readonly string[]
  readonly notices: readonly string[]
  /** The records after the header, blank lines left out. Reads the file once more each time, a piece at a time. */
  records(progress?: (bytesRead: number) => void): Generator<CsvRecord>
}

export interface CsvHints {
  /** Columns that the header should have: the delimiter is the one under which it has most of them. */
  readonly wanted: readonly string[]
  readonly delimiter?: string
  readonly encoding?: string
}

/** A longer record is a quote that was never closed. */
const LONGEST_RECORD = 1 << 22
const DELIMITERS = [',', ';', '\t', '|']

/**
 * Opens a file of delimited text and finds out how it is written: encoding (byte order mark, valid UTF-8, else windows-1252
 * with a notice), line ends, delimiter. Reads the whole file once, for its hash and its encoding.
 * @throws InbondError `file-not-readable`, `bad-file`, `bad-mapping` (a delimiter or encoding that cannot be)
 */
export function openCsv(path: string, hints: CsvHints): Csv {
  const inspection = inspect(path)
  const { sha256, bytes } = inspection
  const { encoding, notice } = findEncoding(inspection, hints.encoding)
  const top = firstOf(textOf(path, encoding)) ?? ''
  const newline = !top.includes('\n') && top.includes('\r') ? '\r' : '\n'
  // Spreadsheet programs may state the delimiter on a first line of its own.
  const stated = /^sep=([^"\r\n\ufeff])\r?\n/i.exec(top)
  const delimiter = hints.delimiter ?? stated?.[1] ?? findDelimiter(top, newline, hints.wanted)
  const lines = (progress?: (bytesRead: number) => void) =>
    recordsOf(textOf(path, encoding, progress), { delimiter, newline })
  const above = stated ? 1 : 0
  const first = firstOf(after(above, lines()))
  if (!first) throw new InbondError('bad-file', 'the file has no header line')
  if (first.problem !== undefined) throw new InbondError('bad-file', `line ${first.line}, the header: ${first.problem}`)
  const header = first.cells.map(cell => cell.trim())

  return {
    sha256,
    bytes,
    encoding,
    delimiter,
    header,
    notices: notice === undefined ? [] : [notice],
    *records(progress) {
      for (const record of after(above + 1, lines(progress))) yield fitted(record, header.length)
    },
  }
}

function firstOf<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item
  return undefined
}

function* after<T>(count: number, items: Iterable<T>): Generator<T> {
  let seen = 0
  for (const item of items) if (seen++ >= count) yield item
}

/** A record with as many cells as the header. Empty cells beyond it are a habit of spreadsheets, not an error. */
function fitted(record: CsvRecord, width: number): CsvRecord {
  const { cells, line } = record
  if (cells.length === width || record.problem !== undefined) return record
  if (cells.length > width && cells.slice(width).every(cell => cell.trim() === '')) {
    return { line, cells: withoutReturns(cells.slice(0, width)) }
  }
  return { line, cells, problem: `it has ${cells.length} cells where the header has ${width}` }
}

function findDelimiter(top: string, newline: '\n' | '\r', wanted: readonly string[]): string {
  const start = top.replace(/^[\r\n]+/, '')
  const scored = DELIMITERS.map(delimiter => {
    const { data } = Papa.parse<string[]>(start, { delimiter, newline, preview: 1 })
    const header = (data[0] ?? []).map(cell => cell.trim())
    return { delimiter, hits: wanted.filter(name => header.includes(name)).length, width: header.length }
  })
  const best = scored.reduce((a, b) => (b.hits > a.hits || (b.hits === a.hits && b.width > a.width) ? b : a))
  return best.delimiter
}

interface Layout {
  readonly delimiter: string
  readonly newline: '\n' | '\r'
}

/** Splits text into records; the parser keeps what it has not finished for the next piece. */
function* recordsOf(pieces: Iterable<string>, layout: Layout): Generator<CsvRecord> {
  const parser = new Papa.Parser(layout)
  let line = 1
  let rest = ''

  function* split(text: string, isLast: boolean): Generator<CsvRecord> {
    const { data, errors, meta }: Papa.ParseResult<string[]> = parser.parse(text, 0, !isLast)
    // What the parser says of a record that it has not finished does not count yet.
    const broken = new Map(errors.map(error => [error.row, error.code]))
    const mayHoldLines = text.includes('"')
    for (const [i, cells] of data.entries()) {
      const start = line
      line += 1 + (mayHoldLines ? linesWithin(cells, layout.newline) : 0)
      withoutReturns(cells)
      const code = broken.size > 0 ? broken.get(i) : undefined
      if (code === 'MissingQuotes') throw unclosed(start)
      if (code !== undefined) yield { line: start, cells, problem: 'it has a quote within quotes that is not doubled' }
      else if (!isBlank(cells)) yield { line: start, cells }
    }
    rest = text.slice(meta.cursor)
    if (rest.length > LONGEST_RECORD) throw unclosed(line)
  }

  for (const piece of pieces) yield* split(rest + piece, false)
  yield* split(rest.replace(/\r$/, ''), true)
}

/** An empty line, or one with nothing but delimiters. */
function isBlank(cells: readonly string[]): boolean {
  return cells[0]?.trim() === '' && cells.every(cell => cell.trim() === '')
}

function unclosed(line: number): InbondError {
  return new InbondError('bad-file', `the record that starts on line ${line} has a quote that is never closed`)
}

function linesWithin(cells: readonly string[], newline: string): number {
  return cells.reduce((lines, cell) => (cell.includes(newline) ? lines + cell.split(newline).length - 1 : lines), 0)
}

/**
 * Lines that end in CR LF: the parser is told LF, so that files with both kinds are read too. It does not tell a return
 * that was quoted from one that was not, so the last cell of no record ends in one.
 * @returns the same cells, changed
 */
function withoutReturns(cells: string[]): string[] {
  const last = cells.length - 1
  const cell = cells[last] ?? ''
  let end = cell.length
  while (cell[end - 1] === '\r') end--
  if (end < cell.length) cells[last] = cell.slice(0, end)
  return cells
}

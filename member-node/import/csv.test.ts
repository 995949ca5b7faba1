import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { type CsvHints, openCsv } from './csv.ts'

const folder = mkdtempSync(join(tmpdir(), 'inbond-csv-'))
afterAll(() => rmSync(folder, { recursive: true }))

function open(content: string | Uint8Array, hints: Partial<CsvHints> = {}) {
  const path = join(folder, 'file.csv')
  writeFileSync(path, content)
  const csv = openCsv(path, { wanted: [], ...hints })
  return { ...csv, rows: [...csv.records()] }
}

const cells = (csv: ReturnType<typeof open>) => csv.rows.map(row => row.cells)
const refusal = (code: string, message = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(message) })

const utf16 = (text: string) => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')])

describe('round trip', () => {
  const cell = fc.string({
    unit: fc.constantFrom('a', '"', ',', ';', '\n', '\t', '|', ' ', 'é', '한', '0'),
    maxLength: 8,
  })
  const table = fc
    .integer({ min: 1, max: 5 })
    .chain(width => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 20 }))
  const quote = (text: string) => `"${text.replaceAll('"', '""')}"`

  test('quotes, delimiters and line ends within cells; lines are counted', () => {
    fc.assert(
      fc.property(
        table,
        fc.constantFrom(',', ';', '\t', '|'),
        fc.constantFrom('\n', '\r\n'),
        (rows, delimiter, end) => {
          const header = (rows[0] ?? ['']).map((_, i) => `column ${i}`)
          const text = [header, ...rows].map(row => row.map(quote).join(delimiter) + end).join('')
          let line = 2
          const expected = rows.flatMap(row => {
            const start = line
            line += 1 + row.join('').split('\n').length - 1
            return row.every(one => one.trim() === '') ? [] : [{ line: start, cells: row }]
          })
          expect(open(text, { delimiter }).rows).toEqual(expected)
          expect(open(utf16(text), { delimiter }).rows).toEqual(expected)
        },
      ),
      { numRuns: 200 },
    )
  })
})

test.each([
  [',', 'a,b\n1;2,3'],
  [';', 'a;b\n1,5;2,5'],
  ['\t', 'a\tb\n1\t2'],
  ['|', 'a|b\n1|2'],
])('finds the delimiter %j', (delimiter, text) => expect(open(text).delimiter).toBe(delimiter))

test('the delimiter is the one under which the header has the mapped columns', () => {
  const csv = open('a, in full, with notes;b\n1;2', { wanted: ['b'] })
  expect(csv.delimiter).toBe(';')
  expect(csv.header).toEqual(['a, in full, with notes', 'b'])
})

test('a delimiter that the file states, blank lines, a byte order mark, both line ends', () => {
  const csv = open('\ufeffsep=;\r\n\r\n a ;b\r\n1;2\n\n;\r\n  \r\n3;"4"\r\n5;6')
  expect(csv.header).toEqual(['a', 'b'])
  expect(csv.rows).toEqual([
    { line: 4, cells: ['1', '2'] },
    { line: 8, cells: ['3', '4'] },
    { line: 9, cells: ['5', '6'] },
  ])
})

test('a quote is no delimiter, even where the file states it', () => {
  expect(open('sep="\na,b\n1,2').delimiter).toBe(',')
})

test('old line ends', () =>
  expect(cells(open('a,b\r1,2\r3,4\r'))).toEqual([
    ['1', '2'],
    ['3', '4'],
  ]))

test('the last cell of a record ends in no carriage return, however it got there', () => {
  const csv = open('a;b\n1;x\r\r\n2;"x\r"\n3;x\r;\n4;"\r";;\r\n5\r;x\ry')
  expect(cells(csv)).toEqual([
    ['1', 'x'],
    ['2', 'x'],
    ['3', 'x'],
    ['4', ''],
    ['5\r', 'x\ry'],
  ])
  expect(cells(open('a;b\r1;"x\r"\r'))).toEqual([['1', 'x']])
})

test('ragged records say so; empty cells at the end do not matter', () => {
  expect(open('a,b\n1\n1,2,3\n1,2,,\n').rows).toEqual([
    { line: 2, cells: ['1'], problem: 'it has 1 cells where the header has 2' },
    { line: 3, cells: ['1', '2', '3'], problem: 'it has 3 cells where the header has 2' },
    { line: 4, cells: ['1', '2'] },
  ])
})

test('quotes that are not doubled, and quotes inside plain cells', () => {
  const { rows } = open('a,b\n"x "y" z",1\n5" pipe,2\n')
  expect(rows[0]).toMatchObject({ line: 2, problem: expect.stringContaining('not doubled') })
  expect(rows[1]).toEqual({ line: 3, cells: ['5" pipe', '2'] })
})

test('a quote that is never closed', () => {
  expect(() => open('a,b\n1,2\n"3,4\n5,6\n')).toThrow(refusal('bad-file', 'line 3'))
  expect(() => open(`a,b\n"3,4\n${'5,6\n'.repeat(2_000_000)}`)).toThrow(refusal('bad-file', 'line 2'))
})

test('records that lie across pieces of the file', () => {
  const rows = Array.from({ length: 40_000 }, (_, i) => [`${i}`, i % 7 === 0 ? `é"\n${i}` : '한국'])
  const text = `a,b\r\n${rows.map(([a, b]) => `${a},"${b?.replaceAll('"', '""')}"`).join('\r\n')}`
  expect(cells(open(text))).toEqual(rows)
  expect(cells(open(utf16(text)))).toEqual(rows)
})

describe('encodings', () => {
  test('UTF-8 with and without a mark', () => {
    expect(open('a\né').encoding).toBe('utf-8')
    expect(open('\ufeffa\né').header).toEqual(['a'])
  })

  test('what is not UTF-8 is windows-1252, with a notice', () => {
    const csv = open(Buffer.from('a\nn\xb0 \x80', 'latin1'))
    expect(csv.rows[0]?.cells).toEqual(['n° €'])
    expect(csv.notices[0]).toContain('windows-1252')
  })

  test('an encoding from the map', () => {
    expect(cells(open(Buffer.from([0x61, 0x0a, 0xc7, 0xd1, 0xb1, 0xb9]), { encoding: 'euc-kr' }))).toEqual([['한국']])
    expect(() => open('a', { encoding: 'klingon' })).toThrow(refusal('bad-mapping', 'klingon'))
    expect(() => open(Buffer.from([0x61, 0x0a, 0xff]), { encoding: 'utf-8' })).toThrow(refusal('bad-file', 'utf-8'))
  })

  test('what is no text', () => {
    expect(() => open(Buffer.from('504b03040000', 'hex'))).toThrow(refusal('bad-file', 'spreadsheet'))
    expect(() => open(Buffer.from('1f8b0800', 'hex'))).toThrow(refusal('bad-file', 'compressed'))
    expect(() => open(Buffer.from('a\0b\0', 'latin1'))).toThrow(refusal('bad-file', 'encoding'))
    expect(() => open('')).toThrow(refusal('bad-file', 'no header'))
    expect(() => openCsv(join(folder, 'absent.csv'), { wanted: [] })).toThrow(refusal('file-not-readable'))
    expect(() => openCsv(folder, { wanted: [] })).toThrow(refusal('file-not-readable'))
  })
})

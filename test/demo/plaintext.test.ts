import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parseQueryFile, plan } from '#specs/query.ts'
import { exactUnits, monthOf, rowsOf } from './plaintext/text.ts'
import { plaintextCells } from './plaintext.ts'

const folder = mkdtempSync(join(tmpdir(), 'inbond-plaintext-'))
afterAll(() => rmSync(folder, { recursive: true }))

const VIETNAMESE = [
  'SoToKhai;NgayDangKy;Loai;MaLoaiHinh;MaHS;NuocXuatXu;NuocGuiHang;NuocDen;PTVT;MaSoThue;TriGiaUSD;TrongLuongTinh;ThueXNK;ThueGTGT',
  '1;01/31/2024;NK;A11;85171300;CN;CN;VN;Đường biển;7;1.000,005;10,5;0;0',
  '2;01/31/2024;NK;A11;85171200;CN;CN;VN;Tự hành;7;1.000,015;;0;0',
  '3;02/01/2024;NK;A11;8517;EL;CN;VN;;7;0,00;1,0005;0;0',
  '4;02/30/2024;NK;A11;85171300;CN;CN;VN;Đường biển;7;5;5;0;0',
  '5;02/28/2024;NK;A11;85171300;CN;CN;VN;Đường biển;7;n/a;5;0;0',
  '6;02/28/2024;NK;A11;85171300;CN;CN;VN;Đường biển;7;-5;5;0;0',
  '7;02/29/2024;XK;B11;85171300;VN;VN;CN;Đường biển;7;9;9;0;0',
  '',
  '1;01/31/2024;NK;A11;85171300;CN;CN;VN;Đường biển;7;2.000,005;10,5;0;0',
]

const JAPANESE = [
  '申告日\t輸出入区分\t申告種別\t統計品目番号\t原産国\t積出国\t仕向国\t輸送手段\t法人番号\t申告価格\t正味重量\t数量\t単位\t関税\t消費税等',
  '2024-01-02\tM\tIC\t851713000\t156\t156\t392\t航空機\t7\t0.50\t0.001\t3\tNO\t0.00\t0.05',
  '2025-01-02\tM\tIC\t851713000\t156\t156\t392\t航空機\t7\t0.50\t0.001\t3\tNO\t0.00\t0.05',
]

writeFileSync(join(folder, 'VN.csv'), VIETNAMESE.join('\r\n'))
writeFileSync(join(folder, 'JP.csv'), JAPANESE.join('\n'))

function cells(by: string, members: string[], where = 'flow: import, period: { from: 2024-01, to: 2024-12 }') {
  const yaml = `
dataset: declarations
where: { ${where} }
by: [${by}]
measures: [{ sum: value }, { sum: netMass }, { count: netMass }]
purpose: worked out by hand`
  return Object.fromEntries(plaintextCells(folder, members, plan(parseQueryFile(yaml).question)))
}

test('the last record of a key counts, rejected records do not, halves go to the even cent', () => {
  expect(cells('', ['VN'])).toEqual({ '': [3n, 2000_00n + 1000_02n, 11_500n, 2n] })
})

test('each level of the code is looked up on its own', () => {
  expect(cells('hs6', ['VN'])).toEqual({
    '851713': [1n, 2000_00n, 10_500n, 1n],
    other: [1n, 1000_02n, 0n, 0n],
    unknown: [1n, 0n, 1000n, 1n],
  })
  expect(cells('hs4', ['VN'])).toEqual({ '8517': [3n, 3000_02n, 11_500n, 2n] })
})

test('members add up', () => {
  expect(cells('hs2, origin', ['VN', 'JP'])).toEqual({
    '85|CN': [3n, 3000_52n, 10_501n, 2n],
    '85|unknown': [1n, 0n, 1000n, 1n],
  })
})

test('what the query does not list is other, what is missing is unknown', () => {
  expect(cells('transport, period', ['VN', 'JP'])).toEqual({
    'sea|2024-01': [1n, 2000_00n, 10_500n, 1n],
    'other|2024-01': [1n, 1000_02n, 0n, 0n],
    'unknown|2024-02': [1n, 0n, 1000n, 1n],
    'air|2024-01': [1n, 50n, 1n, 1n],
  })
  expect(cells('hs6', ['VN'], 'hs6: [other]')).toEqual({ other: [1n, 1000_02n, 0n, 0n] })
  expect(cells('', ['VN'], 'origin: [unknown]')).toEqual({ '': [1n, 0n, 1000n, 1n] })
})

describe('the reader', () => {
  test('splits quoted cells with delimiters, quotes and line ends', () => {
    expect([...rowsOf('a;"b;""c""\nd";e\r\n\n;"";\nlast;', ';')]).toEqual([
      ['a', 'b;"c"\nd', 'e'],
      ['', '', ''],
      ['last', ''],
    ])
  })

  test.each([
    ['1.234,565', 123_456n],
    ['1.234,575', 123_458n],
    ['1.234,5650001', 123_457n],
    ['0,5', 50n],
    ['7', 700n],
    ['-0,01', -1n],
    ['1,2,3', undefined],
    ['', undefined],
    ['12e3', undefined],
  ])('reads %s', (text, units) => {
    expect(exactUnits(text, 2, { mark: ',', group: '.' })).toBe(units)
  })

  test.each([
    ['29.02.2024', '2024-02'],
    ['29.02.2023', undefined],
    ['00.01.2024', undefined],
    ['1.1.2024', undefined],
    ['', undefined],
  ])('takes %s for a day', (text, month) => {
    expect(monthOf(text, 'DD.MM.YYYY')).toBe(month)
  })
})

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TREE } from '../edits.ts'
import { attacks } from './all.ts'

/** specs/threat-model.md names files that there are, and the file of every attack that is made. */

const SPECS = join(TREE, 'specs')
const page = readFileSync(join(SPECS, 'threat-model.md'), 'utf8')
const linksIn = (text: string) => [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, path]) => path as string)
const rows = [...page.matchAll(/^\| (\d+) .*$/gm)].map(([line, row]) => ({ row: Number(row), line }))

test.each([...new Set(linksIn(page))])('%s is there', path => {
  expect(existsSync(join(SPECS, path))).toBe(true)
})

test('the rows are in their order', () => {
  const numbers = rows.map(one => one.row)
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
})

test('a row says what protects, where, and what shows it, or that this is to be written', () => {
  const unfinished = rows.filter(({ line }) => / \| +\|/.test(line) && !line.includes('to be written'))
  expect(unfinished.map(one => one.row)).toEqual([])
})

test.each(attacks.map(one => [one.name, one.row] as const))('"%s" is in a file that row %i names', (name, row) => {
  const named = linksIn(rows.find(one => one.row === row)?.line ?? '').map(path => join(SPECS, path))
  expect(named.filter(file => readFileSync(file, 'utf8').includes(`name: '${name}'`))).toHaveLength(1)
})

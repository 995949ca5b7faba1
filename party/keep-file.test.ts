import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { keepFile } from './keep-file.ts'

afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
})

it('flushes the folder after the file has its name', () => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'inbond-test-'))
  const [part, whole] = [join(folder, 'a.part'), join(folder, 'a')]
  fs.writeFileSync(part, 'bytes')
  const flushed: boolean[] = []
  const { fsyncSync } = fs
  vi.spyOn(fs, 'fsyncSync').mockImplementation(file => {
    fsyncSync(file)
    if (fs.fstatSync(file).ino === fs.statSync(folder).ino) flushed.push(fs.existsSync(whole))
  })
  syncBuiltinESMExports()
  keepFile(part, whole)
  expect(flushed).toEqual(process.platform === 'win32' ? [] : [true])
  expect(fs.readdirSync(folder)).toEqual(['a'])
  fs.rmSync(folder, { recursive: true })
})

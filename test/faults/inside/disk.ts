import { existsSync, readFileSync, writeFileSync, type writeSync } from 'node:fs'
import type { FileHandle, open } from 'node:fs/promises'
import type Database from 'better-sqlite3'
import { faults } from './trace.ts'

/** A disk that is full as Linux and SQLite have it, for any user on any machine: of SQLite the error is its own. */

const NO_SPACE = 'no space'
const MOST_PAGES = 0xfffffffe

function spaceLeft(): string | undefined {
  return existsSync(faults.fullDisk) ? readFileSync(faults.fullDisk, 'utf8') : undefined
}

/** No page more than the database has, while there is no space. */
export function limitPages(database: Database.Database): void {
  const isFull = spaceLeft() === NO_SPACE
  const pages = isFull ? database.pragma('page_count', { simple: true }) : MOST_PAGES
  database.pragma(`max_page_count = ${pages}`)
}

/** How many of so many bytes still fit. @throws Error ENOSPC if none does */
function fitting(bytes: number): number {
  const left = spaceLeft()
  if (left === undefined) return bytes
  const fits = Math.min(Number(left) || 0, bytes)
  if (fits === 0) throw noSpace()
  writeFileSync(faults.fullDisk, String(Number(left) - fits))
  return fits
}

function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
}

/** Like write(2), it writes what fits and says how much that was. */
export function limitedWrite(write: typeof writeSync) {
  return (file: number, data: Uint8Array | string, offset = 0, length = data.length - offset, position = null) =>
    typeof data === 'string'
      ? write(file, data, offset, length as unknown as BufferEncoding)
      : write(file, data, offset, fitting(length), position)
}

/** Opens files of which the writes are limited: `write` writes what fits, `writeFile` fails where not everything does. */
export function limitedOpen(openFile: typeof open) {
  return async (...args: Parameters<typeof open>): Promise<FileHandle> => {
    const file = await openFile(...args)
    const write = file.write.bind(file) as (bytes: Uint8Array) => ReturnType<FileHandle['write']>
    const writeFile = file.writeFile.bind(file) as (bytes: Uint8Array) => Promise<void>
    return Object.assign(file, {
      write: async (bytes: Uint8Array) => write(bytes.subarray(0, fitting(bytes.length))),
      writeFile: async (bytes: Uint8Array) => {
        const fits = fitting(bytes.length)
        await writeFile(bytes.subarray(0, fits))
        if (fits < bytes.length) throw noSpace()
      },
    })
  }
}

import { closeSync, fsyncSync, openSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'

/** A file that is not whole yet. */
export function partOf(path: string): string {
  return `${path}.part`
}

/**
 * Gives a file whose bytes are on the disk its name, which is on the disk too when this returns. Otherwise a power cut could leave
 * a row that speaks of the file, without the file.
 * @param part the file under the name that it had while it was written, in the same folder
 */
export function keepFile(part: string, whole: string): void {
  renameSync(part, whole)
  // Windows has no handle of a folder to flush: its file system keeps renames in a log of its own.
  if (process.platform === 'win32') return
  const folder = openSync(dirname(whole), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

import { statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** What the status commands of all parties say in the same words. */

/** Less is too little for a large round and whatever else the machine writes. */
const LITTLE_BYTES = 2 ** 30

/** The first lines of a status: what a person should look at, or that there is nothing. */
export function verdict(concerns: readonly string[]): string {
  return `${concerns.length === 0 ? 'All is well.' : concerns.join('\n')}\n\n`
}

const UNITS = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1000, 'second'],
] as const

/** Milliseconds in the largest unit of which they have two, roughly: `3 minutes`, `45 hours`. */
export function duration(milliseconds: number): string {
  const rest = Math.max(0, milliseconds)
  const [size, name] = UNITS.find(([unit]) => rest >= 2 * unit) ?? [1000, 'second']
  const count = Math.floor(rest / size)
  return counted(count, name)
}

/** `1 cell`, `1,234 cells`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? noun : `${noun}s`}`
}

/** Bytes as people read them: `1.2 GB`. */
export function size(bytes: number): string {
  const exponent = Math.min(4, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  const value = bytes / 1000 ** exponent
  return `${value < 10 && exponent > 0 ? value.toFixed(1) : Math.round(value)} ${['B', 'kB', 'MB', 'GB', 'TB'][exponent]}`
}

export interface Disk {
  /** What this user may still write, in bytes. */
  readonly free: number
  /** What the party's databases take, with their write-ahead logs, in bytes. */
  readonly databases: number
}

export function diskOf(...databases: readonly string[]): Disk {
  return {
    free: freeBytes(dirname(databases[0] as string)),
    databases: databases.reduce((sum, file) => sum + databaseBytes(file), 0),
  }
}

export function describeDisk({ free, databases }: Disk): string {
  return `${size(free)} free, ${size(databases)} in databases`
}

export function diskConcern({ free }: Disk): string[] {
  return free < LITTLE_BYTES ? [`The disk is nearly full: ${size(free)} are free.`] : []
}

/** What this user may still write where a folder is. */
export function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}

/** A SQLite database with its write-ahead log, in bytes; 0 where there is none. */
export function databaseBytes(file: string): number {
  const sizes = [file, `${file}-wal`].map(one => statSync(one, { throwIfNoEntry: false })?.size ?? 0)
  return sizes.reduce((sum, one) => sum + one, 0)
}

import { InbondError } from '#crypto/error.ts'
import { fault } from '#specs/errors.ts'

/** What the operating system means, for people. */
const MEANINGS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is a file',
  EROFS: 'the file system is read-only',
  EEXIST: 'a file is in the way',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its links lead in a circle',
}
const NO_SPACE = ['ENOSPC', 'EDQUOT', 'SQLITE_FULL']
const NO_WRITING = ['SQLITE_CANTOPEN', 'SQLITE_READONLY']

/** Why a file cannot be read, in one sentence. */
export function unreadable(path: string, cause: unknown): string {
  const { code = '' } = cause as NodeJS.ErrnoException
  return `${path} cannot be read: ${MEANINGS[code] ?? code}`
}

/**
 * What befell a party's storage, as an error of Inbond's own that names no file; undefined if it is something else.
 * @param whose as in `of the coordinator`, for those who are told of it elsewhere
 */
export function storageFault(error: unknown, whose?: string): InbondError | undefined {
  const { code = '' }: Partial<NodeJS.ErrnoException> = Object(error)
  const owner = whose === undefined ? '' : ` ${whose}`
  if (NO_SPACE.includes(code)) return fault('out-of-space', `the disk${owner} is full`, error)
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return fault('database-busy', `another program keeps the database${owner} locked`, error)
  }
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return fault('database-damaged', `the database${owner} is damaged`, error)
  }
  return undefined
}

/** An error of the file system or of SQLite as one of Inbond's own, where a person can do something about it. */
export function explained(error: unknown): unknown {
  if (error instanceof InbondError) return error
  const { code = '', path, message } = error as NodeJS.ErrnoException
  const befell = storageFault(error)
  if (befell) return befell
  if (NO_WRITING.some(one => code.startsWith(one))) return fault('not-writable', message, error)
  const meaning = MEANINGS[code]
  return meaning === undefined || path === undefined
    ? error
    : fault('not-writable', `${path} cannot be written: ${meaning}`, error)
}

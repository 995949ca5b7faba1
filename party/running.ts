import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { fault } from '#specs/errors.ts'

const LOCK = 'running.lock'
const PROCESS_ID = 'running'
/** A look at who runs takes the lock for a moment; a start waits it out. */
const PATIENCE_MS = 500

/** SQLite's lock on an empty database: the operating system gives it up with the process, however that ends. */
function lock(directory: string, patience: number): Database.Database | undefined {
  const database = new Database(join(directory, LOCK), { timeout: patience })
  try {
    database.exec('BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    database.close()
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error
    return undefined
  }
}

/** The process that serves a directory, or undefined. */
export function runningProcess(directory: string): number | undefined {
  const free = lock(directory, 0)
  free?.close()
  return free ? undefined : Number(readFileSync(join(directory, PROCESS_ID), 'utf8'))
}

/** Claims a directory for this process; returns how to give it up. @throws InbondError `already-running` */
export function claimDirectory(directory: string): () => void {
  const claim = lock(directory, PATIENCE_MS)
  if (!claim) throw fault('already-running', `process ${runningProcess(directory)} already serves ${directory}`)
  const note = join(directory, PROCESS_ID)
  writeFileSync(note, String(process.pid))
  return () => {
    rmSync(note, { force: true })
    claim.close()
  }
}

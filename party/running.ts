import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fault } from '#specs/errors.ts'

const FILE = 'running'

/** The process that serves a directory, or undefined. A file that a killed process left behind does not count. */
export function runningProcess(directory: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(directory, FILE), 'utf8'))
    // 0, which an empty file reads as, and negative numbers would ask about groups of processes.
    if (!Number.isInteger(pid) || pid < 1) return undefined
    return isAlive(pid) ? pid : undefined
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Another user's process may not be signalled, but it is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Claims a directory for this process; returns how to give it up. @throws InbondError `already-running` */
export function claimDirectory(directory: string): () => void {
  const file = join(directory, FILE)
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' })
      return () => rmSync(file, { force: true })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
      const pid = runningProcess(directory)
      if (pid !== undefined && pid !== process.pid) {
        throw fault('already-running', `process ${pid} already serves ${directory}`, cause)
      }
      rmSync(file, { force: true })
    }
  }
}

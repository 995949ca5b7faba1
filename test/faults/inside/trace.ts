import { appendFileSync } from 'node:fs'
import { FAULTS, type Faults } from './faults.ts'

/** What this process is told. */
export const faults = JSON.parse(process.env[FAULTS] as string) as Faults

/** Writes a moment down, the points of one moment in one line, and kills the process if it is to be killed at one of them. */
export function reach(moment: 'before' | 'after', whats: readonly string[]): void {
  if (whats.length === 0) return
  const points = whats.map(what => `${moment} ${what}`)
  appendFileSync(faults.trace, `${points.join('\t')}\n`)
  if (faults.killAt !== undefined && points.includes(faults.killAt)) process.kill(process.pid, 'SIGKILL')
}

/** Does something between its two points. */
export function around<T>(whats: readonly string[], work: () => T): T {
  reach('before', whats)
  const result = work()
  if (result instanceof Promise)
    return result.then(done => {
      reach('after', whats)
      return done
    }) as T
  reach('after', whats)
  return result
}

import { mayPass } from '#party/connection.ts'
import type { Researcher } from './researcher.ts'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000
/** What passes sooner needs no word about it. */
const QUIET_MS = 1000

/** Tries again what may pass by itself, for as long as it takes, and says so where that is long. */
export async function patiently<T>(
  { clock, unanswered }: Pick<Researcher, 'clock' | 'unanswered'>,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  let failing: number | undefined
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      const result = await attempt()
      if (failing !== undefined) unanswered?.(undefined)
      return result
    } catch (error) {
      if (!mayPass(error)) throw error
      failing ??= clock.now()
      if (clock.now() - failing >= QUIET_MS) unanswered?.((error as Error).message)
      await clock.wait(pause, signal)
      signal?.throwIfAborted()
    }
  }
}

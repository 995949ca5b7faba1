import { mayPass } from '#party/connection.ts'
import type { Researcher } from './researcher.ts'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000

/** Tries again what may pass by itself, for as long as it takes. */
export async function patiently<T>(
  researcher: Pick<Researcher, 'clock'>,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      return await attempt()
    } catch (error) {
      if (!mayPass(error)) throw error
      await researcher.clock.wait(pause, signal)
      signal?.throwIfAborted()
    }
  }
}

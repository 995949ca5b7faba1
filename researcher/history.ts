import { desc, eq } from 'drizzle-orm'
import type { Checkpoint } from '#crypto/checkpoint.ts'
import { InbondError } from '#crypto/error.ts'
import type { LogHead } from '#crypto/log.ts'
import { LogReader } from '#party/log-reader.ts'
import type { Researcher } from './researcher.ts'
import { checkpoints } from './schema.ts'

/** The longest log that this researcher was shown, as far as it is one history. */
export function lastCheckpoint(db: Researcher['db']): LogHead | undefined {
  const { size, root } = checkpoints
  return db.select({ size, root }).from(checkpoints).where(eq(checkpoints.accepted, true)).orderBy(desc(size)).get()
}

/**
 * Makes sure that the coordinator goes on with the log that it showed before, and remembers what it shows now. What it cannot go
 * on with is remembered too.
 * @param before the last checkpoint when this one was asked for: an honest coordinator shows nothing shorter since
 * @throws InbondError `log-not-extended`, and like `LogReader.verifyExtension`
 */
export async function followLog(
  researcher: Pick<Researcher, 'db' | 'connection' | 'clock'>,
  shown: Checkpoint,
  before: LogHead | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const { db } = researcher
  const reader = new LogReader(researcher.connection)
  try {
    if (before !== undefined) await reader.verifyExtension(before, shown, signal)
    // Another process may meanwhile have been shown a longer log.
    for (let verified = before; !remember(researcher, shown, verified); ) {
      const last = lastCheckpoint(db) as LogHead
      const [earlier, later] = last.size < shown.size ? [last, shown] : [shown, last]
      await reader.verifyExtension(earlier, later, signal)
      verified = last
    }
  } catch (error) {
    if (error instanceof InbondError && error.code === 'log-not-extended') store(researcher, shown, false)
    throw error
  }
}

/** @returns whether the last checkpoint is still the one that this one was verified against */
function remember(
  researcher: Pick<Researcher, 'db' | 'clock'>,
  shown: Checkpoint,
  verified: LogHead | undefined,
): boolean {
  return researcher.db.transaction(() => {
    const last = lastCheckpoint(researcher.db)
    if (last?.size !== verified?.size || last?.root !== verified?.root) return false
    store(researcher, shown, true)
    return true
  })
}

function store({ db, clock }: Pick<Researcher, 'db' | 'clock'>, shown: Checkpoint, accepted: boolean): void {
  const { text: checkpoint, size, root } = shown
  db.insert(checkpoints).values({ checkpoint, size, root, shownAt: clock.now(), accepted }).onConflictDoNothing().run()
}

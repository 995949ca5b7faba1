import { and, desc, eq, gt, sql } from 'drizzle-orm'
import type { Checkpoint } from '#crypto/checkpoint.ts'
import { InbondError } from '#crypto/error.ts'
import { LogReader } from '#party/log-reader.ts'
import { fault } from '#specs/errors.ts'
import type { Researcher } from './researcher.ts'
import { checkpoints } from './schema.ts'

type Shown = Omit<typeof checkpoints.$inferSelect, 'shownAt'>

const { checkpoint, size, root, history } = checkpoints
const shown = { checkpoint, size, root, history }
/** In which order they were shown. */
const order = sql<number>`rowid`

/** The longest log that this researcher was shown, of the history that it follows. */
export function lastCheckpoint(db: Researcher['db']): Shown | undefined {
  return db.select(shown).from(checkpoints).where(gt(history, 0)).orderBy(desc(history), desc(size)).limit(1).get()
}

/**
 * Makes sure that the coordinator goes on with the log that it showed before, and remembers what it shows now. What it cannot go
 * on with is remembered too.
 * @param before the last checkpoint when this one was asked for: an honest coordinator shows nothing shorter since
 * @throws InbondError `log-not-extended`, and like `LogReader.verifyExtension`
 */
export async function followLog(
  researcher: Pick<Researcher, 'db' | 'connection' | 'clock'>,
  head: Checkpoint,
  before: Shown | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const { db } = researcher
  const reader = new LogReader(researcher.connection)
  try {
    if (before !== undefined) await reader.verifyExtension(before, head, signal)
    // Another process may meanwhile have been shown a longer log.
    for (let verified = before; !remember(researcher, head, verified); ) {
      verified = lastCheckpoint(db) as Shown
      const [earlier, later] = verified.size < head.size ? [verified, head] : [head, verified]
      await reader.verifyExtension(earlier, later, signal)
    }
  } catch (error) {
    if (error instanceof InbondError && error.code === 'log-not-extended') store(researcher, head, 0)
    throw error
  }
}

/** @returns whether the last checkpoint is still the one that this one was verified against */
function remember(
  researcher: Pick<Researcher, 'db' | 'clock'>,
  head: Checkpoint,
  verified: Shown | undefined,
): boolean {
  return researcher.db.transaction(() => {
    const last = lastCheckpoint(researcher.db)
    if (last?.checkpoint !== verified?.checkpoint) return false
    store(researcher, head, last?.history ?? 1)
    return true
  })
}

function store({ db, clock }: Pick<Researcher, 'db' | 'clock'>, head: Checkpoint, of: number): void {
  db.insert(checkpoints)
    .values({ checkpoint: head.text, size: head.size, root: head.root, shownAt: clock.now(), history: of })
    .onConflictDoNothing()
    .run()
}

/**
 * The last checkpoint, and the newest one since that was refused.
 * @throws InbondError `not-found` if there is none
 */
export function twoHistories(db: Researcher['db']): { readonly followed: Shown; readonly refused: Shown } {
  const followed = lastCheckpoint(db)
  const since =
    db
      .select({ order })
      .from(checkpoints)
      .where(eq(checkpoint, followed?.checkpoint ?? ''))
      .get()?.order ?? 0
  const isRefused = and(eq(history, 0), gt(order, since))
  const refused = db.select(shown).from(checkpoints).where(isRefused).orderBy(desc(order)).limit(1).get()
  if (followed !== undefined && refused !== undefined) return { followed, refused }
  throw fault('not-found', 'the coordinator has shown one history of its log, and no other since')
}

/** Goes on with the history that was refused, as a person decided; both heads are kept. @throws InbondError `not-found` */
export function acceptHistory(db: Researcher['db']): void {
  db.transaction(tx => {
    const { followed, refused } = twoHistories(db)
    tx.update(checkpoints)
      .set({ history: followed.history + 1 })
      .where(eq(checkpoint, refused.checkpoint))
      .run()
  })
}

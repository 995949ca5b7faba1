import { join } from 'node:path'
import { loggedProofs } from '#coordinator/answers.ts'
import type { Context } from '#coordinator/context.ts'
import { EventLog } from '#coordinator/event-log.ts'
import * as schema from '#coordinator/schema.ts'
import { openDatabase } from '#party/database.ts'
import type { AnswerEvidence } from '#specs/api.ts'
import { type LogEntry, parseTilePath } from '#specs/log-tiles.ts'
import { entriesOf, type SignedEvidence } from '#specs/rules/log.ts'

const MIGRATIONS = join(import.meta.dirname, '..', 'coordinator', 'migrations')

/** What the coordinator of a context has in its log. */
export function entriesIn({ db }: Pick<Context, 'db'>): LogEntry[] {
  return db.select({ typ: schema.log.typ, message: schema.log.message }).from(schema.log).all()
}

/** Another history of a coordinator, with its key: whoever reads it alone finds nothing wrong with it. */
export function historyOf({ key }: Pick<Context, 'key'>, entries: readonly LogEntry[]): EventLog {
  const db = openDatabase(':memory:', schema, MIGRATIONS)
  const log = new EventLog(db, key)
  db.transaction(tx => {
    for (const { typ, message } of entries) log.append(tx, typ, message, 0)
  })
  return log
}

/** What is shown of a history instead of what a coordinator answers to a request, if it is about the log. */
export async function shownOf(log: EventLog, path: string, answer: Response): Promise<Response | undefined> {
  if (path === '/log/checkpoint') return new Response(log.checkpoint())
  if (path.startsWith('/log/tile/')) {
    return new Response(new Uint8Array(log.tile(parseTilePath(path.slice('/log/tile/'.length)))))
  }
  if (!/^\/rounds\/\w+\/answer$/.test(path) || !answer.ok) return undefined
  const evidence = (await answer.json()) as AnswerEvidence
  return Response.json({ ...evidence, log: loggedProofs({ log }, evidence) } satisfies AnswerEvidence)
}

/** Puts what a coordinator invented into its log, so that nothing but its content is wrong with it. */
export function logged(context: Context, evidence: SignedEvidence): AnswerEvidence {
  const entries = entriesOf(evidence)
  const known = context.log.indicesOf(entries.map(one => one.message))
  context.db.transaction(tx => {
    for (const { typ, message } of entries.filter(one => !known.has(one.message)))
      context.log.append(tx, typ, message, 0)
  })
  return { ...evidence, log: loggedProofs(context, evidence) }
}

import { createHmac } from 'node:crypto'
import { and, eq } from 'drizzle-orm'
import { InbondError } from '#crypto/error.ts'
import type { Clock } from '#party/clock.ts'
import type { Fetch } from '#party/connection.ts'
import { reasonOf } from '#party/unreachable.ts'
import { fault } from '#specs/errors.ts'
import { deputiesFrom } from './decisions.ts'
import { type Desk, pendingQuestions } from './queue.ts'
import { notices } from './schema.ts'

/** What stewards are told: that a question waits, and no word of it. */
export interface Notice {
  readonly event: 'waits' | 'deputies'
  readonly member: string
  /** The id to show, approve or refuse. */
  readonly question: string
  /** ISO 8601: then nobody can decide any more. */
  readonly expires: string
  readonly approvalsNeeded: number
}

/** A way of telling. Outbound alone: nothing is decided through it. */
export interface Way {
  /** Written down with what it told. */
  readonly name: string
  /** Rejects where the notice may not have arrived; then it is told again. */
  tell(notice: Notice, signal: AbortSignal): Promise<void>
}

const CHECK_MS = 5_000
const FIRST_PAUSE_MS = 10_000
const LONGEST_PAUSE_MS = 900_000
const PATIENCE_MS = 10_000

/** Tells of questions that wait, each way once, until `signal` aborts. What fails is tried again, with pauses that grow. */
export async function keepTelling(
  desk: Desk,
  ways: readonly Way[],
  failed: (way: string, error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  while (ways.length > 0 && !signal.aborted) {
    await tellAll(desk, ways, failed, signal)
    await desk.clock.wait(CHECK_MS, signal)
  }
}

/** Tells what is due now. */
export async function tellAll(
  desk: Desk,
  ways: readonly Way[],
  failed: (way: string, error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const { rules } = await desk.policy()
  for (const waiting of pendingQuestions(desk)) {
    const events = ['waits'] as Notice['event'][]
    if (rules.deputies.length > 0 && desk.clock.now() >= deputiesFrom(waiting, rules)) events.push('deputies')
    const { round: question, hands: approvalsNeeded } = waiting
    const expires = new Date(waiting.expires).toISOString()
    for (const event of events) {
      const notice: Notice = { event, member: desk.id, question, expires, approvalsNeeded }
      await Promise.all(ways.map(way => tellOnce(desk, way, notice, waiting.round, failed, signal)))
    }
  }
}

async function tellOnce(
  { db, clock }: Desk,
  way: Way,
  notice: Notice,
  round: (typeof notices.$inferSelect)['round'],
  failed: (way: string, error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const key = { round, event: notice.event, way: way.name }
  const one = and(eq(notices.round, round), eq(notices.event, notice.event), eq(notices.way, way.name))
  const { tries, nextTry, sentAt } = db.select().from(notices).where(one).get() ?? {
    tries: 0,
    nextTry: 0,
    sentAt: null,
  }
  if (sentAt !== null || clock.now() < nextTry) return
  const note = (state: { tries: number; nextTry: number; sentAt: number | null }) =>
    void db
      .insert(notices)
      .values({ ...key, ...state })
      .onConflictDoUpdate({ target: [notices.round, notices.event, notices.way], set: state })
      .run()
  try {
    await way.tell(notice, signal)
    note({ tries: tries + 1, nextTry: 0, sentAt: clock.now() })
  } catch (error) {
    if (signal.aborted) return
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS)
    note({ tries: tries + 1, nextTry: clock.now() + pause, sentAt: null })
    failed(way.name, error)
  }
}

/**
 * A POST of the notice as JSON. `inbond-signature: t=TIME,sha256=HEX` is the HMAC with the shared secret over TIME, a full stop and the
 * body; TIME is in milliseconds since 1970, so that a receiver can refuse an old one. A redirection is not followed.
 * @param url of https
 */
export function webhook(url: string, secret: string, clock: Clock, fetch: Fetch = globalThis.fetch): Way {
  return {
    name: 'webhook',
    tell: async (notice, signal) => {
      const body = JSON.stringify(notice)
      const time = clock.now()
      const code = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')
      const headers = { 'content-type': 'application/json', 'inbond-signature': `t=${time},sha256=${code}` }
      const answered = new AbortController()
      const ended = AbortSignal.any([signal, answered.signal])
      const late = new AbortController()
      void clock.wait(PATIENCE_MS, ended).then(() => late.abort())
      try {
        const patience = AbortSignal.any([signal, late.signal])
        const response = await fetch(url, { method: 'POST', body, headers, redirect: 'manual', signal: patience })
        await response.body?.cancel()
        if (!response.ok) throw fault('notice-not-taken', `the receiver of the webhook answered ${response.status}`)
      } catch (error) {
        if (signal.aborted || error instanceof InbondError) throw error
        const reason = late.signal.aborted
          ? 'did not answer within ten seconds'
          : `cannot be reached (${reasonOf(error)})`
        throw fault('notice-not-taken', `the receiver of the webhook ${reason}`, error)
      } finally {
        answered.abort()
      }
    },
  }
}

/** What sends a mail: a transport of nodemailer has this shape. */
export interface MailTransport {
  sendMail(mail: { from: string; to: string; subject: string; text: string }): Promise<unknown>
}

/** A mail to the stewards. @param to addresses, with commas between them */
export function mail(from: string, to: string, transport: MailTransport): Way {
  return {
    name: 'mail',
    tell: async ({ event, member, question, expires, approvalsNeeded }) => {
      const id = question.slice(0, 12)
      const who = event === 'deputies' ? 'Deputies may decide as well by now.' : `${approvalsNeeded} must approve.`
      const text = `The question ${id} waits at ${member} until ${expires}. ${who}\n\nTo see it: inbond member show DIR ${id}\n`
      await transport.sendMail({ from, to, subject: `${member}: a question waits for a steward`, text })
    },
  }
}

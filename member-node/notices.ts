import { createHmac } from 'node:crypto'
import { and, eq } from 'drizzle-orm'
import { InbondError } from '#crypto/error.ts'
import type { Clock } from '#party/clock.ts'
import type { Fetch } from '#party/connection.ts'
import { reasonOf } from '#party/unreachable.ts'
import { fault } from '#specs/errors.ts'
import { deputiesFrom } from './decisions.ts'
import type { Policy } from './policy.ts'
import { type PolicyKeeper, UnsignedPolicy } from './policy-in-force.ts'
import { type Desk, pendingQuestions } from './queue.ts'
import { notices } from './schema.ts'

/** What stewards are told: that something waits for them, and no word of it. */
export type Notice = QuestionNotice | PolicyNotice

interface QuestionNotice {
  readonly event: 'waits' | 'deputies'
  readonly member: string
  /** The id to show, approve or refuse. */
  readonly question: string
  /** ISO 8601: then nobody can decide any more. */
  readonly expires: string
  readonly approvalsNeeded: number
}

/** Another policy than the one in force stands in the file, which may be news to those who are to sign it. */
interface PolicyNotice {
  readonly event: 'policy'
  readonly member: string
  /** SHA-256 of its text, in hex. */
  readonly policy: string
  readonly signaturesNeeded: number
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

/** Who is told, how, and of what. */
export interface Telling {
  readonly desk: Desk
  /** The one that the desk has its policy from. */
  readonly keeper: Pick<PolicyKeeper, 'trouble'>
  readonly ways: readonly Way[]
  readonly failed: (way: string, error: unknown) => void
}

/** Tells of what waits, each way once, until `signal` aborts. What fails is tried again, with pauses that grow. */
export async function keepTelling(telling: Telling, signal: AbortSignal): Promise<void> {
  while (telling.ways.length > 0 && !signal.aborted) {
    await tellAll(telling, signal)
    await telling.desk.clock.wait(CHECK_MS, signal)
  }
}

/** Tells what is due now. */
export async function tellAll(telling: Telling, signal: AbortSignal): Promise<void> {
  const { rules } = await telling.desk.policy()
  const due = [...noticesOfQuestions(telling.desk, rules), ...noticeOfPolicy(telling)]
  for (const one of due) await Promise.all(telling.ways.map(way => tellOnce(telling, way, one, signal)))
}

/** A notice is told once of its subject: a round, or a policy after another one. */
interface Due {
  readonly subject: string
  readonly notice: Notice
}

function noticesOfQuestions(desk: Desk, rules: Policy): Due[] {
  return pendingQuestions(desk).flatMap(waiting => {
    const { round: question, hands: approvalsNeeded } = waiting
    const expires = new Date(waiting.expires).toISOString()
    const isForDeputies = rules.deputies.length > 0 && desk.clock.now() >= deputiesFrom(waiting, rules)
    const events = isForDeputies ? (['waits', 'deputies'] as const) : (['waits'] as const)
    return events.map(event => ({
      subject: question,
      notice: { event, member: desk.id, question, expires, approvalsNeeded },
    }))
  })
}

function noticeOfPolicy({ desk, keeper: { trouble } }: Telling): Due[] {
  if (!(trouble instanceof UnsignedPolicy)) return []
  const { succession, signaturesNeeded } = trouble
  const { hash: policy, follows } = succession
  const subject = `${policy} after ${follows.version}`
  return [{ subject, notice: { event: 'policy', member: desk.id, policy, signaturesNeeded } }]
}

async function tellOnce(
  { desk: { db, clock }, failed }: Telling,
  way: Way,
  { subject, notice }: Due,
  signal: AbortSignal,
): Promise<void> {
  const key = { subject, event: notice.event, way: way.name }
  const one = and(eq(notices.subject, subject), eq(notices.event, notice.event), eq(notices.way, way.name))
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
      .onConflictDoUpdate({ target: [notices.subject, notices.event, notices.way], set: state })
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
    tell: async notice => void (await transport.sendMail({ from, to, ...inWords(notice) })),
  }
}

function inWords(notice: Notice): { subject: string; text: string } {
  const { member } = notice
  if (notice.event === 'policy') {
    const text = `Another policy stands in the file of ${member}. It takes ${notice.signaturesNeeded} of your signatures to come into force; until then the one before stays.\n\nTo see what it changes: inbond member policy show DIR\nSHA-256: ${notice.policy}\n`
    return { subject: `${member}: a policy waits for the signatures of stewards`, text }
  }
  const id = notice.question.slice(0, 12)
  const who =
    notice.event === 'deputies' ? 'Deputies may decide as well by now.' : `${notice.approvalsNeeded} must approve.`
  const text = `The question ${id} waits at ${member} until ${notice.expires}. ${who}\n\nTo see it: inbond member show DIR ${id}\n`
  return { subject: `${member}: a question waits for a steward`, text }
}

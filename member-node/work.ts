import { rm } from 'node:fs/promises'
import { and, eq, isNull, lt, or } from 'drizzle-orm'
import { InbondError } from '#crypto/error.ts'
import { messageId } from '#crypto/signature.ts'
import { mayPass, RefusedRequest } from '#party/connection.ts'
import { partOf } from '#party/keep-file.ts'
import { type WorkItem, type WorkResponse, workResponse } from '#specs/api.ts'
import { type CharterId, type Refusal, type RoundId, round as roundKind } from '#specs/messages.ts'
import { claims } from '#specs/signed.ts'
import { charterOfRound, isCleared } from './announcements.ts'
import { answer } from './answer.ts'
import { confirmCharter, keyUnder, learnCharter } from './charters.ts'
import { agree, forgetOldPrekeys, forgetRound, giveUp, open, publishPrekeys, withdrawLostPrekeys } from './custody.ts'
import { withEitherKey } from './keyring.ts'
import { ciphertextFile, type Node } from './node.ts'
import { addUpAgain } from './recount.ts'
import { type Refused, refuse } from './refusals.ts'
import { vouchAnew } from './researchers.ts'
import { forgetReplacedKeys } from './rotation.ts'
import { rounds } from './schema.ts'

/** Told what the node does, for its log and for whoever watches. */
export interface Observer {
  done(item: WorkItem): void
  refused(item: WorkItem, error: unknown): void
  /** @param item what it failed at, unless the list itself could not be had */
  failed(error: unknown, item?: WorkItem): void
}

/** How often the node looks whether a steward decided, which happens in another process. */
const DECISION_CHECK_MS = 2_000
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
/** What fails for an unknown reason, arrives damaged or was overtaken is tried so often before the node says that it cannot do it. */
const MOST_TRIES = 3

/**
 * Asks for work and does it until `signal` aborts. Items are done side by side, so that a long answer does not hold up custody;
 * what fails in passing is asked for again after a pause that grows with each time that the same thing fails.
 */
export async function work(node: Node, observer: Observer, signal: AbortSignal): Promise<void> {
  const running = new Map<string, Promise<void>>()
  const tries = new Map<string, number>()
  let version: string | undefined
  let prekeysChecked = false
  let pollsFailed = 0
  let pause = 0
  // Aborted when something failed: the poll that waits for news is given up, so that what failed is listed again.
  let failure = new AbortController()
  const fail = (error: unknown, times: number, item?: WorkItem) => {
    observer.failed(error, item)
    pause = Math.max(pause, Math.min(FIRST_PAUSE_MS * 2 ** (times - 1), LONGEST_PAUSE_MS))
    failure.abort()
  }
  const begin = (item: WorkItem): Promise<void> => {
    const key = keyOf(item)
    const begun = running.get(key)
    if (begun !== undefined) return begun
    const count = (tries.get(key) ?? 0) + 1
    tries.set(key, count)
    const task = performUntilDone(node, item, observer, signal, count >= MOST_TRIES)
      .then(
        () => void tries.delete(key),
        error => (signal.aborted ? undefined : fail(error, count, item)),
      )
      .finally(() => running.delete(key))
    running.set(key, task)
    return task
  }
  while (!signal.aborted) {
    try {
      await tidy(node)
      if (!prekeysChecked) await withdrawLostPrekeys(node, signal)
      prekeysChecked = true
      const listed = await poll(node, version, AbortSignal.any([signal, failure.signal]))
      version = listed.version
      pollsFailed = 0
      // A question is judged under the charter that is listed with it.
      const charters = listed.items.filter(one => one.kind === 'charter')
      await Promise.all(charters.map(begin))
      const others = failure.signal.aborted ? [] : listed.items.filter(one => one.kind !== 'charter')
      for (const item of others) void begin(item)
    } catch (error) {
      if (!signal.aborted && !failure.signal.aborted) fail(error, ++pollsFailed)
    }
    if (failure.signal.aborted) {
      await node.clock.wait(pause, signal)
      pause = 0
      failure = new AbortController()
      version = undefined
    }
  }
  await Promise.allSettled(running.values())
}

export function poll(node: Node, version: string | undefined, signal?: AbortSignal): Promise<WorkResponse> {
  const path = version === undefined ? '/work' : `/work?since=${version}`
  return withEitherKey(node, connection => connection.get(path, workResponse, signal))
}

/** The same key for the same thing to do, so that it is not begun twice. */
function keyOf(item: WorkItem): string {
  switch (item.kind) {
    case 'prekeys':
      return item.kind
    case 'charter':
    case 'confirm':
      return `${item.kind} ${item.charter}`
    case 'contribute':
    case 'agree':
    case 'recount':
      return `${item.kind} ${messageId(item.round)}`
    case 'open':
    case 'void':
      return `${item.kind} ${item.round}`
  }
}

/** Does one item, however long a person takes to allow it, unless its round ends meanwhile. @throws like `perform` */
async function performUntilDone(
  node: Node,
  item: WorkItem,
  observer: Observer,
  signal: AbortSignal,
  lastTry: boolean,
): Promise<void> {
  while ((await perform(node, item, observer, signal, lastTry)) === 'waits') {
    await node.clock.wait(DECISION_CHECK_MS, signal)
    const part = partIn(node, item)
    if (signal.aborted || (part !== undefined && isCleared(node, part.id))) return
  }
}

/**
 * Does one item. What the node must not or cannot do becomes a signed refusal.
 * @param lastTry whether an error of unknown cause, damage on the way, or a round that was cleared away becomes one too
 * @returns `waits` if a person has to allow it first
 * @throws what may pass by itself, such as a broken connection or a full disk
 */
export async function perform(
  node: Node,
  item: WorkItem,
  observer: Observer,
  signal?: AbortSignal,
  lastTry = true,
): Promise<'done' | 'waits'> {
  if (!speaksIn(node, item)) return 'done'
  try {
    if ((await act(node, item, signal)) === 'waits') return 'waits'
    observer.done(item)
  } catch (error) {
    const part = partIn(node, item)
    // Things are done side by side: a round that ended meanwhile was cleared away, and is not asked for again.
    const overtaken = part !== undefined && isCleared(node, part.id)
    const unexpected = overtaken || !(error instanceof InbondError) || isDamage(error)
    if (signal?.aborted || mayPass(error) || isLocal(error) || (unexpected && !lastTry)) throw error
    observer.refused(item, error)
    if (part && !isOver(error)) await refuse(node, part, part.step, error, signal)
  }
  return 'done'
}

/** The step of a round that an item is, if it is one that can be refused. */
function partIn(node: Node, item: WorkItem): (Refused & { readonly step: Refusal['step'] }) | undefined {
  switch (item.kind) {
    case 'contribute':
    case 'agree':
    case 'recount':
      return { id: messageId(item.round) as RoundId, charter: charterNamedIn(item.round), step: item.kind }
    case 'open':
      return { id: item.round, charter: charterAskedFor(node, item), step: item.kind }
    case 'void':
      return item.cohort ? { id: item.round, charter: charterAskedFor(node, item), step: item.kind } : undefined
    default:
      return undefined
  }
}

/** Not where the charter of a round has a key that this member has lost since: then it is absent from it. */
function speaksIn(node: Node, item: WorkItem): boolean {
  const part = partIn(node, item)
  return part === undefined || keyUnder(node, part.charter) !== undefined
}

/** As a round says it that may be anything. */
function charterNamedIn(compact: string): CharterId | undefined {
  try {
    return claims(roundKind, compact).payload.charter
  } catch {
    return undefined
  }
}

function charterAskedFor(node: Node, { round, charter }: WorkItem & { kind: 'open' | 'void' }): CharterId | undefined {
  return charterOfRound(node, round) ?? charter
}

/** The coordinator has closed the matter: there is nothing left to refuse. */
function isOver(error: unknown): boolean {
  return error instanceof InbondError && ['too-late', 'not-found', 'differs-from-stored'].includes(error.code)
}

/** What this node sent arrived otherwise. If that was no accident, its own copy is damaged. */
function isDamage(error: unknown): boolean {
  const codes = ['bad-body', 'bad-length', 'bad-message', 'bad-residue', 'bad-signature', 'bad-token']
  return error instanceof RefusedRequest && codes.includes(error.code)
}

/** A full disk, a locked database, a wrong clock, a key that has become another one: this machine's trouble, not the question's. */
function isLocal(error: unknown): boolean {
  const { code } = error as { code?: string }
  if (error instanceof InbondError) return code === 'clock-skew' || code === 'key-replaced'
  return /^(E[A-Z]+|SQLITE_(BUSY|FULL|IOERR|CORRUPT|NOTADB).*)$/.test(String(code))
}

function act(node: Node, item: WorkItem, signal: AbortSignal | undefined): Promise<unknown> {
  switch (item.kind) {
    case 'charter':
      return item.inForce ? goBy(node, item.charter, signal) : Promise.resolve()
    case 'confirm':
      return confirmCharter(node, item.charter, signal)
    case 'prekeys':
      return publishPrekeys(node, item.missing, signal)
    case 'contribute':
      return answer(node, item, signal)
    case 'agree':
      return agree(node, item, signal)
    case 'open':
      return open(node, item, signal)
    case 'void':
      return endRound(node, item, signal)
    case 'recount':
      return addUpAgain(node, item, signal)
  }
}

async function goBy(node: Node, id: CharterId, signal: AbortSignal | undefined): Promise<void> {
  await learnCharter(node, id, signal)
  await vouchAnew(node, signal)
}

async function endRound(node: Node, item: WorkItem & { kind: 'void' }, signal?: AbortSignal): Promise<void> {
  await clear(node, item.round)
  if (item.cohort) await giveUp(node, item.round, charterAskedFor(node, item), signal)
}

/** Removes what no round needs any more. */
async function tidy(node: Node): Promise<void> {
  forgetOldPrekeys(node)
  await forgetReplacedKeys(node)
  // A void round was cleared when it became void; an encryption that was under way then may have left its result since.
  const notCleared = or(isNull(rounds.clearedAt), lt(rounds.clearedAt, rounds.ends))
  const over = node.db
    .select({ id: rounds.id })
    .from(rounds)
    .where(and(notCleared, lt(rounds.ends, node.clock.now())))
    .all()
  for (const { id } of over) await clear(node, id)
}

async function clear(node: Node, id: RoundId): Promise<void> {
  forgetRound(node, id)
  const file = ciphertextFile(node, id)
  for (const one of [file, partOf(file)]) await rm(one, { force: true })
  node.db.update(rounds).set({ clearedAt: node.clock.now() }).where(eq(rounds.id, id)).run()
}

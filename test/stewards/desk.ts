import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import type { Waiting } from '#member-node/decisions.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { type Desk, queuedQuestion } from '#member-node/queue.ts'
import { contributions, decisions, queue, refusals } from '#member-node/schema.ts'
import { decide } from '#member-node/stewards.ts'
import { perform } from '#member-node/work.ts'
import { type QueryId, type RoundId, refusal } from '#specs/messages.ts'
import { claims } from '#specs/signed.ts'
import { Federation } from '../federation.ts'
import { pose, workOf } from '../steps.ts'

/** People who decide at a member: real nodes on real databases, with stewards who have keys of their own. */

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const MEMBERS = ['BR', 'JP', 'KR']
export const QUESTION = `dataset: declarations
where: { flow: import }
by: [hs2]
measures: [{ sum: value }]
purpose: what stewards see
closes: 2h
`
export const CSV =
  'flow,period,hs6,trader,value\nimport,2020-01,010121,A,1\nimport,2020-01,010121,B,2\nimport,2020-02,851712,A,4\n'

export const TOTAL = QUESTION.replace('by: [hs2]', 'by: []')
/** One figure of some records. */
export const totalOf = (where: string, purpose = 'one figure') =>
  TOTAL.replace('flow: import', where).replace('what stewards see', purpose)

export let federation: Federation
export let kim: IdentityKey
export let lee: IdentityKey
export let sato: IdentityKey

/** A federation for the tests of a file, in which KR has stewards. */
export function openDesk(): void {
  beforeAll(async () => {
    ;[kim, lee, sato] = (await Promise.all([1, 2, 3].map(generateIdentityKey))) as [
      IdentityKey,
      IdentityKey,
      IdentityKey,
    ]
  })
  afterAll(() => {
    federation?.[Symbol.dispose]()
    asked = Number.POSITIVE_INFINITY
  })
  beforeEach(async () => {
    // Every question takes a prekey, and to make new ones takes longer than a new federation of three.
    if (asked > MOST_ASKED) {
      if (asked !== Number.POSITIVE_INFINITY) federation[Symbol.dispose]()
      federation = await Federation.create({ members: MEMBERS })
      for (const id of MEMBERS) federation.load(id, CSV)
      asked = 0
    }
    kr().rules = byHand()
  })
}

const MOST_ASKED = 26
/** Of this federation; of none before the first, and after the last. */
let asked = Number.POSITIVE_INFINITY

export const kr = () => federation.node('KR')
export const desk = (): Desk => kr()

export function byHand(change: Partial<Policy> = {}): Policy {
  return {
    ...(presets.open as Policy),
    otherwise: 'one person',
    expires: '1h',
    stewards: [
      { name: 'Kim', key: kim.publicKey },
      { name: 'Lee', key: lee.publicKey },
    ],
    deputies: [{ name: 'Sato', key: sato.publicKey }],
    deputiesAfter: '30m',
    ...change,
  }
}

/** A question that KR has looked at. */
export async function posed(yaml = QUESTION): Promise<{ query: QueryId; round: RoundId }> {
  const made = await announced(yaml)
  await look()
  return made
}

export async function announced(yaml = QUESTION): Promise<{ query: QueryId; round: RoundId }> {
  asked++
  const made = await pose(federation, yaml)
  federation.researcher.db.$client.prepare('UPDATE queries SET sent_at = 1 WHERE id = ?').run(made.query)
  return made
}

/** Lets KR do what it is asked to contribute to, all of it at the same moment. */
export async function look(): Promise<void> {
  const nobody = { done() {}, refused() {}, failed() {} }
  await federation.coordinator.lifecycle.advance()
  await Promise.all((await workOf(kr(), 'contribute')).map(item => perform(kr(), item, nobody)))
  await federation.coordinator.lifecycle.advance()
}

export const approve = (question: string, steward = 'Kim', key = kim) =>
  decide(desk(), { question, steward, key, verdict: 'approve', reason: null })
export const refuse = (question: string, reason: string, steward = 'Kim', key = kim) =>
  decide(desk(), { question, steward, key, verdict: 'refuse', reason })

export const stateOf = async (id: RoundId) => (await queuedQuestion(desk(), id)).state
export const manifestOf = (id: RoundId) =>
  kr().db.select().from(contributions).where(eq(contributions.round, id)).get()?.manifest
export const isAnswered = (id: RoundId) => manifestOf(id) !== undefined
export function refusedWith(id: RoundId): { code: string; reason: string; policy: string | null } | undefined {
  const stored = kr().db.select().from(refusals).where(eq(refusals.round, id)).get()
  return stored && claims(refusal, stored.compact).payload
}
export const queueRow = (id: RoundId) => kr().db.select().from(queue).where(eq(queue.round, id)).get() as Waiting
export const decisionsOn = (id: RoundId) => kr().db.select().from(decisions).where(eq(decisions.round, id)).all()

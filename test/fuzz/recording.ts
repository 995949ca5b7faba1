import { decodeProtectedHeader } from 'jose'
import { bundle, charterInForce } from '#coordinator/context.ts'
import { generateIdentityKey, type IdentityKey } from '#crypto/signature.ts'
import { makeOffer } from '#member-node/offers.ts'
import { revoke, sponsor } from '#member-node/researchers.ts'
import { rotateKey } from '#member-node/rotation.ts'
import { revocations } from '#member-node/schema.ts'
import { cancel } from '#researcher/client.ts'
import { fetchOffers } from '#researcher/offers.ts'
import { publish } from '#researcher/release.ts'
import { fetchCharter } from '#researcher/researcher.ts'
import { done } from '#specs/api.ts'
import { messageKinds, type QueryId, type RoundId } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { enrolResearcher, Federation, VOUCHING } from '../federation.ts'
import { logInMadeUp } from '../login/made-up.ts'
import { pose, proposeAndSign, step } from '../steps.ts'

const QUESTION = `dataset: declarations
where: { flow: import }
by: [hs2]
measures: [{ sum: value }]
purpose: a round to take apart
need: { atLeast: 3 }
`

/** One request as it travelled, with its answer. */
export interface Exchange {
  readonly who: string
  readonly method: string
  readonly path: string
  readonly authorization: string | undefined
  readonly sent: Buffer
  readonly status: number
  readonly answer: Buffer
}

export interface Run {
  readonly query: QueryId
  readonly round: RoundId
}

/** A federation in which everything has happened once, and all that was said. */
export interface Recording {
  readonly federation: Federation
  readonly exchanges: readonly Exchange[]
  /** A round in each of its states. */
  readonly rounds: Readonly<Record<'opened' | 'recounted' | 'void' | 'agreed' | 'closed' | 'open', Run>>
  /** Of a researcher beside the one who asked. */
  readonly revocation: string
  /** The path of what was published of the opened one. */
  readonly release: string
  /** BR's contribution to the open round, which was held back. */
  readonly held: Buffer
  /** By the `typ` of the message: what honest parties signed. */
  readonly messages: ReadonlyMap<string, readonly string[]>
  /** The key that signed a message. */
  readonly signerOf: (compact: string) => IdentityKey
}

export async function record(): Promise<Recording> {
  const exchanges: Exchange[] = []
  let held: Buffer | undefined
  let isHolding = false
  const federation = await Federation.create({
    members: ['BR', 'JP', 'KR', 'VN'],
    custodians: ['BR', 'JP', 'KR'],
    network: (who, fetch) => async (url, init) => {
      const body = (init?.body ?? '') as Blob | string
      const sent = typeof body === 'string' ? Buffer.from(body) : Buffer.from(await body.arrayBuffer())
      if (isHolding && init?.method === 'PUT') {
        held = sent
        return new Response(null, { status: 204 })
      }
      const response = await fetch(url, init)
      const answer = Buffer.from(await response.arrayBuffer())
      const { authorization } = (init?.headers ?? {}) as Record<string, string>
      const [, path = ''] = /^https?:\/\/[^/]+(.*)$/.exec(url) ?? []
      exchanges.push({ who, method: init?.method ?? 'GET', path, authorization, sent, status: response.status, answer })
      return new Response([204, 304].includes(response.status) ? null : answer, response)
    },
  })
  await proposeAndSign(federation, {}, ['BR', 'JP', 'KR'])
  await federation.settle()
  const { db } = federation.coordinator.context
  await federation.node('BR').connection.post('/charters', bundle(db, charterInForce(db) as SignedCharter), done)
  federation.load('BR', 'flow,period,hs6,value\nimport,2020-01,010121,5\n')
  federation.node('VN').rules = { ...federation.node('VN').rules, smallestCohort: 4 }
  const rounds = {} as Record<keyof Recording['rounds'], Run>
  const answer = await federation.ask(QUESTION)
  rounds.opened = { query: answer.query as QueryId, round: answer.round as RoundId }
  const { address } = await publish(federation.researcher, rounds.opened.query, 'Preliminary figures')
  Object.assign(federation, { researcher: { ...federation.researcher, recountFrom: 0 } })
  const large = await federation.ask(QUESTION)
  rounds.recounted = { query: large.query as QueryId, round: large.round as RoundId }
  rounds.void = await pose(federation, QUESTION)
  federation.researcher.db.$client.prepare('UPDATE queries SET sent_at = 1 WHERE id = ?').run(rounds.void.query)
  for (const kind of ['contribute', 'agree'] as const) await step(federation, kind)
  await cancel(federation.researcher, rounds.void.query)
  await step(federation, 'void')
  // One that was away when the others agreed has to fetch what they agreed to.
  federation.node('JP').db.$client.exec('DELETE FROM past_cohorts')
  rounds.agreed = await pose(federation, QUESTION)
  for (const kind of ['contribute', 'agree'] as const) await step(federation, kind)
  rounds.closed = await pose(federation, QUESTION)
  await step(federation, 'contribute')
  rounds.open = await pose(federation, QUESTION)
  isHolding = true
  await step(federation, 'contribute', ['BR'])
  for (const node of federation.nodes.values()) await makeOffer(node)
  await fetchOffers(federation.researcher, await fetchCharter(federation.researcher))
  const loggedIn = await logInMadeUp(federation, 'KR')
  const { key: revoked, revocation } = await revokeAnother(federation)
  const waiting = await rotateKey(federation.node('VN'))
  const keys = [federation.coordinator.context.key, federation.researcher.key, revoked, loggedIn, waiting]
  for (const node of federation.nodes.values()) keys.push(node.key)
  return {
    federation,
    exchanges,
    rounds,
    revocation,
    release: new URL(address).pathname,
    held: held as unknown as Buffer,
    messages: messagesIn(exchanges),
    signerOf: compact => {
      const { kid } = decodeProtectedHeader(compact)
      return keys.find(key => key.fingerprint === kid) as IdentityKey
    },
  }
}

/** JP vouches for a researcher and revokes it. */
async function revokeAnother(federation: Federation) {
  const { coordinator, directory, clock, researcher } = federation
  const direct = async (url: string, init?: RequestInit) => coordinator.app.request(url, init)
  const source = { identityKey: generateIdentityKey, randomness: researcher.randomness }
  const sponsoring = federation.node('JP')
  const eve = await enrolResearcher(coordinator, `${directory}/JP`, clock, sponsoring.id, direct, source, 'Eve')
  await sponsor(sponsoring, eve.key.fingerprint, VOUCHING)
  await revoke(sponsoring, eve.key.fingerprint, 'left the organisation')
  eve.db.$client.close()
  const stored = sponsoring.db.select().from(revocations).get()
  return { key: eve.key, revocation: (stored as NonNullable<typeof stored>).id }
}

const COMPACT = /[\w-]+\.[\w-]+\.[\w-]{86}/g

/** Every signed message in what was said, and those within them. */
function messagesIn(exchanges: readonly Exchange[]): Map<string, string[]> {
  const found = new Map<string, Set<string>>(messageKinds.map(kind => [kind.typ, new Set<string>()]))
  const collect = (text: string) => {
    for (const [compact] of text.matchAll(COMPACT)) {
      // An ID token is no message.
      const known = found.get(String(decodeProtectedHeader(compact).typ))
      if (known === undefined || known.has(compact)) continue
      known.add(compact)
      collect(Buffer.from(compact.split('.')[1] as string, 'base64url').toString())
    }
  }
  for (const { authorization = '', sent, answer } of exchanges) {
    collect(authorization)
    // A contribution begins with its manifest; a share stream with one too.
    for (const body of [sent, answer]) collect(body.subarray(0, 300_000).toString('latin1'))
  }
  return new Map([...found].map(([typ, compacts]) => [typ, [...compacts]]))
}

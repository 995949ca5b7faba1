import { charterInForce } from '#coordinator/context.ts'
import { type Proposal, proposeCharter } from '#coordinator/proposals.ts'
import { checkProposal, learnCharter } from '#member-node/charters.ts'
import { signCharter } from '#member-node/consents.ts'
import { perform, poll } from '#member-node/work.ts'
import type { Fetch } from '#party/connection.ts'
import { prepare } from '#researcher/client.ts'
import { storedQuery } from '#researcher/researcher.ts'
import { queryReceipt, type WorkItem } from '#specs/api.ts'
import { type CharterId, type QueryId, type RoundId, round } from '#specs/messages.ts'
import { parseQueryFile } from '#specs/query.ts'
import { claims } from '#specs/signed.ts'
import { enrolMember, type Federation, type TestNode, URL } from './federation.ts'

/** A round step by step, where `Federation.settle` would do all of it at once. */

/** What `node` is asked to do now, of one kind. */
export async function workOf<K extends WorkItem['kind']>(node: TestNode, kind: K) {
  const { items } = await poll(node, undefined)
  return items.filter((item): item is Extract<WorkItem, { kind: K }> => item.kind === kind)
}

/** Lets one member do its work of one kind; what it refuses goes to its journal. */
export async function doWork(federation: Federation, id: string, kind: WorkItem['kind']): Promise<void> {
  const node = federation.node(id)
  for (const item of await workOf(node, kind)) {
    await perform(node, item, {
      done: one => void node.journal.push({ item: one }),
      refused: (one, refused) => void node.journal.push({ item: one, refused }),
      failed: error => {
        throw error
      },
    })
  }
}

/** Lets members that are not stopped do their work of one kind, and the coordinator what follows. */
export async function step(federation: Federation, kind: WorkItem['kind'], ids?: readonly string[]): Promise<void> {
  await federation.coordinator.lifecycle.advance()
  for (const { id, stopped } of federation.nodes.values()) {
    if (!stopped && (ids === undefined || ids.includes(id))) await doWork(federation, id, kind)
  }
  await federation.coordinator.lifecycle.finish()
}

/** Proposes a charter, and lets these members sign it, or everybody on its roster. No node has confirmed it yet. */
export async function proposeAndSign(
  federation: Federation,
  proposal: Proposal = {},
  signers?: readonly string[],
): Promise<CharterId> {
  const { context } = federation.coordinator
  const { id, payload, compact } = await proposeCharter(context, proposal)
  for (const { id: member } of payload.members) {
    if (signers !== undefined && !signers.includes(member)) continue
    const node = federation.node(member)
    const inForce = charterInForce(context.db)
    if (inForce) await learnCharter(node, inForce.id)
    await signCharter(node, (await checkProposal(node, { charter: compact, consents: [], confirmations: [] })).proposal)
  }
  return id
}

/** Enrols a member, or another key of one, whose node then takes the place of the one before. */
export async function enrol(federation: Federation, id: string, isReplacement = false): Promise<TestNode> {
  const { coordinator, directory, clock } = federation
  const fetch: Fetch = async (url, init) => federation.coordinator.app.request(url, init)
  const node = await enrolMember(coordinator.context, URL, directory, clock, id, fetch, undefined, isReplacement)
  ;(federation.nodes as Map<string, TestNode>).set(id, node)
  return node
}

/** Sends a question without waiting for its answer. */
export async function pose(federation: Federation, yaml: string): Promise<{ query: QueryId; round: RoundId }> {
  const { researcher, coordinator } = federation
  const query = await prepare(researcher, parseQueryFile(yaml))
  await researcher.connection.post('/queries', { query: storedQuery(researcher, query).compact }, queryReceipt)
  const row = coordinator.context.db.$client.prepare('SELECT id FROM rounds WHERE query = ?').pluck().get(query)
  if (row === undefined) throw new Error('the query has no round')
  return { query, round: row as RoundId }
}

export interface StoredRound {
  readonly id: RoundId
  readonly state: string
  readonly reason: string | null
  readonly compact: string
  readonly cohort: string
  readonly query: string
}

/** A round as the coordinator has it, with the signed query. */
export function roundRow(federation: Federation, id: RoundId): StoredRound {
  return federation.coordinator.context.db.$client
    .prepare(
      'SELECT rounds.id, state, reason, rounds.compact, cohort, queries.compact AS query FROM rounds JOIN queries ON queries.id = rounds.query WHERE rounds.id = ?',
    )
    .get(id) as StoredRound
}

export function documentOf(federation: Federation, id: RoundId) {
  return claims(round, roundRow(federation, id).compact).payload
}

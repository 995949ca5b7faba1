import { readFileSync } from 'node:fs'
import { contributionFile } from '#coordinator/uploads.ts'
import { InbondError } from '#crypto/error.ts'
import { Aggregator, read } from '#crypto/one-shot.ts'
import { unpackShare } from '#crypto/packing.ts'
import { loadSeal } from '#crypto/seal.ts'
import { SEALED_BYTES, unseal } from '#crypto/sealing.ts'
import type { Share } from '#crypto/shamir.ts'
import { agree, open } from '#member-node/custody.ts'
import { rowsOf } from '#researcher/answer.ts'
import { sealedShareOffset } from '#specs/bodies.ts'
import {
  agreement,
  type CharterId,
  type CohortId,
  charter,
  cohort,
  type ManifestId,
  type MemberId,
  manifest,
  prekey,
  type Query,
  type QueryId,
  query,
  type RoundId,
  round,
} from '#specs/messages.ts'
import { plan } from '#specs/query.ts'
import { openingContext, shareContext } from '#specs/sealed-context.ts'
import { claims, PROTOCOL, type Signed, sign } from '#specs/signed.ts'
import { bodyOf, framesOf } from '../simulation/adversary.ts'
import { pose, roundRow, step } from '../steps.ts'
import { MEMBERS, QUESTION, type Scene } from './scene.ts'

/** What whoever breaks the rules can do with what it has: its own keys, its own database, and what it is sent. */

export interface Closed {
  readonly id: RoundId
  readonly query: QueryId
  /** As custodians are asked to agree to it. */
  readonly announced: { readonly round: string; readonly query: string; readonly cohort: string }
}

/** A round to which everybody contributed, at the moment at which custodians are asked to agree. */
export async function closedRound(scene: Scene, question = QUESTION): Promise<Closed> {
  const { federation } = scene
  const { round: id, query } = await pose(federation, question)
  await step(federation, 'contribute')
  await scene.pass(0)
  return closedAs(scene, id, query)
}

export function closedAs(scene: Scene, id: RoundId, query: QueryId): Closed {
  const { compact, cohort, query: asked } = roundRow(scene.federation, id)
  return { id, query, announced: { round: compact, query: asked, cohort } }
}

/** Another cohort of the round, signed by the coordinator. */
export function signCohort(scene: Scene, { announced }: Closed, members: readonly string[]) {
  const { payload } = claims(cohort, announced.cohort)
  const manifests = payload.manifests.filter(one => members.includes(one.member))
  return sign<typeof cohort.schema, CohortId>(scene.coordinatorKey, cohort, { ...payload, manifests })
}

/** A custodian that signs what the coordinator wants. */
export async function agreementOf(scene: Scene, id: string, round: RoundId, to: CohortId): Promise<string> {
  const custodian = id as MemberId
  return (await sign(scene.node(id).key, agreement, { protocol: PROTOCOL, round, cohort: to, custodian })).compact
}

/**
 * A coordinator that leads custodians through agreeing to a cohort of its own making, and through opening it.
 * @returns the openings, as they are sealed to the recipient
 */
export async function leadThrough(
  scene: Scene,
  { id, announced }: Closed,
  to: Signed<unknown, CohortId>,
): Promise<{ readonly custodian: string; readonly sealed: Uint8Array }[]> {
  const members = claims(cohort, to.compact).payload.manifests.map(one => one.member)
  const agreements: string[] = []
  const openings: { custodian: string; sealed: Uint8Array }[] = []
  scene.between = (custodian, direct) => async (url, init) => {
    const path = new URL(url).pathname
    const sent = typeof init?.body === 'string' ? JSON.parse(init.body) : {}
    if (path.endsWith('/shares')) return onlySharesOf(members, await direct(url, init))
    if (path.endsWith('/agreements')) agreements.push(sent.agreement)
    else if (path.endsWith('/openings'))
      openings.push({ custodian, sealed: new Uint8Array(Buffer.from(sent.sealed, 'base64url')) })
    else return direct(url, init)
    return Response.json({}, { status: 201 })
  }
  for (const custodian of MEMBERS) await agree(scene.node(custodian), { ...announced, cohort: to.compact })
  for (const custodian of MEMBERS) await open(scene.node(custodian), { round: id, agreements })
  scene.between = undefined
  return openings
}

/**
 * A coordinator that records a query which it should not have taken, announces its round, and lets everybody go as far as they do.
 * @throws what VN refuses it with
 */
export async function smuggle(scene: Scene, { id, compact, payload }: Signed<Query, QueryId>): Promise<RoundId> {
  const { $client } = scene.coordinator.db
  const { nonce, expires } = payload
  $client
    .prepare('INSERT INTO queries (id, researcher, nonce, compact, received_at, expires_at) VALUES (?, ?, ?, ?, 0, ?)')
    .run(id, scene.federation.researcher.key.fingerprint, nonce, compact, Date.parse(expires))
  await scene.pass(0)
  await scene.federation.settle()
  const { refused } = scene.node('VN').journal.findLast(one => one.item.kind === 'contribute') ?? {}
  if (refused !== undefined) throw refused
  return $client.prepare('SELECT id FROM rounds WHERE query = ?').pluck().get(id) as RoundId
}

/** Of what a custodian fetches, the shares of some dealers. */
export async function onlySharesOf(members: readonly string[], answer: Response): Promise<Response> {
  const frames = await framesOf(answer)
  return bodyOf(frames.filter(one => members.includes(claims(manifest, one.manifest).payload.member)))
}

/** The number of a custodian, at which it has its shares. */
function indexOf(scene: Scene, { announced }: Pick<Closed, 'announced'>, custodian: string): number {
  const under = claims(round, announced.round).payload.charter
  const row = scene.coordinator.db.$client.prepare('SELECT compact FROM charters WHERE id = ?').pluck().get(under)
  return claims(charter, row as string).payload.custodians.indexOf(custodian as MemberId) + 1
}

/** What a recipient unseals. */
export async function unsealed(
  scene: Scene,
  closed: Closed,
  to: CohortId,
  openings: readonly { readonly custodian: string; readonly sealed: Uint8Array }[],
  privateKey: Uint8Array,
): Promise<Share[]> {
  return Promise.all(
    openings.map(async ({ custodian, sealed }) => {
      const context = openingContext({ round: closed.id, cohort: to, custodian: custodian as MemberId })
      const packed = await unseal('inbond/opening/v1', privateKey, context, sealed)
      return { index: indexOf(scene, closed, custodian), residues: unpackShare(packed) }
    }),
  )
}

/** The key to the answer of a query, which a researcher gives away that colludes. */
export function recipientKeyOf(scene: Scene, id: QueryId): Uint8Array {
  const { $client } = scene.federation.researcher.db
  return new Uint8Array($client.prepare('SELECT private_key FROM queries WHERE id = ?').pluck().get(id) as Buffer)
}

/** The private half of the prekey of a custodian in a round, which a custodian gives away that colludes. */
export function prekeyOf(scene: Scene, { announced }: Pick<Closed, 'announced'>, custodian: string) {
  const compact = namedPrekeys(announced.round).find(one => claims(prekey, one).payload.custodian === custodian) ?? ''
  const { $client } = scene.node(custodian).db
  return $client.prepare('SELECT private_key FROM prekeys WHERE compact = ?').pluck().get(compact) as Buffer | null
}

export function namedPrekeys(compact: string): readonly string[] {
  return claims(round, compact).payload.prekeys
}

interface Stored {
  readonly manifest: string
  readonly bytes: Buffer
}

/** What a member contributed, as the coordinator has it. */
export function contributionOf(scene: Scene, id: RoundId, member: string): Stored {
  const { context } = scene.federation.coordinator
  const row = context.db.$client
    .prepare('SELECT manifest, manifest_id AS manifestId FROM contributions WHERE round = ? AND member = ?')
    .get(id, member) as { manifest: string; manifestId: ManifestId }
  return { manifest: row.manifest, bytes: readFileSync(contributionFile(context, id, row.manifestId)) }
}

/** The share of a dealer that is sealed to the custodian at a place in the manifest, opened with a private half. */
export async function shareOf(
  { manifest: compact, bytes }: Stored,
  place: number,
  index: number,
  privateKey: Uint8Array,
): Promise<Share> {
  const { round, member, ciphertext, shares } = claims(manifest, compact).payload
  const { custodian, prekey } = shares[place] as (typeof shares)[number]
  const at = sealedShareOffset(compact, place)
  const context = shareContext({ round, dealer: member, custodian, prekey, ciphertext })
  const packed = await unseal('inbond/share/v1', privateKey, context, bytes.subarray(at, at + SEALED_BYTES))
  return { index, residues: unpackShare(packed) }
}

/** The shares of a dealer that some custodians can open, each with the private half that it has. */
export async function sharesFor(scene: Scene, closed: Closed, dealer: string, custodians: readonly string[]) {
  const stored = contributionOf(scene, closed.id, dealer)
  const places = claims(manifest, stored.manifest).payload.shares.map(one => one.custodian as string)
  return Promise.all(
    custodians.map(id => {
      const half = prekeyOf(scene, closed, id)
      if (half === null) throw new InbondError('bad-seal', `${id} has no private half any more`)
      return shareOf(stored, places.indexOf(id), indexOf(scene, closed, id), new Uint8Array(half))
    }),
  )
}

/**
 * Adds up the contributions of some members and decrypts with whatever shares there are.
 * @returns what those members imported by sea together
 * @throws InbondError `sum-not-accepted`
 */
export async function decrypt(
  stored: readonly Stored[],
  asked: string,
  shares: readonly Share[],
): Promise<string | number | undefined> {
  const seal = await loadSeal()
  using aggregator = new Aggregator(seal)
  const { question } = claims(query, asked).payload
  const ciphertexts = stored.map(({ manifest: compact, bytes }) =>
    bytes.subarray(sealedShareOffset(compact, claims(manifest, compact).payload.shares.length)),
  )
  const { cells } = read(seal, {
    roundId: Buffer.from(claims(manifest, stored[0]?.manifest ?? '').payload.round, 'hex'),
    sum: aggregator.sum(ciphertexts),
    openings: shares,
    threshold: shares.length,
    contributors: stored.length,
  })
  return rowsOf(plan(question), question, cells)[0]?.['sum(value)']
}

/** A charter after the one in force, signed by the coordinator alone and put into its own database. */
export async function signCharter(scene: Scene, members: readonly string[], change: object = {}) {
  const { db, clock } = scene.coordinator
  const row = db.$client.prepare('SELECT id, compact FROM charters ORDER BY epoch DESC LIMIT 1').get()
  const { id, compact } = row as { id: CharterId; compact: string }
  const { payload } = claims(charter, compact)
  const signed = await sign<typeof charter.schema, CharterId>(scene.coordinatorKey, charter, {
    ...payload,
    epoch: payload.epoch + 1,
    previous: id,
    members: payload.members.filter(one => members.includes(one.id)),
    custodians: payload.custodians.filter(one => members.includes(one)),
    threshold: 3,
    quorum: 3,
    ...change,
  })
  db.$client
    .prepare('INSERT INTO charters (id, epoch, compact, proposed_at) VALUES (?, ?, ?, ?)')
    .run(signed.id, signed.payload.epoch, signed.compact, clock.now())
  return signed
}

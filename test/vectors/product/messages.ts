import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createContext } from '#coordinator/context.ts'
import * as coordinatorSchema from '#coordinator/schema.ts'
import { takeContribution } from '#coordinator/uploads.ts'
import { loadSeal } from '#crypto/seal.ts'
import { fingerprint, readKeyFile, signMessage } from '#crypto/signature.ts'
import { verifyAnnouncement } from '#member-node/announcements.ts'
import { Keyring } from '#member-node/keyring.ts'
import type { Node } from '#member-node/node.ts'
import * as memberSchema from '#member-node/schema.ts'
import { openDatabase } from '#party/database.ts'
import { addUpAgain, type CheckedEvidence } from '#researcher/evidence.ts'
import { type MemberId, messageKinds, type RoundId, type SumId } from '#specs/messages.ts'
import { verifyProposal } from '#specs/rules/charter.ts'
import { verifyAgreements, verifyCohort, verifyManifest } from '#specs/rules/cohort.ts'
import { drawnCustodian, drawOf } from '#specs/rules/recount.ts'
import { type VerifiedRound, verifyRound } from '#specs/rules/round.ts'
import { verify } from '#specs/signed.ts'
import { TestClock } from '#test/clock.ts'
import { NOON } from '#test/federation-keys.ts'
import { MemoryKeys } from '#test/memory-keys.ts'
import type { Value } from '../format.ts'
import type { Inputs, Layers, MessageLayer } from '../layers.ts'

/** The layers of messages, as the product has them: specs/rules, and the parties whose databases remember what came before. */

const ROOT = join(import.meta.dirname, '../../..')

async function roundOf(
  input: Pick<Inputs['verify-round'], 'coordinator' | 'charter' | 'query' | 'round'>,
  at?: string,
): Promise<VerifiedRound> {
  const charter = await verifyProposal(input.charter, input.coordinator)
  return verifyRound(input, charter, at === undefined ? undefined : Date.parse(at))
}

/** A coordinator that has announced one round, and takes one contribution to it. */
async function takeOne(input: Inputs['take-contribution']): Promise<string> {
  const round = await roundOf(input)
  const uploads = mkdtempSync(join(tmpdir(), 'inbond-vectors-'))
  const db = openDatabase(':memory:', coordinatorSchema, join(ROOT, 'coordinator/migrations'))
  try {
    const key = { publicKey: input.coordinator, fingerprint: '', privateKey: '' }
    const context = createContext({ db, key, name: '', currency: 'USD', uploads, clock: new TestClock(NOON) })
    announce(db, round)
    const member = { id: input.member as MemberId, publicKey: input.publicKey }
    await takeContribution(context, member, round.id, stream(input.body))
    return db.select().from(coordinatorSchema.contributions).get()?.manifestId as string
  } finally {
    db.$client.close()
    rmSync(uploads, { recursive: true })
  }
}

async function* stream(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

function announce(
  db: ReturnType<typeof openDatabase<typeof coordinatorSchema>>,
  { id, charter, query: asked, compact, round }: VerifiedRound,
): void {
  const researcher = 'researcher'
  const [openedAt, closes, ends] = [round.opens, round.closes, round.ends].map(Date.parse) as [number, number, number]
  db.insert(coordinatorSchema.parties)
    .values({
      fingerprint: researcher,
      role: 'researcher',
      subject: researcher,
      publicKey: '',
      enrolment: '',
      enrolledAt: 0,
    })
    .run()
  db.insert(coordinatorSchema.charters)
    .values({ id: charter.id, epoch: charter.payload.epoch, compact: charter.compact, proposedAt: 0, inForceAt: 0 })
    .run()
  db.insert(coordinatorSchema.queries)
    .values({ id: asked.id, researcher, nonce: '', compact: asked.compact, receivedAt: openedAt, expiresAt: ends })
    .run()
  db.insert(coordinatorSchema.rounds)
    .values({ id, query: asked.id, compact, state: 'open', openedAt, closes, ends })
    .run()
}

/** A member that knows the charter, and is told of rounds one after the other. */
async function recordRounds(input: Inputs['record-rounds']): Promise<RoundId[]> {
  const charter = await verifyProposal(input.charter, input.coordinator)
  const db = openDatabase(':memory:', memberSchema, join(ROOT, 'member-node/migrations'))
  try {
    const { id, compact, payload } = charter
    db.insert(memberSchema.charters).values({ id, epoch: payload.epoch, compact, consent: '', inForceAt: 0 }).run()
    const [{ id: member, publicKey }] = payload.members as [(typeof payload.members)[0]]
    const key = { publicKey, fingerprint: '', privateKey: '' }
    const node: Pick<Node, 'db' | 'clock' | 'id' | 'keys'> = {
      db,
      clock: new TestClock(Date.parse(input.at)),
      id: member,
      keys: new Keyring(member, new MemoryKeys(key), [key], []),
    }
    const recorded: RoundId[] = []
    for (const announced of input.rounds) recorded.push((await verifyAnnouncement(node as Node, announced)).id)
    return recorded
  } finally {
    db.$client.close()
  }
}

export const messageLayers: Pick<Layers, MessageLayer> = {
  'take-contribution': async input => ({ manifest: await takeOne(input) }),
  'add-up-again': async ({ contributions, sum }) => {
    const manifests = contributions.map(({ member, hash }) => ({ payload: { member, ciphertext: hash } }))
    const ciphertexts = new Map(contributions.map(one => [one.member, one.ciphertext]))
    await addUpAgain(await loadSeal(), { manifests } as unknown as CheckedEvidence, sum, async member => {
      return ciphertexts.get(member) as Uint8Array
    })
    return {}
  },
  fingerprint: async ({ publicKey }) => ({ fingerprint: await fingerprint(publicKey) }),
  sign: async ({ privateKey, publicKey, typ, payload }) => {
    const key = await readKeyFile(JSON.stringify({ x: publicKey, d: privateKey }), undefined)
    const { compact, id } = await signMessage(key, typ, JSON.parse(payload))
    return { message: compact, id }
  },
  verify: async ({ publicKey, typ, message }) => {
    const kind = messageKinds.find(one => one.typ === typ) as (typeof messageKinds)[0]
    const { id, payload } = await verify(kind, message, publicKey)
    return { id, payload: payload as Value }
  },
  'verify-charter': async ({ coordinator, charter }) => ({ id: (await verifyProposal(charter, coordinator)).id }),
  'verify-round': async input => {
    const { id, query: asked, custodians, bound } = await roundOf(input, input.at)
    return {
      id,
      query: asked.id,
      bound: String(bound),
      custodians: custodians.map(one => ({ id: one.id, number: one.index, prekey: one.prekey })),
    }
  },
  'record-rounds': async input => ({ rounds: await recordRounds(input) }),
  'verify-cohort': async input => {
    const { id, payload } = await verifyCohort(input.cohort, await roundOf(input))
    return { id, members: payload.manifests.map(one => one.member) }
  },
  'verify-manifest': async input => {
    const round = await roundOf(input)
    const [manifest, naming] = input.evidence
    const { id, payload } = await verifyManifest(manifest, round, await verifyCohort(naming, round))
    return { id, member: payload.member, ciphertext: payload.ciphertext }
  },
  'verify-agreements': async input => {
    const round = await roundOf(input)
    const cohort = await verifyCohort(input.cohort, round)
    return { custodians: await verifyAgreements(input.agreements, round, cohort.id) }
  },
  draw: ({ revealed, sum, custodians }) => ({
    draw: drawOf(revealed),
    custodian: drawnCustodian(revealed, sum as SumId, custodians as readonly MemberId[]),
  }),
}

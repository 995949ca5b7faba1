import fc from 'fast-check'
import { expect } from 'vitest'
import { z } from 'zod'
import { bundle, charterById, charterInForce } from '#coordinator/context.ts'
import { takeContribution } from '#coordinator/uploads.ts'
import { InbondError } from '#crypto/error.ts'
import { type IdToken, verifyIdToken } from '#crypto/id-token.ts'
import { loadSeal } from '#crypto/seal.ts'
import { type IdentityKey, messageId } from '#crypto/signature.ts'
import { agree } from '#member-node/custody.ts'
import { addUpAgain as addUpForRecipient } from '#member-node/recount.ts'
import { Connection } from '#party/connection.ts'
import { meetCoordinator } from '#party/invitation.ts'
import { addUpAgain, type CheckedEvidence, checkEvidence } from '#researcher/evidence.ts'
import {
  answerEvidence,
  type CharterBundle,
  certificateAnswer,
  charterBundle,
  enrolmentReceipt,
  type FederationInfo,
  federationInfo,
  loginReceipt,
  offerList,
  organisationList,
  problem,
  queryList,
  queryReceipt,
  queryStatus,
  researcherList,
  workResponse,
} from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import {
  type Certificate,
  type CharterId,
  certificate,
  cohort,
  login,
  type MemberId,
  offer,
  type PersonSponsorship,
  type Revocation,
  recount,
  revocation,
  sponsorship,
} from '#specs/messages.ts'
import { problemOf } from '#specs/problem.ts'
import { type SignedCharter, verifyCharter } from '#specs/rules/charter.ts'
import { type SignedCohort, verifyCohort } from '#specs/rules/cohort.ts'
import { type SignedOffer, verifyOffer } from '#specs/rules/offer.ts'
import { verifyRecount, verifySum } from '#specs/rules/recount.ts'
import { verifyCertificate, verifyRevocation } from '#specs/rules/researcher.ts'
import { type VerifiedRound, verifyRound } from '#specs/rules/round.ts'
import { claims, type Signed } from '#specs/signed.ts'
import { TestClock } from '../clock.ts'
import { roundRow, workOf } from '../steps.ts'
import { type Decoder, decoder } from './decoder.ts'
import { mutatedBytes, mutatedJson, mutatedText } from './mutations.ts'
import type { Exchange, Recording } from './recording.ts'
import { resigned } from './signed.ts'

/** What members and researchers read from a coordinator that lies, with its own key where it has one. */
export async function answerDecoders(recording: Recording): Promise<Decoder[]> {
  const { exchanges, federation } = recording
  const { researcher, coordinator } = federation
  const said = (method: string, path: RegExp) =>
    exchanges.filter(one => one.method === method && path.test(one.path) && one.status < 300).map(json)
  const list = await researcher.connection.get('/queries', queryList)
  const { key, db } = coordinator.context
  const second = charterInForce(db) as SignedCharter
  const bundles = [charterById(db, second.payload.previous as CharterId), second].map(one => bundle(db, one))
  const [one, two] = bundles as [CharterBundle, CharterBundle]
  const first = await verifyCharter(one, key.publicKey, undefined)
  const known: Known = { recording, charter: await verifyCharter(two, key.publicKey, first), key }
  return [
    shape(known, 'GET /federation', federationInfo, said('GET', /^\/federation$/)),
    shape(known, 'GET /charters/…', charterBundle, said('GET', /^\/charters\//)),
    shape(known, 'POST /enrolments', enrolmentReceipt, said('POST', /^\/enrolments$/)),
    shape(known, 'GET /organisations', organisationList, said('GET', /^\/organisations$/)),
    shape(known, 'POST /logins', loginReceipt, said('POST', /^\/logins$/)),
    shape(known, 'GET /researchers', researcherList, said('GET', /^\/researchers$/)),
    shape(known, 'GET /certificate', certificateAnswer, said('GET', /^\/certificate$/)),
    shape(known, 'GET /offers', offerList, said('GET', /^\/offers$/)),
    shape(known, 'GET /work', workResponse, said('GET', /^\/work/)),
    shape(known, 'POST /queries', queryReceipt, said('POST', /^\/queries$/)),
    shape(known, 'GET /queries/…', queryStatus, said('GET', /^\/queries\//)),
    shape(known, 'GET /queries', queryList, [list]),
    shape(known, 'GET /rounds/…/answer', answerEvidence, said('GET', /\/answer$/)),
    refusals(known),
    introductions(known, said('GET', /^\/federation$/)),
    charters(known, 'the first charter', one, first, undefined),
    charters(known, 'a charter after another', two, known.charter, first),
    certificates(known),
    idTokens(known),
    revocations(known),
    offers(known),
    rounds(known),
    await cohorts(known),
    await evidence(known),
    await additions(known),
    await shares(known),
    contributions(known),
    await recounted(known),
    await recounts(known),
  ]
}

interface Known {
  readonly recording: Recording
  readonly charter: SignedCharter
  /** The coordinator's. */
  readonly key: IdentityKey
}

function json(exchange: Exchange): unknown {
  return JSON.parse(exchange.answer.toString())
}

/** A party whose coordinator answers every request like this. */
export function answered(key: IdentityKey, response: () => Response): Connection {
  const to = { url: 'https://coordinator.test', federation: key.fingerprint }
  return new Connection(to, key, new TestClock(), async () => response())
}

/** A JSON answer: whatever a party takes from it stood in it. */
function shape({ key }: Known, name: string, schema: z.ZodType, said: readonly unknown[]): Decoder {
  const examples = said.slice(-4)
  return decoder<string, unknown>({
    name: `the answer to ${name}`,
    examples: examples.map(one => JSON.stringify(one)),
    inputs: mutatedJson(examples),
    codes: ['bad-answer'],
    decode: text => answered(key, () => new Response(text)).get('/any', schema),
    // Half a surrogate pair does not survive the way.
    believe: (value, text) => expect(JSON.parse(text.toWellFormed())).toMatchObject(value as object),
  })
}

/** The coordinator's own refusals keep its code and its words. */
function refusals({ key }: Known): Decoder {
  const examples = (['too-late', 'from-the-future'] as const).map(code => ({
    ...problemOf(fault('too-late', 'x')),
    code,
  }))
  return decoder<string, InbondError>({
    name: 'a problem',
    examples: examples.map(one => JSON.stringify(one)),
    inputs: mutatedJson(examples),
    codes: ['bad-answer'],
    decode: async text => {
      const refused = answered(key, () => new Response(text, { status: 409 })).get('/any', problem)
      const error = await refused.catch((caught: unknown) => caught)
      if (!(error instanceof InbondError)) throw error
      if (error.code === 'bad-answer') parsed(problem, text)
      return error
    },
    believe: ({ code, message }, text) =>
      expect(JSON.parse(text.toWellFormed())).toMatchObject({ code, detail: message }),
  })
}

function introductions({ key }: Known, said: readonly unknown[]): Decoder {
  const examples = [said[0], said.at(-1)]
  const to = { url: 'https://coordinator.test', federation: key.fingerprint }
  return decoder<string, FederationInfo>({
    name: 'a coordinator that introduces itself',
    examples: examples.map(one => JSON.stringify(one)),
    inputs: mutatedJson(examples),
    codes: ['bad-answer', 'upgrade-needed', 'wrong-federation'],
    decode: text => meetCoordinator(to, async () => new Response(text)),
    believe: ({ publicKey }) => expect(publicKey).toBe(key.publicKey),
  })
}

/** A party's own reading of a JSON document before it checks what is signed in it. */
function parsed<S extends z.ZodType>(schema: S, text: string): z.output<S> {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    document = undefined
  }
  const read = schema.safeParse(document)
  if (read.success) return read.data
  throw fault('bad-answer', 'it is not understood')
}

const UNSIGNED = ['bad-answer', 'bad-signature', 'bad-message', 'upgrade-needed'] as const

function charters(
  { key }: Known,
  name: string,
  intact: CharterBundle,
  charter: SignedCharter,
  previous: SignedCharter | undefined,
): Decoder {
  return decoder<string, SignedCharter>({
    name: `${name} with its signatures`,
    examples: [JSON.stringify(intact)],
    inputs: mutatedJson([intact]),
    codes: [...UNSIGNED, 'bad-charter', 'charter-pending'],
    decode: text => verifyCharter(parsed(charterBundle, text), key.publicKey, previous),
    believe: read => expect(read).toEqual(charter),
  })
}

const announcement = z.object({ round: z.string(), query: z.string() })

/** A round's documents: bent by whoever carries them, or signed so by the coordinator. */
function idTokens({ recording }: Known): Decoder {
  const [compact] = recording.messages.get(login.typ) as [string]
  const { idToken: token } = claims(login, compact).payload
  const providers = (recording.messages.get(sponsorship.typ) as readonly string[])
    .map(one => claims(sponsorship, one).payload)
    .filter(one => one.of === 'organisation')
  return decoder<string, IdToken>({
    name: 'an ID token',
    examples: [token],
    inputs: mutatedText([token]),
    codes: ['bad-id-token'],
    decode: text => verifyIdToken(text, providers[0] as (typeof providers)[0], undefined),
    believe: (_, text) => expect(text.split('.').slice(0, 2)).toEqual(token.split('.').slice(0, 2)),
  })
}

/** A coordinator that certifies what it likes, under a sponsorship that it has. */
function certificates({ recording, charter, key }: Known): Decoder {
  const [compact] = recording.messages.get(certificate.typ) as [string]
  return decoder<string, Signed<Certificate>>({
    name: 'a certificate',
    examples: [compact],
    inputs: fc.oneof(mutatedText([compact]), resigned(key, compact)),
    codes: [...UNSIGNED, 'bad-certificate'],
    decode: text => verifyCertificate(text, charter.payload),
    believe: ({ payload }) => {
      const said = claims(sponsorship, payload.sponsorship).payload
      const { name, publicKey, administration, organisation, role, sponsor } = said as PersonSponsorship
      expect(payload).toMatchObject({ name, publicKey, administration, organisation, role, sponsor })
      expect(said.purposes).toEqual(expect.arrayContaining(payload.purposes))
      expect(payload.notAfter <= said.notAfter).toBe(true)
    },
  })
}

/** A coordinator that revokes in its own name, or in others'. */
function revocations({ recording, charter, key }: Known): Decoder {
  const known = recording.messages.get(revocation.typ) as readonly string[]
  return decoder<string, Signed<Revocation>>({
    name: 'a revocation that is learned',
    examples: known,
    inputs: fc.oneof(mutatedText(known), resigned(key, known[0] as string)),
    codes: [...UNSIGNED, 'bad-certificate'],
    decode: text => verifyRevocation(text, charter.payload),
    believe: ({ payload, compact }) => expect(payload.by === null || known.includes(compact)).toBe(true),
  })
}

/** A member that offers what it likes, in its own name alone. */
function offers({ recording, charter }: Known): Decoder {
  const [compact] = recording.messages.get(offer.typ) as [string]
  const now = recording.federation.clock.now()
  return decoder<string, SignedOffer>({
    name: 'an offer that is taken up',
    examples: [compact],
    inputs: fc.oneof(mutatedText([compact]), resigned(recording.signerOf(compact), compact)),
    codes: [...UNSIGNED, 'bad-offer', 'not-on-roster'],
    decode: text => verifyOffer(text, charter, now),
    believe: ({ payload }) => {
      expect(payload).toMatchObject({ charter: charter.id, member: claims(offer, compact).payload.member })
      expect(Date.parse(payload.notAfter)).toBeGreaterThan(now)
    },
  })
}

function rounds({ recording, charter, key }: Known): Decoder {
  const { compact, query } = roundRow(recording.federation, recording.rounds.open.round)
  const intact = { round: compact, query }
  const now = recording.federation.clock.now()
  return decoder<string, VerifiedRound>({
    name: 'an announced round',
    examples: [JSON.stringify(intact)],
    inputs: fc.oneof(
      mutatedJson([intact]),
      resigned(key, compact).map(round => JSON.stringify({ round, query })),
    ),
    codes: [...UNSIGNED, 'bad-round', 'bad-certificate', 'bad-query', 'clock-skew', 'too-late'],
    decode: text => verifyRound(parsed(announcement, text), charter, now),
    believe: ({ round, custodians, query: asked, plan }, text) => {
      const roster = charter.payload.members.map(one => one.id)
      expect(asked.compact).toBe(query)
      expect(JSON.parse(text).query).toBe(query)
      expect(roster).toEqual(expect.arrayContaining(round.eligible))
      expect(new Set(round.eligible).size).toBe(round.eligible.length)
      expect(custodians.length).toBeGreaterThanOrEqual(charter.payload.threshold)
      for (const { id, index } of custodians) expect(charter.payload.custodians[index - 1]).toBe(id)
      expect(Date.parse(round.closes) - Date.parse(round.opens)).toBe(asked.payload.closesAfter)
      expect(plan.slots).toBeGreaterThan(0)
    },
  })
}

async function cohorts({ recording, charter, key }: Known): Promise<Decoder> {
  const row = roundRow(recording.federation, recording.rounds.closed.round)
  const round = await verifyRound({ round: row.compact, query: row.query }, charter, undefined)
  return decoder<string, SignedCohort>({
    name: 'a cohort',
    examples: [row.cohort],
    inputs: fc.oneof(resigned(key, row.cohort), mutatedText([row.cohort])),
    codes: [...UNSIGNED, 'bad-cohort'],
    decode: compact => verifyCohort(compact, round),
    believe: ({ payload }) => {
      const members = payload.manifests.map(one => one.member)
      expect(payload.round).toBe(round.id)
      expect(round.round.eligible).toEqual(expect.arrayContaining(members))
      expect(new Set(members).size).toBe(members.length)
      expect(members.length).toBeGreaterThanOrEqual(charter.payload.minimumCohort)
    },
  })
}

function answerOf({ recording }: Known, path: RegExp): Exchange {
  return recording.exchanges.find(one => one.method === 'GET' && path.test(one.path) && one.status === 200) as Exchange
}

async function intactEvidence(
  known: Known,
): Promise<{ said: z.infer<typeof answerEvidence>; checked: CheckedEvidence }> {
  const said = parsed(answerEvidence, answerOf(known, /\/answer$/).answer.toString())
  return { said, checked: await checkEvidence(said, said.query, known.charter) }
}

async function evidence(known: Known): Promise<Decoder> {
  const { said, checked } = await intactEvidence(known)
  const text = JSON.stringify(said)
  return decoder<string, CheckedEvidence>({
    name: 'the evidence for an answer',
    isSlow: true,
    examples: [text],
    inputs: mutatedJson([said]),
    codes: [...UNSIGNED, 'bad-evidence', 'bad-round', 'bad-cohort', 'bad-query'],
    decode: changed => checkEvidence(parsed(answerEvidence, changed), said.query, known.charter),
    believe: ({ round, cohort, manifests, sum, openings, refusals, log }) => {
      expect(log).toEqual(checked.log)
      expect([round.id, cohort.id, sum.id]).toEqual([checked.round.id, checked.cohort.id, checked.sum.id])
      expect(manifests.map(one => one.id).toSorted()).toEqual(checked.manifests.map(one => one.id).toSorted())
      // An opening or a refusal that is held back is a custodian's or a member's that never came.
      for (const one of openings) expect(checked.openings).toContainEqual(one)
      for (const [member, reason] of refusals) expect(checked.refusals.get(member)).toBe(reason)
    },
  })
}

/** The members' ciphertexts and their sum, one of which is another. */
async function additions(known: Known): Promise<Decoder> {
  const { checked } = await intactEvidence(known)
  const seal = await loadSeal()
  const members = checked.manifests.map(one => one.payload.member)
  const total = answerOf(known, /\/sum$/).answer
  const parts = members.map(
    member => answerOf(known, new RegExp(`${checked.round.id}/contributions/${member}$`)).answer,
  )
  const all = [total, ...parts]
  type Changed = { readonly at: number; readonly bytes: Uint8Array }
  return decoder<Changed, void>({
    name: 'a sum to add up again',
    examples: all.map((bytes, at) => ({ at, bytes })),
    // A sum of another length is refused when it is received.
    inputs: fc
      .record({ at: fc.nat(all.length - 1), bytes: mutatedBytes(all) })
      .filter(({ at, bytes }) => at > 0 || bytes.length === total.length),
    codes: ['bad-evidence'],
    decode: async ({ at, bytes }) => {
      const sent = all.with(at, Buffer.from(bytes))
      const fetched = async (member: MemberId) => sent[1 + members.indexOf(member)] as Buffer
      await addUpAgain(seal, checked, sent[0] as Buffer, fetched)
    },
    believe: (_, { at, bytes }) => expect(Buffer.from(bytes).equals(all[at] as Buffer)).toBe(true),
  })
}

/** It agreed: that is not sent on. */
const AGREED = new Error('agreed')

/** The connection of a custodian, on which only what is streamed of a round is another's. */
function standIn(connection: Connection, hostile: () => Response): Connection {
  const of: Partial<Connection> = {
    get: (path, schema, signal) => connection.get(path, schema, signal),
    stream: async (path, signal) =>
      path.endsWith('/shares') ? (hostile().body as AsyncIterable<Uint8Array>) : connection.stream(path, signal),
    post: async () => {
      throw AGREED
    },
  }
  return of as Connection
}

/** What a custodian fetches of a cohort. Nothing is kept, so that each input meets a custodian that has not agreed yet. */
async function shares({ recording }: Known): Promise<Decoder> {
  const node = recording.federation.node('BR')
  const round = recording.rounds.closed.round
  const work = (await workOf(node, 'agree')).find(one => messageId(one.round) === round) as Announced
  const parts: Uint8Array[] = []
  for await (const part of await node.connection.stream(`/rounds/${round}/shares`)) parts.push(part)
  const intact = Buffer.concat(parts)
  const frames = [...intact.toString('latin1').split(/(?=.{4}eyJ)/s)].toSorted()
  let received = 0
  return decoder<Stream, void>({
    name: 'the shares of a cohort',
    isSlow: true,
    examples: [{ bytes: intact, piece: intact.length }],
    inputs: fc.record({ bytes: mutatedBytes([intact]), piece: fc.constantFrom(1000, 1448, 65_536) }),
    codes: [...UNSIGNED, 'truncated-body', 'bad-body', 'bad-cohort', 'bad-seal', 'bad-share'],
    decode: async ({ bytes, piece }) => {
      // Of those that are intact the custodian goes on to the log, and asks no more than it may in a minute.
      if (++received % 4000 === 0) recording.federation.clock.advance(60_000)
      const hostile = () => new Response(ReadableStream.from(pieces(bytes, piece)))
      const connection = standIn(node.connection, hostile)
      const { $client } = node.db
      $client.exec('BEGIN')
      try {
        await agree({ ...node, connection }, work)
      } catch (error) {
        if (error !== AGREED) throw error
      } finally {
        $client.exec('ROLLBACK')
      }
    },
    believe: (_, { bytes }) => {
      const accepted = Buffer.from(bytes)
        .toString('latin1')
        .split(/(?=.{4}eyJ)/s)
      expect(accepted.toSorted()).toEqual(frames)
    },
  })
}

/** The documents and the round of which a custodian has added up the sum again, as the coordinator still has them. */
function large({ recording }: Known) {
  const { $client } = recording.federation.coordinator.context.db
  const row = $client
    .prepare(
      'SELECT rounds.compact AS round, queries.compact AS "query", cohort, rounds.sum, seed, recounts.compact AS recount, draws.custodian FROM rounds JOIN queries ON queries.id = rounds.query JOIN draws ON draws.round = rounds.id JOIN recounts ON recounts.round = rounds.id WHERE rounds.id = ?',
    )
    .get(recording.rounds.recounted.round)
  return row as Record<'round' | 'query' | 'cohort' | 'sum' | 'seed' | 'recount' | 'custodian', string>
}

/** What the drawn custodian signed, or anybody else. */
async function recounted(known: Known): Promise<Decoder> {
  const said = large(known)
  const round = await verifyRound(said, known.charter, undefined)
  const total = await verifySum(said.sum, round, await verifyCohort(said.cohort, round))
  const key = known.recording.signerOf(said.recount)
  return decoder<string, MemberId>({
    name: 'a recount of the sum',
    examples: [said.recount],
    inputs: fc.oneof(resigned(key, said.recount), mutatedText([said.recount])),
    codes: [...UNSIGNED, 'bad-evidence'],
    decode: compact => verifyRecount(compact, round, total, Buffer.from(said.seed, 'base64url')),
    believe: (custodian, compact) => {
      expect(custodian).toBe(said.custodian)
      expect(claims(recount, compact).payload).toEqual(claims(recount, said.recount).payload)
    },
  })
}

/** A cohort of which one contribution on its way to the drawn custodian is another. Nothing is kept. */
async function recounts(known: Known): Promise<Decoder> {
  const { recount: intact, custodian, ...said } = large(known)
  const node = known.recording.federation.node(custodian)
  const { member } = claims(cohort, said.cohort).payload.manifests[1] as { member: MemberId }
  const round = known.recording.rounds.recounted.round
  const parts: Uint8Array[] = []
  for await (const part of await node.connection.stream(`/rounds/${round}/contributions/${member}`)) parts.push(part)
  const ciphertext = Buffer.concat(parts)
  return decoder<Stream, string>({
    name: 'a contribution to add up again',
    isSlow: true,
    examples: [{ bytes: ciphertext, piece: 65_536 }],
    inputs: fc.record({ bytes: mutatedBytes([ciphertext]), piece: fc.constantFrom(1000, 1448, 65_536) }),
    codes: ['bad-evidence', 'coordinator-unreachable'],
    decode: async ({ bytes, piece }) => {
      let sent = ''
      const connection: Partial<Connection> = {
        get: (path, schema, signal) => node.connection.get(path, schema, signal),
        stream: async path =>
          path.endsWith(`/${member}`)
            ? (ReadableStream.from(pieces(bytes, piece)) as AsyncIterable<Uint8Array>)
            : node.connection.stream(path),
        post: async (_, body, schema) => {
          sent = (body as { recount: string }).recount
          return schema.parse({})
        },
      }
      const { $client } = node.db
      $client.exec('BEGIN; DROP TRIGGER recounts_no_delete; DELETE FROM recounts')
      try {
        await addUpForRecipient({ ...node, connection: connection as Connection }, { kind: 'recount', ...said })
      } finally {
        $client.exec('ROLLBACK')
      }
      return sent
    },
    believe: (sent, { bytes }) => {
      expect(Buffer.from(bytes).equals(ciphertext)).toBe(true)
      expect(claims(recount, sent).payload).toEqual(claims(recount, intact).payload)
    },
  })
}

/** A contribution on its way to the coordinator. Nothing is kept, so that none is the same one again. */
function contributions({ recording }: Known): Decoder {
  const { context } = recording.federation.coordinator
  const { publicKey } = recording.federation.node('BR').key
  const {
    held,
    rounds: { open },
  } = recording
  return decoder<Stream, void>({
    name: 'a contribution',
    isSlow: true,
    examples: [{ bytes: held, piece: 65_536 }],
    inputs: fc.record({ bytes: mutatedBytes([held]), piece: fc.constantFrom(1000, 1448, 65_536) }),
    codes: [...UNSIGNED, 'truncated-body', 'bad-body', 'bad-residue'],
    decode: async ({ bytes, piece }) => {
      const { $client } = context.db
      $client.exec('BEGIN')
      try {
        const body = ReadableStream.from(pieces(bytes, piece)) as AsyncIterable<Uint8Array>
        await takeContribution(context, { id: 'BR' as MemberId, publicKey }, open.round, body)
      } finally {
        $client.exec('ROLLBACK')
      }
    },
    believe: (_, { bytes }) => expect(held.equals(bytes)).toBe(true),
  })
}

interface Stream {
  readonly bytes: Uint8Array
  readonly piece: number
}

type Announced = Awaited<ReturnType<typeof workOf<'agree'>>>[number]

function* pieces(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield new Uint8Array(bytes.subarray(at, at + length))
}

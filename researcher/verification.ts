import type { Checkpoint } from '#crypto/checkpoint.ts'
import { InbondError } from '#crypto/error.ts'
import { read as decrypt } from '#crypto/one-shot.ts'
import { unpackShare } from '#crypto/packing.ts'
import { loadSeal } from '#crypto/seal.ts'
import type { Share } from '#crypto/shamir.ts'
import { fingerprint, type PublicKey } from '#crypto/signature.ts'
import { type Connection, mayPass } from '#party/connection.ts'
import { LogReader } from '#party/log-reader.ts'
import { fault } from '#specs/errors.ts'
import { charter, type MemberId } from '#specs/messages.ts'
import { inOneLine } from '#specs/printable.ts'
import { LONGEST_DETAIL } from '#specs/problem.ts'
import { type PublishedRelease, publishedRelease, type ReleaseContent, readFileOf } from '#specs/release.ts'
import { type SignedCharter, verifyChain } from '#specs/rules/charter.ts'
import { type SignedCohort, verifyCohort } from '#specs/rules/cohort.ts'
import { entriesOf, verifyLogged } from '#specs/rules/log.ts'
import { type SignedSum, verifyRecount, verifySum } from '#specs/rules/recount.ts'
import { entryOf, messagesIn, type SignedRelease, verifyReleaseMessage } from '#specs/rules/release.ts'
import { type VerifiedRound, verifyRound } from '#specs/rules/round.ts'
import { claims } from '#specs/signed.ts'
import { type Answer, answerOf } from './answer.ts'
import { checkAgreed, checkManifests, checkOpening, ciphertextBytes, requireDistinct, sha256 } from './evidence.ts'
import {
  describeAdded,
  describeAddress,
  describeAgreements,
  describeCharter,
  describeCohort,
  describeFigures,
  describeFile,
  describeKey,
  describeLog,
  describeManifests,
  describeRelease,
  describeRound,
  describeShares,
  describeSum,
  describeToday,
} from './findings.ts'

/**
 * Verifies a published answer from its file alone, with the checks of its recipient, and decrypts it again. It stands on the
 * fingerprint of the federation: whoever makes up a federation can make up what it publishes.
 */

export const stepNames = [
  'file',
  'charter',
  'round',
  'release',
  'address',
  'cohort',
  'contributions',
  'agreements',
  'shares',
  'sum',
  'added up again',
  'key',
  'log',
  'figures',
  'log today',
] as const
export type StepName = (typeof stepNames)[number]

/** What was compared, and found to be so. */
export interface Step {
  readonly step: StepName
  readonly found: string
  /** Whether the file proves it; else it is somebody's word. */
  readonly proved: boolean
}

export interface Verified {
  readonly release: SignedRelease
  /** Fingerprint of the coordinator's key. */
  readonly federation: string
  readonly federationName: string
  readonly recipient: string
  /** Custodians whose shares are there, and how many the round had. */
  readonly opened: readonly MemberId[]
  readonly custodians: number
  readonly recountedBy: MemberId | null
  readonly log: Checkpoint
  /** Of the question. */
  readonly dataset: string
  readonly answer: Answer
}

export interface Expected {
  /** The fingerprint that the reader has from elsewhere. */
  readonly federation?: string | undefined
  /** Which release the address speaks of. */
  readonly id?: string | undefined
  /** The coordinator, where it can be asked for its log today. */
  readonly coordinator?: Pick<Connection, 'stream'> | undefined
}

export interface Observer {
  readonly begun: (step: StepName) => void
  readonly done: (step: Step) => void
  readonly failed: (step: StepName, reason: string) => void
}

const unobserved: Observer = { begun: () => undefined, done: () => undefined, failed: () => undefined }

/**
 * @param bytes the file as it was published
 * @throws InbondError `not-a-release`, `wrong-federation`, `upgrade-needed`; `bad-release` with the step that does not hold; and like
 * `LogReader` where the coordinator is asked
 */
export async function verifyRelease(
  bytes: Uint8Array,
  expected: Expected = {},
  observer: Observer = unobserved,
): Promise<Verified> {
  const take = stepsOf(observer)
  const file = await take('file', async () => readFileOf(publishedRelease, bytes), describeFile(bytes))
  const { content } = file
  const terms = await take('charter', () => checkFederation(content, expected.federation), describeCharter)
  const round = await take('round', () => verifyRound(content, terms, undefined), describeRound)
  const of = { recipient: round.researcher.publicKey, query: round.query.id, round: round.id }
  const release = await take('release', () => verifyReleaseMessage(file, of), describeRelease(round))
  if (expected.id !== undefined) await take('address', () => checkAddress(release, expected.id), describeAddress)
  const cohort = await take('cohort', () => verifyCohort(content.cohort, round), describeCohort(round))
  const signedBy = () => checkManifests(content.manifests, round, cohort)
  const manifests = await take('contributions', signedBy, describeManifests)
  await take('agreements', () => agreementsIn(content, round, cohort), describeAgreements(round))
  const shares = await take('shares', () => sharesIn(content, round, cohort), describeShares)
  const sum = await take('sum', () => sumIn(content, round, cohort), describeSum)
  const recountedBy = await take('added up again', () => addedUp(content, round, sum.signed), describeAdded(round))
  const openings = shares.map(one => one.share)
  const opened = () => decrypted(round, sum.ciphertext, openings, manifests.length)
  const { cells, disagreeing } = await take('key', opened, describeKey(round, shares.length))
  const log = await take('log', () => logIn(file, terms.payload.coordinator), describeLog)
  const fitting = openings.map(one => one.index).filter(index => !disagreeing.includes(index))
  const answered = { round, cohort, manifests, openings: shares, log, reasonOf: () => 'not in the cohort' }
  const answer = answerOf(answered, cells, fitting, { addedUpAgain: recountedBy !== null, recountedBy })
  await take('figures', async () => requireFigures(content, answer), describeFigures(content))
  if (expected.coordinator !== undefined) {
    const reader = new LogReader(expected.coordinator)
    await take('log today', () => followToday(reader, log, terms.payload.coordinator), describeToday)
  }
  return {
    release,
    federation: await fingerprint(terms.payload.coordinator),
    federationName: terms.payload.federation,
    recipient: round.researcher.name,
    opened: shares.map(one => one.custodian),
    custodians: round.custodians.length,
    recountedBy,
    log,
    dataset: round.query.payload.question.dataset.id,
    answer,
  }
}

/** What an error says by itself, whatever the step. */
const OWN_CODES = ['not-a-release', 'wrong-federation', 'upgrade-needed']

function stepsOf(observer: Observer) {
  return async <T>(step: StepName, work: () => Promise<T>, describe: (found: T) => string): Promise<T> => {
    observer.begun(step)
    try {
      const found = await work()
      observer.done({ step, found: describe(found), proved: found !== null })
      return found
    } catch (error) {
      if (!(error instanceof InbondError)) throw error
      observer.failed(step, inOneLine(error.message, LONGEST_DETAIL))
      if (OWN_CODES.includes(error.code) || mayPass(error)) throw error
      throw fault('bad-release', `it does not hold (${step}): ${error.message}`, error)
    }
  }
}

/** The charter of the round, from the first one on, of the federation that the reader means. */
async function checkFederation({ charters }: ReleaseContent, expected: string | undefined): Promise<SignedCharter> {
  const { coordinator } = claims(charter, charters[0]?.charter ?? '').payload
  const actual = await fingerprint(coordinator)
  if (expected !== undefined && actual !== expected) {
    throw fault('wrong-federation', `the release is of the federation ${actual}, not of ${expected}`)
  }
  const last = (await verifyChain(charters, actual, undefined)).at(-1) as SignedCharter
  for (const signed of charters.flatMap(({ consents, confirmations }) => [consents, confirmations])) {
    if (new Set(signed.map(one => one.member)).size !== signed.length) {
      throw fault('bad-release', 'a member signed one charter twice')
    }
  }
  return last
}

async function checkAddress({ id }: SignedRelease, expected: string | undefined): Promise<void> {
  if (id !== expected) throw fault('bad-release', `the address is of release ${expected}, the file of ${id}`)
}

async function agreementsIn(content: ReleaseContent, round: VerifiedRound, cohort: SignedCohort): Promise<MemberId[]> {
  const agreed = await checkAgreed(content.agreements, round, cohort)
  if (agreed.length === content.agreements.length) return agreed
  throw fault('bad-release', 'a custodian agreed twice')
}

async function sharesIn(content: ReleaseContent, round: VerifiedRound, cohort: SignedCohort) {
  const shares = await Promise.all(
    content.openings.map(async one => {
      const bytes = new Uint8Array(Buffer.from(one.share, 'base64url'))
      const custodian = await checkOpening(one.opening, 'share', bytes, round, cohort)
      const index = round.custodians.find(({ id }) => id === custodian)?.index ?? 0
      return { custodian, share: { index, residues: unpackShare(bytes) } }
    }),
  )
  requireDistinct(shares)
  return shares
}

async function sumIn(content: ReleaseContent, round: VerifiedRound, cohort: SignedCohort) {
  const signed = await verifySum(content.sum, round, cohort)
  const ciphertext = new Uint8Array(Buffer.from(content.ciphertext, 'base64url'))
  if (ciphertext.length === ciphertextBytes({ round }) && sha256(ciphertext) === signed.payload.ciphertext) {
    return { signed, ciphertext }
  }
  throw fault('bad-release', 'the sum is not the one that the coordinator signed')
}

async function addedUp({ recount }: ReleaseContent, round: VerifiedRound, sum: SignedSum): Promise<MemberId | null> {
  if (recount === null) return null
  return verifyRecount(recount.recount, round, sum, Buffer.from(recount.seed, 'base64url'))
}

async function decrypted(round: VerifiedRound, sum: Uint8Array, openings: readonly Share[], contributors: number) {
  const { threshold } = round.charter.payload
  const roundId = Buffer.from(round.id, 'hex')
  return decrypt(await loadSeal(), { roundId, sum, openings, threshold, contributors })
}

async function logIn(file: PublishedRelease, coordinator: PublicKey): Promise<Checkpoint> {
  const messages = messagesIn(file.content)
  const own = entryOf(file.release)
  const head = await verifyLogged({ ...messages, log: file.log }, coordinator, [own])
  const proved = file.log.proofs.map(one => one.message)
  const named = [...entriesOf(messages), own].map(one => one.message)
  if (proved.join() === named.join()) return head
  throw fault('bad-release', 'the proofs are not one for each message, in their order')
}

async function requireFigures(content: ReleaseContent, { rows }: Answer): Promise<void> {
  if (JSON.stringify(content.rows) === JSON.stringify(rows)) return
  throw fault('bad-release', 'the figures are not those that the sum decrypts to')
}

async function followToday(reader: LogReader, log: Checkpoint, coordinator: PublicKey): Promise<Checkpoint> {
  const today = await reader.checkpoint(coordinator)
  await reader.verifyExtension(log, today)
  return today
}

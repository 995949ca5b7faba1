import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { emptyLog, headOf } from '#crypto/log.ts'
import { resume } from '#researcher/client.ts'
import { storedQuery } from '#researcher/researcher.ts'
import { extend } from '#specs/log-tiles.ts'
import { certificate, query, sponsorship } from '#specs/messages.ts'
import { claims } from '#specs/signed.ts'
import { entriesIn } from '../forked-log.ts'
import { MINIMUM_COHORT, RECIPIENT, rowsOf } from './members.ts'
import type { Run } from './run.ts'

/** What holds after every schedule: what is wrong, in words, or nothing. */
export type Invariant = (run: Run) => string[] | Promise<string[]>

/** An answer equals the plaintext sum over its cohort; whatever else a question ends with is an error. */
const answersEqualPlaintext: Invariant = ({ asked }) =>
  asked.flatMap(({ answer, question }) => {
    if (answer === undefined) return []
    if (question.large) return ['an answer counts cells beyond the bound']
    const byMode = (rows: readonly object[]) => new Set(rows.map(row => JSON.stringify(row)))
    const figures = JSON.stringify(answer.rows)
    if (isDeepStrictEqual(byMode(answer.rows), byMode(rowsOf(answer.cohort)))) return []
    return [`the answer of ${answer.cohort} is ${figures}`]
  })

/** No custodian signs two cohorts of a round, and what is opened of a round is one cohort. */
const oneCohortARound: Invariant = ({ world }) => {
  const { agreements, openings } = world.history
  const rounds = new Set(openings.map(one => one.round))
  const signed = new Map<string, Set<string>>()
  for (const { custodian, round, cohort } of [...agreements, ...openings]) {
    const key = `${custodian} in ${round}`
    signed.set(key, (signed.get(key) ?? new Set()).add(cohort))
  }
  return [
    ...[...signed].filter(([, cohorts]) => cohorts.size > 1).map(([who]) => `${who} signed two cohorts`),
    ...[...rounds]
      .filter(round => new Set(openings.filter(one => one.round === round).map(one => one.cohort)).size > 1)
      .map(round => `two cohorts of ${round} are opened`),
  ]
}

/** Nothing is agreed to, and so nothing is opened, below the minimum cohort without the recipient's own administration. */
const nothingBelowTheMinimum: Invariant = ({ world }) => {
  const { agreements, openings, cohorts } = world.history
  return [...agreements, ...openings].flatMap(({ custodian, cohort }) => {
    const members = cohorts.get(cohort)?.manifests.map(one => one.member) ?? []
    const counted = members.filter(id => id !== RECIPIENT)
    return counted.length < MINIMUM_COHORT ? [`${custodian} signed a cohort of ${members}`] : []
  })
}

/** A key share sum, an agreement, a refusal, a contribution leaves a party always as the same bytes. */
const alwaysTheSameBytes: Invariant = ({ world }) =>
  [...world.history.sent].filter(([, bodies]) => bodies.size > 1).map(([what]) => `another ${what}`)

/** No custodian says of a round that it opened that it never did. */
const openedOrGivenUp: Invariant = ({ world }) =>
  world.history.openings
    .filter(({ custodian, round }) => world.history.sent.has(`void-statements of ${custodian} in ${round}`))
    .map(({ custodian, round }) => `${custodian} opened ${round} and gave it up`)

/** A member contributes with a prekey, and to a query, in one round; to a cohort, each ciphertext counts once. */
const everythingOnce: Invariant = ({ world }) => {
  const { manifests, rounds, cohorts, agreements } = world.history
  const places = new Map<string, Set<string>>()
  const note = (what: string, where: string) => places.set(what, (places.get(what) ?? new Set()).add(where))
  for (const { member, round, shares } of manifests.values()) {
    for (const { prekey } of shares) note(`${member} used prekey ${prekey}`, round)
    const query = rounds.get(round)?.query
    if (query !== undefined) note(`${member} answered query ${query}`, round)
  }
  const twice = [...places].filter(([, where]) => where.size > 1).map(([what]) => `${what} in two rounds`)
  const copies = agreements.flatMap(({ cohort, custodian }) => {
    const ciphertexts = cohorts.get(cohort)?.manifests.map(one => manifests.get(one.manifest)?.ciphertext) ?? []
    return new Set(ciphertexts).size < ciphertexts.length ? [`${custodian} agreed to a ciphertext twice`] : []
  })
  return [...twice, ...copies]
}

/** What a member contributes is sealed to prekeys that their custodians made, and is for a query that the researcher signed. */
const sealedToItsReaders: Invariant = ({ world }) => {
  const { nodes, researcher } = world.federation
  const made = (id: string, prekey: string) =>
    world.history.lostPrekeys.has(`${prekey} of ${id}`) ||
    nodes.get(id)?.db.$client.prepare('SELECT 1 FROM prekeys WHERE id = ?').get(prekey) !== undefined
  const asked = (id: string | undefined) =>
    researcher.db.$client.prepare('SELECT 1 FROM queries WHERE id = ?').get(id ?? '') !== undefined
  return [...world.history.manifests.values()].flatMap(({ member, round, shares }) => [
    ...shares
      .filter(one => !made(one.custodian, one.prekey))
      .map(one => `${member} sealed for a false ${one.custodian}`),
    ...(asked(world.history.rounds.get(round)?.query) ? [] : [`${member} answered what nobody asked`]),
  ])
}

/** Members answer only whom a member vouched for, and as that member said it. */
const answersTheVouchedFor: Invariant = ({ world }) => {
  const { manifests, queries } = world.history
  return [...manifests.values()].flatMap(({ member, round }) => {
    const asked = claims(query, queries.get(round) ?? '').payload
    const { name, publicKey, administration, sponsor, ...certified } = claims(certificate, asked.certificate).payload
    const vouching = world.federation.nodes.get(sponsor)?.db.$client.prepare('SELECT compact FROM sponsorships').pluck()
    const vouched = ((vouching?.all() ?? []) as string[]).map(one => claims(sponsorship, one).payload)
    const said = { name, publicKey, administration, organisation: certified.organisation, role: certified.role }
    const isSaid = vouched.some(one => Object.entries(said).every(([field, value]) => one[field as never] === value))
    return isSaid ? [] : [`${member} answers ${name} of ${administration}, whom ${sponsor} did not vouch for`]
  })
}

/** Of the charters of one epoch, one is in force, wherever. */
const oneCharterAnEpoch: Invariant = ({ world }) => {
  const { coordinator, nodes, researcher } = world.federation
  const inForce = (db: { $client: import('better-sqlite3').Database }) =>
    db.$client.prepare('SELECT epoch, id FROM charters WHERE in_force_at IS NOT NULL').all()
  const seen = researcher.db.$client.prepare('SELECT epoch, id FROM charters').all()
  const everywhere = [...seen, ...[coordinator.context, ...nodes.values()].flatMap(({ db }) => inForce(db))]
  const epochs = Map.groupBy(everywhere as { epoch: number; id: string }[], one => one.epoch)
  return [...epochs]
    .map(([epoch, charters]) => ({ epoch, ids: new Set(charters.map(one => one.id)) }))
    .filter(({ ids }) => ids.size > 1)
    .map(({ epoch, ids }) => `${ids.size} charters of epoch ${epoch} are in force`)
}

/** Every query that the coordinator accepted is answered, or void with a reason; and whoever asked has the one or the other. */
const everyQueryEnds: Invariant = run => {
  // Whoever breaks the rules may withhold an answer.
  if (run.schedule.cheat !== null) return []
  const { context } = run.world.federation.coordinator
  const queries = context.db.$client
    .prepare(
      `SELECT queries.id, state, COALESCE(void_reason, reason) AS reason
       FROM queries LEFT JOIN rounds ON rounds.query = queries.id`,
    )
    .all() as { id: string; state: string | null; reason: string | null }[]
  const open = queries.filter(({ state, reason }) => state !== 'opened' && !reason)
  return [
    ...open.map(({ id, state }) => `query ${id} is ${state ?? 'waiting'} and has no reason`),
    ...run.asked
      .filter(one => !one.hasEnded)
      .map(one => `${one.id} never ended: ${one.error?.code} ${one.error?.message}`),
  ]
}

/** Asked again, the researcher reads the same; the key of what has ended is gone. */
const answersStay: Invariant = async run => {
  const { researcher } = run.world.federation
  const wrong: string[] = []
  for (const one of run.asked.filter(asked => asked.hasEnded)) {
    const id = one.id as NonNullable<typeof one.id>
    if (storedQuery(researcher, id).privateKey !== null) wrong.push(`the researcher keeps the key of ${id}`)
    const again = await resume(researcher, id, () => undefined).catch(error => error)
    if (one.answer ? !isDeepStrictEqual(again, one.answer) : again.code !== 'round-void')
      wrong.push(`${id} reads otherwise`)
  }
  return wrong
}

/** The heads under which answers are, are heads of what happened. */
const oneHistory: Invariant = ({ asked, world }) => {
  let frontier = emptyLog
  const heads = [headOf(frontier)]
  for (const entry of entriesIn(world.federation.coordinator.context)) {
    frontier = extend(frontier, entry)
    heads.push(headOf(frontier))
  }
  return asked.flatMap(({ answer }) => {
    const named = answer?.evidence.log
    if (answer === undefined || heads.some(head => isDeepStrictEqual(head, named))) return []
    return [`the answer of ${answer.round} is under a head of ${named?.size} entries that the log never had`]
  })
}

/** Once rounds are over and everybody was told, nothing is left that could open them, and no file that nobody needs. */
const nothingRemains: Invariant = ({ world }) => {
  const { nodes, coordinator } = world.federation
  const count = (db: { $client: import('better-sqlite3').Database }, sql: string) =>
    db.$client.prepare(sql).pluck().get()
  const halves = 'SELECT count(*) FROM prekeys JOIN seen_prekeys ON prekey = id WHERE private_key IS NOT NULL'
  const left = [...nodes.values()].flatMap(({ id, db, outbox }) => [
    ...(count(db, halves) === 0 ? [] : [`${id} holds private halves of prekeys`]),
    ...(count(db, 'SELECT count(*) FROM shares') === 0 ? [] : [`${id} holds shares`]),
    ...readdirSync(outbox).map(file => `${id} keeps ${file}`),
  ])
  const { db, uploads } = coordinator.context
  const ended = db.$client.prepare("SELECT id FROM rounds WHERE state = 'void'").pluck().all() as string[]
  const folders = ended
    .filter(id => existsSync(join(uploads, id)))
    .map(id => `the coordinator keeps the void round ${id}`)
  const parts = readdirSync(uploads, { recursive: true }).filter(file => String(file).endsWith('.part'))
  return [...left, ...folders, ...parts.map(file => `the coordinator keeps ${file}`)]
}

/** No party fails with anything but one of its own errors. */
const nothingUnexpected: Invariant = ({ world }) =>
  [...world.unexpected, ...world.coordinatorErrors].map(error => (error as Error).stack ?? String(error))

/** What was wrong at the moment of sending: see history.ts. */
const whileSending =
  (name: string): Invariant =>
  ({ world }) =>
    world.history.broken.filter(one => one.invariant === name).map(one => one.what)

export const invariants = {
  answersEqualPlaintext,
  oneCohortARound,
  nothingBelowTheMinimum,
  alwaysTheSameBytes,
  openedOrGivenUp,
  everythingOnce,
  sealedToItsReaders,
  answersTheVouchedFor,
  oneCharterAnEpoch,
  everyQueryEnds,
  answersStay,
  oneHistory,
  nothingRemains,
  nothingUnexpected,
  /** A custodian opens only what the threshold of custodians agreed to before. */
  openedWithThreshold: whileSending('openedWithThreshold'),
  /** What custodians under one charter agreed to, those under the next go by. */
  handedOver: whileSending('handedOver'),
  storedBeforeSent: whileSending('storedBeforeSent'),
  sharesAsDealt: whileSending('sharesAsDealt'),
  unknownContributions: whileSending('unknownContributions'),
  forgottenWhenOpened: whileSending('forgottenWhenOpened'),
  nobodyRefusesWhatItDid: whileSending('nobodyRefusesWhatItDid'),
}
export type InvariantName = keyof typeof invariants

/** @throws Error that names every invariant that fails, and how */
export async function check(run: Run): Promise<void> {
  const failed: string[] = []
  for (const [name, invariant] of Object.entries(invariants)) {
    for (const what of await invariant(run)) failed.push(`${name}: ${what}`)
  }
  if (failed.length > 0) throw new BrokenInvariant(failed)
}

export class BrokenInvariant extends Error {
  readonly failed: readonly string[]

  constructor(failed: readonly string[]) {
    super(`after this schedule:\n${failed.join('\n')}`)
    this.failed = failed
  }
}

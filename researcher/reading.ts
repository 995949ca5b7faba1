import { and, eq, isNull } from 'drizzle-orm'
import { read as decrypt } from '#crypto/one-shot.ts'
import { loadSeal } from '#crypto/seal.ts'
import { forgetForGood } from '#party/database.ts'
import { answerEvidence } from '#specs/api.ts'
import { fault } from '#specs/errors.ts'
import type { QueryId, RoundId } from '#specs/messages.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { type Answer, coverageRanges, rowsOf, unitsOf } from './answer.ts'
import {
  ADD_UP_AGAIN_BELOW,
  addUpAgain,
  type CheckedEvidence,
  checkEvidence,
  ciphertextBytes,
  sha256,
  unsealOpenings,
} from './evidence.ts'
import { followLog, lastCheckpoint } from './history.ts'
import { knownCharter, type Researcher, storedQuery } from './researcher.ts'
import * as schema from './schema.ts'

/**
 * Fetches an opened round, checks every signature and that the log goes on from where it was, adds the contributions up again where they are small, rebuilds the key,
 * decrypts, and throws the key away.
 * @throws InbondError `sum-not-accepted`, `bad-evidence`, `log-not-extended`, and the codes of the rules in specs/rules
 */
export async function read(researcher: Researcher, id: QueryId, round: RoundId, signal?: AbortSignal): Promise<Answer> {
  const { compact, privateKey, answer: readBefore } = storedQuery(researcher, id)
  // Two processes may follow the same query: the key went with the first answer.
  if (readBefore !== null) return JSON.parse(readBefore) as Answer
  if (privateKey === null) throw fault('bad-evidence', 'the key of this query is gone')
  // Before the request: whatever is shown after it has to be at least as long.
  const before = lastCheckpoint(researcher.db)
  const evidence = await researcher.connection.get(`/rounds/${round}/answer`, answerEvidence, signal)
  const charter = await knownCharter(researcher, evidence.charter.charter)
  const checked = await checkEvidence(evidence, compact, charter)
  await followLog(researcher, checked.log, before, signal)
  const seal = await loadSeal()
  const total = await download(researcher, `/rounds/${round}/sum`, ciphertextBytes(checked), signal)
  if (sha256(total) !== checked.ciphertext)
    throw fault('bad-evidence', 'the sum is not the one that the coordinator signed')
  const small = ciphertextBytes(checked) * checked.manifests.length < ADD_UP_AGAIN_BELOW
  if (small) {
    await addUpAgain(seal, checked, total, member =>
      download(researcher, `/rounds/${round}/contributions/${member}`, ciphertextBytes(checked), signal),
    )
  }
  const openings = await unsealOpenings(checked, privateKey)
  const { cells, disagreeing } = decrypt(seal, {
    roundId: Buffer.from(checked.round.id, 'hex'),
    sum: total,
    openings,
    threshold: charter.payload.threshold,
    contributors: checked.manifests.length,
  })
  const fitting = openings.map(one => one.index).filter(index => !disagreeing.includes(index))
  const answer = describe(checked, cells, fitting, small)
  // Another process may have read it meanwhile, with other openings: the answer that was stored first stands.
  const { changes } = researcher.db
    .update(schema.queries)
    .set({ answer: JSON.stringify(answer), privateKey: null })
    .where(and(eq(schema.queries.id, id), isNull(schema.queries.answer)))
    .run()
  forgetForGood(researcher.db)
  return changes === 1 ? answer : (JSON.parse(storedQuery(researcher, id).answer as string) as Answer)
}

async function download(
  researcher: Researcher,
  path: string,
  bytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const whole = new Uint8Array(bytes)
  let at = 0
  for await (const chunk of await researcher.connection.stream(path, signal)) {
    if (at + chunk.length > bytes) throw fault('bad-evidence', `${path} is longer than the question allows`)
    whole.set(chunk, at)
    at += chunk.length
  }
  if (at !== bytes) throw fault('coordinator-unreachable', `${path} ended after ${at} of ${bytes} bytes`)
  return whole
}

function describe(
  checked: CheckedEvidence,
  cells: BigInt64Array,
  fitting: readonly number[],
  addedUpAgain: boolean,
): Answer {
  const { round, cohort, manifests, openings } = checked
  const { question } = round.query.payload
  const terms = round.charter.payload
  const members = cohort.payload.manifests.map(one => one.member)
  const coverageOf = (id: string) => manifests.find(one => one.payload.member === id)?.payload.coverage ?? []
  const indexOf = (id: string) => round.custodians.find(one => one.id === id)?.index ?? 0
  const custodians = openings.map(one => one.custodian)
  return {
    query: round.query.id,
    round: round.id,
    purpose: question.purpose,
    cohort: members,
    missing: round.round.eligible
      .filter(id => !members.includes(id))
      .map(member => ({ member, reason: checked.refusals.get(member) ?? 'did not contribute in time' })),
    coverage: Object.fromEntries(members.map(id => [id, coverageRanges(coverageOf(id))])),
    units: unitsOf(round.plan, question, terms.currency),
    rows: rowsOf(round.plan, question, cells),
    notes: terms.members.filter(one => members.includes(one.id)).flatMap(one => deviations(one.id, one.conventions)),
    evidence: {
      charter: round.charter.id,
      cohort: cohort.id,
      openedBy: custodians.filter(id => fitting.includes(indexOf(id))),
      disagreeing: custodians.filter(id => !fitting.includes(indexOf(id))),
      addedUpAgain,
      log: { size: checked.log.size, root: checked.log.root },
    },
  }
}

/** Where a member's figures are made otherwise than international merchandise trade statistics recommend. */
function deviations(member: string, made: SignedCharter['payload']['members'][number]['conventions']): string[] {
  return [
    made.importValuation === 'CIF' ? [] : [`${member} values imports ${made.importValuation}`],
    made.exportValuation === 'FOB' ? [] : [`${member} values exports ${made.exportValuation}`],
    made.tradeSystem === 'general' ? [] : [`${member} counts by the ${made.tradeSystem} trade system`],
  ].flat()
}

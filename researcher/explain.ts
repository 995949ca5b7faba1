import { isoTime } from '#party/clock.ts'
import { meetCoordinator } from '#party/invitation.ts'
import { fault } from '#specs/errors.ts'
import { certificate, type MemberId } from '#specs/messages.ts'
import { measureName, type QueryFile, type Question } from '#specs/query.ts'
import { type SignedCharter, verifyProposal } from '#specs/rules/charter.ts'
import { describeCondition, regionsIntersect } from '#specs/rules/region.ts'
import { checkPurpose } from '#specs/rules/researcher.ts'
import { demandsOf } from '#specs/rules/succession.ts'
import { describeApart } from '#specs/rules/vintage.ts'
import { claims } from '#specs/signed.ts'
import { type CoverageRanges, coverageRanges } from './answer.ts'
import { fetchCertificate } from './certificate.ts'
import { costOf } from './cost.ts'
import type { Scene } from './expected-cohort.ts'
import { forecast, type MemberOutlook } from './forecast.ts'
import { type PastAnswer, pastAnswers } from './ledger.ts'
import { commonMonths, monthsAsked, overlap } from './months.ts'
import { nearest } from './nearest.ts'
import { fetchOffers } from './offers.ts'
import { changedLines, queryLines } from './query-file.ts'
import { fetchCharter, type Researcher } from './researcher.ts'

/**
 * Gathers what a question is judged by: the charter in force, the certificate to ask with, what members offer, and the answers before.
 * No member is asked for anything.
 * @throws InbondError `charter-pending`, `not-sponsored`, `researcher-revoked`, `log-not-extended`, and like `Connection.get`
 */
export async function lookAround(researcher: Researcher, signal?: AbortSignal): Promise<Scene> {
  const charter = await fetchCharter(researcher)
  const certified = claims(certificate, await fetchCertificate(researcher, charter)).payload
  const offers = await fetchOffers(researcher, charter, signal)
  const past = await pastAnswers(researcher, charter, signal)
  const { recountFrom } = researcher
  const isHandingOver = await changesCustody(researcher, charter)
  const now = researcher.clock.now()
  return { charter: charter.payload, isHandingOver, certificate: certified, offers, past, recountFrom, now }
}

/** Whether the charter that is proposed changes the custodians, with whom questions wait for it. */
async function changesCustody(researcher: Researcher, { payload }: SignedCharter): Promise<boolean> {
  const { proposed } = await meetCoordinator(researcher.to, researcher.fetch)
  if (proposed === null) return false
  const next = await verifyProposal(proposed.charter, payload.coordinator)
  return demandsOf(payload, next.payload).custodians.needed > 0
}

export type Explanation = ReturnType<typeof explain>

/**
 * Everything that can be said of a question before it is asked, as `--json` prints it.
 * @throws InbondError `bad-query`, `unknown-dataset`, `too-many-slots`, `bad-certificate`
 */
export function explain(file: QueryFile, scene: Scene) {
  const { question, need } = file
  const roster = scene.charter.members.length
  if (need !== 'all' && need.atLeast > roster) {
    throw fault('bad-query', `need: at least ${need.atLeast} members, but the federation has ${roster}`)
  }
  checkPurpose(file, scene.certificate)
  const foreseen = forecast(file, scene)
  const search = foreseen.outcome === 'answered' ? undefined : nearest(file, scene)
  const found = search?.nearest
  return {
    purpose: question.purpose,
    outcome: foreseen.outcome,
    reasons: foreseen.reasons,
    /** Whether it would wait for a proposed charter that changes the custodians. */
    waitsForCharter: scene.isHandingOver,
    /** As of when members would be asked: of an answer before, or null for the moment of asking. */
    asOf: foreseen.round.isAsBefore ? isoTime(foreseen.round.asOf) : null,
    /** Who would be asked. */
    eligible: foreseen.round.eligible,
    need: {
      asked: need,
      needed: foreseen.needed,
      sure: foreseen.sure,
      possible: foreseen.possible,
      minimumCohort: scene.charter.minimumCohort,
    },
    members: foreseen.members.map(one => ({ ...one, coverage: rangesOf(one) })),
    /** Whether anybody has data of what is asked about, or does not say. */
    hasData: foreseen.members.some(one => one.coverage?.some(month => month.state !== 'none') ?? true),
    /** What every member has that says what it has. */
    commonMonths: commonMonths(foreseen.members.map(one => one.coverage)) ?? null,
    cost: costOf(question, foreseen.possible, scene.charter.custodians.length, scene.recountFrom),
    pastAnswers: overlapping(question, scene).map(describePast),
    exposures: foreseen.exposures.map(one => ({ ...one, inWords: describeApart(one) })),
    nearest:
      found === undefined
        ? null
        : {
            outcome: found.forecast.outcome,
            changes: found.changes,
            lines: changedLines(file, found.file),
            query: `${queryLines(found.file).join('\n')}\n`,
          },
    search: search && { tried: search.tried, isCutShort: search.isCutShort, unmoved: search.unmoved },
  }
}

function rangesOf({ coverage }: MemberOutlook): CoverageRanges | null {
  return coverage && coverageRanges(coverage.map(one => ({ ...one, latest: one.version, asOf: null })))
}

/** Past answers about some of the same records, newest first: those that this question would be compared with. */
function overlapping(question: Question, { past }: Pick<Scene, 'past'>): PastAnswer[] {
  const asked = monthsAsked(question)
  const sharesMonths = (other: Question) => {
    const theirs = monthsAsked(other)
    return asked === undefined || theirs === undefined || overlap(asked, theirs) !== undefined
  }
  return past
    .filter(one => !one.isGivenUp)
    .filter(one => regionsIntersect(one.asked.question, question) && sharesMonths(one.asked.question))
    .toReversed()
}

function describePast({ query, round, opens, researcher, organisation, asked }: PastAnswer) {
  const { question, parts } = asked
  return {
    query,
    round,
    opens,
    researcher,
    organisation,
    members: parts.map(one => one.member) satisfies MemberId[],
    about: question.where.length === 0 ? ['all records'] : question.where.map(describeCondition),
    by: question.by,
    measures: question.measures.map(measureName),
    purpose: question.purpose,
  }
}

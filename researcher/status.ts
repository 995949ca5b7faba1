import { table } from '#party/command.ts'
import { mayPass } from '#party/connection.ts'
import { describeDisk, diskConcern, diskOf, duration, verdict } from '#party/glance.ts'
import { type QueryStatus, queryList } from '#specs/api.ts'
import { catalogue } from '#specs/datasets/catalogue.ts'
import type { Dataset } from '#specs/datasets/dataset.ts'
import type { SignedCharter } from '#specs/rules/charter.ts'
import { askStanding, knownCertificate, renewalOf, type Standing } from './certificate.ts'
import { describeProgress } from './presentation.ts'
import { fetchCharter, type Researcher } from './researcher.ts'
import * as schema from './schema.ts'

const CERTIFICATE_CONCERN_MS = 30 * 86_400_000
/** Of whoever logged in: that lasts 30 days at most. */
const LOGIN_CONCERN_MS = 5 * 86_400_000

/**
 * What a researcher wants to see at a glance: the federation, its datasets, and what was asked. Of a coordinator that cannot be
 * asked, the reason; the rest is known here.
 */
export async function overview(researcher: Researcher, signal: AbortSignal) {
  const heard = await hear(researcher, signal)
  const asked = researcher.db.select().from(schema.queries).all()
  const known = knownCertificate(researcher)
  const running = asked.filter(one => one.answer === null && one.voidReason === null)
  return {
    unreachable: heard.unreachable,
    federation: heard.charter?.payload.federation ?? null,
    charter: heard.charter === null ? null : charterOf(heard.charter),
    datasets: heard.charter?.payload.datasets.map(one => ({ ...one, ...contentsOf(catalogue.get(one.id)) })) ?? [],
    fingerprint: researcher.key.fingerprint,
    sponsor: heard.standing?.sponsor ?? known?.sponsor ?? null,
    obstacle: heard.standing?.obstacle?.message ?? null,
    certificateEnds: known?.notAfter ?? null,
    loggedIn: known !== undefined && known.idToken !== null,
    renewal: known === undefined ? null : renewalOf(known),
    queries: {
      answered: asked.filter(one => one.answer !== null).length,
      void: asked.filter(one => one.voidReason !== null).length,
      running: running.map(({ id, purpose }) => ({
        query: id,
        purpose,
        status: heard.queries.find(one => one.query === id) ?? null,
      })),
    },
    disk: diskOf(researcher.db.$client.name),
  }
}

interface Heard {
  readonly unreachable: string | null
  readonly charter: SignedCharter | null
  readonly standing: Standing | null
  readonly queries: readonly QueryStatus[]
}

async function hear(researcher: Researcher, signal: AbortSignal): Promise<Heard> {
  try {
    const charter = await fetchCharter(researcher)
    const standing = await askStanding(researcher, charter, signal)
    const { queries } = await researcher.connection.get('/queries', queryList, signal)
    return { unreachable: null, charter, standing, queries }
  } catch (error) {
    if (signal.aborted || !mayPass(error)) throw error
    return { unreachable: (error as Error).message, charter: null, standing: null, queries: [] }
  }
}

function charterOf({ id, payload }: SignedCharter) {
  const { epoch, members, custodians, threshold, currency } = payload
  return { id, epoch, members: members.map(one => one.id), custodians, threshold, currency }
}

function contentsOf(dataset: Dataset | undefined) {
  return {
    dimensions: Object.keys(dataset?.dimensions ?? {}),
    measures: ['records', ...Object.keys(dataset?.measures ?? {})],
  }
}

type Overview = Awaited<ReturnType<typeof overview>>

/** What a person should look at, in sentences. @param now milliseconds since 1970 */
export function concernsOf(status: Overview, now: number): string[] {
  const concerns = diskConcern(status.disk)
  if (status.unreachable !== null) concerns.unshift(`The coordinator cannot be asked: ${status.unreachable}.`)
  if (status.obstacle !== null) concerns.push(`You cannot ask: ${status.obstacle}.`)
  const left = status.certificateEnds === null ? null : Date.parse(status.certificateEnds) - now
  const early = status.loggedIn ? LOGIN_CONCERN_MS : CERTIFICATE_CONCERN_MS
  if (status.obstacle === null && left !== null && left < early) {
    const when = left <= 0 ? 'has expired' : `expires in ${duration(left)}`
    concerns.push(`Your certificate ${when}; ${status.renewal}.`)
  }
  return concerns
}

function certificateLine({ certificateEnds, sponsor }: Overview): string {
  if (certificateEnds === null) return sponsor === null ? 'none yet' : `none yet; ${sponsor} is asked to vouch for you`
  return `until ${certificateEnds.slice(0, 10)}, sponsored by ${sponsor}`
}

/** @param now milliseconds since 1970 */
export function describeOverview(status: Overview, now: number): string {
  const { charter, datasets, queries } = status
  const federation = charter && [
    ['federation', status.federation as string],
    ['charter', `epoch ${charter.epoch}, values in ${charter.currency}`],
    ['members', charter.members.join(', ')],
    ['custodians', `${charter.custodians.join(', ')}; ${charter.threshold} of them open`],
  ]
  const rows = table([
    ...(federation ?? []),
    ...datasets.flatMap(one => [
      ['dataset', `${one.id}, version ${one.version}`],
      ['  by', one.dimensions.join(', ')],
      ['  measures', one.measures.join(', ')],
    ]),
    ['fingerprint', status.fingerprint],
    ['certificate', certificateLine(status)],
    ['queries', `${queries.running.length} running, ${queries.answered} answered, ${queries.void} void`],
    ...queries.running.map(one => {
      const standing = one.status === null ? 'not heard of' : describeProgress(one.status, now)
      return ['query', `${one.query.slice(0, 12)}  ${one.purpose}: ${standing}`]
    }),
    ['disk', describeDisk(status.disk)],
  ])
  return verdict(concernsOf(status, now)) + rows
}

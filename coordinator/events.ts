import type { Level, LogEvent } from '#party/log.ts'
import type { LoggedError } from '#party/logged-error.ts'
import type { CharterId, MemberId, QueryId, ReleaseId, RoundId } from '#specs/messages.ts'

/** A request that was answered. Its path stands here as a template, with the ids beside it. */
export type RequestEvent = {
  readonly msg: 'request'
  /** Of this request: as its sender called it, or made here. */
  readonly request: string
  readonly method: string
  readonly route: string
  readonly status: number
  /** Until the answer began. */
  readonly ms: number
  /** It waited for news, or asked whether the service runs. */
  readonly waits?: true
  /** Member id, or fingerprint of a researcher. */
  readonly party?: string
  readonly round?: string
  readonly query?: string
  /** Why it was refused. */
  readonly code?: string
  readonly reason?: string
}

/** Everything that a coordinator tells its operator. */
export type CoordinatorEvent =
  | RequestEvent
  | { readonly msg: 'the coordinator is ready'; readonly host: string; readonly port: number; readonly url: string }
  | { readonly msg: 'requests are not encrypted: whoever is on the way can read them'; readonly url: string }
  | { readonly msg: 'certificate renewed' }
  /** The one before goes on to be used, until the files are replaced again. */
  | ({ readonly msg: 'certificate not renewed' } & LoggedError)
  | { readonly msg: 'stopped' }
  | { readonly msg: 'party enrolled'; readonly party: string }
  | { readonly msg: 'researcher sponsored'; readonly party: string; readonly sponsor: MemberId }
  | { readonly msg: 'researcher logged in'; readonly party: string; readonly sponsor: MemberId }
  | { readonly msg: 'researcher revoked'; readonly revocation: string; readonly by: string }
  | { readonly msg: 'charter in force'; readonly charter: CharterId; readonly epoch: number; readonly members: number }
  | { readonly msg: 'query recorded'; readonly query: QueryId; readonly party: string }
  | { readonly msg: 'query void'; readonly query: QueryId; readonly reason: string }
  | {
      readonly msg: 'round announced'
      readonly round: RoundId
      readonly query: QueryId
      readonly eligible: number
      readonly custodians: number
    }
  | { readonly msg: 'contribution counted'; readonly round: RoundId; readonly party: MemberId; readonly bytes: number }
  | { readonly msg: 'round closed'; readonly round: RoundId; readonly cohort: number }
  | { readonly msg: 'round agreed'; readonly round: RoundId }
  | { readonly msg: 'round opened'; readonly round: RoundId }
  | { readonly msg: 'round void'; readonly round: RoundId; readonly reason: string }
  /** As many custodians as needed say that they never open it: its cohort does not count for later ones. */
  | { readonly msg: 'round given up'; readonly round: RoundId; readonly custodians: number }
  | { readonly msg: 'custodian drawn'; readonly round: RoundId; readonly custodian: MemberId }
  | { readonly msg: 'sum added up again'; readonly round: RoundId; readonly custodian: MemberId }
  | { readonly msg: 'answer released'; readonly round: RoundId; readonly release: ReleaseId }
  | { readonly msg: 'sum made'; readonly round: RoundId; readonly ms: number }
  /** It will be made again; why it failed is told as what went wrong. */
  | { readonly msg: 'sum failed'; readonly round: RoundId; readonly ms: number }
  | ({ readonly msg: 'something went wrong'; readonly request?: string } & LoggedError)

export type Tell = (event: CoordinatorEvent) => void

export function levelOf(event: CoordinatorEvent & LogEvent): Level {
  switch (event.msg) {
    case 'request':
      return levelOfRequest(event)
    case 'requests are not encrypted: whoever is on the way can read them':
    case 'certificate not renewed':
    case 'researcher revoked':
    case 'round void':
    case 'sum failed':
      return 'warn'
    case 'something went wrong':
      return 'error'
    default:
      return 'info'
  }
}

/** Waiting is nothing to tell, and a flood must not fill the disk as well. */
function levelOfRequest({ status, code, waits }: RequestEvent): Level {
  if (status === 429) return 'debug'
  if (status === 507 || code === 'database-busy') return 'warn'
  return waits && status < 400 ? 'debug' : 'info'
}

import { messageId } from '#crypto/signature.ts'
import { RefusedRequest } from '#party/connection.ts'
import type { Level, LogEvent } from '#party/log.ts'
import { type LoggedError, loggable } from '#party/logged-error.ts'
import type { WorkItem } from '#specs/api.ts'
import { UnsignedPolicy } from './policy-in-force.ts'
import type { Observer } from './work.ts'

/** Which item of the coordinator's list an event is about. */
export type About = { readonly step: WorkItem['kind']; readonly round?: string; readonly query?: string }

/** Everything that a member node tells its operator. */
export type NodeEvent =
  | { readonly msg: 'started'; readonly coordinator: string }
  | { readonly msg: 'the policy is open: this node answers everything that the charter allows' }
  | { readonly msg: 'requests are not encrypted: whoever is on the way can read them'; readonly coordinator: string }
  | { readonly msg: 'waits'; readonly for: string }
  | { readonly msg: 'the charter is in force' }
  | { readonly msg: 'the charter in force has left this member out: it answers nothing' }
  | { readonly msg: 'the charter in force has another key in the place of this one: it answers nothing' }
  /** Of this node's own, in the place of the one before. */
  | { readonly msg: 'another key is in force'; readonly key: string }
  | ({ readonly msg: 'done' } & About)
  /** The node will not do it, and says so; `request` is the coordinator's id of the request that it refused. */
  | ({ readonly msg: 'refused'; readonly request?: string } & About & LoggedError)
  | ({ readonly msg: 'failed; it will be tried again'; readonly request?: string } & Partial<About> & LoggedError)
  /** The one before stays in force. */
  | ({ readonly msg: 'the policy cannot be read' } & LoggedError)
  | ({ readonly msg: 'another policy waits for the signatures of stewards' } & LoggedError)
  | { readonly msg: 'the policy of the file is in force' }
  | { readonly msg: 'a question waits for a steward' | 'deputies may decide as well'; readonly round: string }
  | ({ readonly msg: 'stewards could not be told; it will be tried again'; readonly way: string } & LoggedError)
  | { readonly msg: 'stopped' }

export type Tell = (event: NodeEvent) => void

export function levelOf(event: NodeEvent & LogEvent): Level {
  switch (event.msg) {
    case 'the policy is open: this node answers everything that the charter allows':
    case 'the charter in force has left this member out: it answers nothing':
    case 'the charter in force has another key in the place of this one: it answers nothing':
    case 'requests are not encrypted: whoever is on the way can read them':
    case 'the policy cannot be read':
    case 'another policy waits for the signatures of stewards':
    case 'stewards could not be told; it will be tried again':
    case 'refused':
    case 'failed; it will be tried again':
      return 'stack' in event ? 'error' : 'warn'
    case 'done':
      return event.step === 'charter' || event.step === 'void' ? 'debug' : 'info'
    default:
      return 'info'
  }
}

/** Tells what the node does with the coordinator's list. */
export function observer(tell: Tell): Observer {
  return {
    done: item => tell({ msg: 'done', ...about(item) }),
    refused: (item, error) => tell({ msg: 'refused', ...about(item), ...loggable(error), ...requestOf(error) }),
    failed: (error, item) =>
      tell({
        msg: 'failed; it will be tried again',
        ...(item === undefined ? {} : about(item)),
        ...loggable(error),
        ...requestOf(error),
      }),
  }
}

export function policyNews(trouble: Error | undefined): NodeEvent {
  if (trouble === undefined) return { msg: 'the policy of the file is in force' }
  if (trouble instanceof UnsignedPolicy)
    return { msg: 'another policy waits for the signatures of stewards', ...loggable(trouble) }
  return { msg: 'the policy cannot be read', ...loggable(trouble) }
}

export function untold(way: string, error: unknown): NodeEvent {
  return { msg: 'stewards could not be told; it will be tried again', way, ...loggable(error) }
}

function about(item: WorkItem): About {
  switch (item.kind) {
    case 'charter':
    case 'confirm':
    case 'prekeys':
      return { step: item.kind }
    case 'contribute':
    case 'agree':
    case 'recount':
      return { step: item.kind, round: messageId(item.round), query: messageId(item.query) }
    case 'open':
    case 'void':
      return { step: item.kind, round: item.round }
  }
}

function requestOf(error: unknown): { request?: string } {
  return error instanceof RefusedRequest && error.request !== undefined ? { request: error.request } : {}
}

import type { Aggregate } from '#coordinator/aggregation.ts'
import { SEALED_BYTES } from '#crypto/sealing.ts'
import type { WorkItem, WorkResponse } from '#specs/api.ts'
import { shareFrame } from '#specs/bodies.ts'
import type { Federation } from '../federation.ts'
import { type Message, pathOf } from './network.ts'

/** Somebody who breaks the rules: a coordinator with its own key, or a member with a node of its own making. */
export interface Adversary {
  /** Answers a request in the coordinator's place, or puts another one into its place. */
  readonly take?: (message: Message) => Promise<Message | Response | undefined>
  /** Changes what the coordinator answered with success. */
  readonly show?: (message: Message, answer: Response) => Promise<Response | undefined>
  /** Adds up in the coordinator's place. */
  readonly add?: Aggregate
}

export const jsonOf = (message: Message) => JSON.parse(Buffer.from(message.body ?? []).toString())
export const taken = () => Response.json({}, { status: 201 })

/** What a request under /rounds is about. */
export function roomOf(message: Message): { readonly id: string; readonly what: string } {
  const [, room, id = '', what = ''] = pathOf(message).split('/')
  return room === 'rounds' ? { id, what } : { id: '', what: '' }
}

export const keyOf = (federation: Federation) => federation.coordinator.context.key

export function select<T>(federation: Federation, statement: string, ...bound: unknown[]): T[] {
  return federation.coordinator.context.db.$client.prepare(statement).all(...bound) as T[]
}

/** Changes the list of work of a member. */
export function working(
  change: (who: string, items: WorkItem[]) => Promise<WorkItem[]>,
): NonNullable<Adversary['show']> {
  return async (message, answer) => {
    if (pathOf(message) !== '/work') return undefined
    const work = (await answer.json()) as WorkResponse
    return Response.json({ ...work, items: await change(message.who, work.items) })
  }
}

export interface Frame {
  readonly manifest: string
  readonly share: Uint8Array
}

/** Changes the shares that a custodian fetches. */
export function sharing(
  change: (who: string, round: string, frames: Frame[]) => Promise<Frame[]>,
): NonNullable<Adversary['show']> {
  return async (message, answer) => {
    const { id, what } = roomOf(message)
    if (what !== 'shares') return undefined
    return bodyOf(await change(message.who, id, await framesOf(answer)))
  }
}

/** What a custodian fetches, taken apart. */
export async function framesOf(answer: Response): Promise<Frame[]> {
  const all = Buffer.from(await answer.arrayBuffer())
  const frames: Frame[] = []
  for (let at = 0; at < all.length; ) {
    const end = at + 4 + all.readUInt32LE(at)
    frames.push({ manifest: all.subarray(at + 4, end).toString(), share: all.subarray(end, end + SEALED_BYTES) })
    at = end + SEALED_BYTES
  }
  return frames
}

export function bodyOf(frames: readonly Frame[]): Response {
  return new Response(Buffer.concat(frames.map(({ manifest, share }) => shareFrame(manifest, share))))
}

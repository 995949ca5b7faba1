import { randomBytes } from 'node:crypto'
import { type ComputationTask, compute } from '#member-node/computation.ts'
import { serveThread } from '#party/thread.ts'

/** Computes for one member after the other. */
export interface MembersTask {
  readonly task: ComputationTask
  readonly warehouse: string
}

serveThread(({ task, warehouse }: MembersTask) => compute(task, warehouse, randomBytes))

import { randomBytes } from 'node:crypto'
import { workerData } from 'node:worker_threads'
import { serveThread } from '#party/thread.ts'
import { type ComputationTask, compute } from './computation.ts'

serveThread((task: ComputationTask) => compute(task, workerData.warehouse, randomBytes))

import { randomBytes } from 'node:crypto'
import { workerData } from 'node:worker_threads'
import { loadSeal } from '#crypto/seal.ts'
import { serveThread } from '#party/thread.ts'
import { type ComputationTask, compute } from './computation.ts'
import { type ExaminationTask, examineFile } from './examination.ts'

// Its tables take a fifth of a second to make: before the first question comes.
await loadSeal()
serveThread(async (task: ComputationTask | ExaminationTask) =>
  'output' in task ? compute(task, workerData.warehouse, randomBytes) : examineFile(workerData.warehouse, task),
)

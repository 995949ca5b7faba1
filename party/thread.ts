import { parentPort, Worker } from 'node:worker_threads'
import { InbondError } from '#crypto/error.ts'
import { framesOf, mayBeQuoted } from './logged-error.ts'

/** An error on its way to another thread; of one that is not Inbond's own, what a log may hold of it. */
interface Failure {
  readonly isOwn: boolean
  readonly code: string | undefined
  readonly name: string
  readonly syscall: string | undefined
  readonly message: string
  readonly stack: string
}

type Reply<Result> = { readonly result: Result } | { readonly failed: Failure }

/**
 * A worker thread that does one long task after the other, so that the party's main thread goes on answering. It starts with
 * the first task, or ahead of it, and starts anew if it dies.
 */
export class Thread<Task, Result> {
  readonly #script: URL
  readonly #workerData: unknown
  #worker: Worker | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(script: URL, workerData?: unknown) {
    this.#script = script
    this.#workerData = workerData
  }

  /** Starts ahead of the first task: what the script prepares is ready then. */
  begin(): void {
    this.#worker ??= this.#start()
  }

  /** @throws the task's own error, InbondError `shutting-down`, or `internal-error` if the thread died */
  run(task: Task): Promise<Result> {
    const turn = this.#turn.then(() => this.#run(task))
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #run(task: Task): Promise<Result> {
    if (this.#closed) throw interrupted()
    this.begin()
    const worker = this.#worker as Worker
    worker.ref()
    return new Promise<Result>((resolve, reject) => {
      const answered = (reply: Reply<Result>) => {
        leave()
        if ('result' in reply) resolve(reply.result)
        else reject(errorOf(reply.failed))
      }
      const died = (cause: unknown) => {
        leave()
        this.#worker = undefined
        if (this.#closed) reject(interrupted())
        else reject(new InbondError('internal-error', 'a worker thread stopped in the middle of a task', { cause }))
      }
      const leave = () => {
        worker.off('message', answered).off('error', died).off('exit', died)
        worker.unref()
      }
      worker.once('message', answered).once('error', died).once('exit', died)
      worker.postMessage(task)
    })
  }

  #start(): Worker {
    const worker = new Worker(this.#script, { workerData: this.#workerData })
    // One that dies between two tasks is noticed here, and replaced when the next task comes.
    const forget = () => {
      if (this.#worker === worker) this.#worker = undefined
    }
    worker.on('error', forget).on('exit', forget).unref()
    return worker
  }

  /** Ends the thread at once; a task under way is rejected. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#worker?.terminate()
  }
}

function interrupted(): InbondError {
  return new InbondError('shutting-down', 'the task was given up because the process is being stopped')
}

/** The other side: called by a worker's script with what it does for each task. */
export function serveThread<Task, Result>(work: (task: Task) => Promise<Result>): void {
  parentPort?.on('message', async (task: Task) => {
    const reply: Reply<Result> = await work(task).then(
      result => ({ result }),
      error => ({ failed: failureOf(error) }),
    )
    parentPort?.postMessage(reply)
  })
}

function failureOf(error: unknown): Failure {
  const { code, name = 'Error', syscall }: Partial<NodeJS.ErrnoException> = Object(error)
  const isOwn = error instanceof InbondError
  const message = isOwn || mayBeQuoted(error) ? (error as Error).message : ''
  return { isOwn, code, name, syscall, message, stack: framesOf(error).join('\n') }
}

function errorOf({ isOwn, code, name, syscall, message, stack }: Failure): Error {
  if (isOwn) return new InbondError(code as string, message)
  const error = new Error(message)
  return Object.assign(error, { name, code, syscall, stack: `${name}: ${message}\n${stack}` })
}

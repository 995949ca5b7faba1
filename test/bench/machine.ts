import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'

export interface Machine {
  readonly cores: number
  readonly model: string
  /** Bytes. */
  readonly memory: number
  readonly node: string
  /** Over the last 1, 5 and 15 minutes. */
  readonly load: readonly number[]
}

export function thisMachine(): Machine {
  return {
    cores: availableParallelism(),
    model: cpus()[0]?.model ?? 'unknown',
    memory: totalmem(),
    node: process.version,
    load: loadavg(),
  }
}

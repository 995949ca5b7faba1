import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

interface Memory {
  readonly buffer: ArrayBuffer
}
/** As much of the platform's interface as is used here; the types of Node.js have none. */
const platform = (globalThis as unknown as { WebAssembly: unknown }).WebAssembly as {
  instantiate: (...of: unknown[]) => Promise<{ instance: { exports: Record<string, unknown> } }>
  Memory: new () => Memory
}

/** The size of every WebAssembly memory made from now on: SEAL's own heap, which no garbage collector looks after. */
export function watchWebAssembly(): () => number {
  const memories: Memory[] = []
  const { instantiate } = platform
  platform.instantiate = async (...of) => {
    const made = await instantiate(...of)
    memories.push(...Object.values(made.instance.exports).filter(one => one instanceof platform.Memory))
    return made
  }
  return () => memories.reduce((bytes, memory) => bytes + memory.buffer.byteLength, 0)
}

/** What is in use on the heap and beside it, once everything unreachable is gone, in bytes. */
export function memoryInUse(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

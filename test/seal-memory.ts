import { loadSeal, type Seal } from '#crypto/seal.ts'

interface Memory {
  readonly buffer: ArrayBuffer
}

/** What is used here of a platform interface whose types come only with those of a browser. */
interface Platform {
  Memory: new (limits: { initial: number }) => Memory
  instantiate(...args: unknown[]): Promise<{ instance: { exports: Record<string, unknown> } }>
}

/**
 * SEAL with the memory that it lives in, for tests of what is given back. Its module does not hand the memory out, so it is
 * taken from the instance while it is made: this must be the first to load SEAL in its thread.
 */
export async function loadSealWithMemory(): Promise<{ seal: Seal; memory: Memory }> {
  const platform = (globalThis as unknown as { WebAssembly: Platform }).WebAssembly
  const instantiate = platform.instantiate
  let memory: Memory | undefined
  platform.instantiate = async (...args) => {
    const source = await instantiate(...args)
    for (const exported of Object.values(source.instance.exports)) {
      if (exported instanceof platform.Memory) memory = exported
    }
    return source
  }
  try {
    const seal = await loadSeal()
    if (memory === undefined) throw new Error('SEAL was loaded before')
    return { seal, memory }
  } finally {
    platform.instantiate = instantiate
  }
}

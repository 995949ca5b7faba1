import fc from 'fast-check'
import { expect } from 'vitest'
import { InbondError } from '#crypto/error.ts'
import type { ErrorCode } from '#specs/errors.ts'
import { seed } from '#test/effort.ts'

/** Something that reads what a stranger wrote. */
export interface Decoder<Input = unknown, Value = unknown> {
  readonly name: string
  /** Takes milliseconds for an input, so that the normal run tries fewer. */
  readonly isSlow?: boolean
  /** What an honest party writes; all of them are accepted. */
  readonly examples: readonly Input[]
  /** Hostile variations of the examples. */
  readonly inputs: fc.Arbitrary<Input>
  readonly decode: (input: Input) => Value | Promise<Value>
  /** How it may refuse; anything else is a failure. */
  readonly codes: readonly ErrorCode[]
  /** Fails if what was accepted says anything that the input does not say. */
  readonly believe: (value: Value, input: Input) => void | Promise<void>
}

/** Forgets the types, so that decoders of everything fit into one table. */
export function decoder<Input, Value>(one: Decoder<Input, Value>): Decoder {
  return one as unknown as Decoder
}

/** Whether an input was accepted. Fails where it was refused in a way that is no refusal, or believed wrongly. */
export async function attempt(one: Decoder, input: unknown): Promise<boolean> {
  let value: unknown
  try {
    value = await one.decode(input)
  } catch (error) {
    if (!(error instanceof InbondError)) throw error
    expect(one.codes).toContain(error.code)
    return false
  }
  await one.believe(value, input)
  return true
}

/** No input is worth this much of a processor, in milliseconds, whatever else the machine does. */
const MOST_EACH = 60
/** For what is done once, and for the slowest few. */
const MOST_TOGETHER = 5_000

/** Tries `cases` hostile inputs. @returns how many were refused */
export async function fuzz(one: Decoder, cases: number): Promise<number> {
  let refused = 0
  const before = process.cpuUsage()
  await fc.assert(
    fc.asyncProperty(one.inputs, async input => {
      if (!(await attempt(one, input))) refused++
    }),
    { numRuns: cases, seed },
  )
  const { user, system } = process.cpuUsage(before)
  expect((user + system) / 1000).toBeLessThan(MOST_TOGETHER + cases * MOST_EACH)
  return refused
}

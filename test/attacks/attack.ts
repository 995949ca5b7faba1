import { InbondError } from '#crypto/error.ts'
import type { Edit } from '../edits.ts'
import type { Snapshot } from '../snapshot.ts'
import { Scene } from './scene.ts'

/** How an attempt ends: with what the attacker has then, or with what an honest party says to it. */
export type Outcome = { readonly has: unknown } | { readonly refused: string; readonly saying: string }

/**
 * Somebody who breaks the rules, among parties that do not. The same attempt is made on the product, which holds, and on the product
 * without one protection, where the attacker gets what it wants: otherwise the attempt would show nothing.
 */
export interface Attack {
  /** The row of the table in specs/threat-model.md. */
  readonly row: number
  /** What is tried. */
  readonly name: string
  /** Returns what the attacker has in the end. Throws what it was refused with. */
  readonly attempt: (scene: Scene) => Promise<unknown>
  readonly holds: { readonly has: unknown } | { readonly refused: string; readonly saying: RegExp }
  /** Taken out of the text of the product, with whatever stands in for it. */
  readonly protection: readonly Edit[]
  /** Without the protection. */
  readonly fails: { readonly has: unknown } | { readonly refused: string; readonly saying: RegExp }
}

/** Makes the attempt on a federation of its own. What is no error of Inbond is thrown. */
export async function carryOut(attack: Attack, snapshot: Snapshot): Promise<Outcome> {
  using scene = new Scene(snapshot)
  try {
    return { has: await attack.attempt(scene) }
  } catch (error) {
    if (!(error instanceof InbondError)) throw error
    return { refused: error.code, saying: error.message }
  }
}

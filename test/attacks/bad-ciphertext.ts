import { edit } from '../edits.ts'
import { noiseInsteadOf } from '../simulation/cheating-members.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene } from './scene.ts'

/**
 * VN wants the answer to be wrong. It deals a key as it should, and contributes a ciphertext that is none under that key, all words of
 * it in their range, with the right hashes. The recipient must not take what comes out for an answer.
 *
 * That is all: VN gets no answer from anybody, and nobody finds out that it was VN. This is open, and stands so in
 * specs/threat-model.md.
 */
async function spoil(scene: Scene): Promise<unknown> {
  const node = scene.node('VN')
  Object.assign(node, { compute: noiseInsteadOf(node.compute) })
  const { rows } = await scene.federation.ask(QUESTION)
  return rows.length > 1 ? 'a wrong answer' : rows
}

export const attacks: readonly Attack[] = [
  {
    row: 12,
    name: 'a member contributes a ciphertext that is none, unseen',
    attempt: spoil,
    holds: {
      refused: 'sum-not-accepted',
      saying: /^no 4 of the 5 openings give a key that opens the sum of 5 contributions$/,
    },
    protection: [
      edit(
        'crypto/one-shot.ts',
        'if (noiseBudget < smallestNoiseBudget(sealed.contributors)) return undefined',
        'if (noiseBudget < 0) return undefined',
      ),
    ],
    fails: { has: 'a wrong answer' },
  },
]

import { edit } from '../edits.ts'
import { falseOpening } from '../simulation/cheating-members.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene, TOTAL } from './scene.ts'

/**
 * BR is a custodian and wants the answer to be wrong, or not to come. It opens with numbers of its own in the place of its sum of
 * shares. The other four are enough: the answer must come, right, and name BR as disagreeing, which accuses nobody.
 */
async function openWrongly(scene: Scene): Promise<unknown> {
  const { $client } = scene.federation.researcher.db
  scene.between = (who, direct) => async (url, init) => {
    if (who !== 'BR' || !url.endsWith('/openings')) return direct(url, init)
    const asked = $client.prepare('SELECT compact FROM queries').pluck().get() as string
    const body = await falseOpening(scene.node('BR').key, asked, JSON.parse(String(init?.body)).opening)
    return direct(url, { ...init, body })
  }
  const { rows, evidence } = await scene.federation.ask(QUESTION)
  return { isRight: rows.length === 1 && rows[0]?.['sum(value)'] === TOTAL, disagreeing: evidence.disagreeing }
}

export const attacks: readonly Attack[] = [
  {
    row: 10,
    name: 'a custodian opens with a false sum of shares',
    attempt: openWrongly,
    holds: { has: { isRight: true, disagreeing: ['BR'] } },
    // Either holds alone.
    protection: [
      edit('crypto/one-shot.ts', 'Math.abs(coefficient) > longest', 'Math.abs(coefficient) > Infinity'),
      edit(
        'crypto/one-shot.ts',
        'if (noiseBudget < smallestNoiseBudget(sealed.contributors)) return undefined',
        'if (noiseBudget < 0) return undefined',
      ),
    ],
    fails: { has: { isRight: false, disagreeing: [] } },
  },
]

import { createHash } from 'node:crypto'
import { packShare } from '#crypto/packing.ts'
import { CELLS_PER_CHUNK } from '#crypto/parameters.ts'
import { seal } from '#crypto/sealing.ts'
import { opening, query } from '#specs/messages.ts'
import { openingContext } from '#specs/sealed-context.ts'
import { claims, sign } from '#specs/signed.ts'
import { edit } from '../edits.ts'
import { seededRandomness } from '../randomness.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene, TOTAL } from './scene.ts'

/**
 * BR is a custodian and wants the answer to be wrong, or not to come. It opens with numbers of its own in the place of its sum of
 * shares. The other four are enough: the answer must come, right, and name BR as disagreeing, which accuses nobody.
 */
async function openWrongly(scene: Scene): Promise<unknown> {
  const randomness = seededRandomness('lying custodian')
  const { researcher } = scene.federation
  scene.between = (who, direct) => async (url, init) => {
    if (who !== 'BR' || !url.endsWith('/openings')) return direct(url, init)
    const { payload } = claims(opening, JSON.parse(String(init?.body)).opening)
    const asked = researcher.db.$client.prepare('SELECT compact FROM queries').pluck().get() as string
    const to = new Uint8Array(Buffer.from(claims(query, asked).payload.recipient, 'base64url'))
    const share = packShare(new Int32Array(CELLS_PER_CHUNK).fill(12_345_678))
    const sealed = Buffer.from(await seal('inbond/opening/v1', to, openingContext(payload), share, randomness))
    const sha256 = createHash('sha256').update(sealed).digest('hex')
    const signed = await sign(scene.node('BR').key, opening, { ...payload, sealed: sha256 })
    const body = JSON.stringify({ opening: signed.compact, sealed: sealed.toString('base64url') })
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

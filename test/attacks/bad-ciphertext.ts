import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { contribute } from '#crypto/one-shot.ts'
import { packShare } from '#crypto/packing.ts'
import { CHUNK_BYTES } from '#crypto/parameters.ts'
import { loadSeal } from '#crypto/seal.ts'
import { SEALED_BYTES, seal } from '#crypto/sealing.ts'
import type { Compute } from '#member-node/computation.ts'
import { shareContext } from '#specs/sealed-context.ts'
import { edit } from '../edits.ts'
import { seededRandomness } from '../randomness.ts'
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
  const randomness = seededRandomness('bad ciphertext')
  const compute: Compute = async task => {
    const dealing = {
      roundId: Buffer.from(task.round, 'hex'),
      bound: task.bound,
      threshold: task.threshold,
      custodians: task.custodians.map(one => one.index),
    }
    const { shares } = contribute(await loadSeal(), dealing, new BigInt64Array(1), randomness)
    // One byte in five is the highest of its word, and below that of both primes.
    const chunk = randomness(CHUNK_BYTES).map((byte, i) => (i % 5 === 4 ? byte & 0x7f : byte))
    writeFileSync(task.output, chunk)
    const ciphertext = createHash('sha256').update(chunk).digest('hex')
    const sealedShares = new Uint8Array(task.custodians.length * SEALED_BYTES)
    for (const [i, { id, prekey, sealingKey }] of task.custodians.entries()) {
      const context = shareContext({ round: task.round, dealer: task.dealer, custodian: id, prekey, ciphertext })
      const share = packShare(shares[i]?.residues as Int32Array)
      sealedShares.set(await seal('inbond/share/v1', sealingKey, context, share, randomness), i * SEALED_BYTES)
    }
    return { slots: SLOTS, ciphertext, sealedShares, coverage: [] }
  }
  Object.assign(scene.node('VN'), { compute })
  const { rows } = await scene.federation.ask(QUESTION)
  return rows.length > 1 ? 'a wrong answer' : rows
}

/** Of the question: modes of transport, `other` and `unknown`, records and values. */
const SLOTS = 2 * (9 + 2)

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

import { afterAll, expect, test } from 'vitest'
import { CHUNK_BYTES } from '#crypto/parameters.ts'
import { Thread } from '#party/thread.ts'
import { type AdditionTask, addUp } from './addition.ts'

const thread = new Thread<AdditionTask, void>(new URL('./addition-worker.ts', import.meta.url))
afterAll(() => thread.close())

/** Three chunks of words that are all the same: 40 bits, little endian. */
function ciphertext(word: number): Uint8Array {
  const packed = Buffer.from(new SharedArrayBuffer(3 * CHUNK_BYTES))
  for (let at = 0; at < packed.length; at += 5) packed.writeUIntLE(word, at, 5)
  return packed
}

test('a contribution is added in the memory that both threads have', async () => {
  const sum = ciphertext(5)
  await thread.run({ sum, contribution: ciphertext(7) })
  await thread.run({ sum, contribution: ciphertext(1000) })
  expect(Buffer.from(sum).equals(ciphertext(1012))).toBe(true)
})

test.each(['thread', 'function'])('what is no ciphertext of that length is refused: %s', async how => {
  const add = how === 'thread' ? (task: AdditionTask) => thread.run(task) : addUp
  const sum = ciphertext(5)
  const short = ciphertext(7).subarray(CHUNK_BYTES)
  await expect(add({ sum, contribution: short })).rejects.toMatchObject({ code: 'bad-length' })
  await expect(add({ sum, contribution: ciphertext(2 ** 40 - 1) })).rejects.toMatchObject({ code: 'bad-residue' })
})

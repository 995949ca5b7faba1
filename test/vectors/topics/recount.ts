import { createHash } from 'node:crypto'
import type { Writing } from '../writing.ts'

export const description = 'Which custodian adds up a large sum again.'

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

export async function write(file: Writing): Promise<void> {
  const custodians = ['JP', 'KE', 'KR', 'NO', 'VN']
  const revealed = file.bytes('seed', { repeat: 7, length: 32 })
  const sum = hashOf('sum')
  await file.takes('draw', 'of five', { revealed, sum, custodians })
  await file.takes('draw', 'of five in another order', { revealed, sum, custodians: custodians.toReversed() })
  await file.takes('draw', 'of three', { revealed, sum, custodians: custodians.slice(0, 3) })
  await file.takes('draw', 'for another sum', { revealed, sum: hashOf('another sum'), custodians })
  await file.takes('draw', 'with a seed of zeros', { revealed: { repeat: 0, length: 32 }, sum, custodians })
  for (let i = 1; i <= 8; i++) {
    await file.takes('draw', `of fifteen, sum ${i}`, {
      revealed,
      sum: hashOf(`sum ${i}`),
      custodians: Array.from({ length: 15 }, (_, number) => `C${number}`),
    })
  }
}

import { edit } from '../edits.ts'
import { shiftedSum } from '../simulation/cheating-evidence.ts'
import type { Message } from '../simulation/network.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene } from './scene.ts'

/**
 * The coordinator wants the statistics to be higher than they are. It cannot read the sum, but adds one to every cell of it, as one
 * adds ciphertexts, and signs the result. A recipient that gets less than 64 MiB of contributions must add them up again.
 */
async function raise(scene: Scene): Promise<unknown> {
  const cheat = shiftedSum(scene.federation)
  scene.between = (who, direct) => async (url, init) => {
    const answer = await direct(url, init)
    return (who === 'researcher' && (await cheat.show?.({ who, url } as Message, answer.clone()))) || answer
  }
  const { rows } = await scene.federation.ask(QUESTION)
  return rows.find(row => row.transport === 'sea')?.['sum(value)']
}

export const attacks: readonly Attack[] = [
  {
    row: 20,
    name: 'the coordinator adds to a sum that it cannot read',
    attempt: raise,
    holds: { refused: 'bad-evidence', saying: /not the sum of the contributions that the members signed/ },
    protection: [edit('researcher/reading.ts', '  if (small) {', '  if (small && total.length === 0) {')],
    fails: { has: '38.76' },
  },
]

import { edit } from '../edits.ts'
import { shiftedSum } from '../simulation/cheating-evidence.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene } from './scene.ts'

/**
 * The coordinator wants the statistics to be higher than they are. It cannot read the sum, but adds one to every cell of it, as one
 * adds ciphertexts, and signs the result. A recipient that gets less than 64 MiB of contributions must add them up again; above that a
 * custodian must, who is drawn when the sum is signed already.
 */
async function raise(scene: Scene): Promise<unknown> {
  if (shiftedSum.add) scene.add = shiftedSum.add
  const { rows } = await scene.federation.ask(QUESTION)
  return rows.find(row => row.transport === 'sea')?.['sum(value)']
}

export const attacks: readonly Attack[] = [
  {
    row: 20,
    name: 'the coordinator adds to a sum that it cannot read',
    attempt: raise,
    holds: { refused: 'bad-evidence', saying: /not the sum of the contributions that the members signed/ },
    protection: [
      edit('researcher/reading.ts', '  if (custodian === null) {', '  if (custodian === null && total.length === 0) {'),
    ],
    fails: { has: '38.76' },
  },
  {
    row: 20,
    name: 'the coordinator adds to a sum of more than its recipient fetches',
    attempt: async scene => {
      const { researcher } = scene.federation
      Object.assign(scene.federation, { researcher: { ...researcher, recountFrom: 0 } })
      return raise(scene)
    },
    holds: { refused: 'bad-evidence', saying: /the sum was altered: the coordinator signed another one/ },
    protection: [
      edit(
        'specs/rules/recount.ts',
        '  if (payload.ciphertext !== of.payload.ciphertext) {',
        '  if (payload.round !== round.id) {',
      ),
    ],
    fails: { has: '38.76' },
  },
]

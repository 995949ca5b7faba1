import { type Policy, presets } from '#member-node/policy.ts'
import { edit } from '../edits.ts'
import { pose, step } from '../steps.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene } from './scene.ts'

/**
 * A researcher wants to know what one trader imported. It asks for all imports of a year, and for those of all months but one, in which
 * only that trader had any: every cell of both answers is large, and every cohort the same. VN must see what is left between them.
 */
async function subtract(scene: Scene): Promise<unknown> {
  const node = scene.node('VN')
  const open = presets.open as Policy
  node.rules = { ...open, overlap: { records: 3, traders: 2, days: 30, otherwise: 'refused' } }
  const months = ['01', '01', '01', '02', '02', '02', '03']
  const traders = ['A', 'B', 'C', 'A', 'B', 'C', 'D']
  const records = months.map((month, i) => `import,2021-${month},010121,sea,${traders[i]},1`)
  scene.federation.load('VN', ['flow,period,hs6,transport,trader,value', ...records, ''].join('\n'))
  const asked = (period: string) => QUESTION.replace('flow: import', `flow: import, period: ${period}`)
  for (const period of ['2021', '{ from: 2021-01, to: 2021-02 }']) {
    await pose(scene.federation, asked(period))
    await step(scene.federation, 'contribute', ['VN'])
  }
  const { refused } = node.journal.at(-1) ?? {}
  if (refused !== undefined) throw refused
  return 'what one trader imported'
}

export const attacks: readonly Attack[] = [
  {
    row: 9,
    name: 'a researcher asks twice, with and without one trader',
    attempt: subtract,
    holds: {
      refused: 'policy-refused',
      saying: /beside what this member answered before, .* single out a few records/,
    },
    protection: [edit('member-node/consent.ts', 'of found?.overlaps ?? []) {', 'of found?.overlaps.slice(9) ?? []) {')],
    fails: { has: 'what one trader imported' },
  },
]

import { answer } from '#member-node/answer.ts'
import { parsePolicy, presets } from '#member-node/policy.ts'
import { edit } from '../edits.ts'
import { pose, roundRow } from '../steps.ts'
import type { Attack } from './attack.ts'
import { QUESTION, type Scene } from './scene.ts'

/** A researcher wants more than VN means to answer, and the operator of VN to let it through without noticing. */
async function ask(scene: Scene, policy: () => ReturnType<typeof parsePolicy>, question: string): Promise<unknown> {
  scene.node('VN').rules = policy()
  const { round } = await pose(scene.federation, question)
  const { compact, query } = roundRow(scene.federation, round)
  await answer(scene.node('VN'), { round: compact, query })
  return 'a contribution of VN'
}

const FINE = QUESTION.replace('by: [transport]', 'by: [hs6, flow]')
/** What the operator was told to install: it says one thing, and nothing of all others. */
const SHORT = 'datasets: all\n'

export const attacks: readonly Attack[] = [
  {
    row: 16,
    name: 'a researcher asks more finely than the policy of a node allows',
    attempt: scene => ask(scene, () => presets.standard as ReturnType<typeof parsePolicy>, FINE),
    holds: { refused: 'policy-refused', saying: /at six digits .* may have 1 dimensions/ },
    protection: [edit('specs/policy.ts', 'if (objections.length > 0)', 'if (objections.length > 99)')],
    fails: { has: 'a contribution of VN' },
  },
  {
    row: 16,
    name: 'a policy that leaves lines out allows what it does not name',
    attempt: scene => ask(scene, () => parsePolicy(SHORT), FINE),
    holds: { refused: 'bad-policy', saying: /is missing/ },
    protection: [
      edit(
        'member-node/policy.ts',
        '(isFirst ? firstPolicy : policy).safeParse(document, { error: inWords })',
        'policy.safeParse({ ...open, ...(document as object) }, { error: inWords })',
      ),
    ],
    fails: { has: 'a contribution of VN' },
  },
]

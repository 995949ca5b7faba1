import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { makeOffer } from '#member-node/offers.ts'
import { type Policy, presets } from '#member-node/policy.ts'
import { explain, lookAround } from '#researcher/explain.ts'
import { parseQueryFile } from '#specs/query.ts'
import { Federation, type FederationOptions } from './federation.ts'

/** What a researcher is told beforehand, beside what becomes of the question. */

const MEMBERS = ['BR', 'FR', 'JP', 'KR', 'VN']
const OPEN = presets.open as Policy
const JANUARY = { from: '2020-01', to: '2020-01' }

let federation: Federation
afterEach(() => federation[Symbol.dispose]())

async function found(rules: Readonly<Record<string, Partial<Policy>>> = {}, options: FederationOptions = {}) {
  federation = await Federation.create({ members: MEMBERS, ...options })
  for (const [id, node] of federation.nodes) {
    node.rules = { ...OPEN, alone: false, ...rules[id] }
    federation.load(id, 'flow,period,hs6,transport,value\nimport,2020-01,010121,air,2\n', JANUARY)
  }
  await offers()
}

/** Every node offers what it would answer now. */
async function offers(): Promise<void> {
  federation.clock.advance(600_000)
  for (const node of federation.nodes.values()) await makeOffer(node)
}

function question(change: Readonly<Record<string, string>> = {}): string {
  const lines = {
    dataset: 'declarations',
    where: '{ flow: import, period: 2020-01 }',
    by: '[hs6]',
    measures: '[{ sum: value }]',
    purpose: 'What is said beforehand',
    need: 'all',
    closes: '1h',
    ...change,
  }
  return Object.entries(lines)
    .map(line => line.join(': '))
    .join('\n')
}

const explained = async (yaml: string) => explain(parseQueryFile(yaml), await lookAround(federation.researcher))

describe('an explanation', () => {
  test('foretells', async () => {
    await found({ JP: { hsDigits: 4 } })
    const said = await explained(question())
    console.log(JSON.stringify(said, null, 1))
    const { describeExplanation } = await import('#researcher/explanation-presentation.ts')
    console.log(describeExplanation(said))
  })
})

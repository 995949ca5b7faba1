import type { Federation } from '../processes/federation.ts'

/** About 120,000 slots: more than a megabyte from each member. */
export const QUESTION = `dataset: declarations
where: { flow: import }
by: [hs4, transport]
measures:
  - { sum: value }
  - { count: value }
  - { sum: netMass }
  - { count: netMass }
  - { sum: duty }
  - { count: duty }
  - { sum: taxes }
  - { count: taxes }
need: { atLeast: 3 }
purpose: through a proxy
`
const MAP = `dataset: declarations
constants: { flow: import, period: 2020-03, currency: USD }
columns: { hs6: hs6, value: value }
`

/** Gives the members one record each, of value 1, 2, 3 and so on. */
export async function load(federation: Federation): Promise<void> {
  await Promise.all(federation.ids.map((id, i) => federation.load(id, `hs6,value\n851712,${i + 1}\n`, MAP)))
}

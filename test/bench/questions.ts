import { countries } from '#specs/code-lists/countries.ts'
import { hs2, hs4 } from '#specs/code-lists/harmonized-system.ts'
import { transportModes } from '#specs/code-lists/transport-modes.ts'

/**
 * Questions of round sizes. Every dimension is cut to its first codes, beside which an axis has `other` and `unknown`, and every
 * answer has the count of records beside its sums: 10,000 slots are (48 + 2) × (98 + 2) cells × 2.
 */
const LISTS = { hs2, hs4, origin: countries, transport: transportModes }
const CUT = { hs2: 48, hs4: 498, origin: 98, transport: 8 } as const

const SIZES = {
  10000: { by: ['hs2', 'origin'], sums: ['value'] },
  100000: { by: ['hs4', 'origin'], sums: ['value'] },
  1000000: { by: ['hs4', 'origin', 'transport'], sums: ['value'] },
  2000000: { by: ['hs4', 'origin', 'transport'], sums: ['value', 'netMass', 'duty'] },
} as const

export type Slots = keyof typeof SIZES

/** The codes of a dimension that the questions are about. */
export function codesAsked(dimension: keyof typeof CUT): readonly string[] {
  return LISTS[dimension].codes.slice(0, CUT[dimension])
}

/** A query file about the year 2020. */
export function queryFile(slots: Slots): string {
  const { by, sums } = SIZES[slots]
  const conditions = by.map(id => {
    const codes = codesAsked(id)
    return [id, id === 'transport' ? codes : { from: codes[0], to: codes.at(-1) }] as const
  })
  // JSON is YAML.
  return JSON.stringify({
    dataset: 'declarations',
    where: { ...Object.fromEntries(conditions), flow: 'import', period: '2020' },
    by,
    measures: [{ count: 'records' }, ...sums.map(sum => ({ sum }))],
    purpose: `A measurement over ${slots} slots`,
  })
}

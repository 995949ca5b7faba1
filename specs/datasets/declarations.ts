import { countries } from '#specs/code-lists/countries.ts'
import { flows } from '#specs/code-lists/flows.ts'
import { hs2, hs4, hs6 } from '#specs/code-lists/harmonized-system.ts'
import { procedures } from '#specs/code-lists/procedures.ts'
import { quantityUnits } from '#specs/code-lists/quantity-units.ts'
import { transportModes } from '#specs/code-lists/transport-modes.ts'
import type { Dataset, LevelDimension } from './dataset.ts'

function hsLevel(digits: 2 | 4 | 6, title: string, codeList: LevelDimension['codeList']): LevelDimension {
  return { kind: 'level', title, of: 'hs6', digits, codeList }
}

/** Customs declarations: the first dataset of the common set. */
export const declarations = {
  id: 'declarations',
  version: 1,
  title: 'Customs declarations',
  record: 'goods item of a declaration',
  dimensions: {
    flow: { kind: 'coded', title: 'Flow', codeList: flows },
    period: { kind: 'period', title: 'Period' },
    hs2: hsLevel(2, 'HS chapter', hs2),
    hs4: hsLevel(4, 'HS heading', hs4),
    hs6: hsLevel(6, 'HS subheading', hs6),
    origin: { kind: 'coded', title: 'Country of origin', codeList: countries },
    consignment: { kind: 'coded', title: 'Country of consignment', codeList: countries },
    destination: { kind: 'coded', title: 'Country of last known destination', codeList: countries },
    procedure: { kind: 'coded', title: 'Customs procedure', codeList: procedures },
    transport: { kind: 'coded', title: 'Mode of transport at the border', codeList: transportModes },
    quantityUnit: { kind: 'coded', title: 'Unit of the supplementary quantity', codeList: quantityUnits },
  },
  measures: {
    value: { title: 'Statistical value', unit: 'currency', decimals: 2, least: 0, most: 1e12, beyond: 'reject' },
    netMass: { title: 'Net mass', unit: 'kg', decimals: 3, least: 0, most: 1e10, beyond: 'reject' },
    quantity: {
      title: 'Supplementary quantity',
      unit: 'quantityUnit',
      decimals: 3,
      least: 0,
      most: 1e10,
      beyond: 'reject',
      onlyWithin: 'quantityUnit',
    },
    duty: { title: 'Customs duty', unit: 'currency', decimals: 2, least: 0, most: 1e12, beyond: 'reject' },
    taxes: { title: 'Other taxes', unit: 'currency', decimals: 2, least: 0, most: 1e12, beyond: 'reject' },
  },
} as const satisfies Dataset

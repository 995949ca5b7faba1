import { titledList } from './titled-list.ts'

const titles = {
  'official-statistics': ['Official statistics', 'Statistiques officielles'],
  research: ['Research', 'Recherche'],
  'policy-analysis': ['Policy analysis', 'Analyse des politiques'],
  'risk-analysis': ['Risk analysis', 'Analyse des risques'],
  'trade-negotiation': ['Trade negotiation', 'Négociation commerciale'],
  'capacity-building': ['Capacity building', 'Renforcement des capacités'],
} as const

/** A purpose that a question states, beside its own words. */
export type PurposeCode = keyof typeof titles

export const purposeCodes = Object.keys(titles) as PurposeCode[]

/** What questions are asked for: a policy allows some of them. No dimension takes its codes from here. */
export const purposes = titledList({
  id: 'purposes',
  source: 'This project: what joint figures of customs administrations are asked for.',
  titles,
})

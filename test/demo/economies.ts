import type { Partner } from './partners.ts'
import { type SectorId, sectorIds } from './sectors.ts'

export type Flow = 'import' | 'export' | 're-import' | 're-export' | 'transit'
export type Procedure =
  | 'home-use'
  | 'warehousing'
  | 'free-zone'
  | 'inward-processing'
  | 'outward-processing'
  | 'temporary-admission'
  | 'temporary-export'
  | 'export'
  | 'drawback'
  | 'stores'
  | 'transit'
  | 'transhipment'
  | 're-importation'
  | 're-exportation'

/** What is particular to the trade of a country. */
export interface Economy {
  readonly code: string
  readonly region: Partner['region']
  /** Countries with which it trades over land. */
  readonly neighbours: readonly string[]
  /** Countries with which it has no customs border. */
  readonly union: readonly string[]
  /** How many times as much it trades with a country as size and distance make it. */
  readonly ties: Readonly<Record<string, number>>
  readonly flows: Readonly<Partial<Record<Flow, number>>>
  readonly imports: Mix
  readonly exports: Mix
  /** Months by which its harvest is behind that of the northern hemisphere. */
  readonly harvestAfter: 0 | 6
  /** Values of its records against those of the sectors. */
  readonly scale: number
  /** Per cent of value added tax or what resembles it. */
  readonly tax: number
  readonly procedures: Readonly<Partial<Record<Procedure, number>>>
  readonly faults: Faults
}

type Mix = Readonly<Record<SectorId, number>>

/** Shares of records that are not as they should be. */
export interface Faults {
  /** With a code of an earlier edition, of those in the chapters that have some. */
  readonly formerCode: number
  /** Without a usable code of the Harmonized System. */
  readonly poorCode: number
  readonly noOrigin: number
  /** With a country code that no list has. */
  readonly strangeCountry: number
  readonly noTransport: number
  readonly noMass: number
  readonly noValue: number
  /** With more decimals than the measure has. */
  readonly moreDecimals: number
  /** Lodged again with another value under the same number. */
  readonly amended: number
  /** Cannot be taken at all: no such date, a value below zero or not a number. */
  readonly broken: number
}

const FAULTS: Faults = {
  formerCode: 0.02,
  poorCode: 0.0008,
  noOrigin: 0.003,
  strangeCountry: 0.0015,
  noTransport: 0.001,
  noMass: 0.005,
  noValue: 0.002,
  moreDecimals: 0.008,
  amended: 0,
  broken: 0.0001,
}

/** Records of a sector among the imports of a middling economy. */
const IMPORTS =
  'animals 4, crops 5, fats 1.5, food 6, minerals 1.2, energy 3, chemicals 9, pharma 3, plastics 8, leather 2.5, paper 4, ' +
  'textiles 4, clothing 8, stone 3, precious 1, metals 8, machinery 15, electronics 14, vehicles 5, vessels 0.4, ' +
  'instruments 6, household 6, arms 0.2, art 0.5, unspecified 0.6'

function mix(...parts: string[]): Mix {
  const weights = Object.fromEntries(sectorIds.map(id => [id, 0.2])) as Record<SectorId, number>
  for (const entry of parts.join(', ').split(', ')) {
    const [sector, weight] = entry.split(' ') as [SectorId, string]
    weights[sector] = Number(weight)
  }
  return weights
}

const ASIAN_FLOWS = { import: 54, export: 36, transit: 7, 're-import': 1.2, 're-export': 1.8 }
const EUROPEAN_UNION = 'AT BE CZ DE DK ES FI FR GR HU IE IT NL PL PT RO SE'.split(' ')

export const economies = {
  KR: {
    code: 'KR',
    region: 'EAS',
    neighbours: [],
    union: [],
    ties: { CN: 0.7, US: 1.4, VN: 4 },
    flows: ASIAN_FLOWS,
    imports: mix(IMPORTS, 'energy 5, electronics 20, machinery 16, food 7'),
    exports: mix(
      'electronics 27, machinery 15, vehicles 11, plastics 11, chemicals 9, metals 9, instruments 5, textiles 4, food 4, ' +
        'clothing 3, energy 2.5, vessels 1.2, pharma 1.5, household 2, paper 1',
    ),
    harvestAfter: 0,
    scale: 1.2,
    tax: 10,
    procedures: { 'inward-processing': 10, 'free-zone': 5 },
    faults: { ...FAULTS, amended: 0.0008 },
  },
  JP: {
    code: 'JP',
    region: 'EAS',
    neighbours: [],
    union: [],
    ties: { CN: 0.6, US: 1.8, TH: 2 },
    flows: { ...ASIAN_FLOWS, import: 57, transit: 5 },
    imports: mix(IMPORTS, 'animals 7, food 9, clothing 13, energy 5, household 7, pharma 4'),
    exports: mix(
      'machinery 25, vehicles 19, electronics 17, metals 9, chemicals 9, plastics 8, instruments 8, paper 1, food 2, ' +
        'textiles 2, stone 2, household 2, vessels 0.7, pharma 1, animals 1',
    ),
    harvestAfter: 0,
    scale: 1.35,
    tax: 10,
    procedures: { warehousing: 9 },
    faults: { ...FAULTS, formerCode: 0.006, poorCode: 0.0003 },
  },
  VN: {
    code: 'VN',
    region: 'SEA',
    neighbours: ['CN', 'LA', 'KH'],
    union: [],
    ties: { CN: 0.6, US: 2.4, KR: 2, JP: 1.5 },
    flows: { ...ASIAN_FLOWS, transit: 10, 're-export': 2.6 },
    imports: mix(IMPORTS, 'electronics 24, textiles 13, plastics 12, leather 5, machinery 13, clothing 3, vehicles 3'),
    exports: mix(
      'clothing 26, electronics 21, household 12, animals 8, crops 8, machinery 6, leather 5, textiles 4, plastics 5, ' +
        'food 4, metals 3, paper 2, stone 1.5, energy 0.4',
    ),
    harvestAfter: 0,
    scale: 0.7,
    tax: 8,
    procedures: { 'inward-processing': 34, 'free-zone': 8 },
    faults: { ...FAULTS, formerCode: 0.09, noOrigin: 0.006, amended: 0.0012 },
  },
  BR: {
    code: 'BR',
    region: 'SAM',
    neighbours: ['AR', 'UY', 'PY', 'BO', 'PE', 'CO', 'VE'],
    union: [],
    ties: { CN: 3.2, US: 0.6, AR: 2.5 },
    flows: { import: 52, export: 39, transit: 9 },
    imports: mix(IMPORTS, 'chemicals 17, machinery 18, vehicles 8, pharma 5, clothing 3, animals 1, crops 2.5'),
    exports: mix(
      'crops 22, animals 14, food 13, minerals 7, metals 9, paper 8, machinery 7, vehicles 6, chemicals 5, plastics 4, ' +
        'energy 4, fats 2.5, leather 3, stone 3, vessels 0.8',
    ),
    harvestAfter: 6,
    scale: 1,
    tax: 17,
    procedures: { drawback: 14, 'temporary-admission': 6 },
    faults: { ...FAULTS, noMass: 0.009 },
  },
  FR: {
    code: 'FR',
    region: 'EUR',
    neighbours: ['CH', 'GB'],
    union: EUROPEAN_UNION,
    ties: { CH: 2, RU: 0.2 },
    flows: { import: 46, export: 34, transit: 15, 're-import': 2, 're-export': 3 },
    imports: mix(IMPORTS, 'clothing 12, household 9, instruments 7, art 1.2, precious 2'),
    exports: mix(
      'food 19, chemicals 16, machinery 12, pharma 8, vehicles 6, leather 8, clothing 6, electronics 7, vessels 3, ' +
        'instruments 5, metals 5, plastics 5, animals 3, crops 3, art 2, precious 1.5, household 2, stone 1.5',
    ),
    harvestAfter: 0,
    scale: 1.1,
    tax: 20,
    procedures: { 'outward-processing': 6, warehousing: 8 },
    faults: FAULTS,
  },
} as const satisfies Record<string, Economy>

import type { SectorId } from './sectors.ts'

const REGIONS = ['EAS', 'SEA', 'SAS', 'WAS', 'EUR', 'AFR', 'NAM', 'SAM', 'OCE'] as const
type Region = (typeof REGIONS)[number]

export interface Partner {
  readonly code: string
  /** Size of its economy and trade; only ratios matter. */
  readonly mass: number
  readonly region: Region
}

const BY_REGION: Record<Region, string> = {
  EAS: 'CN 180, JP 42, KR 26, TW 16, HK 9, MN 0.3',
  SEA: 'SG 11, ID 13, TH 9, VN 9, MY 9, PH 4.5, MM 0.8, KH 0.8, LA 0.4, BN 0.3',
  SAS: 'IN 36, BD 4.5, PK 3.7, LK 0.9, NP 0.3',
  WAS: 'SA 11, AE 9, TR 11, QA 3, KW 2.2, IQ 2.5, IL 5, OM 1.2, KZ 2.2, UZ 0.9',
  EUR: 'DE 45, GB 33, FR 30, IT 22, ES 16, NL 20, CH 9, PL 8, BE 10, SE 6, IE 6, AT 5, CZ 4, NO 5, DK 4, PT 3, FI 3, HU 3, RO 3, GR 2.4, RU 18, UA 1.8, RS 0.8',
  AFR: 'ZA 4, EG 4, NG 4, MA 1.8, DZ 2.2, TN 0.7, CI 0.9, GH 0.8, KE 1.1, ET 1.3, AO 1.1, CD 0.7, SN 0.4, CM 0.5, TZ 0.8',
  NAM: 'US 260, CA 22, MX 19, PA 0.9, CR 0.9, GT 0.9, DO 1.1, HN 0.4',
  SAM: 'BR 22, AR 6, CL 3.6, CO 3.6, PE 2.8, EC 1.3, UY 0.8, PY 0.6, BO 0.6, VE 0.7',
  OCE: 'AU 17, NZ 2.6, PG 0.4, FJ 0.1',
}

export const partners: readonly Partner[] = REGIONS.flatMap(region =>
  BY_REGION[region].split(', ').map(entry => {
    const [code = '', mass] = entry.split(' ')
    return { code, mass: Number(mass), region }
  }),
)

/** Rough distances between regions, in thousands of km; within one, of its usual neighbours. */
const DISTANCES: Record<Region, readonly number[]> = {
  EAS: [1.5, 3.2, 4.8, 7, 8.8, 11, 10.2, 17.5, 8],
  SEA: [3.2, 1.4, 3, 6.2, 10, 9.5, 14, 17, 6],
  SAS: [4.8, 3, 1.2, 2.8, 6.6, 6, 13, 15, 9.5],
  WAS: [7, 6.2, 2.8, 1.2, 3.6, 4, 11.5, 12, 12],
  EUR: [8.8, 10, 6.6, 3.6, 1, 4.5, 7.2, 9.6, 16],
  AFR: [11, 9.5, 6, 4, 4.5, 2.4, 11, 7.8, 11.5],
  NAM: [10.2, 14, 13, 11.5, 7.2, 11, 2, 6.4, 13.5],
  SAM: [17.5, 17, 15, 12, 9.6, 7.8, 6.4, 1.8, 12.5],
  OCE: [8, 6, 9.5, 12, 16, 11.5, 13.5, 12.5, 2.2],
}

/** What every delivery takes, however near, as thousands of km. */
const SET_OFF = 2

/** Gravity: mass over distance. A common border counts as a short way. */
export function attraction(from: Region, partner: Partner, isNeighbour: boolean): number {
  const distance = isNeighbour ? 1 : (DISTANCES[from][REGIONS.indexOf(partner.region)] as number)
  return partner.mass / (distance + SET_OFF)
}

/** How many times as much a country sells of a sector as its size alone would make it. */
const STRENGTHS: Partial<Record<SectorId, string>> = {
  animals: 'BR 5, AU 4, NZ 14, NO 6, CL 6, EC 8, VN 4, IN 2, US 1.4, AR 6, IE 4, DK 4, MA 5',
  crops: 'BR 6, AR 9, US 1.6, UA 14, VN 4, TH 4, CO 6, ET 12, EC 14, CI 18, GH 12, CR 12, KE 9, MA 6, AU 3, NZ 3, PE 5',
  fats: 'ID 12, MY 14, UA 16, AR 12, ES 4, TN 8, PG 9',
  food: 'BR 2.5, FR 2.4, IT 2.4, TH 3, AR 5, CL 4, NL 2, CI 4, GB 1.5, NZ 3',
  minerals: 'AU 9, BR 6, CL 14, PE 12, ZA 6, ID 3, CD 18, MN 20, GH 3, CN 0.5',
  energy:
    'SA 10, AE 6, QA 16, KW 13, IQ 14, RU 4, NO 7, NG 11, DZ 12, AU 4, ID 3, AO 15, KZ 9, OM 11, BN 20, CO 4, VE 9, CN 0.2',
  chemicals: 'DE 1.8, CH 3, IE 4, SG 3, NL 2, BE 3, JP 1.6, MA 3',
  pharma: 'CH 11, IE 16, DE 2.4, BE 5, IN 2.5, FR 1.6, DK 6, SG 3, CN 0.3',
  plastics: 'TH 3, KR 2.4, TW 2, MY 3, SA 4, DE 1.4, VN 2',
  leather: 'IT 7, FR 4, VN 4, IN 2, ES 2, ET 4, BD 3',
  paper: 'FI 9, SE 7, BR 4, CA 3, ID 3, CL 7, AT 3, CM 8, LA 9',
  textiles: 'CN 1.8, IN 3, TR 4, PK 10, BD 5, VN 3, IT 2, TW 2, UZ 9',
  clothing: 'BD 28, VN 11, CN 1.8, KH 44, TR 5, LK 26, PK 7, IN 2, IT 2.4, TN 14, MM 14, MA 7, ID 3, US 0.1',
  stone: 'IT 3, ES 3, TR 3, IN 2, CN 1.5, PT 4',
  precious: 'CH 9, ZA 7, AE 6, HK 5, IN 2, PE 4, GH 8, IL 5, US 0.6',
  metals: 'RU 3, CL 7, UA 4, KR 1.8, TR 2, ZA 3, IN 1.4, CD 9, KZ 4, AU 1.5, SE 2',
  machinery: 'DE 2.4, JP 2.4, CN 1.6, IT 2, NL 2, CH 2, AT 2, FI 2',
  electronics: 'CN 2.6, TW 9, KR 5, MY 8, VN 7, SG 5, JP 1.8, PH 6, TH 3, MX 2, HK 4, US 0.5',
  vehicles: 'DE 3, JP 3.6, KR 3.6, MX 3, ES 2, CZ 4, FR 1.4, TH 2, HU 4, RO 3, CN 0.6',
  vessels: 'FR 5, US 1.6, KR 5, DE 2, CA 3, BR 2, JP 2, CN 0.6',
  instruments: 'CH 9, US 1.4, DE 2, JP 2, IE 5, MX 2',
  household: 'CN 3, VN 6, PL 4, IT 2, MY 3, US 0.4',
  art: 'US 1.4, GB 4, FR 4, CH 4, HK 3, CN 0.3',
}

export function strengths(sector: SectorId): ReadonlyMap<string, number> {
  const entries = STRENGTHS[sector]?.split(', ') ?? []
  return new Map(entries.map(entry => [entry.slice(0, 2), Number(entry.slice(3))]))
}

/** Where goods change ships. */
export const hubs = ['SG', 'HK', 'NL', 'AE', 'BE', 'US', 'PA']

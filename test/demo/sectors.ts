/** How the goods of a sector are carried, which decides about the modes of transport. */
export type Carriage = 'bulk' | 'general' | 'light' | 'piped' | 'vessels'

export interface Sector {
  /** Chapters of the Harmonized System, the most traded first. */
  readonly chapters: readonly string[]
  /** Of the statistical value of a record, in USD. */
  readonly median: number
  /** Standard deviation of log2 of that value. */
  readonly spread: number
  /** Median unit value, in USD a kg. */
  readonly perKg: number
  /** Customs duty in per cent. */
  readonly duty: number
  readonly carriage: Carriage
  /** Weight of each month, January first. */
  readonly season: readonly number[]
  /** The crop follows the hemisphere of whoever exports. */
  readonly harvested?: boolean
  /** Unit of the supplementary quantity, and its median price in USD. */
  readonly unit?: readonly [code: string, price: number]
}

const STEADY = [95, 88, 102, 99, 101, 99, 100, 97, 101, 104, 104, 110]
const HARVEST = [80, 70, 70, 75, 80, 90, 105, 125, 150, 160, 130, 100]
const WINTER = [140, 128, 110, 92, 80, 75, 80, 84, 90, 100, 116, 136]
const COLLECTIONS = [112, 96, 85, 80, 86, 102, 126, 130, 114, 94, 84, 90]
const YEAR_END = [78, 68, 80, 84, 88, 92, 98, 110, 128, 146, 138, 92]

/** Sectors of trade, after the sections of the Harmonized System. Every chapter is in one of them. */
export const sectors = {
  animals: sector('02 03 04 01 05', 28_000, 1.8, 4.2, 9, 'general', YEAR_END),
  crops: { ...sector('12 10 08 09 07 06 11 13 14', 24_000, 2.1, 1.1, 7, 'bulk', HARVEST), harvested: true },
  fats: { ...sector('15', 36_000, 1.9, 1.3, 6, 'bulk', HARVEST), harvested: true },
  food: sector('22 21 19 20 16 23 18 17 24', 18_000, 1.9, 3.1, 10, 'general', YEAR_END),
  minerals: sector('26 25', 95_000, 2.6, 0.11, 1, 'bulk', STEADY),
  energy: sector('27', 150_000, 2.5, 0.62, 2, 'piped', WINTER),
  chemicals: sector('38 29 28 33 32 34 35 31 37 36', 31_000, 2.2, 4.4, 4, 'general', STEADY),
  pharma: sector('30', 58_000, 2.3, 92, 0, 'light', WINTER),
  plastics: sector('39 40', 19_000, 2, 3.3, 5, 'general', STEADY),
  leather: { ...sector('42 41 43', 9_500, 1.9, 21, 8, 'light', YEAR_END), unit: ['u', 24] },
  paper: { ...sector('48 44 49 47 46 45', 15_000, 2, 1.2, 3, 'general', STEADY), unit: ['m3', 310] },
  textiles: {
    ...sector('60 54 55 59 52 56 58 57 51 50 53', 14_000, 1.8, 6.3, 7, 'general', STEADY),
    unit: ['m2', 2.1],
  },
  clothing: { ...sector('62 61 64 63 65 66 67', 12_500, 1.8, 19, 11, 'general', COLLECTIONS), unit: ['u', 9.5] },
  stone: { ...sector('70 69 68', 11_000, 1.9, 1.4, 6, 'general', STEADY), unit: ['m2', 11] },
  precious: { ...sector('71', 74_000, 2.9, 9_400, 1, 'light', YEAR_END), unit: ['g', 48] },
  metals: sector('73 72 76 83 82 74 81 79 75 80 78', 26_000, 2.3, 2.4, 4, 'general', STEADY),
  machinery: { ...sector('84', 27_000, 2.3, 17, 3, 'general', STEADY), unit: ['u', 1_150] },
  electronics: { ...sector('85', 29_000, 2.4, 61, 2, 'light', YEAR_END), unit: ['u', 38] },
  vehicles: { ...sector('87', 42_000, 2.2, 11, 8, 'general', STEADY), unit: ['u', 16_500] },
  railways: { ...sector('86', 55_000, 2.1, 6.5, 2, 'general', STEADY), unit: ['u', 48_000] },
  vessels: { ...sector('88 89', 310_000, 2.5, 240, 0, 'vessels', STEADY), unit: ['u', 2_400_000] },
  instruments: { ...sector('90 91 92', 17_000, 2.2, 88, 2, 'light', YEAR_END), unit: ['u', 120] },
  household: { ...sector('94 95 96', 13_000, 2, 7.4, 4, 'general', YEAR_END), unit: ['u', 22] },
  arms: { ...sector('93', 38_000, 2, 54, 6, 'light', STEADY), unit: ['u', 410] },
  art: { ...sector('97', 52_000, 2.8, 2_600, 0, 'light', COLLECTIONS), unit: ['u', 14_000] },
  unspecified: sector('99', 2_100, 1.6, 14, 3, 'light', YEAR_END),
} as const satisfies Record<string, Sector>

export type SectorId = keyof typeof sectors
export const sectorIds = Object.keys(sectors) as SectorId[]

function sector(
  chapters: string,
  median: number,
  spread: number,
  perKg: number,
  duty: number,
  carriage: Carriage,
  season: readonly number[],
): Sector {
  return { chapters: chapters.split(' '), median, spread, perKg, duty, carriage, season }
}

/** Codes of earlier editions of the Harmonized System that edition 2022 no longer lists, by chapter. */
export const formerCodes: Readonly<Record<string, readonly string[]>> = {
  '03': ['030613', '030371'],
  '30': ['300220'],
  '38': ['382490', '382471'],
  '44': ['440710', '440320'],
  '84': ['845610', '846221'],
  '85': ['851712', '854140', '853950', '852580'],
  '87': ['870190'],
  '88': ['880330', '880320'],
  '90': ['900652', '900651'],
}

import { hs6 as listedCodes } from '#specs/code-lists/harmonized-system.ts'
import { type Declaration, STRANGE } from './declaration.ts'
import type { Economy, Flow, Procedure } from './economies.ts'
import { attraction, hubs, partners, strengths } from './partners.ts'
import { type Draws, Weighted, zipf } from './random.ts'
import { formerCodes, type Sector, type SectorId, sectorIds, sectors } from './sectors.ts'
import { drawTransport } from './transport.ts'

type Direction = 'import' | 'export' | 'transit'
const DIRECTION: Record<Flow, Direction> = {
  import: 'import',
  export: 'export',
  're-import': 'import',
  're-export': 'export',
  transit: 'transit',
}

const PROCEDURES: Record<Flow, Partial<Record<Procedure, number>>> = {
  import: { 'home-use': 80, 'inward-processing': 6, warehousing: 5, 'temporary-admission': 3, 'free-zone': 2 },
  export: { export: 86, drawback: 5, 'temporary-export': 4, stores: 2, 'outward-processing': 2 },
  're-import': { 're-importation': 70, 'outward-processing': 30 },
  're-export': { 're-exportation': 1 },
  transit: { transit: 88, transhipment: 12 },
}

const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
/** 2024 began on a Monday. */
const WEEKDAYS = [1.05, 1.1, 1.1, 1.08, 1, 0.3, 0.15]
const FEWEST_TRADERS = 20
const RECORDS_A_TRADER = 18
const TAILS = ['5', '50', '25', '75', '4999', '5001', '333']

export interface Day {
  readonly month: string
  readonly day: string
  readonly weight: number
}

interface Trade {
  /** By month, January first. */
  readonly sectors: readonly Weighted<SectorId>[]
  readonly chapters: ReadonlyMap<SectorId, Weighted<string>>
  readonly partners: ReadonlyMap<SectorId, Weighted<string>>
}

/** The tables from which the declarations of one country are drawn. */
export class Model {
  readonly days: readonly Day[]
  readonly #economy: Economy
  readonly #draws: Draws
  readonly #flows: Weighted<Flow>
  readonly #trades: Readonly<Record<Direction, Trade>>
  readonly #codes: ReadonlyMap<string, Weighted<string>>
  readonly #procedures: Readonly<Record<Flow, Weighted<Procedure>>>
  readonly #traderRanks: Weighted<number>
  readonly #neighbours: ReadonlySet<string>

  constructor(economy: Economy, records: number, draws: Draws) {
    this.#economy = economy
    this.#draws = draws
    this.#neighbours = new Set(economy.neighbours)
    this.#flows = new Weighted(Object.entries(economy.flows) as [Flow, number][])
    this.#trades = { import: this.#trade('import'), export: this.#trade('export'), transit: this.#trade('transit') }
    this.#codes = new Map(
      [...byChapter(listedCodes.codes)].map(([chapter, codes]) => [chapter, zipf(draws.shuffled(codes))]),
    )
    this.#procedures = mapped(PROCEDURES, weights => {
      const own = Object.entries(weights).map(([id, weight]) => [id, economy.procedures[id as Procedure] ?? weight])
      return new Weighted(own as [Procedure, number][])
    })
    const traders = Math.max(FEWEST_TRADERS, Math.floor(records / RECORDS_A_TRADER / sectorIds.length))
    this.#traderRanks = zipf(Array.from({ length: traders }, (_, rank) => rank))
    this.days = this.#calendar()
  }

  draw(number: number, day: Day): Declaration {
    const [draws, { faults, scale, tax }] = [this.#draws, this.#economy]
    const flow = this.#flows.draw(draws)
    const trade = this.#trades[DIRECTION[flow]]
    const sectorId = (trade.sectors[Number(day.month) - 1] as Weighted<SectorId>).draw(draws)
    const sector: Sector = sectors[sectorId]
    const chapter = (trade.chapters.get(sectorId) as Weighted<string>).draw(draws)
    const partner = (trade.partners.get(sectorId) as Weighted<string>).draw(draws)
    const procedure = this.#procedures[flow].draw(draws)
    const transport = drawTransport(draws, sector.carriage, this.#neighbours.has(partner))
    const cents = Math.round(draws.logNormal(sector.median * scale * 100, sector.spread))
    const grams = Math.round((cents * 10) / draws.logNormal(sector.perKg, 0.9))
    const paysDuty = flow === 'import' && (procedure === 'home-use' || procedure === 'inward-processing')
    const duty = paysDuty && procedure === 'home-use' ? Math.round((cents * sector.duty) / 100) : 0
    const taxes = paysDuty ? Math.round(((cents + duty) * tax) / 100) : 0
    const rank = this.#traderRanks.draw(draws)
    const declaration: Declaration = {
      number,
      month: day.month,
      day: day.day,
      flow,
      hs6: this.#hs6(chapter),
      ...this.#countries(flow, partner, trade.partners.get('machinery') as Weighted<string>),
      procedure,
      transport: draws.chance(faults.noTransport) ? '' : transport,
      trader: rank * sectorIds.length + sectorIds.indexOf(sectorId) + 1,
      value: { units: draws.chance(faults.noValue) ? 0 : cents, beyond: this.#beyond() },
      netMass: draws.chance(faults.noMass) ? undefined : { units: grams, beyond: this.#beyond() },
      quantity: sector.unit && {
        amount: Math.max(1, Math.round(cents / 100 / draws.logNormal(sector.unit[1], 0.8))),
        unit: sector.unit[0],
      },
      duty,
      taxes,
    }
    if (!draws.chance(faults.broken)) return declaration
    return { ...declaration, broken: (['date', 'negative', 'unreadable'] as const)[number % 3] ?? 'date' }
  }

  #hs6(chapter: string): string {
    const [draws, { formerCode, poorCode }] = [this.#draws, this.#economy.faults]
    const code = (this.#codes.get(chapter) as Weighted<string>).draw(draws)
    const former = formerCodes[chapter]
    if (former && draws.chance(formerCode)) return former[draws.below(former.length)] as string
    if (draws.chance(poorCode)) return draws.chance(0.7) ? code.slice(0, 4) : ''
    return code
  }

  #countries(flow: Flow, partner: string, others: Weighted<string>) {
    const [draws, { code: home, faults }] = [this.#draws, this.#economy]
    const stated = draws.chance(faults.noOrigin) ? '' : draws.chance(faults.strangeCountry) ? STRANGE : partner
    const through = draws.chance(0.14) ? (hubs[draws.below(hubs.length)] as string) : partner
    switch (flow) {
      case 'import':
        return { origin: stated, consignment: through, destination: home }
      case 're-import':
        return { origin: home, consignment: stated, destination: home }
      case 'export':
        return { origin: draws.chance(0.94) ? home : others.draw(draws), consignment: home, destination: stated }
      case 're-export':
        return { origin: others.draw(draws), consignment: home, destination: stated }
      case 'transit':
        return { origin: stated, consignment: through, destination: others.draw(draws) }
    }
  }

  #beyond(): string {
    const draws = this.#draws
    return draws.chance(this.#economy.faults.moreDecimals) ? (TAILS[draws.below(TAILS.length)] as string) : ''
  }

  #trade(direction: Direction): Trade {
    const { exports, imports, harvestAfter } = this.#economy
    const mix = direction === 'export' ? exports : imports
    const after = direction === 'export' ? harvestAfter : 0
    const monthly = MONTH_DAYS.map(
      (_, month) =>
        new Weighted(
          sectorIds.map(id => {
            const { season, harvested = false }: Sector = sectors[id]
            return [id, mix[id] * (season[(month + (harvested ? 12 - after : 0)) % 12] as number)] as const
          }),
        ),
    )
    return {
      sectors: monthly,
      chapters: new Map(sectorIds.map(id => [id, this.#chapters(sectors[id])])),
      partners: new Map(sectorIds.map(id => [id, this.#partners(direction, id)])),
    }
  }

  /** Zipf's law, bent by the country's own tastes. */
  #chapters({ chapters }: Sector): Weighted<string> {
    return new Weighted(chapters.map((chapter, i) => [chapter, (0.4 + this.#draws.uniform()) / (i + 1)] as const))
  }

  #partners(direction: Direction, sector: SectorId): Weighted<string> {
    const { code: home, region, ties, union }: Economy = this.#economy
    const strength = direction === 'export' ? new Map<string, number>() : strengths(sector)
    const foreign = partners.filter(({ code }) => code !== home && !union.includes(code))
    return new Weighted(
      foreign.map(partner => {
        const pull = attraction(region, partner, this.#neighbours.has(partner.code)) * (ties[partner.code] ?? 1)
        return [partner.code, pull * (strength.get(partner.code) ?? 1) * (0.6 + this.#draws.uniform())] as const
      }),
    )
  }

  /** Every day of the year, as busy as its weekday and its month make it. */
  #calendar(): Day[] {
    let index = 0
    return MONTH_DAYS.flatMap((days, month) =>
      Array.from({ length: days }, (_, day) => ({
        month: String(month + 1).padStart(2, '0'),
        day: String(day + 1).padStart(2, '0'),
        weight: (WEEKDAYS[index++ % 7] as number) * this.#busy(month),
      })),
    )
  }

  #busy(month: number): number {
    const { flows } = this.#economy
    const weights = Object.entries(flows) as [Flow, number][]
    const year = (trade: Trade) => trade.sectors.reduce((sum, one) => sum + one.total, 0)
    return weights.reduce((sum, [flow, weight]) => {
      const trade = this.#trades[DIRECTION[flow]]
      return sum + (weight * (trade.sectors[month] as Weighted<SectorId>).total) / year(trade)
    }, 0)
  }
}

function byChapter(codes: readonly string[]): Map<string, string[]> {
  const chapters = new Map<string, string[]>()
  for (const code of codes) {
    const chapter = code.slice(0, 2)
    const known = chapters.get(chapter)
    if (known) known.push(code)
    else chapters.set(chapter, [code])
  }
  return chapters
}

function mapped<K extends string, V, W>(record: Record<K, V>, change: (value: V) => W): Record<K, W> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value as V)])) as Record<K, W>
}

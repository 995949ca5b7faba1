import { hs2 } from '#specs/code-lists/harmonized-system.ts'
import type { Declaration } from '../declaration.ts'
import type { Flow, Procedure } from '../economies.ts'
import type { Transport } from '../transport.ts'
import { alpha2 } from './countries.ts'
import { decimal, type Layout, massText, type Numbers, nationalDigits, quoted, valueText } from './layout.ts'

const FLOWS: Record<Flow, string> = { import: 'I', export: 'E', 're-import': 'RI', 're-export': 'RE', transit: 'T' }

/** In the manner of the first two digits of box 37 of the single administrative document. */
const PROCEDURES: Record<Procedure, string> = {
  'home-use': '40',
  warehousing: '71',
  'free-zone': '78',
  'inward-processing': '51',
  'outward-processing': '21',
  'temporary-admission': '53',
  'temporary-export': '23',
  export: '10',
  drawback: '11',
  stores: '95',
  transit: '80',
  transhipment: '81',
  're-importation': '61',
  're-exportation': '31',
}

/** UNECE Recommendation 19. */
const TRANSPORT: Record<Transport, string> = {
  sea: '1',
  rail: '2',
  road: '3',
  air: '4',
  post: '5',
  multimodal: '6',
  pipeline: '7',
  'inland-waterway': '8',
  'own-propulsion': '9',
}

const NUMBERS: Numbers = { mark: ',', group: '\u202f' }
const country = alpha2('UK')

/** Semicolons, dates with dots, narrow spaces between thousands; descriptions with delimiters, quotes and line ends. */
export const fr: Layout = {
  delimiter: ';',
  newline: '\n',
  encoding: 'utf-8',
  sheets: [
    {
      name: 'FR',
      header: [
        'Date d’acceptation',
        'Flux',
        'Nomenclature',
        'Désignation des marchandises',
        'Pays d’origine',
        'Pays de provenance',
        'Pays de destination',
        'Régime',
        'Mode de transport à la frontière',
        'Opérateur (EORI)',
        'Valeur statistique',
        'Masse nette',
        'Unités supplémentaires',
        'Unité',
        'Droits de douane',
        'Autres taxes',
      ],
      cells: d => [
        d.broken === 'date' ? '00.00.2024' : `${d.day}.${d.month}.2024`,
        FLOWS[d.flow],
        tariffCode(d),
        description(d),
        country(d.origin),
        country(d.consignment),
        country(d.destination),
        PROCEDURES[d.procedure],
        d.transport === '' ? '0' : TRANSPORT[d.transport],
        `FR000000${String(d.trader).padStart(6, '0')}`,
        valueText(d, NUMBERS),
        massText(d.netMass, NUMBERS),
        d.quantity ? decimal(d.quantity.amount * 1000, 3, NUMBERS) : '',
        d.quantity ? d.quantity.unit.toUpperCase() : '',
        decimal(d.duty, 2, NUMBERS),
        decimal(d.taxes, 2, NUMBERS),
      ],
    },
  ],
}

function tariffCode(d: Declaration): string {
  if (d.hs6.length < 6) return d.hs6
  return `${d.hs6.slice(0, 4)} ${d.hs6.slice(4)} ${nationalDigits(d, ['00', '10', '90', '99'])}`
}

function description({ hs6, number, trader }: Declaration): string {
  const goods = hs2.title(hs6.slice(0, 2), 'fr')
  if (number % 11 === 0) return quoted(`${goods} ; lot ${trader % 97}`)
  if (number % 17 === 0) return quoted(`${goods}, dit « divers »\nvoir "facture ${number}"`)
  return goods.includes(';') || goods.includes('"') ? quoted(goods) : goods
}

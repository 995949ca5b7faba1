import type { Declaration } from '../declaration.ts'
import type { Procedure } from '../economies.ts'
import type { Transport } from '../transport.ts'
import { alpha3 } from './countries.ts'
import { decimal, type Layout, massText, type Numbers, nationalDigits, valueText } from './layout.ts'

const PROCEDURES: Record<Procedure, string> = {
  'home-use': 'Consumo',
  warehousing: 'Entreposto Aduaneiro',
  'free-zone': 'Zona Franca',
  'inward-processing': 'Drawback Suspensão',
  'outward-processing': 'Exportação Temporária p/ Aperfeiçoamento',
  'temporary-admission': 'Admissão Temporária',
  'temporary-export': 'Exportação Temporária',
  export: 'Exportação Normal',
  drawback: 'Drawback Restituição',
  stores: 'Consumo de Bordo',
  transit: 'Trânsito Aduaneiro',
  transhipment: 'Baldeação',
  're-importation': 'Reimportação',
  're-exportation': 'Reexportação',
}

const TRANSPORT: Record<Transport, string> = {
  sea: 'Marítima',
  rail: 'Ferroviária',
  road: 'Rodoviária',
  air: 'Aérea',
  post: 'Postal',
  multimodal: 'Meios Próprios – Vários',
  pipeline: 'Conduto/Rede',
  'inland-waterway': 'Fluvial',
  'own-propulsion': 'Meios Próprios',
}

const NUMBERS: Numbers = { mark: ',', group: '.' }
// The Netherlands Antilles, which left the list in 2010.
const country = alpha3('ANT')

/** Windows-1252, semicolons, decimal commas, alpha-3 country codes, and a file for each flow. */
export const br: Layout = {
  delimiter: ';',
  newline: '\r\n',
  encoding: 'windows-1252',
  sheets: [
    {
      name: 'BR-importacao',
      flows: ['import'],
      header: [
        'Data do Registro',
        'NCM',
        'País de Origem',
        'País de Procedência',
        'Regime Aduaneiro',
        'Via de Transporte',
        'CNPJ do Importador',
        'Valor CIF (US$)',
        'Peso Líquido (kg)',
        'Imposto de Importação',
        'Demais Tributos',
      ],
      cells: d => [
        dateText(d),
        tariffCode(d),
        country(d.origin),
        country(d.consignment),
        ...usual(d),
        decimal(d.duty, 2, NUMBERS),
        decimal(d.taxes, 2, NUMBERS),
      ],
    },
    {
      name: 'BR-exportacao',
      flows: ['export'],
      header: [
        'Data do Despacho',
        'NCM',
        'País de Destino',
        'Enquadramento',
        'Via de Transporte',
        'CNPJ do Exportador',
        'Valor FOB (US$)',
        'Peso Líquido (kg)',
      ],
      cells: d => [dateText(d), tariffCode(d), country(d.destination), ...usual(d)],
    },
    {
      name: 'BR-transito',
      flows: ['transit'],
      header: [
        'Data da Concessão',
        'NCM',
        'País de Origem',
        'País de Procedência',
        'País de Destino',
        'Modalidade',
        'Via de Transporte',
        'CNPJ do Beneficiário',
        'Valor (US$)',
        'Peso Líquido (kg)',
      ],
      cells: d => [
        dateText(d),
        tariffCode(d),
        country(d.origin),
        country(d.consignment),
        country(d.destination),
        ...usual(d),
      ],
    },
  ],
}

/** Procedure, transport, trader, value, net mass: the same in every file. */
function usual(d: Declaration): string[] {
  return [
    PROCEDURES[d.procedure],
    d.transport === '' ? '' : TRANSPORT[d.transport],
    `00.${String(d.trader)
      .padStart(6, '0')
      .replace(/(...)$/, '.$1')}/0001-00`,
    valueText(d, NUMBERS),
    massText(d.netMass, NUMBERS),
  ]
}

function dateText({ broken, month, day }: Declaration): string {
  return broken === 'date' ? '31/02/2024' : `${day}/${month}/2024`
}

function tariffCode(d: Declaration): string {
  if (d.hs6.length < 6) return d.hs6
  return `${d.hs6.slice(0, 4)}.${d.hs6.slice(4)}.${nationalDigits(d, ['00', '10', '90', '99'])}`
}

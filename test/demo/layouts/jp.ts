import type { Flow, Procedure } from '../economies.ts'
import type { Transport } from '../transport.ts'
import { numeric } from './countries.ts'
import { decimal, type Layout, massText, type Numbers, nationalDigits, valueText } from './layout.ts'

const FLOWS: Record<Flow, string> = { import: 'M', export: 'X', 're-import': 'RM', 're-export': 'RX', transit: 'T' }

const PROCEDURES: Record<Procedure, string> = {
  'home-use': 'IC',
  warehousing: 'IS',
  'free-zone': 'IM',
  'inward-processing': 'IA',
  'outward-processing': 'EP',
  'temporary-admission': 'IT',
  'temporary-export': 'ET',
  export: 'EC',
  drawback: 'ED',
  stores: 'ES',
  transit: 'OT',
  transhipment: 'TS',
  're-importation': 'IR',
  're-exportation': 'ER',
}

const TRANSPORT: Record<Transport, string> = {
  sea: '船舶',
  rail: '鉄道',
  road: '道路',
  air: '航空機',
  post: '郵便',
  multimodal: '複合',
  pipeline: '管路',
  'inland-waterway': '内水',
  'own-propulsion': '自力',
}

const UNITS: Record<string, string> = { u: 'NO', g: 'GR', m2: 'SM', m3: 'CM' }
const NUMBERS: Numbers = { mark: '.', group: '' }
// Serbia and Montenegro, which left the list in 2006.
const country = numeric('891')

/** Tabs, ISO dates, numeric country codes, nine digits without a mark; no key. */
export const jp: Layout = {
  delimiter: '\t',
  newline: '\n',
  encoding: 'utf-8',
  sheets: [
    {
      name: 'JP',
      header: [
        '申告日',
        '輸出入区分',
        '申告種別',
        '統計品目番号',
        '原産国',
        '積出国',
        '仕向国',
        '輸送手段',
        '法人番号',
        '申告価格',
        '正味重量',
        '数量',
        '単位',
        '関税',
        '消費税等',
      ],
      cells: d => [
        d.broken === 'date' ? '0000-00-00' : `2024-${d.month}-${d.day}`,
        FLOWS[d.flow],
        PROCEDURES[d.procedure],
        d.hs6.length === 6 ? d.hs6 + nationalDigits(d, ['000', '010', '090', '299']) : d.hs6,
        country(d.origin),
        country(d.consignment),
        country(d.destination),
        d.transport === '' ? '' : TRANSPORT[d.transport],
        `0000000${String(d.trader).padStart(6, '0')}`,
        valueText(d, NUMBERS),
        massText(d.netMass, NUMBERS),
        d.quantity ? String(d.quantity.amount) : '',
        d.quantity ? (UNITS[d.quantity.unit] as string) : '',
        decimal(d.duty, 2, NUMBERS),
        decimal(d.taxes, 2, NUMBERS),
      ],
    },
  ],
}

import type { Flow, Procedure } from '../economies.ts'
import type { Transport } from '../transport.ts'
import { alpha2 } from './countries.ts'
import { type Layout, massText, type Numbers, nationalDigits, quoted, valueText } from './layout.ts'

const FLOWS: Record<Flow, string> = {
  import: '수입',
  export: '수출',
  're-import': '재수입',
  're-export': '재수출',
  transit: '통과',
}

const PROCEDURES: Record<Procedure, string> = {
  'home-use': '11',
  warehousing: '21',
  'free-zone': '25',
  'inward-processing': '31',
  'outward-processing': '33',
  'temporary-admission': '41',
  'temporary-export': '43',
  export: '51',
  drawback: '55',
  stores: '61',
  transit: '71',
  transhipment: '73',
  're-importation': '81',
  're-exportation': '83',
}

const TRANSPORT: Record<Transport, string> = {
  sea: '10',
  rail: '20',
  road: '30',
  air: '40',
  post: '50',
  multimodal: '60',
  pipeline: '70',
  'inland-waterway': '80',
  'own-propulsion': '90',
}

const UNITS: Record<string, string> = { u: 'U', g: 'G', m2: 'M2', m3: 'M3' }
const NUMBERS: Numbers = { mark: '.', group: ',' }
const ITEMS_A_DECLARATION = 4
const country = alpha2('ZZ')

/** Commas, a byte order mark, grouped amounts between quotes; a declaration and the number of its item are the key. */
export const kr: Layout = {
  delimiter: ',',
  newline: '\r\n',
  encoding: 'utf-8',
  byteOrderMark: true,
  sheets: [
    {
      name: 'KR',
      header: [
        '신고번호',
        '란번호',
        '신고일자',
        '거래구분',
        '세번부호',
        '원산지',
        '적출국',
        '목적국',
        '통관종류',
        '운송수단',
        '업체부호',
        '신고금액(USD)',
        '순중량(KG)',
        '수량',
        '수량단위',
        '관세',
        '내국세',
      ],
      cells: d => [
        `4${String(Math.floor(d.number / ITEMS_A_DECLARATION)).padStart(7, '0')}`,
        String((d.number % ITEMS_A_DECLARATION) + 1).padStart(3, '0'),
        d.broken === 'date' ? '20240230' : `2024${d.month}${d.day}`,
        FLOWS[d.flow],
        tariffCode(d.hs6, nationalDigits(d, ['0000', '1000', '9000', '9090'])),
        country(d.origin),
        country(d.consignment),
        country(d.destination),
        PROCEDURES[d.procedure],
        d.transport === '' ? '99' : TRANSPORT[d.transport],
        `K${String(d.trader).padStart(6, '0')}`,
        quoted(valueText(d, NUMBERS)),
        quoted(massText(d.netMass, NUMBERS)),
        d.quantity ? String(d.quantity.amount) : '',
        d.quantity ? (UNITS[d.quantity.unit] as string) : '',
        plain(d.duty),
        plain(d.taxes),
      ],
    },
  ],
}

function tariffCode(hs6: string, digits: string): string {
  return hs6.length === 6 ? `${hs6.slice(0, 4)}.${hs6.slice(4)}-${digits}` : hs6
}

/** Cents without grouping, and whole amounts without decimals. */
function plain(cents: number): string {
  if (cents % 100 === 0) return String(cents / 100)
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`
}

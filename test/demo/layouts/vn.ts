import type { Flow, Procedure } from '../economies.ts'
import type { Transport } from '../transport.ts'
import { alpha2 } from './countries.ts'
import { decimal, type Layout, massText, type Numbers, nationalDigits, valueText } from './layout.ts'

const FLOWS: Record<Flow, string> = { import: 'NK', export: 'XK', 're-import': 'TN', 're-export': 'TX', transit: 'QC' }

const PROCEDURES: Record<Procedure, string> = {
  'home-use': 'A11',
  warehousing: 'C11',
  'free-zone': 'C21',
  'inward-processing': 'E31',
  'outward-processing': 'E54',
  'temporary-admission': 'G13',
  'temporary-export': 'G61',
  export: 'B11',
  drawback: 'B13',
  stores: 'H21',
  transit: 'QC1',
  transhipment: 'QC2',
  're-importation': 'A31',
  're-exportation': 'G23',
}

const TRANSPORT: Record<Transport, string> = {
  sea: 'Đường biển',
  rail: 'Đường sắt',
  road: 'Đường bộ',
  air: 'Đường hàng không',
  post: 'Bưu chính',
  multimodal: 'Đa phương thức',
  pipeline: 'Đường ống',
  'inland-waterway': 'Đường thủy nội địa',
  'own-propulsion': 'Tự hành',
}

const NUMBERS: Numbers = { mark: ',', group: '.' }
// What the European Union writes for Greece.
const country = alpha2('EL')

/** Semicolons, decimal commas and dots between thousands, American dates, words for the modes of transport. */
export const vn: Layout = {
  delimiter: ';',
  newline: '\r\n',
  encoding: 'utf-8',
  sheets: [
    {
      name: 'VN',
      header: [
        'SoToKhai',
        'NgayDangKy',
        'Loai',
        'MaLoaiHinh',
        'MaHS',
        'NuocXuatXu',
        'NuocGuiHang',
        'NuocDen',
        'PTVT',
        'MaSoThue',
        'TriGiaUSD',
        'TrongLuongTinh',
        'ThueXNK',
        'ThueGTGT',
      ],
      cells: d => [
        `10${String(d.number).padStart(10, '0')}`,
        d.broken === 'date' ? `13/${d.day}/2024` : `${d.month}/${d.day}/2024`,
        FLOWS[d.flow],
        PROCEDURES[d.procedure],
        d.hs6.length === 6 ? d.hs6 + nationalDigits(d, ['00', '10', '90', '99']) : d.hs6,
        country(d.origin),
        country(d.consignment),
        country(d.destination),
        d.transport === '' ? '' : TRANSPORT[d.transport],
        `00${String(d.trader).padStart(8, '0')}`,
        valueText(d, NUMBERS),
        massText(d.netMass, NUMBERS),
        decimal(d.duty, 2, NUMBERS),
        decimal(d.taxes, 2, NUMBERS),
      ],
    },
  ],
}

import type { NumberStyle } from './text.ts'

/** What one has to know of an administration's files to read them. Written anew here: neither the maps nor the writers serve. */
export interface ReadLayout extends NumberStyle {
  /** Files, and what is the same for all of their records. */
  readonly files: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly encoding: 'utf-8' | 'windows-1252'
  readonly delimiter: string
  /** How dates are written, with YYYY, MM and DD. */
  readonly date: string
  /** Columns that together name a record. */
  readonly key?: readonly string[]
  /** Columns, or what they are called in one file and another. */
  readonly columns: Readonly<Record<string, string | readonly string[]>>
  /** Words of a column, `word=code`; those that are not there stand for themselves. */
  readonly words: Readonly<Record<string, string>>
  /** Dimensions on which a word that is not there means `other`. */
  readonly others?: readonly string[]
}

const RECOMMENDATION_19 =
  '1=sea 2=rail 3=road 4=air 5=post 6=multimodal 7=pipeline 8=inland-waterway 9=own-propulsion 0=unknown'

export const readLayouts: Readonly<Record<string, ReadLayout>> = {
  KR: {
    files: { 'KR.csv': {} },
    encoding: 'utf-8',
    delimiter: ',',
    date: 'YYYYMMDD',
    mark: '.',
    group: ',',
    key: ['신고번호', '란번호'],
    columns: {
      period: '신고일자',
      flow: '거래구분',
      hs6: '세번부호',
      origin: '원산지',
      consignment: '적출국',
      destination: '목적국',
      procedure: '통관종류',
      transport: '운송수단',
      value: '신고금액(USD)',
      netMass: '순중량(KG)',
      quantity: '수량',
      quantityUnit: '수량단위',
      duty: '관세',
      taxes: '내국세',
    },
    words: {
      flow: '수입=import 수출=export 재수입=re-import 재수출=re-export 통과=transit',
      procedure:
        '11=home-use 21=warehousing 25=free-zone 31=inward-processing 33=outward-processing 41=temporary-admission ' +
        '43=temporary-export 51=export 55=drawback 61=stores 71=transit 73=transhipment 81=re-importation 83=re-exportation',
      transport: '10=sea 20=rail 30=road 40=air 50=post 60=multimodal 70=pipeline 80=inland-waterway 90=own-propulsion',
      quantityUnit: 'U=u G=g M2=m2 M3=m3',
    },
    others: ['procedure', 'transport'],
  },
  JP: {
    files: { 'JP.csv': {} },
    encoding: 'utf-8',
    delimiter: '\t',
    date: 'YYYY-MM-DD',
    mark: '.',
    group: '',
    columns: {
      period: '申告日',
      flow: '輸出入区分',
      hs6: '統計品目番号',
      origin: '原産国',
      consignment: '積出国',
      destination: '仕向国',
      procedure: '申告種別',
      transport: '輸送手段',
      value: '申告価格',
      netMass: '正味重量',
      quantity: '数量',
      quantityUnit: '単位',
      duty: '関税',
      taxes: '消費税等',
    },
    words: {
      flow: 'M=import X=export RM=re-import RX=re-export T=transit',
      procedure:
        'IC=home-use IS=warehousing IM=free-zone IA=inward-processing EP=outward-processing IT=temporary-admission ' +
        'ET=temporary-export EC=export ED=drawback ES=stores OT=transit TS=transhipment IR=re-importation ER=re-exportation',
      transport:
        '船舶=sea 鉄道=rail 道路=road 航空機=air 郵便=post 複合=multimodal 管路=pipeline 内水=inland-waterway ' +
        '自力=own-propulsion',
      quantityUnit: 'NO=u GR=g SM=m2 CM=m3',
    },
  },
  VN: {
    files: { 'VN.csv': {} },
    encoding: 'utf-8',
    delimiter: ';',
    date: 'MM/DD/YYYY',
    mark: ',',
    group: '.',
    key: ['SoToKhai'],
    columns: {
      period: 'NgayDangKy',
      flow: 'Loai',
      hs6: 'MaHS',
      origin: 'NuocXuatXu',
      consignment: 'NuocGuiHang',
      destination: 'NuocDen',
      procedure: 'MaLoaiHinh',
      transport: 'PTVT',
      value: 'TriGiaUSD',
      netMass: 'TrongLuongTinh',
      duty: 'ThueXNK',
      taxes: 'ThueGTGT',
    },
    words: {
      flow: 'NK=import XK=export TN=re-import TX=re-export QC=transit',
      procedure:
        'A11=home-use C11=warehousing C21=free-zone E31=inward-processing E54=outward-processing G13=temporary-admission ' +
        'G61=temporary-export B11=export B13=drawback H21=stores QC1=transit QC2=transhipment A31=re-importation ' +
        'G23=re-exportation',
      transport:
        'Đường_biển=sea Đường_sắt=rail Đường_bộ=road Đường_hàng_không=air Bưu_chính=post Đa_phương_thức=multimodal ' +
        'Đường_ống=pipeline Đường_thủy_nội_địa=inland-waterway',
    },
    others: ['transport'],
  },
  BR: {
    files: {
      'BR-importacao.csv': { flow: 'import', destination: 'BR' },
      'BR-exportacao.csv': { flow: 'export', consignment: 'BR' },
      'BR-transito.csv': { flow: 'transit' },
    },
    encoding: 'windows-1252',
    delimiter: ';',
    date: 'DD/MM/YYYY',
    mark: ',',
    group: '.',
    columns: {
      period: ['Data do Registro', 'Data do Despacho', 'Data da Concessão'],
      hs6: 'NCM',
      origin: 'País de Origem',
      consignment: 'País de Procedência',
      destination: 'País de Destino',
      procedure: ['Regime Aduaneiro', 'Enquadramento', 'Modalidade'],
      transport: 'Via de Transporte',
      value: ['Valor CIF (US$)', 'Valor FOB (US$)', 'Valor (US$)'],
      netMass: 'Peso Líquido (kg)',
      duty: 'Imposto de Importação',
      taxes: 'Demais Tributos',
    },
    words: {
      procedure:
        'Consumo=home-use Entreposto_Aduaneiro=warehousing Zona_Franca=free-zone Drawback_Suspensão=inward-processing ' +
        'Exportação_Temporária_p/_Aperfeiçoamento=outward-processing Admissão_Temporária=temporary-admission ' +
        'Exportação_Temporária=temporary-export Exportação_Normal=export Drawback_Restituição=drawback ' +
        'Consumo_de_Bordo=stores Trânsito_Aduaneiro=transit Baldeação=transhipment',
      transport:
        'Marítima=sea Ferroviária=rail Rodoviária=road Aérea=air Postal=post Meios_Próprios_–_Vários=multimodal ' +
        'Conduto/Rede=pipeline Fluvial=inland-waterway Meios_Próprios=own-propulsion',
    },
  },
  FR: {
    files: { 'FR.csv': {} },
    encoding: 'utf-8',
    delimiter: ';',
    date: 'DD.MM.YYYY',
    mark: ',',
    group: '\u202f',
    columns: {
      period: 'Date d’acceptation',
      flow: 'Flux',
      hs6: 'Nomenclature',
      origin: 'Pays d’origine',
      consignment: 'Pays de provenance',
      destination: 'Pays de destination',
      procedure: 'Régime',
      transport: 'Mode de transport à la frontière',
      value: 'Valeur statistique',
      netMass: 'Masse nette',
      quantity: 'Unités supplémentaires',
      quantityUnit: 'Unité',
      duty: 'Droits de douane',
      taxes: 'Autres taxes',
    },
    words: {
      flow: 'I=import E=export RI=re-import RE=re-export T=transit',
      procedure:
        '10=export 11=drawback 21=outward-processing 23=temporary-export 31=re-exportation 40=home-use ' +
        '51=inward-processing 53=temporary-admission 61=re-importation 71=warehousing 78=free-zone 80=transit ' +
        '81=transhipment 95=stores',
      transport: RECOMMENDATION_19,
      quantityUnit: 'U=u G=g M2=m2 M3=m3',
    },
  },
}

import { titledList } from './titled-list.ts'

/** Units of the supplementary quantity. Nothing is converted: a spelling stands for exactly the same unit. */
export const quantityUnits = titledList({
  id: 'quantity-units',
  source:
    'WCO Recommendation on standard units of quantity, and the gram, which the project adds. Spellings: UNECE ' +
    'Recommendation 20.',
  titles: {
    kg: ['Kilograms', 'Kilogrammes'],
    g: ['Grams', 'Grammes'],
    carat: ['Metric carats', 'Carats métriques'],
    m: ['Metres', 'Mètres'],
    m2: ['Square metres', 'Mètres carrés'],
    m3: ['Cubic metres', 'Mètres cubes'],
    l: ['Litres', 'Litres'],
    '1000kWh': ['Thousands of kilowatt-hours', 'Milliers de kilowattheures'],
    u: ['Items', 'Pièces'],
    '2u': ['Pairs', 'Paires'],
    '12u': ['Dozens', 'Douzaines'],
    '1000u': ['Thousands of items', 'Milliers de pièces'],
    pack: ['Packs', 'Jeux ou paquets'],
  },
  spellings: {
    kg: ['KGM'],
    g: ['GRM'],
    carat: ['CTM'],
    m: ['MTR'],
    m2: ['MTK', 'm²'],
    m3: ['MTQ', 'm³'],
    l: ['LTR'],
    '1000kWh': ['MWH', '1000 kWh'],
    u: ['NAR', 'C62', 'H87'],
    '2u': ['NPR', 'PR'],
    '12u': ['DZN'],
    '1000u': ['MIL'],
    pack: ['NMP', 'u (jeu/pack)', 'jeu/pack'],
  },
})

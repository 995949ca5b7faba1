import { titledList } from './titled-list.ts'

/**
 * What happens to the goods, so that what is not trade can be left out. Two codes have no chapter of their own in the
 * convention: temporary export is the outward half of B.2, re-exportation ends D.1, D.2, F.1 and G.1.
 */
export const procedures = titledList({
  id: 'procedures',
  source: 'Revised Kyoto Convention (WCO, 1999), specific annexes A to G and J; titles by this project.',
  titles: {
    'temporary-storage': ['Temporary storage', 'Dépôt temporaire'],
    'home-use': ['Release for home use', 'Mise à la consommation'],
    're-importation': ['Return of exported goods, unchanged', 'Retour en l’état de marchandises exportées'],
    export: ['Outright export', 'Exportation à titre définitif'],
    'temporary-export': ['Export with intended return', 'Exportation en vue d’un retour'],
    're-exportation': ['Re-export of foreign goods', 'Réexportation de marchandises étrangères'],
    warehousing: ['Customs warehouse', 'Entrepôt de douane'],
    'free-zone': ['Free zone', 'Zone franche'],
    transit: ['Customs transit', 'Transit douanier'],
    transhipment: ['Transhipment', 'Transbordement'],
    coastwise: ['Carriage along the coast', 'Cabotage'],
    'inward-processing': ['Processing of foreign goods for export', 'Perfectionnement actif'],
    'outward-processing': ['Processing abroad for return', 'Perfectionnement passif'],
    drawback: ['Export with drawback of duties', 'Exportation avec remboursement des droits'],
    'processing-for-home-use': [
      'Processing before release for home use',
      'Transformation avant mise à la consommation',
    ],
    'temporary-admission': ['Temporary admission', 'Admission temporaire'],
    stores: ['Stores for ships, aircraft and trains', 'Avitaillement des navires, aéronefs et trains'],
  },
})

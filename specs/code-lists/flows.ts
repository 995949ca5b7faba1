import { titledList } from './titled-list.ts'

export const flows = titledList({
  id: 'flows',
  source:
    'International Merchandise Trade Statistics: Concepts and Definitions 2010 (United Nations), and transit, which is ' +
    'not trade. Letters as in UN Comtrade.',
  titles: {
    import: ['Imports', 'Importations'],
    export: ['Exports', 'Exportations'],
    're-import': ['Re-imports', 'Réimportations'],
    're-export': ['Re-exports', 'Réexportations'],
    transit: ['Transit', 'Transit'],
  },
  spellings: { import: ['M'], export: ['X'], 're-import': ['RM'], 're-export': ['RX'] },
})

import { titledList } from './titled-list.ts'

/** Modes of transport at the border. Mode 0 of the recommendation, not specified, is `unknown` and so no code. */
export const transportModes = titledList({
  id: 'transport-modes',
  source:
    'UNECE Recommendation 19, second edition (2001): modes 1 to 9. Its 9, transport mode not applicable, is read as ' +
    'own propulsion, as in customs declarations of the European Union.',
  titles: {
    sea: ['Sea', 'Mer'],
    rail: ['Rail', 'Chemin de fer'],
    road: ['Road', 'Route'],
    air: ['Air', 'Air'],
    post: ['Post', 'Poste'],
    multimodal: ['Several modes', 'Plusieurs modes'],
    pipeline: ['Pipelines, cables and other fixed installations', 'Conduites, câbles et autres installations fixes'],
    'inland-waterway': ['Inland waterway', 'Voies navigables intérieures'],
    'own-propulsion': ['Own propulsion', 'Propulsion propre'],
  },
  spellings: {
    sea: ['1'],
    rail: ['2'],
    road: ['3'],
    air: ['4'],
    post: ['5'],
    multimodal: ['6'],
    pipeline: ['7'],
    'inland-waterway': ['8'],
    'own-propulsion': ['9'],
  },
})

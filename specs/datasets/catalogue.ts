import { InbondError } from '#crypto/error.ts'
import type { Dataset } from './dataset.ts'
import { declarations } from './declarations.ts'

const datasets: readonly Dataset[] = [declarations]

/** Every dataset of this version of the software; a charter names those that its federation uses. */
export const catalogue: ReadonlyMap<string, Dataset> = new Map(datasets.map(dataset => [dataset.id, dataset]))

/** @throws InbondError `unknown-dataset` */
export function datasetCalled(id: string): Dataset {
  const dataset = catalogue.get(id)
  if (dataset) return dataset
  throw new InbondError('unknown-dataset', `there is no dataset "${id}"; there is ${[...catalogue.keys()].join(', ')}`)
}

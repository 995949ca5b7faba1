import { productLayers } from './product/layers.ts'
import * as acceptance from './topics/acceptance.ts'
import * as aggregation from './topics/aggregation.ts'
import * as bodies from './topics/bodies.ts'
import * as contribution from './topics/contribution.ts'
import * as ids from './topics/ids.ts'
import * as log from './topics/log.ts'
import * as opening from './topics/opening.ts'
import * as packing from './topics/packing.ts'
import * as recount from './topics/recount.ts'
import * as sampling from './topics/sampling.ts'
import * as sealing from './topics/sealing.ts'
import * as sharing from './topics/sharing.ts'
import * as signatures from './topics/signatures.ts'
import { textOf, Writing } from './writing.ts'

const topics = {
  sampling,
  packing,
  sharing,
  contribution,
  bodies,
  aggregation,
  opening,
  acceptance,
  sealing,
  signatures,
  ids,
  log,
  recount,
}

/** Every file of specs/vectors/ as it has to be; what is expected comes from the product. */
export async function* files(): AsyncGenerator<{ readonly name: string; readonly text: string }> {
  for (const [name, { description, write }] of Object.entries(topics)) {
    const writing = new Writing(productLayers, description)
    await write(writing)
    yield { name: `${name}.json`, text: textOf(writing.file) }
  }
}

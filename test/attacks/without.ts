import { loadEdited } from '../edits.ts'
import type { attacks as all } from './all.ts'
import type { carryOut as carry, Outcome } from './attack.ts'
import type { foundFederation as found } from './scene.ts'

/**
 * Makes attempts on the product without the protection that each of them is about: `node without.ts NAME…`. Prints how each ends,
 * as JSON. One process makes all, with every module loaded anew for each, because a process takes longer to begin than an attempt.
 */
interface Modules {
  readonly attacks: typeof all
  readonly carryOut: typeof carry
  readonly foundFederation: typeof found
}

let edits: (typeof all)[number]['protection'] = []
let generation = 0
loadEdited(
  () => edits,
  () => generation,
)

async function load(): Promise<Modules> {
  return { ...(await import('./all.ts')), ...(await import('./attack.ts')), ...(await import('./scene.ts')) }
}

const names = process.argv.slice(2)
const { attacks, foundFederation } = await load()
const usual = await foundFederation()
const outcomes: Outcome[] = []
for (const name of names) {
  const attack = attacks.find(one => one.name === name)
  if (!attack) throw new Error(`there is no attack "${name}"`)
  edits = attack.protection
  generation++
  const modules = await load()
  const tables = edits.some(one => one.file.endsWith('.sql'))
  const snapshot = tables ? await modules.foundFederation() : usual
  const again = modules.attacks.find(one => one.name === name) as typeof attack
  outcomes.push(await modules.carryOut(again, snapshot))
}
process.stdout.write(JSON.stringify(outcomes))

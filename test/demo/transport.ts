import { type Draws, Weighted } from './random.ts'
import type { Carriage } from './sectors.ts'

export type Transport =
  | 'sea'
  | 'rail'
  | 'road'
  | 'air'
  | 'post'
  | 'multimodal'
  | 'pipeline'
  | 'inland-waterway'
  | 'own-propulsion'

type Modes = Partial<Record<Transport, number>>

const OVERSEAS: Record<Carriage, Modes> = {
  bulk: { sea: 94, air: 3, multimodal: 3 },
  general: { sea: 80, air: 13, multimodal: 4, post: 3 },
  light: { air: 66, sea: 24, post: 9, multimodal: 1 },
  piped: { sea: 97, pipeline: 3 },
  vessels: { 'own-propulsion': 55, sea: 25, air: 20 },
}

const OVERLAND: Record<Carriage, Modes> = {
  bulk: { road: 42, rail: 26, 'inland-waterway': 18, sea: 14 },
  general: { road: 68, rail: 14, sea: 9, air: 5, multimodal: 3, post: 1 },
  light: { road: 58, air: 32, post: 7, rail: 3 },
  piped: { pipeline: 48, road: 22, sea: 18, rail: 12 },
  vessels: { 'own-propulsion': 70, road: 30 },
}

const tables = [OVERSEAS, OVERLAND].map(
  modes => new Map(Object.entries(modes).map(([id, weights]) => [id, new Weighted(weighted(weights))])),
)

function weighted(modes: Modes): [Transport, number][] {
  return Object.entries(modes) as [Transport, number][]
}

export function drawTransport(draws: Draws, carriage: Carriage, overland: boolean): Transport {
  const table = tables[overland ? 1 : 0]?.get(carriage) as Weighted<Transport>
  return table.draw(draws)
}

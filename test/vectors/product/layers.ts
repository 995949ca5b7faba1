import type { Layers } from '../layers.ts'
import { logLayers } from './log.ts'
import { messageLayers } from './messages.ts'
import { sumLayers } from './sum.ts'

export const productLayers: Layers = { ...sumLayers, ...messageLayers, ...logLayers }

import type { Layers } from '../layers.ts'
import { logLayers } from './log.ts'
import { messageLayers } from './message-layers.ts'
import { sumLayers } from './sum-layers.ts'

export const secondReaderLayers: Layers = { ...sumLayers, ...messageLayers, ...logLayers }

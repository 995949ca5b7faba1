import type { Family } from './bench.ts'
import { cells } from './cells.ts'
import { everybody } from './everybody.ts'
import { five } from './five.ts'
import { warehouse } from './warehouse.ts'
import { bytes } from './wire.ts'

/** Every row belongs to one family. */
export const families: readonly Family[] = [...cells, bytes, ...five, everybody, ...warehouse]

import { readFileSync } from 'node:fs'
import { faults } from './trace.ts'

/** A clock that is wrong by as many milliseconds as a file says, from one moment to the next. */

const LOOK_EVERY_MS = 20
const { now } = Date
let looked = Number.NEGATIVE_INFINITY
let wrongBy = 0

Date.now = () => {
  if (performance.now() - looked > LOOK_EVERY_MS) {
    looked = performance.now()
    wrongBy = Number(readFileSync(faults.clock, 'utf8'))
  }
  return now() + wrongBy
}

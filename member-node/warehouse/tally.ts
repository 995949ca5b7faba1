import { InbondError } from '#crypto/error.ts'
import { type Axis, axisLength, type Plan } from '#specs/query.ts'

/** The dictionary of a dimension: what each stored integer stands for (for the period, months as `2020-03`). */
export type Vocabulary = ReadonlyMap<number, string>

/** For every stored integer its place on an axis: the axis's codes in order, then `other`, then `unknown`. */
export interface Positions {
  readonly byId: Int32Array
  readonly other: number
  readonly unknown: number
  readonly length: number
}

export function positionsOn(axis: Axis, vocabulary: Vocabulary): Positions {
  const place = new Map(axis.codes.map((code, i) => [code, i]))
  const other = axis.codes.length
  const byId = new Int32Array(Math.max(0, ...vocabulary.keys()) + 1).fill(other)
  for (const [id, code] of vocabulary) byId[id] = place.get(axis.grain === 'year' ? code.slice(0, 4) : code) ?? other
  return { byId, other, unknown: other + 1, length: axisLength(axis) }
}

/** Sums are kept as low + high × 2^52, both exact in floating point: a value and a low part stay below 2^53 together. */
const CARRY = 2 ** 52

/** The largest measure of one record, in smallest units, that can be added up exactly. */
export const LARGEST_UNITS = CARRY - 1

/**
 * Adds records up into cells. `add` takes the stored integers of the axes, then the values of the measures' columns, in the
 * order of `columns`; null is `unknown` on an axis and empty in a measure.
 */
export class Tally {
  /** The measures' columns that records must bring. */
  readonly columns: readonly string[]
  readonly #axes: readonly Positions[]
  readonly #cells: number
  readonly #measures: readonly { column: number; counts: boolean; low: Float64Array; high: Float64Array }[]

  constructor(axes: readonly Positions[], measures: Plan['measures']) {
    const columns = measures.map(measure => ('sum' in measure ? measure.sum : measure.count))
    this.columns = [...new Set(columns)].filter(column => column !== 'records')
    this.#axes = axes
    this.#cells = axes.reduce((product, axis) => product * axis.length, 1)
    this.#measures = measures.map((measure, i) => ({
      column: this.columns.indexOf(columns[i] as string),
      counts: 'count' in measure,
      low: new Float64Array(this.#cells),
      high: new Float64Array(this.#cells),
    }))
  }

  /** `record` may begin with elements that belong to the caller; the first `offset` are passed over. */
  add(record: readonly (number | null)[], offset: number): void {
    let cell = 0
    let next = offset
    for (const axis of this.#axes) {
      const id = record[next++]
      cell = cell * axis.length + (id == null ? axis.unknown : (axis.byId[id] ?? axis.other))
    }
    for (const { column, counts, low, high } of this.#measures) {
      const value = column < 0 ? 1 : record[next + column]
      if (value == null) continue
      const sum = (low[cell] as number) + (counts ? 1 : value)
      if (sum >= CARRY || sum <= -CARRY) {
        low[cell] = sum - Math.sign(sum) * CARRY
        high[cell] = (high[cell] as number) + Math.sign(sum)
      } else {
        low[cell] = sum
      }
    }
  }

  /**
   * The cells as they stand: slot = measure × cells + cell, cells in row-major order of the axes.
   * @throws InbondError `cell-too-large` beyond 64 bits
   */
  cells(): BigInt64Array {
    const slots = new BigInt64Array(this.#measures.length * this.#cells)
    for (const [m, { low, high }] of this.#measures.entries()) {
      for (let cell = 0; cell < this.#cells; cell++) {
        const carries = high[cell] as number
        const sum = BigInt(low[cell] as number) + (carries === 0 ? 0n : BigInt(carries) * BigInt(CARRY))
        if (carries !== 0 && BigInt.asIntN(64, sum) !== sum) {
          throw new InbondError('cell-too-large', 'a cell of the answer is larger than 64 bits')
        }
        slots[m * this.#cells + cell] = sum
      }
    }
    return slots
  }
}

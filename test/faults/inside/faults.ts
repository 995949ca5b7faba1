/** What befalls a process of a test; given to it as JSON in this variable, and read by preload.ts. */
export const FAULTS = 'INBOND_TEST_FAULTS'

export interface Faults {
  /** The directory of the party that the process serves. */
  readonly directory: string
  /** The file to which the process appends each moment that it reaches: a line of points, separated by tabs. */
  readonly trace: string
  /** How points are named. */
  readonly names: Names
  /** The point at which it is killed. */
  readonly killAt?: string
  /** While this file exists the party's disk has `no space`, or for its files as many bytes as it says. */
  readonly fullDisk: string
  /** A file that says by how many milliseconds the clock is wrong. */
  readonly clock: string
}

/** What the product declares, as far as names of points are made of it. */
export interface Names {
  /** Paths of the coordinator's interface, such as `/rounds/{round}/answer`. */
  readonly paths: readonly string[]
  /** Columns, as `table.column`, that may be empty in a new row. */
  readonly nullable: readonly string[]
  /** Columns, as `table.column`, that have one of a few values. */
  readonly enumerated: readonly string[]
}

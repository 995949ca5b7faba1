import type { CodeList } from '#specs/code-lists/code-list.ts'

/**
 * A dataset as a federation declares it: dimensions with public code lists, measures with unit and bounds, and the trader,
 * the unit of privacy. Its identifiers become column names of a node's warehouse, so they are part of the specification and
 * never come from outside.
 */
export interface Dataset {
  readonly id: string
  /** Raised by every change that alters what a query means. */
  readonly version: number
  readonly title: string
  /** One row is one … */
  readonly record: string
  readonly dimensions: Readonly<Record<string, Dimension>>
  readonly measures: Readonly<Record<string, Measure>>
}

export type Dimension = CodedDimension | LevelDimension | PeriodDimension

/** A dimension whose code stands in its own column of the source. */
export interface CodedDimension {
  readonly kind: 'coded'
  readonly title: string
  readonly codeList: CodeList
  /** What an empty cell of the source means; without it, `unknown`. */
  readonly whenEmpty?: string
}

/** The first `digits` digits of a hierarchical code; each level is looked up on its own. */
export interface LevelDimension {
  readonly kind: 'level'
  readonly title: string
  /** The column of the source that holds the raw code; it is kept beside the levels. */
  readonly of: string
  readonly digits: number
  readonly codeList: CodeList
}

/** A calendar month; queries may also ask for years. */
export interface PeriodDimension {
  readonly kind: 'period'
  readonly title: string
}

export interface Measure {
  readonly title: string
  /** A unit of measurement, or `currency` for the charter's. */
  readonly unit: string
  /** Decimals kept; sums are integers of 10^-decimals units. */
  readonly decimals: number
  /** Bounds of one record, in units. Beyond them a record is clipped or rejected, as declared, and counted in the report. */
  readonly least: number
  readonly most: number
  readonly beyond: 'clip' | 'reject'
  /** Amounts of different codes of this dimension must not be added up. */
  readonly onlyWithin?: string
}

/** Names that no dimension or measure may take: columns of every dataset. */
export const RESERVED = ['records', 'key', 'trader', 'currency', 'import', 'other', 'unknown'] as const

/** The columns that an administration's file can be mapped to. */
export function sourceColumns(dataset: Dataset): string[] {
  const dimensions = Object.entries(dataset.dimensions).map(([id, d]) => (d.kind === 'level' ? d.of : id))
  return [...new Set([...dimensions, ...Object.keys(dataset.measures), 'trader', 'currency'])]
}

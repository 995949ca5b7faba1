/** How many records have a code, as the file spells it; empty where they have none. */
export interface CodeCount {
  readonly code: string
  readonly records: number
}

/** More spellings than a file of codes has: of a column of free text the first ones are counted. */
const MOST_COUNTED = 10_000
const LISTED = 5

/** Counts codes by dimension, in bounded memory. */
export class FrequentCodes {
  readonly #counts = new Map<string, Map<string, number>>()

  add(dimension: string, code: string): void {
    const counts = this.#counts.get(dimension) ?? new Map<string, number>()
    this.#counts.set(dimension, counts)
    if (counts.size < MOST_COUNTED || counts.has(code)) counts.set(code, (counts.get(code) ?? 0) + 1)
  }

  /** The most frequent codes of each dimension, the most frequent first. */
  listed(): Record<string, readonly CodeCount[]> {
    return Object.fromEntries(
      [...this.#counts].map(([dimension, counts]) => {
        const codes = [...counts].map(([code, records]) => ({ code, records }))
        return [dimension, codes.toSorted((a, b) => b.records - a.records).slice(0, LISTED)]
      }),
    )
  }
}

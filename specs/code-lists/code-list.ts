export type Language = 'en' | 'fr'

/** A public list of codes with titles. Codes are strings, whatever a parser would make of them: `01`, `NO`. */
export interface CodeList {
  readonly id: string
  /** Edition and source, so that a code can be looked up again. */
  readonly source: string
  /** Distinct, in the list's own order, which is also the order of cells in a query. */
  readonly codes: readonly string[]
  /** The title of a listed code; the code itself where the list has no titles. */
  title(code: string, language: Language): string
  /** The code that a source's spelling stands for (KOR and 410 are KR), or undefined if it is not valid. */
  recognise(spelling: string): string | undefined
}

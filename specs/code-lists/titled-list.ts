import type { CodeList } from './code-list.ts'

/** Codes with their titles, in the list's order. A code must not be a bare number: objects would move it to the front. */
export type Titles = Readonly<Record<string, readonly [en: string, fr: string]>>

interface TitledList {
  readonly id: string
  readonly source: string
  readonly titles: Titles
  /** What sources write for a code, beside the code itself. */
  readonly spellings?: Readonly<Record<string, readonly string[]>>
}

/** A list with titles in both languages. Spellings are recognised in any letter case. */
export function titledList({ id, source, titles, spellings = {} }: TitledList): CodeList {
  const titleOf = new Map(Object.entries(titles))
  const codes = [...titleOf.keys()]
  const codeOf = new Map<string, string>()

  function spell(code: string, spelling: string) {
    const key = normalise(spelling)
    const taken = codeOf.get(key)
    if (taken !== undefined && taken !== code) throw new Error(`${id}: "${spelling}" stands for ${taken} and ${code}`)
    codeOf.set(key, code)
  }

  for (const code of codes) spell(code, code)
  for (const [code, others] of Object.entries(spellings)) {
    if (!titleOf.has(code)) throw new Error(`${id}: spellings of ${code}, which is not listed`)
    for (const spelling of others) spell(code, spelling)
  }

  return {
    id,
    source,
    codes,
    title: (code, language) => titleOf.get(code)?.[language === 'en' ? 0 : 1] ?? code,
    recognise: spelling => codeOf.get(normalise(spelling)),
  }
}

function normalise(spelling: string): string {
  return spelling.trim().toLowerCase()
}

import type { CodeList } from './code-list.ts'
import { chapterTitles } from './hs-chapter-titles.ts'
import { HS2022 } from './hs2022.ts'
import type { Titles } from './titled-list.ts'

/** How a commodity code is written: pairs of digits, as in 851712, 8517.12, 85 17 12. So `1.0` is no chapter 10. */
const WRITTEN = /^\d\d([. ]?\d\d)*$/

const chapters = new Set<string>()
const headings: string[] = []
const subheadings: string[] = []
for (const line of HS2022.trim().split('\n')) {
  const [heading = '', ...endings] = line.split(' ')
  chapters.add(heading.slice(0, 2))
  headings.push(heading)
  for (const ending of endings) subheadings.push(heading + ending)
}

/** Chapters of the Harmonized System, edition 2022, and 99 for what is not specified. */
export const hs2 = level('hs2022-2', 'chapters; titles by this project', [...chapters], chapterTitles)
/** Headings; without titles. */
export const hs4 = level('hs2022-4', 'headings', headings)
/** Subheadings; without titles. */
export const hs6 = level('hs2022-6', 'subheadings', subheadings)

function level(id: string, what: string, codes: readonly string[], titles: Titles = {}): CodeList {
  const listed = new Set(codes)
  return {
    id,
    source:
      `WCO Harmonized System 2022, ${what}. Codes from datahub.io harmonized-system (PDDL), with 99, 9999 and 999999 ` +
      'for commodities not specified.',
    codes,
    title: (code, language) => titles[code]?.[language === 'en' ? 0 : 1] ?? code,
    recognise(spelling) {
      if (listed.has(spelling)) return spelling
      const trimmed = spelling.trim()
      if (!WRITTEN.test(trimmed)) return undefined
      const code = trimmed.replaceAll(/[. ]/g, '')
      return listed.has(code) ? code : undefined
    },
  }
}

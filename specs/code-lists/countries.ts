import iso from 'i18n-iso-countries/codes.json' with { type: 'json' }
import en from 'i18n-iso-countries/langs/en.json' with { type: 'json' }
import fr from 'i18n-iso-countries/langs/fr.json' with { type: 'json' }
import { titledList } from './titled-list.ts'

// The package's own entry point would load the names in all of its languages.
const rows = (iso as [alpha2: string, alpha3: string, numeric: string, subdivisions: string][]).toSorted((a, b) =>
  a[0] < b[0] ? -1 : 1,
)
const numericOf = new Map(rows.map(([alpha2, , numeric]) => [alpha2, numeric]))

/** Countries and territories. Spellings: alpha-2, alpha-3, and the numeric code with or without its leading zeros. */
export const countries = titledList({
  id: 'countries',
  source:
    'ISO 3166-1 alpha-2, from the package i18n-iso-countries (MIT), with one user-assigned code: XK (XKK or XKX, 983), ' +
    'Kosovo, a member of the WCO. Other user-assigned, reserved and withdrawn codes (EU, EL, UK, AN, ZZ) are not listed.',
  titles: Object.fromEntries(
    rows.map(([alpha2]) => [alpha2, [name(en.countries, alpha2), name(fr.countries, alpha2)]]),
  ),
  spellings: Object.fromEntries(
    rows.map(([alpha2, alpha3, numeric]) => [
      alpha2,
      // XKX is what the European Union and the World Bank write, XKK what Unicode CLDR does.
      [alpha3, numeric, `${Number(numeric)}`, numeric.replace(/^0/, ''), ...(alpha2 === 'XK' ? ['XKX'] : [])],
    ]),
  ),
})

/** The three digits of ISO 3166-1 for a listed code: KR is 410, AF is 004. */
export function numericCode(alpha2: string): string {
  const numeric = numericOf.get(alpha2)
  if (numeric === undefined) throw new Error(`${alpha2} is not a listed country`)
  return numeric
}

function name(names: Readonly<Record<string, string | string[]>>, alpha2: string): string {
  const known = names[alpha2]
  const preferred = typeof known === 'object' ? known[0] : known
  if (preferred === undefined) throw new Error(`${alpha2} has no name`)
  return preferred
}

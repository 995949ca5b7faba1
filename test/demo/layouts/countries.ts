import iso from 'i18n-iso-countries/codes.json' with { type: 'json' }
import { STRANGE } from '../declaration.ts'

type Writer = (alpha2: string) => string
const rows = iso as [alpha2: string, alpha3: string, numeric: string, subdivisions: string][]

/** Writes ISO 3166-1 alpha-3, and `strange` for a country that no list has. */
export function alpha3(strange: string): Writer {
  return from(
    rows.map(([alpha2, code]) => [alpha2, code]),
    strange,
  )
}

export function numeric(strange: string): Writer {
  return from(
    rows.map(([alpha2, , code]) => [alpha2, code]),
    strange,
  )
}

export function alpha2(strange: string): Writer {
  return from(
    rows.map(([code]) => [code, code]),
    strange,
  )
}

function from(codes: Iterable<readonly [string, string]>, strange: string): Writer {
  const written = new Map([...codes, [STRANGE, strange] as const])
  return code => written.get(code) ?? ''
}

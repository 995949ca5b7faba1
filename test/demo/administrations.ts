import { type Economy, economies } from './economies.ts'
import { br } from './layouts/br.ts'
import { fr } from './layouts/fr.ts'
import { jp } from './layouts/jp.ts'
import { kr } from './layouts/kr.ts'
import type { Layout } from './layouts/layout.ts'
import { vn } from './layouts/vn.ts'

/** A member of the federation that the demonstration makes up. */
export interface Administration {
  readonly member: string
  readonly name: string
  /** How many declarations it has for 2024. */
  readonly records: number
  readonly economy: Economy
  readonly layout: Layout
}

/** Five administrations. Their figures are invented; only the shape of their trade resembles that of the countries. */
export const administrations: readonly Administration[] = [
  { member: 'KR', name: 'Republic of Korea', records: 92_000, economy: economies.KR, layout: kr },
  { member: 'JP', name: 'Japan', records: 71_000, economy: economies.JP, layout: jp },
  { member: 'VN', name: 'Viet Nam', records: 51_000, economy: economies.VN, layout: vn },
  { member: 'BR', name: 'Brazil', records: 26_000, economy: economies.BR, layout: br },
  { member: 'FR', name: 'France', records: 18_000, economy: economies.FR, layout: fr },
]

/** Where the map of a sheet is. */
export function mapOf(sheet: { readonly name: string }): URL {
  return new URL(`./maps/${sheet.name}.yaml`, import.meta.url)
}

import type { Amount, Declaration } from '../declaration.ts'
import type { Flow } from '../economies.ts'

/** How an administration delivers its declarations: the sheets, and how text is written in them. */
export interface Layout {
  readonly delimiter: ',' | ';' | '\t'
  readonly newline: '\n' | '\r\n'
  readonly encoding: 'utf-8' | 'windows-1252'
  readonly byteOrderMark?: boolean
  readonly sheets: readonly Sheet[]
}

/** One file of a delivery. */
export interface Sheet {
  /** Name of the file without `.csv`, and of its map without `.yaml`. */
  readonly name: string
  /** The flows that it holds; all of them if it does not say. */
  readonly flows?: readonly Flow[]
  readonly header: readonly string[]
  /** Cells in the order of the header, quoted where they must be. */
  readonly cells: (declaration: Declaration) => readonly string[]
}

/** How numbers are written. */
export interface Numbers {
  readonly mark: '.' | ','
  /** What stands between groups of three digits. */
  readonly group: string
}

export function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

/** An integer of 10^-`decimals` units as decimal text, with what stands beyond the last decimal. */
export function decimal(units: number, decimals: number, { mark, group }: Numbers, beyond = ''): string {
  const digits = String(units).padStart(decimals + 1, '0')
  const whole = digits.slice(0, -decimals)
  const fraction = digits.slice(-decimals) + beyond
  if (group === '' || whole.length <= 3) return whole + mark + fraction
  let grouped = whole.slice(-3)
  for (let end = whole.length - 3; end > 0; end -= 3) grouped = whole.slice(Math.max(0, end - 3), end) + group + grouped
  return grouped + mark + fraction
}

/** The statistical value; in a broken record, what no importer takes. */
export function valueText({ value, broken }: Declaration, numbers: Numbers): string {
  if (broken === 'unreadable') return 'n/a'
  // Minus zero would be zero again.
  if (broken === 'negative') return `-${decimal(Math.max(1, value.units), 2, numbers)}`
  return decimal(value.units, 2, numbers, value.beyond)
}

export function massText(netMass: Amount | undefined, numbers: Numbers): string {
  return netMass ? decimal(netMass.units, 3, numbers, netMass.beyond) : ''
}

/** National digits after the six of the Harmonized System. */
export function nationalDigits({ trader }: Declaration, choices: readonly string[]): string {
  return choices[trader % choices.length] as string
}
